"""Whether the steps of a step scaling policy make sense, for everything that has such policies.

https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
"""

from collections.abc import Mapping
from itertools import pairwise
from math import inf
from typing import Any

from labs.cloud.frame.errors import AwsError

MOST_STEPS = 20  # https://docs.aws.amazon.com/general/latest/gr/as-app.html


def check(configuration: Mapping[str, Any], code: str) -> None:
    """Refuses steps that contradict each other or leave something open.

    Args:
        configuration: `AdjustmentType`, `StepAdjustments` and `MinAdjustmentMagnitude`.
        code: the service's error code for an input that cannot be.

    Raises:
        AwsError: with that code.
    """
    kind, steps = configuration.get("AdjustmentType"), configuration.get("StepAdjustments")
    if not kind:
        raise AwsError(code, "AdjustmentType must be specified for a step scaling policy.")
    if not steps:
        raise AwsError(code, "At least one StepAdjustment must be specified.")
    if len(steps) > MOST_STEPS:
        raise AwsError("LimitExceededException", f"A scaling policy can have {MOST_STEPS} step adjustments.")
    if "MinAdjustmentMagnitude" in configuration and kind != "PercentChangeInCapacity":
        raise AwsError(code, "MinAdjustmentMagnitude is only for the adjustment type PercentChangeInCapacity.")
    if configuration.get("MinAdjustmentMagnitude", 1) < 1:
        raise AwsError(code, "MinAdjustmentMagnitude must be at least 1.")
    if kind == "ExactCapacity" and any(one["ScalingAdjustment"] < 0 for one in steps):
        raise AwsError(code, "A ScalingAdjustment of ExactCapacity must not be negative.")
    _require_no_gaps([_bounds(one, code) for one in steps], code)


def _bounds(one: Mapping[str, float], code: str) -> tuple[float, float]:
    low, high = one.get("MetricIntervalLowerBound", -inf), one.get("MetricIntervalUpperBound", inf)
    if low == -inf and high == inf:
        raise AwsError(code, "A StepAdjustment needs at least one of its two bounds.")
    if low >= high:
        raise AwsError(code, "MetricIntervalLowerBound must be less than MetricIntervalUpperBound.")
    return low, high


def _require_no_gaps(steps: list[tuple[float, float]], code: str) -> None:
    """The ranges must not overlap or leave a gap; one that goes below 0 begins with no lower bound, and so above."""
    ordered = sorted(steps)
    for (_, end), (begin, _) in pairwise(ordered):
        if begin != end:
            word = "overlap" if begin < end else "leave a gap"
            raise AwsError(code, f"Step adjustment intervals must not {word}.")
    if ordered[0][0] < 0 and ordered[0][0] != -inf:
        raise AwsError(code, "There must be a StepAdjustment without a lower bound if one is below the threshold.")
    if ordered[-1][1] > 0 and ordered[-1][1] != inf:
        raise AwsError(code, "There must be a StepAdjustment without an upper bound if one is above the threshold.")
