"""Alarms that run scaling policies: their datapoints, their states, and what their policies ask for.

The backend's own evaluation of alarms counts other dimensions in and is content with one datapoint, so that alarms with
a scaling policy among their actions are evaluated here, and the backend is told their states.
"""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from labs.cloud.frame import clock
from labs.cloud.frame.store import Record
from labs.cloud.scaling import alarms, deciding, evaluation, measures, series, sizes
from labs.cloud.scaling.deciding import Proposal
from labs.cloud.scaling.ecs import Service
from labs.cloud.scaling.series import Datapoint
from labs.cloud.scaling.state import Scaling

_AGGREGATIONS = {"Minimum": min, "Maximum": max, "Average": lambda values: sum(values) / len(values)}
_STEP = clock.lesson(alarms.PERIOD)

log = logging.getLogger(__name__)


class Seen(NamedTuple):
    """An alarm that was evaluated: its state, why, and its datapoints."""

    state: str
    reason: str
    values: Sequence[float | None]


class Watch:
    """The alarms of scaling policies.

    Args:
        scaling: the state.
    """

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        self._points: dict[tuple[str, float], deque[Datapoint]] = {}  # by policy ARN, and since when it is so
        self._seen: dict[str, Seen] = {}  # by alarm ARN

    def forget_others(self, policies: Sequence[Record], found: Sequence[Mapping[str, Any]]) -> None:
        """Forgets policies and alarms that are gone or were changed."""
        kept = {_id(policy) for policy in policies}
        self._points = {key: points for key, points in self._points.items() if key in kept}
        arns = {alarm["AlarmArn"] for alarm in found}
        self._seen = {arn: seen for arn, seen in self._seen.items() if arn in arns}

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
            mine = [alarm for alarm in found if _actions(alarm, policy)]
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
        for alarm in found:
            seen = self._seen.get(alarm["AlarmArn"])
            if seen and alarm["StateValue"] != seen.state:
                await alarms.set_state(region, alarm["AlarmName"], seen.state, seen.reason)

    async def _track(
        self, policy: Record, service: Service, mine: list[Mapping[str, Any]], base: int | None, now: float
    ) -> tuple[list[Proposal], list[Proposal]]:
        """What a target tracking policy asks for: more, or less."""
        points = self._points.setdefault(_id(policy), deque(maxlen=alarms.LOW_PERIODS))
        last = points[-1].when if points else policy["_since"]
        points.extend(await measures.of_policy(self._scaling, policy, service, last, now))
        by_name = {alarm["AlarmName"]: alarm for alarm in mine}
        configuration = policy["TargetTrackingScalingPolicyConfiguration"]
        more: list[Proposal] = []
        less: list[Proposal] = []
        for kind, name in policy["_alarms"].items():
            if name not in by_name:  # deleted by hand: the policy cannot be triggered by it any more
                continue
            number = alarms.HIGH_PERIODS if kind == alarms.HIGH else alarms.LOW_PERIODS
            values = series.window(points, number, _STEP, now)
            own = {
                "Threshold": alarms.threshold(policy, kind), "ComparisonOperator": alarms.comparison(kind),
                "EvaluationPeriods": number,
            }  # fmt: skip
            seen = self._evaluate({**by_name[name], **own}, values)
            if seen.state != evaluation.ALARM or not by_name[name].get("ActionsEnabled", True) or not points:
                continue
            which, cooldown = ([points[-1]], "ScaleOutCooldown") if kind == alarms.HIGH else (points, "ScaleInCooldown")
            if kind == alarms.HIGH and base:  # what the scale-out before has added is counted in
                which = [points[-1]._replace(tasks=min(points[-1].tasks, base))]
            count = sizes.tracked(which, configuration["TargetValue"])
            if count is not None:
                seconds = configuration.get(cooldown, deciding.COOLDOWN)
                proposal = Proposal(max(count, 1), kind == alarms.HIGH, _cause(name, seen, policy), seconds)
                (more if kind == alarms.HIGH else less).append(proposal)
        return more, less

    async def _step(
        self, policy: Record, service: Service, mine: list[Mapping[str, Any]], base: int | None, now: float
    ) -> list[Proposal]:
        """What a step scaling policy asks for."""
        configuration = policy["StepScalingPolicyConfiguration"]
        proposals = []
        for alarm in mine:
            if not alarm.get("MetricName") or alarm.get("ComparisonOperator") not in evaluation.COMPARISONS:
                continue  # an alarm on metric math or on an anomaly band, which are not evaluated here
            period, number = alarm["Period"], alarm["EvaluationPeriods"]
            statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
            found = await series.read(_region(alarm), alarm, statistic, period=period, number=number, now=now)
            seen = self._evaluate(alarm, series.window(found, number, clock.lesson(period), now))
            known = [value for value in seen.values if value is not None]
            triggered = policy["PolicyARN"] in alarm.get(alarms.ACTIONS[seen.state], [])
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

    def _evaluate(self, alarm: Mapping[str, Any], values: Sequence[float | None]) -> Seen:
        """An alarm's state from its datapoints, kept until the next look."""
        arn, threshold, comparison = alarm["AlarmArn"], alarm["Threshold"], alarm["ComparisonOperator"]
        # Not what the backend says: its own evaluation is wrong.
        before = self._seen[arn].state if arn in self._seen else evaluation.INSUFFICIENT_DATA
        needed = alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]
        missing = alarm.get("TreatMissingData") or "missing"
        new = evaluation.state(values, threshold, comparison, needed=needed, missing=missing, before=before)
        same = arn in self._seen and new == before
        reason = self._seen[arn].reason if same else evaluation.reason(values, threshold, comparison, needed, new)
        self._seen[arn] = Seen(new, reason, values)
        return self._seen[arn]


def _id(policy: Record) -> tuple[str, float]:
    return policy["PolicyARN"], policy.get("_since", 0.0)


def _actions(alarm: Mapping[str, Any], policy: Record) -> bool:
    return any(policy["PolicyARN"] in alarm.get(member, []) for member in alarms.ACTIONS.values())


def _region(alarm: Mapping[str, Any]) -> str:
    return alarm["AlarmArn"].split(":")[3]


def _cause(alarm: str, seen: Seen, policy: Record) -> str:
    return f"monitor alarm {alarm} in state {seen.state} triggered policy {policy['PolicyName']}"
