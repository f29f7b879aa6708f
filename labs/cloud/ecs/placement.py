"""On which container instance a task is placed. Pure rules: nothing here knows of records, requests or Docker.

First what cannot be is taken away: too little CPU, memory or ports, missing attributes, constraints. Of what is left
each strategy of the list, one after the other, keeps the best.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement.html
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labs.cloud.ecs import query_language

DYNAMIC_PORTS = (32768, 60999)  # net.ipv4.ip_local_port_range of Linux, from which Docker takes host ports
DEFAULT_STRATEGY = (
    {"type": "spread", "field": "attribute:ecs.availability-zone"},
    {"type": "spread", "field": "instanceId"},
)

MOST_STRATEGIES = 5

_CLOSENESS = ("RESOURCE", "MemberOf", "DistinctInstance", "ATTRIBUTE", "AGENT")

Port = tuple[str, int]  # protocol and number


@dataclass(frozen=True)
class Instance:
    """A container instance as placement sees it.

    Args:
        arn: its ARN.
        ec2_id: the id of the EC2 instance.
        cpu: CPU units that are free.
        memory: MiB that are free.
        ports: the host ports that are taken or reserved.
        attributes: built-in and custom ones; None for one without a value.
        groups: the groups of its tasks, one entry a task.
        connected: whether its agent is.
        facts: what the query language can ask besides attributes and groups.
        provider: the capacity provider that it belongs to.
    """

    arn: str
    ec2_id: str
    cpu: int
    memory: int
    ports: frozenset[Port] = frozenset()
    attributes: dict[str, str | None] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    connected: bool = True
    facts: dict[str, Any] = field(default_factory=dict)
    provider: str | None = None

    def subjects(self) -> dict[str, Any]:
        """What an expression can ask of it."""
        attributes = {f"attribute:{name}": value or "" for name, value in self.attributes.items()}
        groups = {"task:group": set(self.groups)} if self.groups else {}
        return {**self.facts, "agentConnected": self.connected, "ec2InstanceId": self.ec2_id, **attributes, **groups}


@dataclass(frozen=True)
class Need:
    """What a task needs of its instance.

    Args:
        cpu: CPU units.
        memory: MiB.
        ports: the host ports that it names.
        attributes: the names of the attributes that the instance has to have.
        zones: the zones that it may live in; empty for any.
    """

    cpu: int = 0
    memory: int = 0
    ports: frozenset[Port] = frozenset()
    attributes: tuple[str, ...] = ()
    zones: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Misfit:
    """Why a task cannot be on an instance: the reason as RunTask tells it, and as a service event ends."""

    instance: Instance
    reason: str
    words: str


Constraints = Sequence[dict[str, str]]
Strategies = Sequence[dict[str, str]]


def choose(
    instances: Iterable[Instance],
    need: Need,
    group: str,
    constraints: Constraints = (),
    strategies: Strategies = (),
) -> Instance | list[Misfit]:
    """The instance for one more task; or, where there is none, why each of them is not.

    Args:
        instances: those of the cluster that may take tasks.
        need: of the task.
        group: the task's group, for `distinctInstance` and spreading.
        constraints: of the request and of the task definition, `type` and `expression`.
        strategies: `type` and `field`; the default of AWS if there are none.
    """
    fit, misfits = [], []
    for one in instances:
        problem = misfit(one, need, group, constraints)
        if problem is None:
            fit.append(one)
        else:
            misfits.append(problem)
    if not fit:
        return misfits
    return best(fit, need, group, strategies or DEFAULT_STRATEGY)


def misfit(one: Instance, need: Need, group: str, constraints: Constraints) -> Misfit | None:
    """Why a task cannot be on an instance; None if it can.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
    """
    zone = one.attributes.get("ecs.availability-zone")
    missing = [name for name in need.attributes if name not in one.attributes]
    checks = (
        (not one.connected, "AGENT", 'encountered error "AGENT"'),
        (missing, "ATTRIBUTE", "is missing an attribute required by your task"),
        (need.zones and zone not in need.zones, "ATTRIBUTE", "is missing an attribute required by your task"),
        (need.cpu > one.cpu, "RESOURCE:CPU", "has insufficient CPU units available"),
        (need.memory > one.memory, "RESOURCE:MEMORY", "has insufficient memory available"),
        (need.ports & one.ports, "RESOURCE:PORTS", "is already using a port required by your task"),
    )
    for is_so, reason, words in checks:
        if is_so:
            return Misfit(one, reason, words)
    for constraint in constraints:
        if constraint["type"] == "distinctInstance" and group in one.groups:
            return _unmet(one, "DistinctInstance")
        if constraint["type"] == "memberOf" and not query_language.parse(constraint["expression"])(one.subjects()):
            return _unmet(one, "MemberOf")
    return None


def _unmet(one: Instance, kind: str) -> Misfit:
    reason = f"{kind} placement constraint unsatisfied."
    return Misfit(one, reason, f'encountered error "{reason}"')


def closest(misfits: Sequence[Misfit]) -> Misfit | None:
    """The instance that comes nearest to what a task needs: one that only lacks room, and has most of it."""
    if not misfits:
        return None

    def rank(one: Misfit) -> tuple[int, int, int]:
        kind = next((number for number, start in enumerate(_CLOSENESS) if one.reason.startswith(start)), 0)
        return kind, -one.instance.memory, -one.instance.cpu

    return min(misfits, key=rank)


def best(fit: Sequence[Instance], need: Need, group: str, strategies: Strategies) -> Instance:
    """The instance that the strategies want, of those that fit."""
    left = list(fit)
    for strategy in strategies:
        kind, by = strategy["type"], strategy.get("field", "")
        if kind == "random":
            return random.choice(left)  # noqa: S311
        if kind == "binpack":
            least = min(_free(one, by) for one in left)
            left = [one for one in left if _free(one, by) == least]
        elif kind == "spread":
            load: Counter[str | None] = Counter()
            for one in fit:
                load[_where(one, by)] += one.groups.count(group)
            least = min(load[_where(one, by)] for one in left)
            left = [one for one in left if load[_where(one, by)] == least]
    return max(left, key=lambda one: (one.memory, one.cpu, one.arn)) if len(left) > 1 else left[0]


def taken(one: Instance, need: Need, group: str, ports: Iterable[Port]) -> Instance:
    """An instance after a task has been placed on it."""
    return replace(
        one,
        cpu=one.cpu - need.cpu,
        memory=one.memory - need.memory,
        ports=one.ports | need.ports | frozenset(ports),
        groups=(*one.groups, group),
    )


def dynamic_port(protocol: str, used: Iterable[Port]) -> int:
    """A free host port of the dynamic range, at random; 0 if all are taken."""
    first, last = DYNAMIC_PORTS
    busy = {number for kind, number in used if kind == protocol}
    free = [port for port in range(first, last + 1) if port not in busy]
    return random.choice(free) if free else 0  # noqa: S311


def problem_of(constraints: Constraints, strategies: Strategies) -> str | None:
    """What is wrong with the constraints and strategies of a request, in a sentence; None if nothing.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PlacementStrategy.html
    """
    if len(strategies) > MOST_STRATEGIES:
        return f"A maximum of {MOST_STRATEGIES} placement strategies can be specified."
    problems = [*map(_problem_of_constraint, constraints), *map(_problem_of_strategy, strategies)]
    return next((one for one in problems if one), None)


def _problem_of_constraint(constraint: dict[str, str]) -> str | None:
    kind, expression = constraint.get("type"), constraint.get("expression")
    if kind == "distinctInstance" and expression:
        return "Expression should not be specified for distinctInstance placement constraint."
    if kind == "memberOf":
        try:
            query_language.parse(expression or "")
        except query_language.QueryError as problem:
            return f"Invalid placement constraint expression '{expression or ''}': {problem}"
    return None if kind else "Placement constraint type cannot be blank."


def _problem_of_strategy(strategy: dict[str, str]) -> str | None:
    kind, by = strategy.get("type"), strategy.get("field", "")
    if kind == "random" and by:
        return "Field should not be specified for random placement strategy."
    if kind == "binpack" and by.lower() not in ("cpu", "memory"):
        return f"Invalid field '{by}' for binpack placement strategy. Valid values: cpu, memory."
    if kind == "spread" and not (by in ("instanceId", "host") or by.startswith("attribute:")):
        return f"Invalid field '{by}' for spread placement strategy. Valid: instanceId, host, attribute:<name>."
    return None if kind else "Placement strategy type cannot be blank."


def _free(one: Instance, by: str) -> int:
    return one.cpu if by.lower() == "cpu" else one.memory


def _where(one: Instance, by: str) -> str | None:
    return one.attributes.get(by.removeprefix("attribute:")) if by.startswith("attribute:") else one.arn
