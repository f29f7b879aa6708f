"""Alarms that run scaling policies: their datapoints, their states, and what their policies ask for."""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.frame import alarm_states, clock, series, sizes, tracking
from labs.cloud.frame.alarms import ACTIONS, Evaluations, Seen, runs
from labs.cloud.frame.series import Datapoint
from labs.cloud.frame.store import Record
from labs.cloud.scaling import alarms, deciding, measures
from labs.cloud.scaling.deciding import Proposal
from labs.cloud.scaling.ecs import Service
from labs.cloud.scaling.state import Scaling

_AGGREGATIONS = {"Minimum": min, "Maximum": max, "Average": lambda values: sum(values) / len(values)}
_STEP = clock.lesson(tracking.PERIOD)

log = logging.getLogger(__name__)


class Watch:
    """The alarms of scaling policies.

    Args:
        scaling: the state.
    """

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        self._points: dict[tuple[str, float], deque[Datapoint]] = {}  # by policy ARN, and since when it is so
        self._evaluations = Evaluations()

    def forget_others(self, policies: Sequence[Record], found: Sequence[Mapping[str, Any]]) -> None:
        """Forgets policies and alarms that are gone or were changed."""
        kept = {_id(policy) for policy in policies}
        self._points = {key: points for key, points in self._points.items() if key in kept}
        self._evaluations.keep_only({alarm["AlarmArn"] for alarm in found})

    async def look(
        self, target: Record, service: Service, found: Sequence[Mapping[str, Any]], now: float
    ) -> list[Proposal]:
        """Evaluates the alarms of a target's policies.

        Args:
            target: the scalable target.
            service: what it scales.
            found: the alarms with scaling policies among their actions.
            now: seconds since the epoch.

        Returns:
            What the policies that are triggered ask for.
        """
        base = target["_out"]["base"] if deciding.cooling(target.get("_out"), now) else None
        proposals: list[Proposal] = []
        less: list[Proposal] = []
        agreed = True
        for policy in self._scaling.policies_of(target):
            mine = [alarm for alarm in found if runs(alarm, policy["PolicyARN"])]
            try:
                if policy["PolicyType"] == "StepScaling":
                    proposals += await self._step(policy, service, mine, base, now)
                    continue
                out, smaller = await self._track(policy, service, mine, base, now)
            except ClientError as problem:
                log.warning("the metric of %s could not be read: %s", policy["PolicyARN"], problem)
                agreed = False
                continue
            proposals += out
            less += smaller
            never_in = policy["TargetTrackingScalingPolicyConfiguration"].get("DisableScaleIn")
            agreed = agreed and bool(smaller or never_in)
        if agreed and less:  # "only if all of the target tracking policies are ready to scale in"
            proposals.append(max(less, key=lambda one: one.count))
        return proposals

    async def correct(self, region: str, found: Sequence[Mapping[str, Any]]) -> None:
        """Tells the backend the states that it does not have."""
        await self._evaluations.correct(region, found)

    async def _track(
        self, policy: Record, service: Service, mine: list[Mapping[str, Any]], base: int | None, now: float
    ) -> tuple[list[Proposal], list[Proposal]]:
        """What a target tracking policy asks for: more, or less."""
        points = self._points.setdefault(_id(policy), deque(maxlen=tracking.LOW_PERIODS))
        last = points[-1].when if points else policy["_since"]
        points.extend(await measures.of_policy(self._scaling, policy, service, last, now))
        by_name = {alarm["AlarmName"]: alarm for alarm in mine}
        configuration = policy["TargetTrackingScalingPolicyConfiguration"]
        more: list[Proposal] = []
        less: list[Proposal] = []
        for kind, name in policy["_alarms"].items():
            if name not in by_name:  # deleted by hand: the policy cannot be triggered by it any more
                continue
            number = tracking.HIGH_PERIODS if kind == tracking.HIGH else tracking.LOW_PERIODS
            values = series.window(points, number, _STEP, now)
            own = {
                "Threshold": alarms.threshold(policy, kind), "ComparisonOperator": tracking.comparison(kind),
                "EvaluationPeriods": number,
            }  # fmt: skip
            seen = self._evaluations.evaluate({**by_name[name], **own}, values)
            if seen.state != alarm_states.ALARM or not by_name[name].get("ActionsEnabled", True) or not points:
                continue
            which, cooldown = (
                ([points[-1]], "ScaleOutCooldown") if kind == tracking.HIGH else (points, "ScaleInCooldown")
            )
            if kind == tracking.HIGH and base:  # what the scale-out before has added is counted in
                which = [points[-1]._replace(tasks=min(points[-1].tasks, base))]
            count = sizes.tracked(which, configuration["TargetValue"])
            if count is not None:
                seconds = configuration.get(cooldown, deciding.COOLDOWN)
                proposal = Proposal(max(count, 1), kind == tracking.HIGH, _cause(name, seen, policy), seconds)
                (more if kind == tracking.HIGH else less).append(proposal)
        return more, less

    async def _step(
        self, policy: Record, service: Service, mine: list[Mapping[str, Any]], base: int | None, now: float
    ) -> list[Proposal]:
        """What a step scaling policy asks for."""
        configuration = policy["StepScalingPolicyConfiguration"]
        proposals = []
        for alarm in mine:
            seen = await self._evaluations.look(alarm, now)
            if seen is None:
                continue
            known = [value for value in seen.values if value is not None]
            triggered = policy["PolicyARN"] in alarm.get(ACTIONS[seen.state], [])
            if not triggered or not known or not alarm.get("ActionsEnabled", True):
                continue
            measured = _AGGREGATIONS[configuration.get("MetricAggregationType", "Average")](known)
            breach, falls = measured - alarm["Threshold"], alarm["ComparisonOperator"].startswith("Less")
            count = sizes.stepped(configuration, breach, falls, service.desired)
            if count is None:
                continue
            out = count > service.desired
            if out and base is not None:
                count = sizes.stepped(configuration, breach, falls, base) or 0
            if out or count < service.desired:
                seconds = configuration.get("Cooldown", deciding.COOLDOWN)
                proposals.append(Proposal(count, out, _cause(alarm["AlarmName"], seen, policy), seconds))
        return proposals


def _id(policy: Record) -> tuple[str, float]:
    return policy["PolicyARN"], policy.get("_since", 0.0)


def _cause(alarm: str, seen: Seen, policy: Record) -> str:
    return f"monitor alarm {alarm} in state {seen.state} triggered policy {policy['PolicyName']}"
