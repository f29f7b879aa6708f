"""Where the next instance of a group goes, and which one has to go. Nothing here has effects.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labs.cloud.auto_scaling.ec2 import Subnet

POLICIES = (
    "Default", "AllocationStrategy", "OldestLaunchTemplate", "OldestLaunchConfiguration", "ClosestToNextInstanceHour",
    "NewestInstance", "OldestInstance",
)  # fmt: skip
_HOUR = 3600.0

Instance = Mapping[str, Any]


def subnet(subnets: Sequence[Subnet], active: Iterable[Instance]) -> Subnet:
    """The subnet for the next instance: in the zone that has the fewest; in it, the subnet that has the fewest.

    Args:
        subnets: of the group, in its order; at least one.
        active: the instances that count.
    """
    active = list(active)
    zones = Counter(one["AvailabilityZone"] for one in active)
    used = Counter(one.get("_subnet") for one in active)
    return min(subnets, key=lambda one: (zones[one.zone], used[one.subnet_id]))


def is_unbalanced(subnets: Sequence[Subnet], active: Iterable[Instance]) -> bool:
    """Whether an instance more in one zone, and one less in another, would spread a group better over its zones.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html

    Args:
        subnets: of the group.
        active: the instances that count, all in service.
    """
    active = list(active)
    own = {one.zone for one in subnets}
    zones = Counter(one["AvailabilityZone"] for one in active)
    free = {one["AvailabilityZone"] for one in active if not one["ProtectedFromScaleIn"]}
    if not active:
        return False
    fullest = max(zones.values())
    takes = {zone for zone in free if zones[zone] == fullest}  # from where scale-in would take one
    least = min(zones[zone] for zone in own)
    return bool(takes) and (fullest - least > 1)


def to_terminate(
    active: Iterable[Instance], count: int, policies: Sequence[str], template: Mapping[str, str] | None, now: float
) -> list[Instance]:
    """Which instances go when a group shrinks.

    One after the other: from the zone that has the most, among those without protection, by the termination policies
    in their order.

    Args:
        active: the instances that count.
        count: by how many the group shrinks.
        policies: the group's termination policies.
        template: the launch template that the group has now; None for a mixed group.
        now: seconds since the epoch.

    Returns:
        At most `count` instances; fewer if the others are protected.
    """
    left, gone = list(active), []
    while len(gone) < count:
        zones = Counter(one["AvailabilityZone"] for one in left)
        free = [one for one in left if not one["ProtectedFromScaleIn"]]
        if not free:
            break
        most = max(zones[one["AvailabilityZone"]] for one in free)
        candidates = [one for one in free if zones[one["AvailabilityZone"]] == most]
        for policy in (*policies, "Default"):
            candidates = _by_policy(candidates, policy, template, now)
        gone.append(candidates[0])
        left.remove(candidates[0])
    return gone


def _by_policy(found: list[Instance], policy: str, template: Mapping[str, str] | None, now: float) -> list[Instance]:
    """The instances that a termination policy would let go first."""
    if policy == "OldestInstance":
        return _first(found, lambda one: one["_launched"])
    if policy == "NewestInstance":
        return _first(found, lambda one: -one["_launched"])
    if policy == "OldestLaunchTemplate":
        return _first(found, lambda one: _age(one, template))
    if policy == "ClosestToNextInstanceHour":
        return _first(found, lambda one: -((now - one["_launched"]) % _HOUR))
    if policy == "Default":
        return _by_policy(_by_policy(found, "OldestLaunchTemplate", template, now), _CLOSEST, template, now)
    return found  # no launch configurations here, and one price for all


def _first(found: list[Instance], key: Any) -> list[Instance]:
    least = min(key(one) for one in found)
    return [one for one in found if key(one) == least]


def _age(instance: Instance, template: Mapping[str, str] | None) -> tuple[bool, int]:
    """Instances of another template than the group's go first, then those of a lower version."""
    own = instance.get("LaunchTemplate") or {}
    current = (template or own).get("LaunchTemplateId")
    return own.get("LaunchTemplateId") == current, int(own.get("Version", "0"))


_CLOSEST = "ClosestToNextInstanceHour"
