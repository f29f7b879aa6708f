"""Instance refresh: the instances of a group are replaced, some at a time, by those of its launch template of now.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-instance-refresh.html
"""

import uuid
from math import ceil
from typing import Any

from labs.cloud.auto_scaling import leaving, processes, templates
from labs.cloud.auto_scaling.state import (
    IN_SERVICE,
    INVALID,
    AutoScaling,
    group_of,
    is_active,
    is_leaving,
    listed,
    stamp,
)
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

GOING_ON = ("Pending", "InProgress", "Cancelling")
_REFUSED = (
    "CheckpointPercentages", "CheckpointDelay", "AutoRollback", "AlarmSpecification", "MaxHealthyPercentage",
    "ScaleInProtectedInstances", "StandbyInstances", "BakeTime",
)  # fmt: skip


async def start(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """StartInstanceRefresh: rolling, within the minimum healthy percentage."""
    group = group_of(scaling, request)
    if request.get("Strategy", "Rolling") != "Rolling":
        raise AwsError(INVALID, "The local AWS of this course refreshes instances with the strategy Rolling only.")
    preferences = {"MinHealthyPercentage": 90, "SkipMatching": False, **request.get("Preferences", {})}
    if refused := [name for name in _REFUSED if preferences.get(name)]:
        raise AwsError(INVALID, f"The local AWS of this course has no {refused[0]} in an instance refresh.")
    if not 0 <= preferences["MinHealthyPercentage"] <= 100:
        raise AwsError(INVALID, "MinHealthyPercentage must be between 0 and 100.")
    wanted = request.get("DesiredConfiguration", {})
    launches = await templates.checked(request.region, wanted) if wanted else {}
    group = group_of(scaling, request)
    if current(scaling, group):
        text = "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh."
        raise AwsError("InstanceRefreshInProgress", text)
    if launches:
        group = scaling.groups.put(group["_key"], {**group, **launches})
    refresh = {
        "_group": group["_key"],
        "_todo": [one["InstanceId"] for one in scaling.members(group) if is_active(one)],
        "_version": await _version(group) if preferences["SkipMatching"] else None,
        "InstanceRefreshId": str(uuid.uuid4()),
        "AutoScalingGroupName": group["AutoScalingGroupName"],
        "Status": "InProgress",
        "StartTime": clock.now(),
        "PercentageComplete": 0,
        "Preferences": preferences,
        "Strategy": "Rolling",
        **({"DesiredConfiguration": wanted} if wanted else {}),
    }
    refresh["_all"] = max(1, len(refresh["_todo"]))
    refresh["InstancesToUpdate"] = len(refresh["_todo"])
    scaling.refreshes.put(refresh["InstanceRefreshId"], refresh)
    scaling.wake(group["_key"])
    return {"InstanceRefreshId": refresh["InstanceRefreshId"]}


def describe(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribeInstanceRefreshes: newest first."""
    wanted = request.get("InstanceRefreshIds")
    found = scaling.of_group(scaling.refreshes, group_of(scaling, request))[::-1]
    part, token = listed([one for one in found if not wanted or one["InstanceRefreshId"] in wanted], request)
    return {"InstanceRefreshes": part, "NextToken": token}


def cancel(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """CancelInstanceRefresh: what was replaced stays so."""
    refresh = current(scaling, group_of(scaling, request))
    if refresh is None:
        text = "No in progress or pending Instance Refresh found for Auto Scaling group "
        raise AwsError("ActiveInstanceRefreshNotFound", text + request["AutoScalingGroupName"])
    _end(scaling, refresh, "Cancelled", "Cancelled due to user request.")
    return {"InstanceRefreshId": refresh["InstanceRefreshId"]}


def current(scaling: AutoScaling, group: Record) -> Record | None:
    """The instance refresh of a group that goes on."""
    return next((one for one in scaling.of_group(scaling.refreshes, group) if one["Status"] in GOING_ON), None)


def move(scaling: AutoScaling, group: Record) -> bool:
    """Replaces as many instances as may be away now; whether a refresh of the group goes on."""
    refresh = current(scaling, group)
    if refresh is None or not processes.runs(group, "InstanceRefresh"):
        return False
    members = scaling.members(group)
    active = {one["InstanceId"]: one for one in members if is_active(one)}
    todo = [one for one in refresh["_todo"] if one in active and not _matches(refresh, active[one])]
    warmup = refresh["Preferences"].get("InstanceWarmup", group.get("DefaultInstanceWarmup", 0))
    ready = [
        one
        for one in active.values()
        if one["LifecycleState"] == IN_SERVICE and clock.now() - one["_in_service"] >= clock.lesson(warmup)
    ]
    settled = len(ready) == len(active) == group["DesiredCapacity"]
    whole = max(0, 100 - 100 * len(todo) // refresh["_all"])
    refresh = {**refresh, "_todo": todo, "InstancesToUpdate": len(todo), "PercentageComplete": min(whole, 99)}
    scaling.refreshes.put(refresh["InstanceRefreshId"], refresh)
    if not todo and settled and not any(map(is_leaving, members)):
        _end(scaling, refresh, "Successful", None)
        return False
    least = ceil(group["DesiredCapacity"] * refresh["Preferences"]["MinHealthyPercentage"] / 100)
    may_go = len(ready) - least
    if settled:
        may_go = max(1, may_go)  # "at least one instance at a time"
    for instance_id in todo[: max(0, may_go)]:
        text = f"At {stamp()} an instance was taken out of service in response to an instance refresh."
        leaving.begin(scaling, group, active[instance_id], text)
    return True


def _matches(refresh: Record, instance: Record) -> bool:
    """With SkipMatching, instances of the version that is wanted stay."""
    return refresh["_version"] is not None and instance.get("LaunchTemplate") == refresh["_version"]


async def _version(group: Record) -> dict[str, str]:
    policy = group.get("MixedInstancesPolicy") or {}
    specification = group.get("LaunchTemplate") or policy["LaunchTemplate"]["LaunchTemplateSpecification"]
    by_id = {name: specification[name] for name in ("LaunchTemplateId", "Version")}
    return (await templates.read(group["_region"], by_id)).told


def _end(scaling: AutoScaling, refresh: Record, status: str, reason: str | None) -> None:
    changes: dict[str, Any] = {"Status": status, "EndTime": clock.now()}
    if status == "Successful":
        changes |= {"PercentageComplete": 100, "InstancesToUpdate": 0}
    if reason:
        changes["StatusReason"] = reason
    scaling.refreshes.put(refresh["InstanceRefreshId"], {**refresh, **changes})


OPERATIONS = {
    "StartInstanceRefresh": start,
    "DescribeInstanceRefreshes": describe,
    "CancelInstanceRefresh": cancel,
}
