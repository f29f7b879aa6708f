"""One step in the life of an instance of a group: from Pending into service, and out of it.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
"""

import json
from typing import Any

from labs.cloud.auto_scaling import activities, balancing, ec2, group_checks, hooks, leaving, processes
from labs.cloud.auto_scaling.state import IN_SERVICE, PENDING, STANDBY, TERMINATING, AutoScaling, stamp
from labs.cloud.frame import arns, clock
from labs.cloud.frame.store import Record

ELB = "an ELB system health check failure"
EC2 = "an EC2 health check indicating it has been terminated or stopped"


async def move(
    scaling: AutoScaling, group: Record, instance: Record, seen: dict[str, Any] | None, sick: set[str]
) -> None:
    """Moves an instance as far as it can go now.

    Args:
        scaling: the state.
        group: its group.
        instance: its record, changed in place.
        seen: what EC2 says of it; None if EC2 does not know it.
        sick: the ids of the instances that a load balancer calls unhealthy.
    """
    ec2_state = seen["State"]["Name"] if seen else "terminated"
    state = instance["LifecycleState"]
    if state.startswith(PENDING):
        _come(scaling, group, instance, ec2_state)
    if instance["LifecycleState"] == IN_SERVICE:
        if processes.runs(group, "AddToLoadBalancer"):
            await balancing.follow(scaling, group, instance)
        _examine(scaling, group, instance, ec2_state, sick)
    elif instance["LifecycleState"] == STANDBY and ec2_state in ec2.GONE:
        _sicken(scaling, instance, EC2)
        _replace(scaling, group, instance)
    if instance["LifecycleState"].startswith(TERMINATING):
        await _go(scaling, group, instance, ec2_state)


def asks_balancer(group: Record) -> bool:
    """Whether the load balancer's word on an instance's health counts."""
    return "ELB" in group_checks.health_checks(group["HealthCheckType"]) and bool(group["TargetGroupARNs"])


def seconds_left(instance: Record) -> float:
    """Seconds until an instance that waits for a hook has waited long enough."""
    return max(0.0, (hooks.next_deadline(instance) or 0.0) - clock.now())


# --- in ---------------------------------------------------------------------------------------------------------------


def _come(scaling: AutoScaling, group: Record, instance: Record, ec2_state: str) -> None:
    if ec2_state not in ("pending", "running"):
        message = (
            "Instance became unhealthy while waiting for instance to be in InService state. "
            "Termination Reason: Client.UserInitiatedShutdown: User initiated shutdown"
        )
        activities.end(scaling, instance["_activity"], "Cancelled", message)
        _tell(scaling, group, instance, "EC2 Instance Launch Unsuccessful", message)
        leaving.begin(scaling, group, instance, _out_of_service(EC2))
        return
    if instance["LifecycleState"] == PENDING:
        if ec2_state != "running":
            return
        if not instance.get("_attached") and hooks.begin(scaling, group, instance, hooks.LAUNCHING):
            instance["LifecycleState"] = f"{PENDING}:Wait"
            scaling.keep(instance)
            activities.update(scaling, instance["_activity"], StatusCode="MidLifecycleAction")
            return
    elif (answer := hooks.result(scaling, instance)) is None:
        return
    elif answer == hooks.ABANDON:
        message = "Lifecycle Action was abandoned: the instance is terminated."
        activities.end(scaling, instance["_activity"], "Cancelled", message)
        _tell(scaling, group, instance, "EC2 Instance Launch Unsuccessful", message)
        text = (
            f"At {stamp()} an instance was taken out of service in response to a lifecycle action that was abandoned."
        )
        leaving.begin(scaling, group, instance, text)
        return
    instance.update(LifecycleState=IN_SERVICE, _in_service=clock.now(), _waits={})
    scaling.keep(instance)
    activities.end(scaling, instance["_activity"])
    _tell(scaling, group, instance, "EC2 Instance Launch Successful")
    scaling.policies_changed.beat()


