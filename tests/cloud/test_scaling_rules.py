"""How much a policy wants and what state an alarm is in, as AWS documents it. No local AWS is needed.

https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from typing import Any

import pytest

from labs.cloud.frame import alarm_states, series, sizes
from labs.cloud.frame.series import Datapoint
from labs.cloud.scaling import deciding
from labs.cloud.scaling.deciding import Proposal
from labs.cloud.scaling.ecs import Service

NOBODY = dict.fromkeys(("DynamicScalingInSuspended", "DynamicScalingOutSuspended"), False)
TARGET = {"MinCapacity": 1, "MaxCapacity": 6, "SuspendedState": NOBODY}
STEPS = [
    {"MetricIntervalUpperBound": -20.0, "ScalingAdjustment": -30},
    {"MetricIntervalLowerBound": -20.0, "MetricIntervalUpperBound": -10.0, "ScalingAdjustment": -10},
    {"MetricIntervalLowerBound": -10.0, "MetricIntervalUpperBound": 10.0, "ScalingAdjustment": 0},
    {"MetricIntervalLowerBound": 10.0, "MetricIntervalUpperBound": 20.0, "ScalingAdjustment": 10},
    {"MetricIntervalLowerBound": 20.0, "ScalingAdjustment": 30},
]


@pytest.mark.parametrize(
    ("breach", "count"),
    [(0, 10), (9.9, 10), (10, 11), (19.9, 11), (20, 13), (-10, 9), (-9.9, 10), (-20, 7), (-19.9, 9), (-50, 7)],
)
def test_the_steps_of_the_user_guide(breach: float, count: int) -> None:
    """Above the threshold a lower bound belongs to its step, below it an upper bound."""
    configuration = {"AdjustmentType": "PercentChangeInCapacity", "StepAdjustments": STEPS}
    assert sizes.stepped(configuration, breach, breach < 0, 10) == count


@pytest.mark.parametrize(
    ("kind", "adjustment", "capacity", "count"),
    [
        ("ChangeInCapacity", 2, 3, 5),
        ("ChangeInCapacity", -5, 3, 0),
        ("ExactCapacity", 3, 7, 3),
        ("PercentChangeInCapacity", 10, 4, 5),  # 0.4 is one
        ("PercentChangeInCapacity", 40, 4, 5),  # 1.6 is one
        ("PercentChangeInCapacity", -10, 4, 3),
        ("PercentChangeInCapacity", -40, 4, 3),
    ],
)
def test_changes_are_whole_tasks(kind: str, adjustment: int, capacity: int, count: int) -> None:
    steps = [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": adjustment}]
    assert sizes.stepped({"AdjustmentType": kind, "StepAdjustments": steps}, 5, False, capacity) == count


def test_the_least_magnitude_is_that_of_the_user_guide() -> None:
    """25 % of 4 are 1, and with a least magnitude of 2 they are 2."""
    steps = [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 25}]
    configuration = {
        "AdjustmentType": "PercentChangeInCapacity",
        "StepAdjustments": steps,
        "MinAdjustmentMagnitude": 2,
    }
    assert sizes.stepped(configuration, 5, False, 4) == 6
    assert sizes.stepped(configuration, -5, True, 4) is None, "no step is for a breach below the threshold"


def test_tracking_is_proportional_and_never_above_its_target() -> None:
    assert sizes.tracked([Datapoint(0, 80, 1)], 50) == 2
    assert sizes.tracked([Datapoint(0, 100, 3)], 50) == 6
    assert sizes.tracked([Datapoint(0, 50, 3)], 50) == 3
    assert sizes.tracked([Datapoint(0, 10, 4), Datapoint(0, 40, 2)], 50) == 2, "the greatest load counts"
    assert sizes.tracked([], 50) is None


@pytest.mark.parametrize(
    ("values", "needed", "missing", "before", "after"),
    [
        ([60, 60, 60], 3, "missing", "OK", "ALARM"),
        ([60, 40, 60], 3, "missing", "ALARM", "OK"),
        ([60, 40, 60], 2, "missing", "OK", "ALARM"),
        ([None, None, 60], 3, "missing", "INSUFFICIENT_DATA", "INSUFFICIENT_DATA"),
        ([None, None, 60], 3, "breaching", "OK", "ALARM"),
        ([None, None, 60], 3, "notBreaching", "ALARM", "OK"),
        ([None, None, None], 3, "missing", "ALARM", "INSUFFICIENT_DATA"),
        ([None, None, None], 3, "ignore", "ALARM", "ALARM"),
        ([None, None, None], 3, "notBreaching", "ALARM", "OK"),
    ],
)
def test_the_state_of_an_alarm(values: list[float | None], needed: int, missing: str, before: str, after: str) -> None:
    found = alarm_states.state(values, 50, "GreaterThanThreshold", needed=needed, missing=missing, before=before)
    assert found == after


def test_a_count_is_of_the_whole_period_and_a_measure_of_the_short_one() -> None:
    one = {"SampleCount": 2.0, "Sum": 10.0, "Minimum": 4.0, "Maximum": 6.0}
    buckets = {300.0: one, 310.0: one, 320.0: one}
    sums = series.datapoints(buckets, "Sum", 60, 3, 330)
    assert [point.value for point in sums] == [10, 20, 30]
    averages = series.datapoints(buckets, "Average", 60, 3, 320.5)
    assert [(point.when, point.value) for point in averages] == [(303, 5), (312, 5)], "the last one is not over yet"


def test_a_datapoint_that_does_not_come_is_missing() -> None:
    points = [Datapoint(100, 1), Datapoint(103, 2)]
    assert series.window(points, 3, 3, 104) == [None, 1, 2]
    assert series.window(points, 3, 3, 119) == [1, 2, None]
    assert series.window(points, 3, 3, 200) == [None, None, None]


def service(desired: int, *, deploying: bool = False) -> Service:
    return Service("arn:aws:ecs:us-east-1:000000000000:service/c/s", desired, desired, deploying)


def decided(proposals: list[Proposal], desired: int = 3, *, deploying: bool = False, **target: Any) -> Any:
    """What is done: a count, or the code of why nothing is; None if there is nothing to tell."""
    found = deciding.decide({**TARGET, **target}, service(desired, deploying=deploying), proposals, 1000.0)
    return found and (found.count or found.code)


def test_the_largest_capacity_wins_and_bounds_hold() -> None:
    four, five, nine = (Proposal(count, True, "more", 300) for count in (4, 5, 9))
    one, two, none = (Proposal(count, False, "less", 300) for count in (1, 2, 0))
    assert decided([four, five, one]) == 5
    assert decided([nine]) == 6
    assert decided([nine], 6) == "AlreadyAtMaxCapacity"
    assert decided([one, two]) == 2
    assert decided([none]) == 1
    assert decided([none], 1) == "AlreadyAtMinCapacity"
    assert decided([Proposal(3, False, "less", 300)]) == "AutoScalingAnticipatedFlapping"


def test_a_deployment_holds_back_less_but_not_more() -> None:
    assert decided([Proposal(1, False, "less", 300)], deploying=True) is None
    assert decided([Proposal(5, True, "more", 300)], deploying=True) == 5


def test_a_cooldown_of_a_scale_in_holds_back_less_but_not_more() -> None:
    cooldown = {"seconds": 300, "ended": 990.0}  # 15 s of a lesson
    assert decided([Proposal(1, False, "less", 300)], _in=cooldown) is None
    assert decided([Proposal(5, True, "more", 300)], _in=cooldown) == 5
    assert decided([Proposal(1, False, "less", 300)], _in={**cooldown, "ended": 985.0}) == 1
