"""The targets of a target group: registering them, and what is known of their health.

A group's record keeps its targets in `_targets`, by `id:port`: `Id`, `Port`, `AvailabilityZone` as registered;
`_address`, the address that answers (None: the instance is stopped); `_since`, when the first health check was due;
`_draining`, since when it is being deregistered; `_health`, what DescribeTargetHealth says while it is in use.
"""

import ipaddress
from typing import Any

from labs.cloud.frame import arns, clock, signals
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record
from labs.cloud.load_balancing.state import LoadBalancing

MOST = 1000
REGISTERING = {
    "State": "initial",
    "Reason": "Elb.RegistrationInProgress",
    "Description": "Target registration is in progress",
}
CHECKING = {
    "State": "initial",
    "Reason": "Elb.InitialHealthChecking",
    "Description": "Initial health checks in progress",
}
DRAINING = {
    "State": "draining",
    "Reason": "Target.DeregistrationInProgress",
    "Description": "Target deregistration is in progress",
}
NOT_IN_USE = {
    "State": "unused",
    "Reason": "Target.NotInUse",
    "Description": "Target group is not configured to receive traffic from the load balancer",
}
NOT_REGISTERED = {
    "State": "unused",
    "Reason": "Target.NotRegistered",
    "Description": "Target is not registered to the target group",
}
STOPPED = {
    "State": "unused",
    "Reason": "Target.InvalidState",
    "Description": "Target is in the stopped state",
}


async def register(lb: LoadBalancing, request: Request) -> None:
    """RegisterTargets. A target that is being deregistered is a new one again."""
    group = lb.target_group(request["TargetGroupArn"])
    region = arns.region(group["TargetGroupArn"])
    found = {}
    for given in request["Targets"]:
        port = given.get("Port", group["Port"])
        found[f"{given['Id']}:{port}"] = {
            "Id": given["Id"],
            "Port": port,
            **({"AvailabilityZone": given["AvailabilityZone"]} if "AvailabilityZone" in given else {}),
            "_address": await _address(lb, group, region, given["Id"]),
        }
    group = lb.target_group(request["TargetGroupArn"])  # it may have been deleted meanwhile
    targets = dict(group["_targets"])
    for key, target in found.items():
        present = targets.get(key)
        if present is None or "_draining" in present or present["_address"] != target["_address"]:
            targets[key] = target | {"_since": clock.now(), "_health": REGISTERING}
    if len(targets) > MOST:
        raise AwsError("TooManyTargets", f"A target group can have {MOST} targets at most")
    _put(lb, {**group, "_targets": targets})


def deregister(lb: LoadBalancing, request: Request) -> None:
    """DeregisterTargets. New requests stay away at once; a target in use is `draining` until its last one is over."""
    group = lb.target_group(request["TargetGroupArn"])
    targets = dict(group["_targets"])
    used = bool(lb.users_of(group["TargetGroupArn"]))
    for given in request["Targets"]:
        for key in _keys(targets, given) or _missing(given):
            if not used or targets[key]["_health"]["State"] in ("unused", "initial"):
                del targets[key]
            elif "_draining" not in targets[key]:
                targets[key] = targets[key] | {"_draining": clock.now(), "_health": DRAINING}
    _put(lb, {**group, "_targets": targets})


def describe_health(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeTargetHealth."""
    group = lb.target_group(request["TargetGroupArn"])
    targets = group["_targets"]
    used = bool(lb.users_of(group["TargetGroupArn"]))
    if "Targets" not in request:
        return {"TargetHealthDescriptions": [_described(group, target, used) for target in targets.values()]}
    found = []
    for given in request["Targets"]:
        keys = _keys(targets, given)
        found += [_described(group, targets[key], used) for key in keys]
        if not keys:
            absent = {"Id": given["Id"], "Port": given.get("Port", group["Port"]), "_health": NOT_REGISTERED}
            found.append(_described(group, absent, used=True))
    return {"TargetHealthDescriptions": found}


def begin_anew(lb: LoadBalancing, group: Record, user: str | None) -> None:
    """Has the targets of a group begin as on the first day, as it is in use now, or no more.

    Args:
        lb: the state.
        group: the target group's present record.
        user: the ARN of the load balancer that uses it.
    """
    kept = {
        key: target | {"_since": clock.now(), "_health": REGISTERING}
        for key, target in group["_targets"].items()
        if "_draining" not in target
    }
    lb.target_groups.put(group["TargetGroupArn"], {**group, "_targets": kept, "_user": user})
    lb.signals.send(signals.TARGET_HEALTH, group["TargetGroupArn"])


def set_health(lb: LoadBalancing, group: Record, changes: dict[str, dict[str, Any] | None]) -> bool:
    """Notes what was learned of a group's targets, and tells who listens if a state changed.

    Args:
        lb: the state.
        group: the target group's present record.
        changes: a target's key to its health; None if it is no target any more.

    Returns:
        Whether anything changed.
    """
    targets = dict(group["_targets"])
    told = False
    for key, health in changes.items():
        if key not in targets:
            continue
        if health is None:
            del targets[key]
            told = True
        elif targets[key]["_health"] != health:
            told = told or targets[key]["_health"]["State"] != health["State"]
            targets[key] = targets[key] | {"_health": health}
    if targets == group["_targets"]:
        return False
    lb.target_groups.put(group["TargetGroupArn"], {**group, "_targets": targets})
    if told:
        lb.signals.send(signals.TARGET_HEALTH, group["TargetGroupArn"])
    return True


def _put(lb: LoadBalancing, group: Record) -> None:
    lb.target_groups.put(group["TargetGroupArn"], group)
    lb.signals.send(signals.TARGET_HEALTH, group["TargetGroupArn"])
    for balancer in lb.users_of(group["TargetGroupArn"]):
        lb.wake(balancer)


def _keys(targets: dict[str, Record], given: dict[str, Any]) -> list[str]:
    """The registered targets that a request means: one port of an id, or all ports of it."""
    return [
        key
        for key, target in targets.items()
        if target["Id"] == given["Id"] and given.get("Port", target["Port"]) == target["Port"]
    ]


def _missing(given: dict[str, Any]) -> list[str]:
    raise AwsError("InvalidTarget", f"The following targets are not registered in the target group: '{given['Id']}'")


def _described(group: Record, target: Record, used: bool) -> dict[str, Any]:
    check = group["HealthCheckPort"]
    return {
        "Target": {key: value for key, value in target.items() if not key.startswith("_")},
        "HealthCheckPort": str(target["Port"]) if check == "traffic-port" else check,
        "TargetHealth": dict(target["_health"] if used else NOT_IN_USE),
    }


async def _address(lb: LoadBalancing, group: Record, region: str, target: str) -> str | None:
    """The address of a target.

    Raises:
        AwsError: it is none of the group's type, or does not exist.
    """
    if group["TargetType"] == "instance":
        if not target.startswith("i-"):
            raise AwsError("ValidationError", f"Instance ID '{target}' is not valid")
        return await lb.resolve_instance(region, target)
    try:
        address = ipaddress.IPv4Address(target)
    except ValueError:
        raise AwsError("ValidationError", f"The IP address '{target}' is not a valid IPv4 address") from None
    shared = ipaddress.IPv4Network("100.64.0.0/10")
    usable = address.is_private and not (address.is_loopback or address.is_link_local or address.is_unspecified)
    if not usable and address not in shared:
        raise AwsError(
            "InvalidTarget",
            f"The IP address '{target}' is not within a valid private IP address range for the target group",
        )
    return str(address)
