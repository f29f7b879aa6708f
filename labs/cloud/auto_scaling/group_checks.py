"""Whether a group can be as a request wants it.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from labs.cloud.auto_scaling import choosing, ec2
from labs.cloud.auto_scaling.state import INVALID
from labs.cloud.frame.errors import AwsError

HEALTH_CHECKS = ("EC2", "ELB")
# Members that would make a difference, which there is not here.
_REFUSED = (
    "AvailabilityZoneDistribution", "AvailabilityZoneIds", "AvailabilityZoneImpairmentPolicy", "CapacityRebalance",
    "CapacityReservationSpecification", "InstanceLifecyclePolicy", "InstanceMaintenancePolicy", "LoadBalancerNames",
    "MaxInstanceLifetime", "Operator", "PlacementGroup",
)  # fmt: skip


def refuse_unknown(request: Mapping[str, Any]) -> None:
    """Refuses what AWS has and this does not.

    Raises:
        AwsError: ValidationError.
    """
    if refused := [name for name in _REFUSED if request.get(name)]:
        text = f"The local AWS of this course has no {refused[0]} for Auto Scaling groups. Leave it out."
        raise AwsError(INVALID, text)
    if request.get("DesiredCapacityType", "units") != "units":
        raise AwsError(INVALID, "The local AWS of this course counts the capacity of a group in units only.")
    if any(one.get("Type", "elbv2") != "elbv2" for one in request.get("TrafficSources", [])):
        raise AwsError(INVALID, "The local AWS of this course has traffic sources of the type elbv2 only.")


def check_sizes(low: int, high: int, desired: int | None) -> None:
    """Refuses sizes that contradict each other.

    Raises:
        AwsError: ValidationError.
    """
    if low < 0 or high < 0:
        raise AwsError(INVALID, "Min and max size of an AutoScalingGroup must not be negative.")
    if high < low:
        raise AwsError(INVALID, f"Max bound, {high}, must be greater than or equal to min bound, {low}")
    if desired is not None and not low <= desired <= high:
        text = f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}"
        raise AwsError(INVALID, text)


def check_settings(request: Mapping[str, Any]) -> None:
    """Refuses settings that are no such.

    Raises:
        AwsError: ValidationError.
    """
    for name in ("DefaultCooldown", "HealthCheckGracePeriod"):
        if request.get(name, 0) < 0:
            raise AwsError(INVALID, f"{name} must not be negative.")
    for kind in health_checks(request.get("HealthCheckType") or "EC2"):
        if kind not in HEALTH_CHECKS:
            text = f"Health Check Type must be one of {', '.join(HEALTH_CHECKS)}, and not '{kind}'."
            raise AwsError(INVALID, text)
    for policy in request.get("TerminationPolicies", []):
        if policy not in choosing.POLICIES:
            raise AwsError(
                INVALID,
                f"TerminationPolicies must be a subset of [{', '.join(choosing.POLICIES)}], and '{policy}' is not.",
            )


def health_checks(text: str) -> list[str]:
    """The kinds of health checks in a HealthCheckType, e.g. `EC2,ELB`."""
    return [part.strip() for part in text.split(",") if part.strip()]


async def places(region: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a group that say where its instances are; empty if the request does not say it.

    Raises:
        AwsError: ValidationError; a subnet or zone does not exist, or they contradict each other.
    """
    zones: Sequence[str] = request.get("AvailabilityZones") or []
    wanted = subnet_ids(request.get("VPCZoneIdentifier"))
    if not wanted and not zones:
        return {}
    found = await (ec2.subnets(region, wanted) if wanted else ec2.default_subnets(region, zones))
    used = list(dict.fromkeys(one.zone for one in found))
    if wanted and zones and set(used) != set(zones):
        text = "The availability zones of the specified subnets and the Auto Scaling group do not match"
        raise AwsError(INVALID, text)
    return {
        "AvailabilityZones": used,
        "VPCZoneIdentifier": ",".join(wanted),
        "_subnets": [list(one) for one in found],
    }


def subnet_ids(text: str | None) -> list[str]:
    """The subnets in a VPCZoneIdentifier."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]
