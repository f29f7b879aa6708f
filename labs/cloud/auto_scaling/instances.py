"""Operations on the instances of groups.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
"""

from typing import Any

from labs.cloud.auto_scaling import activities, balancing, ec2, leaving, resizing, tagging
from labs.cloud.auto_scaling.state import (
    IN_SERVICE,
    INVALID,
    PENDING,
    STANDBY,
    AutoScaling,
    group_of,
    instance_key,
    is_active,
    listed,
    stamp,
)
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

MOST_LISTED = 50
MOST_OF_REQUEST = 20


def describe(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribeAutoScalingInstances."""
    wanted = request.get("InstanceIds")
    found = [
        {**one, "AutoScalingGroupName": one["_group"].split(" ", 1)[1]}
        for one in scaling.instances.values()
        if one["_region"] == request.region and (not wanted or one["InstanceId"] in wanted)
    ]
    part, token = listed(found, request, MOST_LISTED)
    told = [{**one, "HealthStatus": one["HealthStatus"].upper()} for one in part]
    return {"AutoScalingInstances": told, "NextToken": token}


def terminate(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """TerminateInstanceInAutoScalingGroup: it is replaced, unless the desired capacity is decremented too."""
    if request.get("InstanceIds") or not request.get("InstanceId"):
        text = "The local AWS of this course terminates one instance a call: give InstanceId, and no InstanceIds."
        raise AwsError(INVALID, text)
    instance = _managed(scaling, request, request["InstanceId"])
    group = scaling.groups[instance["_group"]]
    desired = group["DesiredCapacity"]
    keeping = f"keeping the capacity at the current {desired}"
    if request["ShouldDecrementDesiredCapacity"]:
        if desired - 1 < group["MinSize"]:
            raise AwsError(
                INVALID,
                f"Currently, desiredSize equals minSize ({group['MinSize']}). Terminating instance without replacement "
                "will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or "
                "lower group's min size.",
            )
        if is_active(instance):
            scaling.groups.put(group["_key"], {**group, "DesiredCapacity": desired - 1})
            keeping = f"shrinking the capacity from {desired} to {desired - 1}"
    cause = f"At {stamp()} instance {instance['InstanceId']} was taken out of service in response to a user request"
    if instance["LifecycleState"].startswith("Terminating"):
        return {"Activity": scaling.activities[instance["_activity"]]}
    return {"Activity": leaving.begin(scaling, group, instance, f"{cause}, {keeping}.")}


def set_protection(scaling: AutoScaling, request: Request) -> None:
    """SetInstanceProtection: all or none."""
    group = group_of(scaling, request)
    found = [_of_group(scaling, group, instance_id) for instance_id in request["InstanceIds"]]
    for one in found:
        if not (is_active(one) or one["LifecycleState"] == STANDBY):
            text = f"The instance {one['InstanceId']} is not in InService or EnteringStandby or Standby."
            raise AwsError(INVALID, text)
    for one in found:
        one["ProtectedFromScaleIn"] = request["ProtectedFromScaleIn"]
        scaling.keep(one)
    scaling.wake(group["_key"])


def set_health(scaling: AutoScaling, request: Request) -> None:
    """SetInstanceHealth: what the learner's own health check says."""
    instance = _managed(scaling, request, request["InstanceId"])
    status = request["HealthStatus"].capitalize()
    if status not in ("Healthy", "Unhealthy"):
        raise AwsError(INVALID, f"Invalid health status: {request['HealthStatus']}. It is Healthy or Unhealthy.")
    group = scaling.groups[instance["_group"]]
    young = clock.now() - instance.get("_in_service", clock.now()) < group["HealthCheckGracePeriod"]
    if request.get("ShouldRespectGracePeriod", True) and young:
        return
    instance["HealthStatus"] = status
    instance["_sick"] = "a user health-check" if status == "Unhealthy" else None
    scaling.keep(instance)
    scaling.wake(group["_key"])


async def attach(scaling: AutoScaling, request: Request) -> None:
    """AttachInstances: running instances become members, and the desired capacity grows by them."""
    group, wanted = group_of(scaling, request), _ids(request)
    found = await ec2.describe(request.region, wanted)
    group = group_of(scaling, request)
    for instance_id in wanted:
        state = found.get(instance_id, {}).get("State", {}).get("Name")
        if state is None:
            raise AwsError(INVALID, f"Invalid Instance ID(s) [{instance_id}] specified")
        if state != "running":
            text = f"Instance {instance_id} is in {state} state. Only instances that are running can be attached."
            raise AwsError(INVALID, text)
        if known := scaling.instances.get(instance_key(request.region, instance_id)):
            name = known["_group"].split(" ", 1)[1]
            raise AwsError(INVALID, f"Instance {instance_id} is already part of AutoScalingGroup:{name}.")
    desired = group["DesiredCapacity"] + len(wanted)
    if desired > group["MaxSize"]:
        raise AwsError(INVALID, _does_not_fit(group, f"attach {len(wanted)} more instance"))
    zones = {subnet_id: zone for subnet_id, zone, _ in group["_subnets"]}
    for instance_id in wanted:
        if found[instance_id].get("SubnetId") not in zones:
            text = f"The instance {instance_id} is in no Availability Zone of the Auto Scaling group."
            raise AwsError(INVALID, text)
    for instance_id in wanted:
        subnet = found[instance_id]["SubnetId"]
        cause = f"At {stamp()} an instance was attached in response to a user request."
        activity = activities.begin(
            scaling,
            group,
            f"Attaching an existing EC2 instance: {instance_id}",
            cause,
            subnet=subnet,
            zone=zones[subnet],
        )
        scaling.released.discard(instance_id)
        scaling.keep(
            {
                "_group": group["_key"],
                "_region": group["_region"],
                "_subnet": subnet,
                "_launched": clock.now(),
                "_activity": activity["ActivityId"],
                "_attached": True,
                "InstanceId": instance_id,
                "InstanceType": found[instance_id]["InstanceType"],
                "AvailabilityZone": zones[subnet],
                "LifecycleState": PENDING,
                "HealthStatus": "Healthy",
                "ProtectedFromScaleIn": group["NewInstancesProtectedFromScaleIn"],
            }
        )
    resizing.change_desired(scaling, group, desired, "a user request attached instances,")
    await _tag(group, wanted)


async def detach(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DetachInstances: they run on, on their own."""
    group, wanted = group_of(scaling, request), _ids(request)
    found = [_of_group(scaling, group, instance_id) for instance_id in wanted]
    for one in found:
        if one["LifecycleState"] not in (IN_SERVICE, STANDBY):
            text = f"The instance {one['InstanceId']} is not in InService or Standby."
            raise AwsError(INVALID, text)
    counted = sum(is_active(one) for one in found)
    _decrement(scaling, group, request, counted, "detach")
    told = []
    for one in found:
        cause = f"At {stamp()} instance {one['InstanceId']} was detached in response to a user request."
        text = f"Detaching EC2 instance: {one['InstanceId']}"
        activity = activities.begin(scaling, group, text, cause, **leaving.place(one))
        told.append(dict(activity))
        activities.end(scaling, activity["ActivityId"])
        scaling.released.add(one["InstanceId"])
        scaling.forget(one)
    scaling.wake(group["_key"])
    for one in found:
        await balancing.leave(scaling, group, one)
        await ec2.untag(group["_region"], one["InstanceId"])
    return {"Activities": told}


async def enter_standby(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """EnterStandby: instances stay in the group, get no requests and do not count."""
    group, wanted = group_of(scaling, request), _ids(request)
    found = [_of_group(scaling, group, instance_id) for instance_id in wanted]
    for one in found:
        if one["LifecycleState"] != IN_SERVICE:
            text = f"The instance {one['InstanceId']} is not in InService."
            raise AwsError(INVALID, text)
    _decrement(scaling, group, request, len(found), "place into standby")
    told = []
    for one in found:
        cause = f"At {stamp()} instance {one['InstanceId']} was moved to standby in response to a user request."
        text = f"Moving EC2 instance to Standby: {one['InstanceId']}"
        activity = activities.begin(scaling, group, text, cause, **leaving.place(one))
        told.append(dict(activity))
        one["LifecycleState"] = STANDBY
        scaling.keep(one)
        activities.end(scaling, activity["ActivityId"])
    scaling.wake(group["_key"])
    for one in found:
        await balancing.leave(scaling, group, one)
        one.pop("_registered", None)
        scaling.keep(one)
    return {"Activities": told}


def exit_standby(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """ExitStandby: instances come back, and the desired capacity grows by them."""
    group, wanted = group_of(scaling, request), _ids(request)
    found = [_of_group(scaling, group, instance_id) for instance_id in wanted]
    for one in found:
        if one["LifecycleState"] != STANDBY:
            raise AwsError(INVALID, f"The instance {one['InstanceId']} is not in Standby.")
    desired = group["DesiredCapacity"] + len(found)
    if desired > group["MaxSize"]:
        raise AwsError(INVALID, _does_not_fit(group, f"move {len(found)} instance out of standby"))
    told = []
    for one in found:
        cause = f"At {stamp()} instance {one['InstanceId']} was moved out of standby in response to a user request."
        text = f"Moving EC2 instance out of Standby: {one['InstanceId']}"
        activity = activities.begin(scaling, group, text, cause, **leaving.place(one))
        told.append(dict(activity))
        one.update(LifecycleState=PENDING, _activity=activity["ActivityId"])
        scaling.keep(one)
    resizing.change_desired(scaling, group, desired, "instances were moved out of standby,")
    return {"Activities": told}


def _decrement(scaling: AutoScaling, group: Record, request: Request, count: int, what: str) -> None:
    """Lowers the desired capacity if the request wants it.

    Raises:
        AwsError: ValidationError; the group would be too small.
    """
    if not request["ShouldDecrementDesiredCapacity"]:
        return
    if group["DesiredCapacity"] - count < group["MinSize"]:
        raise AwsError(INVALID, _does_not_fit(group, f"{what} {count} instance"))
    scaling.groups.put(group["_key"], {**group, "DesiredCapacity": group["DesiredCapacity"] - count})


def _does_not_fit(group: Record, what: str) -> str:
    return (
        f"AutoScalingGroup {group['AutoScalingGroupName']} has min-size={group['MinSize']}, "
        f"max-size={group['MaxSize']}, and desired-size={group['DesiredCapacity']}. To {what}, please update the "
        "AutoScalingGroup sizes appropriately."
    )


def _managed(scaling: AutoScaling, request: Request, instance_id: str) -> Record:
    if found := scaling.instances.get(instance_key(request.region, instance_id)):
        return found
    raise AwsError(INVALID, f"Instance Id not found - No managed instance found for instance ID: {instance_id}")


def _of_group(scaling: AutoScaling, group: Record, instance_id: str) -> Record:
    found = scaling.instances.get(instance_key(group["_region"], instance_id))
    if found is None or found["_group"] != group["_key"]:
        name = group["AutoScalingGroupName"]
        raise AwsError(INVALID, f"The instance {instance_id} is not part of Auto Scaling group {name}.")
    return found


def _ids(request: Request) -> list[str]:
    wanted = list(dict.fromkeys(request.get("InstanceIds", [])))
    if not 1 <= len(wanted) <= MOST_OF_REQUEST:
        raise AwsError(INVALID, f"Between 1 and {MOST_OF_REQUEST} instance ids must be specified.")
    return wanted


async def _tag(group: Record, instance_ids: list[str]) -> None:
    tags = {**tagging.at_launch(group), ec2.GROUP_TAG: group["AutoScalingGroupName"]}
    for instance_id in instance_ids:
        await ec2.tag(group["_region"], instance_id, tags)


OPERATIONS = {
    "DescribeAutoScalingInstances": describe,
    "TerminateInstanceInAutoScalingGroup": terminate,
    "SetInstanceProtection": set_protection,
    "SetInstanceHealth": set_health,
    "AttachInstances": attach,
    "DetachInstances": detach,
    "EnterStandby": enter_standby,
    "ExitStandby": exit_standby,
}