# --- in service -------------------------------------------------------------------------------------------------------


def _examine(scaling: AutoScaling, group: Record, instance: Record, ec2_state: str, sick: set[str]) -> None:
    if processes.runs(group, "HealthCheck") and instance["HealthStatus"] == "Healthy":
        since = clock.now() - instance["_in_service"]
        if ec2_state != "running":
            _sicken(scaling, instance, EC2)
        elif instance["InstanceId"] in sick and since >= group["HealthCheckGracePeriod"]:
            _sicken(scaling, instance, ELB)
    if instance["HealthStatus"] == "Unhealthy":
        _replace(scaling, group, instance)


def _sicken(scaling: AutoScaling, instance: Record, why: str) -> None:
    instance.update(HealthStatus="Unhealthy", _sick=why)
    scaling.keep(instance)


def _replace(scaling: AutoScaling, group: Record, instance: Record) -> None:
    if processes.runs(group, "ReplaceUnhealthy"):
        leaving.begin(scaling, group, instance, _out_of_service(instance["_sick"]))


def _out_of_service(why: str) -> str:
    return f"At {stamp()} an instance was taken out of service in response to {why}."


# --- out --------------------------------------------------------------------------------------------------------------


async def _go(scaling: AutoScaling, group: Record, instance: Record, ec2_state: str) -> None:
    if ec2_state in ec2.GONE:
        await balancing.leave(scaling, group, instance)
        activities.end(scaling, instance["_activity"])
        _tell(scaling, group, instance, "EC2 Instance Terminate Successful")
        scaling.forget(instance)
        return
    hurry = group.get("Status") is not None  # ForceDelete "doesn't wait for lifecycle actions"
    if not hurry and not await balancing.drained(scaling, group, instance):
        activities.update(scaling, instance["_activity"], StatusCode="WaitingForELBConnectionDraining")
        return
    if hurry:
        await balancing.leave(scaling, group, instance)
    elif instance["LifecycleState"] == TERMINATING:
        if hooks.begin(scaling, group, instance, hooks.LEAVING):
            instance["LifecycleState"] = f"{TERMINATING}:Wait"
            scaling.keep(instance)
            activities.update(scaling, instance["_activity"], StatusCode="MidLifecycleAction")
            return
    elif hooks.result(scaling, instance) is None:
        return
    instance["LifecycleState"] = f"{TERMINATING}:Proceed"
    scaling.keep(instance)
    activities.update(scaling, instance["_activity"], StatusCode="InProgress")
    await ec2.terminate(group["_region"], instance["InstanceId"])


def _tell(scaling: AutoScaling, group: Record, instance: Record, kind: str, message: str = "") -> None:
    """Tells EventBridge.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
    """
    activity = scaling.activities.get(instance.get("_activity") or "", {})
    launching = "Launch" in kind
    detail = {
        "StatusCode": activity.get("StatusCode", "InProgress"),
        "AutoScalingGroupName": group["AutoScalingGroupName"],
        "ActivityId": activity.get("ActivityId", ""),
        "RequestId": activity.get("ActivityId", ""),
        "Details": json.loads(activity.get("Details", "{}")),
        "StatusMessage": message,
        "StartTime": clock.iso(activity.get("StartTime", clock.now())),
        "EndTime": clock.iso(activity.get("EndTime", clock.now())),
        "EC2InstanceId": instance["InstanceId"],
        "Cause": activity.get("Cause", ""),
        "Description": activity.get("Description", ""),
        "Origin": "EC2" if launching else "AutoScalingGroup",
        "Destination": "AutoScalingGroup" if launching else "EC2",
    }
    arn = arns.make("ec2", group["_region"], f"instance/{instance['InstanceId']}")
    scaling.publish(group["_region"], kind, [group["AutoScalingGroupARN"], arn], detail, "aws.autoscaling")
