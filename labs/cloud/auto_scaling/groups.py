"""Auto Scaling groups: the operations.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-groups.html
"""

import uuid
from typing import Any

from labs import settings
from labs.cloud.auto_scaling import (
    activities,
    balancing,
    cooldowns,
    group_checks,
    hooks,
    policies,
    resizing,
    tagging,
    templates,
)
from labs.cloud.auto_scaling.state import INVALID, AutoScaling, group_key, group_of, listed, stamp
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

ROLE = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
DELETING = "Delete in progress"
MOST_GROUPS = 500  # https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html
_SETTINGS = (
    "DefaultCooldown", "HealthCheckType", "HealthCheckGracePeriod", "TerminationPolicies", "Context",
    "NewInstancesProtectedFromScaleIn", "DefaultInstanceWarmup", "ServiceLinkedRoleARN", "DeletionProtection",
)  # fmt: skip
_EMPTY = "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or "
_PROTECTED = {"prevent-all-deletion", "prevent-force-deletion"}


async def create(scaling: AutoScaling, request: Request) -> None:
    """CreateAutoScalingGroup."""
    region, name = request.region, request["AutoScalingGroupName"]
    if group_key(request) in scaling.groups:
        text = f"AutoScalingGroup by this name already exists - A group with the name {name} already exists"
        raise AwsError("AlreadyExists", text)
    if len([one for one in scaling.groups.values() if one["_region"] == region]) >= MOST_GROUPS:
        raise AwsError("LimitExceeded", f"A Region can have {MOST_GROUPS} Auto Scaling groups.")
    group_checks.refuse_unknown(request)
    low, high, desired = request["MinSize"], request["MaxSize"], request.get("DesiredCapacity")
    group_checks.check_sizes(low, high, desired)
    group_checks.check_settings(request)
    desired = low if desired is None else desired
    launches = await templates.checked(region, request)
    if not launches:
        raise AwsError(INVALID, f"{_EMPTY}MixedInstancesPolicy parameter.")
    where = await group_checks.places(region, request)
    if not where:
        raise AwsError(INVALID, "At least one Availability Zone or VPC Subnet is required.")
    target_groups = list(request.get("TargetGroupARNs", []))
    target_groups += [one["Identifier"] for one in request.get("TrafficSources", [])]
    await balancing.check(scaling, region, target_groups)
    arn = arns.make("autoscaling", region, f"autoScalingGroup:{uuid.uuid4()}:autoScalingGroupName/{name}")
    now = clock.now()
    group: Record = {
        "_key": group_key(request),
        "_region": region,
        "_why": f"At {stamp(now)} a user request created an AutoScalingGroup changing the desired capacity "
        f"from 0 to {desired}.",
        "AutoScalingGroupName": name,
        "AutoScalingGroupARN": arn,
        "MinSize": low,
        "MaxSize": high,
        "DesiredCapacity": desired,
        "DefaultCooldown": 300,
        "TargetGroupARNs": target_groups,
        "LoadBalancerNames": [],
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 0,
        "CreatedTime": now,
        "SuspendedProcesses": [],
        "EnabledMetrics": [],
        "Tags": tagging.of_request(request.get("Tags", []), name),
        "TerminationPolicies": ["Default"],
        "NewInstancesProtectedFromScaleIn": False,
        "ServiceLinkedRoleARN": f"arn:aws:iam::{settings.ACCOUNT}:{ROLE}",
        "CapacityRebalance": False,
        "DeletionProtection": "none",
        **{member: request[member] for member in _SETTINGS if request.get(member) not in (None, [])},
        **launches,
        **where,
    }
    given = [hooks.made(group, one) for one in request.get("LifecycleHookSpecificationList", [])]
    if group["_key"] in scaling.groups:  # made meanwhile by another request
        raise AwsError("AlreadyExists", f"AutoScalingGroup by this name already exists - {name}")
    scaling.groups.put(group["_key"], group)
    for hook in given:
        scaling.hooks.put(hook["_key"], hook)
    scaling.wake(group["_key"])


