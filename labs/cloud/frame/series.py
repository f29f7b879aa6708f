"""Datapoints of metrics on lesson time.

A period of 60 s is 3 s here. What is measured (Average, Minimum, Maximum, percentiles) is taken from each of these
short periods that has data. What is counted (Sum, SampleCount) is counted over the whole period that the alarm names,
up to the end of each short one, so that it is the number that CloudWatch shows too.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import floor
from typing import Any, NamedTuple

from labs.cloud.frame import aws, clock

BASIC = ("SampleCount", "Sum", "Minimum", "Maximum", "Average")
COUNTED = ("Sum", "SampleCount")
SILENCE_SECONDS = 15.0  # a datapoint is missing after this: the services here tell CloudWatch every 10 s at the least


class Datapoint(NamedTuple):
    """A value, the end of the short period that it is of (seconds since the epoch), and how many tasks it is about."""

    when: float
    value: float
    tasks: int = 0


async def read(
    region: str, metric: Mapping[str, Any], statistic: str, *, period: float, number: int, now: float
) -> list[Datapoint]:
    """The last datapoints of a metric of CloudWatch.

    Args:
        region: where the metric is.
        metric: `Namespace`, `MetricName`, `Dimensions`, and `Unit` if it matters.
        statistic: e.g. `Average`, or a percentile like `p99`.
        period: the alarm's period in seconds.
        number: how many at most.
        now: seconds since the epoch.

    Returns:
        Those of short periods that are over and have data, the newest last.

    Raises:
        botocore.exceptions.ClientError: the backend refuses the question.
    """
    step = clock.lesson(period)
    # Percentiles cannot be put together from those of shorter periods.
    width = 1 if statistic in BASIC else max(1, round(step))
    wanted: dict[str, Any] = {"Statistics": list(BASIC)} if statistic in BASIC else {"ExtendedStatistics": [statistic]}
    start = now - number * max(step, SILENCE_SECONDS) - (period if statistic in COUNTED else 0)
    answer = await aws.call(
        "cloudwatch",
        "get_metric_statistics",
        region=region,
        Namespace=metric["Namespace"],
        MetricName=metric["MetricName"],
        Dimensions=metric.get("Dimensions", []),
        StartTime=datetime.fromtimestamp(floor(start), UTC),
        EndTime=datetime.fromtimestamp(floor(now) + 1, UTC),
        Period=width,
        **wanted,
    )
    buckets = {
        one["Timestamp"].timestamp(): one if statistic in BASIC else one.get("ExtendedStatistics", {})
        for one in answer["Datapoints"]
        if metric.get("Unit") in (None, one.get("Unit"))
    }
    return datapoints(buckets, statistic, period, max(step, width), now)[-number:]


def datapoints(
    buckets: Mapping[float, Mapping[str, float]], statistic: str, period: float, step: float, now: float
) -> list[Datapoint]:
    """A metric's numbers put together to the datapoints of short periods.

    Args:
        buckets: its statistics, by the time at which each bucket begins.
        statistic: the one wanted.
        period: the period of the alarm in seconds, for what is counted.
        step: the short period in seconds.
        now: seconds since the epoch.

    Returns:
        One for each short period that is over and has data, the newest last.
    """
    ends = sorted({(when // step + 1) * step for when in buckets})
    found = []
    for end in ends:
        width = period if statistic in COUNTED else step
        inside = [one for when, one in buckets.items() if end - width <= when < end]
        if end <= now and (value := _combined(inside, statistic)) is not None:
            found.append(Datapoint(end, value))
    return found


def window(points: Sequence[Datapoint], number: int, step: float, now: float) -> list[float | None]:
    """The last datapoints of an alarm.

    Args:
        points: the newest last.
        number: the alarm's evaluation periods.
        step: its short period in seconds.
        now: seconds since the epoch.

    Returns:
        So many values, the newest last; None for each one that is missing.
    """
    silence = max(step, SILENCE_SECONDS)
    recent = [point for point in points if point.when > now - number * silence]
    gaps = min(number, floor((now - recent[-1].when) / silence)) if recent else number
    values = [point.value for point in recent][-(number - gaps) :] if gaps < number else []
    return [None] * (number - gaps - len(values)) + values + [None] * gaps


def _combined(found: Sequence[Mapping[str, float]], statistic: str) -> float | None:
    if not found:
        return None
    if statistic in COUNTED:
        return sum(one[statistic] for one in found)
    if statistic == "Average":
        number = sum(one["SampleCount"] for one in found)
        return sum(one["Sum"] for one in found) / number if number else None
    if statistic in BASIC:
        return (min if statistic == "Minimum" else max)(one[statistic] for one in found)
    return found[-1].get(statistic)
