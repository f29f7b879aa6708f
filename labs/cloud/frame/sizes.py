"""How many tasks or instances a scaling policy wants. Nothing here has effects.

https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
"""

from collections.abc import Iterable, Mapping
from math import ceil, floor, inf
from typing import Any

from labs.cloud.frame.series import Datapoint

_ALMOST = 1e-9  # 3 tasks at 50 % of 50 % are 3 tasks, whatever the last bit of the quotient says


def tracked(points: Iterable[Datapoint], target: float) -> int | None:
    """The capacity with which a metric that falls with the number of tasks comes to its target or just below.

    Value and tasks of a datapoint together are the load. Of several datapoints the greatest load counts.

    Returns:
        The number of tasks; None without a datapoint.
    """
    loads = [point.value * point.tasks for point in points]
    return ceil(max(loads) / target - _ALMOST) if loads else None


def stepped(configuration: Mapping[str, Any], breach: float, falls: bool, capacity: int) -> int | None:
    """The capacity that a step scaling policy asks for.

    Args:
        configuration: the policy's `StepScalingPolicyConfiguration`.
        breach: by how much the metric is above (negative: below) the alarm's threshold.
        falls: whether the alarm is about a metric below its threshold, which decides whose a bound itself is.
        capacity: the number of tasks now.

    Returns:
        The number of tasks, not yet held within minimum and maximum; None if no step is for this breach.
    """
    step = next((one for one in configuration["StepAdjustments"] if _covers(one, breach, falls)), None)
    if step is None:
        return None
    amount, kind = step["ScalingAdjustment"], configuration["AdjustmentType"]
    if kind == "ExactCapacity":
        return amount
    if kind == "PercentChangeInCapacity":
        amount = _whole(capacity * amount / 100)
        least = configuration.get("MinAdjustmentMagnitude", 0)
        if amount and abs(amount) < least:
            amount = least if amount > 0 else -least
    return max(0, capacity + amount)


def _covers(step: Mapping[str, float], breach: float, falls: bool) -> bool:
    """Above the threshold the lower bound belongs to the step, below it the upper bound."""
    low, high = step.get("MetricIntervalLowerBound", -inf), step.get("MetricIntervalUpperBound", inf)
    below = breach < 0 or (breach == 0 and falls)
    return low < breach <= high if below else low <= breach < high


def _whole(change: float) -> int:
    """A change in whole tasks: towards zero, but at least one where there is any."""
    if 0 < change < 1:
        return 1
    if -1 < change < 0:
        return -1
    return floor(change + _ALMOST) if change > 0 else ceil(change - _ALMOST)
