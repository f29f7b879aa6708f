"""Alarms of CloudWatch that run scaling policies: found, evaluated, and set right at the backend.

The backend's own evaluation of alarms may count other dimensions in and be content with one datapoint, so that alarms
with a scaling policy among their actions are evaluated here, and the backend is told their states.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from labs.cloud.frame import alarm_states, aws, clock, series

ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
_MOST_DELETED = 100  # in one DeleteAlarms


class Seen(NamedTuple):
    """An alarm that was evaluated: its state, why, and its datapoints."""

    state: str
    reason: str
    values: Sequence[float | None]


class Evaluations:
    """The states of alarms, as they were last evaluated here."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}  # by alarm ARN

    def keep_only(self, arns: Collection[str]) -> None:
        """Forgets alarms that are gone."""
        self._seen = {arn: seen for arn, seen in self._seen.items() if arn in arns}

    def evaluate(self, alarm: Mapping[str, Any], values: Sequence[float | None]) -> Seen:
        """An alarm's state from its datapoints, kept until the next look."""
        arn, threshold, comparison = alarm["AlarmArn"], alarm["Threshold"], alarm["ComparisonOperator"]
        # Not what the backend says: its own evaluation is wrong.
        before = self._seen[arn].state if arn in self._seen else alarm_states.INSUFFICIENT_DATA
        needed = alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]
        missing = alarm.get("TreatMissingData") or "missing"
        new = alarm_states.state(values, threshold, comparison, needed=needed, missing=missing, before=before)
        same = arn in self._seen and new == before
        reason = self._seen[arn].reason if same else alarm_states.reason(values, threshold, comparison, needed, new)
        self._seen[arn] = Seen(new, reason, values)
        return self._seen[arn]

    async def look(self, alarm: Mapping[str, Any], now: float) -> Seen | None:
        """Reads the metric of an alarm of the learner's and evaluates it.

        Args:
            alarm: as DescribeAlarms tells it.
            now: seconds since the epoch.

        Returns:
            How it is; None for an alarm on metric math or on an anomaly band, which are not evaluated here.

        Raises:
            botocore.exceptions.ClientError: the backend refuses the question.
        """
        if not alarm.get("MetricName") or alarm.get("ComparisonOperator") not in alarm_states.COMPARISONS:
            return None
        period, number = alarm["Period"], alarm["EvaluationPeriods"]
        statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
        region = alarm["AlarmArn"].split(":")[3]
        found = await series.read(region, alarm, statistic, period=period, number=number, now=now)
        return self.evaluate(alarm, series.window(found, number, clock.lesson(period), now))

    async def correct(self, region: str, found: Sequence[Mapping[str, Any]]) -> None:
        """Tells the backend the states that it does not have."""
        for alarm in found:
            seen = self._seen.get(alarm["AlarmArn"])
            if seen and alarm["StateValue"] != seen.state:
                await set_state(region, alarm["AlarmName"], seen.state, seen.reason)


def runs(alarm: Mapping[str, Any], policy_arn: str) -> bool:
    """Whether an alarm has a policy among its actions."""
    return any(policy_arn in alarm.get(member, []) for member in ACTIONS.values())


async def remove(region: str, gone: list[str]) -> None:
    """Removes alarms; those that are gone already are passed over."""
    for start in range(0, len(gone), _MOST_DELETED):
        try:
            await aws.call("cloudwatch", "delete_alarms", region=region, AlarmNames=gone[start : start + _MOST_DELETED])
        except ClientError as problem:
            if problem.response["Error"]["Code"] not in ("ResourceNotFound", "ResourceNotFoundException"):
                raise


async def with_actions(region: str, policies: Iterable[str]) -> list[dict[str, Any]]:
    """The metric alarms of a region that have one of these policies among their actions.

    Args:
        region: whose.
        policies: the policies' ARNs.

    Returns:
        The alarms, as DescribeAlarms tells them.
    """
    wanted = set(policies)
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        answer = await aws.call("cloudwatch", "describe_alarms", region=region, MaxRecords=100, **token)
        found += [
            alarm
            for alarm in answer["MetricAlarms"]
            if any(wanted.intersection(alarm.get(member, [])) for member in ACTIONS.values())
        ]
        if not answer.get("NextToken"):
            return found
        token = {"NextToken": answer["NextToken"]}


async def set_state(region: str, name: str, state: str, reason: str) -> None:
    """Sets an alarm's state; one that is gone is passed over."""
    try:
        await aws.call(
            "cloudwatch",
            "set_alarm_state",
            region=region,
            AlarmName=name,
            StateValue=state,
            StateReason=reason[:1023],
        )
    except ClientError as problem:
        if problem.response["Error"]["Code"] not in ("ResourceNotFound", "ResourceNotFoundException"):
            raise
