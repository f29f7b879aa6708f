"""Which instance goes, where the next one comes, how tasks are spread over providers, how many instances they need.

No local AWS is needed.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-auto-scaling.html
"""

from collections import Counter
from typing import Any

import pytest

from labs.cloud.auto_scaling import choosing
from labs.cloud.auto_scaling.ec2 import Subnet
from labs.cloud.ecs import reservation
from labs.cloud.ecs.reservation import Size
from labs.cloud.ecs.strategy import spread

TEMPLATE = {"LaunchTemplateId": "lt-1", "Version": "$Latest"}
STEPS = {"minimumScalingStepSize": 1, "maximumScalingStepSize": 10}
NOW = 100_000.0


def instance(name: str, zone: str = "a", launched: float = 0.0, version: int = 2, **more: Any) -> dict[str, Any]:
    return {
        "InstanceId": name,
        "AvailabilityZone": zone,
        "ProtectedFromScaleIn": False,
        "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": str(version)},
        "_launched": NOW - launched,
        "_subnet": f"subnet-{zone}",
        **more,
    }


def gone(found: list[dict[str, Any]], count: int, *policies: str) -> list[str]:
    chosen = choosing.to_terminate(found, count, policies or ("Default",), TEMPLATE, NOW)
    return [one["InstanceId"] for one in chosen]


def test_the_fullest_zone_goes_first() -> None:
    found = [instance("1", launched=20), instance("2", "b", 50), instance("3", "b", 10), instance("4", "b", 90)]
    assert gone(found, 3, "OldestInstance") == ["4", "2", "1"]


def test_the_default_policy_prefers_old_templates_and_then_the_next_hour() -> None:
    found = [instance("new", launched=3500), instance("old", launched=10, version=1), instance("late", launched=100)]
    assert gone(found, 2) == ["old", "new"]
    other = instance("other", LaunchTemplate={"LaunchTemplateId": "lt-0", "Version": "9"})
    assert gone([*found, other], 1) == ["other"]


@pytest.mark.parametrize(
    ("policy", "first"), [("NewestInstance", "late"), ("OldestInstance", "new"), ("OldestLaunchTemplate", "old")]
)
def test_a_policy_decides(policy: str, first: str) -> None:
    found = [instance("new", launched=3500), instance("old", launched=500, version=1), instance("late", launched=100)]
    assert gone(found, 1, policy) == [first]


def test_protected_instances_stay() -> None:
    found = [instance("1", ProtectedFromScaleIn=True), instance("2", ProtectedFromScaleIn=True), instance("3", "b")]
    assert gone(found, 3) == ["3"]


def test_the_emptiest_zone_gets_the_next_one() -> None:
    subnets = [Subnet("subnet-a", "a", ""), Subnet("subnet-b", "b", ""), Subnet("subnet-b2", "b", "")]
    assert choosing.subnet(subnets, []).zone == "a"
    assert choosing.subnet(subnets, [instance("1")]).subnet_id == "subnet-b"
    assert choosing.subnet(subnets, [instance("1"), instance("2"), instance("3", "b")]).subnet_id == "subnet-b2"
    assert choosing.is_unbalanced(subnets, [instance("1"), instance("2")])
    assert not choosing.is_unbalanced(subnets, [instance("1"), instance("2"), instance("3", "b")])
    held = [instance("1", ProtectedFromScaleIn=True), instance("2", ProtectedFromScaleIn=True)]
    assert not choosing.is_unbalanced(subnets, held)  # nothing could go for it


# --- capacity providers -----------------------------------------------------------------------------------------------


def shares(count: int, *strategy: tuple[str, int, int], present: dict[str, int] | None = None) -> dict[str, int]:
    items = [{"capacityProvider": name, "base": base, "weight": weight} for name, base, weight in strategy]
    return dict(Counter(spread(items, count, present or {})))


def test_base_first_and_then_by_weight() -> None:
    assert shares(10, ("a", 2, 1), ("b", 0, 3)) == {"a": 4, "b": 6}
    assert shares(2, ("a", 2, 1), ("b", 0, 3)) == {"a": 2}
    assert shares(4, ("a", 2, 1), ("b", 0, 3), present={"a": 2}) == {"a": 1, "b": 3}
    assert shares(5, ("a", 0, 0), ("b", 0, 1)) == {"b": 5}
    assert shares(3, ("a", 1, 0), ("b", 0, 1)) == {"a": 1, "b": 2}


def test_many_single_tasks_are_shared_by_weight_too() -> None:
    items = [{"capacityProvider": "a", "weight": 1}, {"capacityProvider": "b", "weight": 3}]
    drawn = [spread(items, 1, {}, draw=lambda number=number: number / 100)[0] for number in range(100)]
    assert 20 <= drawn.count("a") <= 30


def test_how_many_instances_the_waiting_tasks_need() -> None:
    whole = Size(2048, 4096)
    assert reservation.instances_needed([], whole) == 0
    assert reservation.instances_needed([Size(256, 512)] * 8, whole) == 1
    assert reservation.instances_needed([Size(256, 512)] * 9, whole) == 2
    assert reservation.instances_needed([Size(256, 512)] * 3 + [Size(2048, 1024)] * 3, whole) == 3
    assert reservation.instances_needed([Size(4096, 512)], whole) == 0  # it never fits


@pytest.mark.parametrize(
    ("present", "empty", "waiting", "percent"),
    [(0, 0, 0, 100), (0, 0, 5, 200), (2, 0, 0, 100), (2, 0, 1, 150), (4, 3, 0, 25), (3, 3, 0, 0), (2, 0, 50, 600)],
)
def test_the_reservation_is_what_is_needed_over_what_there_is(
    present: int, empty: int, waiting: int, percent: float
) -> None:
    whole = reservation.wanted(present, empty, waiting, STEPS)
    assert reservation.percent(present, whole) == percent


def test_steps_hold_the_growth() -> None:
    steps = {"minimumScalingStepSize": 3, "maximumScalingStepSize": 5}
    assert reservation.wanted(2, 0, 1, steps) == 5
    assert reservation.wanted(2, 0, 9, steps) == 7