async def update(scaling: AutoScaling, request: Request) -> None:
    """UpdateAutoScalingGroup: what is given. A desired capacity that is not given follows the new bounds."""
    group = group_of(scaling, request)
    _require_alive(group)
    group_checks.refuse_unknown(request)
    low, high = request.get("MinSize", group["MinSize"]), request.get("MaxSize", group["MaxSize"])
    wanted = request.get("DesiredCapacity")
    group_checks.check_sizes(low, high, wanted)
    group_checks.check_settings(request)
    launches = await templates.checked(group["_region"], request)
    where = await group_checks.places(group["_region"], request)
    group = group_of(scaling, request)  # as it is now
    desired = min(max(group["DesiredCapacity"], low), high) if wanted is None else wanted
    before = group["DesiredCapacity"]
    changed = {
        **group,
        **{member: request[member] for member in _SETTINGS if request.get(member) not in (None, [])},
        **launches,
        **where,
        "MinSize": low,
        "MaxSize": high,
        "DesiredCapacity": desired,
    }
    if desired != before:
        changed["_why"] = (
            f"At {stamp()} a user request update of AutoScalingGroup constraints to min: {low}, max: {high}, "
            f"desired: {desired} changing the desired capacity from {before} to {desired}."
        )
    scaling.groups.put(group["_key"], changed)
    scaling.wake(group["_key"])


def set_desired_capacity(scaling: AutoScaling, request: Request) -> None:
    """SetDesiredCapacity."""
    group = group_of(scaling, request)
    _require_alive(group)
    count = request["DesiredCapacity"]
    if count > group["MaxSize"]:
        text = f"New SetDesiredCapacity value {count} is above max value {group['MaxSize']} for the AutoScalingGroup."
        raise AwsError(INVALID, text)
    if count < group["MinSize"]:
        text = f"New SetDesiredCapacity value {count} is below min value {group['MinSize']} for the AutoScalingGroup."
        raise AwsError(INVALID, text)
    if request.get("HonorCooldown"):
        cooldowns.require_over(scaling, group)
    resizing.change_desired(scaling, group, count, "a user request explicitly set group desired capacity")


def describe(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribeAutoScalingGroups."""
    names = request.get("AutoScalingGroupNames")
    found = [
        one
        for one in scaling.groups.values()
        if one["_region"] == request.region
        and (not names or one["AutoScalingGroupName"] in names)
        and all(tagging.fits(one, item) for item in request.get("Filters", []))
    ]
    part, token = listed(found, request)
    with_instances = request.get("IncludeInstances", True)
    told = [{**one, "Instances": scaling.members(one) if with_instances else []} for one in part]
    return {"AutoScalingGroups": told, "NextToken": token}


async def delete(scaling: AutoScaling, request: Request) -> None:
    """DeleteAutoScalingGroup: an empty one at once; with ForceDelete its instances are terminated first."""
    group = group_of(scaling, request)
    force = request.get("ForceDelete", False)
    protection = group["DeletionProtection"]
    if protection == "prevent-all-deletion" or (force and protection in _PROTECTED):
        text = f"The AutoScalingGroup has the deletion protection {protection}. Remove it with UpdateAutoScalingGroup."
        raise AwsError("ResourceInUse", text)
    if not force and scaling.members(group):
        raise AwsError(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
            "still in the group.",
        )
    if group["_key"] in scaling.launching and not force:
        text = "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group"
        raise AwsError("ScalingActivityInProgress", text)
    scaling.groups.put(group["_key"], {**group, "Status": DELETING, "MinSize": 0, "MaxSize": 0, "DesiredCapacity": 0})
    if force:
        scaling.wake(group["_key"])
    else:
        await forget(scaling, scaling.groups[group["_key"]])


async def forget(scaling: AutoScaling, group: Record) -> None:
    """Forgets a group without instances, and what belongs to it."""
    scaling.groups.drop(group["_key"])
    activities.of_group_deleted(scaling, group)
    for table in (scaling.actions, scaling.hooks, scaling.refreshes):
        for key, one in table.items():
            if one["_group"] == group["_key"]:
                table.drop(key)
    scaling.wake(group["_key"])
    await policies.remove_all(scaling, group)


def _require_alive(group: Record) -> None:
    if group.get("Status") == DELETING:
        name = group["AutoScalingGroupName"]
        raise AwsError(INVALID, f"AutoScalingGroup {name} is pending delete, and cannot be changed any more.")


OPERATIONS = {
    "CreateAutoScalingGroup": create,
    "UpdateAutoScalingGroup": update,
    "SetDesiredCapacity": set_desired_capacity,
    "DescribeAutoScalingGroups": describe,
    "DeleteAutoScalingGroup": delete,
}
