"""Groups behind load balancers: their instances are targets, through the public API of elbv2.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/attach-load-balancer-asg.html
"""

import logging
from collections.abc import Iterable
from typing import Any

from labs.cloud.auto_scaling.state import IN_SERVICE, INVALID, AutoScaling, group_of, listed
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

SERVICE = "elasticloadbalancing"
MOST_GROUPS = 50  # https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html

log = logging.getLogger(__name__)


async def attach(scaling: AutoScaling, request: Request) -> None:
    """AttachLoadBalancerTargetGroups: the keeper registers the instances."""
    wanted = request["TargetGroupARNs"]
    group_of(scaling, request)
    await check(scaling, request.region, wanted)
    group = group_of(scaling, request)
    merged = list(dict.fromkeys([*group["TargetGroupARNs"], *wanted]))
    if len(merged) > MOST_GROUPS:
        raise AwsError("LimitExceeded", f"An Auto Scaling group can have {MOST_GROUPS} target groups.")
    scaling.groups.put(group["_key"], {**group, "TargetGroupARNs": merged})
    scaling.wake(group["_key"])


def detach(scaling: AutoScaling, request: Request) -> None:
    """DetachLoadBalancerTargetGroups: the keeper deregisters the instances."""
    group = group_of(scaling, request)
    gone = request["TargetGroupARNs"]
    if unknown := [one for one in gone if one not in group["TargetGroupARNs"]]:
        raise AwsError(INVALID, f"Trying to remove Target Groups that are not part of the group: {', '.join(unknown)}")
    left = [one for one in group["TargetGroupARNs"] if one not in gone]
    scaling.groups.put(group["_key"], {**group, "TargetGroupARNs": left})
    scaling.wake(group["_key"])


async def describe(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribeLoadBalancerTargetGroups, each `Adding` until all instances are registered, then `InService`."""
    group = group_of(scaling, request)
    members = [one for one in scaling.members(group) if one["LifecycleState"] == IN_SERVICE]
    found = []
    for arn in group["TargetGroupARNs"]:
        ready = all(arn in one.get("_registered", []) for one in members)
        found.append({"LoadBalancerTargetGroupARN": arn, "State": "InService" if ready else "Adding"})
    part, token = listed(found, request)
    return {"LoadBalancerTargetGroups": part, "NextToken": token}


async def check(scaling: AutoScaling, region: str, wanted: Iterable[str]) -> None:
    """Refuses target groups that instances cannot be registered with.

    Raises:
        AwsError: ValidationError.
    """
    wanted = list(wanted)
    if not wanted:
        return
    try:
        answer = await scaling.services.call(SERVICE, "DescribeTargetGroups", region, TargetGroupArns=wanted)
    except AwsError:
        text = "Provided Target Groups may not be valid. Please ensure they exist and try again."
        raise AwsError(INVALID, text) from None
    for one in answer["TargetGroups"]:
        if one["TargetType"] != "instance":
            text = f"The target group {one['TargetGroupArn']} has the target type {one['TargetType']}, not instance."
            raise AwsError(INVALID, text)


async def follow(scaling: AutoScaling, group: Record, instance: Record) -> None:
    """Registers an instance in service with the target groups of its group, and takes it out of others.

    A target group that is gone or refuses is tried again with the next look.
    """
    known = instance.get("_registered", [])
    for arn in group["TargetGroupARNs"]:
        if arn not in known and await _call(scaling, group, "RegisterTargets", arn, instance):
            _note(scaling, instance, [*instance.get("_registered", []), arn])
    for arn in known:
        if arn not in group["TargetGroupARNs"]:
            await _call(scaling, group, "DeregisterTargets", arn, instance)
            _note(scaling, instance, [one for one in instance["_registered"] if one != arn])


async def drained(scaling: AutoScaling, group: Record, instance: Record) -> bool:
    """Takes an instance that leaves out of its target groups; whether no request is in its hands any more."""
    await leave(scaling, group, instance)
    if instance.get("_registered"):
        instance["_draining"] = instance["_registered"]
        _note(scaling, instance, [])
    states = [await _states(scaling, group, arn, instance) for arn in instance.get("_draining", [])]
    return not any("draining" in some.values() for some in states)


async def leave(scaling: AutoScaling, group: Record, instance: Record) -> None:
    """Deregisters an instance from all its target groups."""
    for arn in instance.get("_registered", []):
        await _call(scaling, group, "DeregisterTargets", arn, instance)


async def unhealthy(scaling: AutoScaling, group: Record) -> set[str]:
    """The ids of the instances that a load balancer calls unhealthy."""
    found: set[str] = set()
    for arn in group["TargetGroupARNs"]:
        states = await _states(scaling, group, arn)
        found |= {instance_id for instance_id, state in states.items() if state == "unhealthy"}
    return found


def _note(scaling: AutoScaling, instance: Record, registered: list[str]) -> None:
    instance["_registered"] = registered
    scaling.keep(instance)


async def _call(scaling: AutoScaling, group: Record, operation: str, arn: str, instance: Record) -> bool:
    targets = [{"Id": instance["InstanceId"]}]
    try:
        await scaling.services.call(SERVICE, operation, group["_region"], TargetGroupArn=arn, Targets=targets)
    except AwsError as problem:
        log.info("%s: %s", group["AutoScalingGroupName"], problem)
        return False
    return True


async def _states(scaling: AutoScaling, group: Record, arn: str, instance: Record | None = None) -> dict[str, str]:
    try:
        answer = await scaling.services.call(SERVICE, "DescribeTargetHealth", group["_region"], TargetGroupArn=arn)
    except AwsError:  # the target group was deleted
        return {}
    return {
        one["Target"]["Id"]: one["TargetHealth"]["State"]
        for one in answer["TargetHealthDescriptions"]
        if instance is None or one["Target"]["Id"] == instance["InstanceId"]
    }


OPERATIONS = {
    "AttachLoadBalancerTargetGroups": attach,
    "DetachLoadBalancerTargetGroups": detach,
    "DescribeLoadBalancerTargetGroups": describe,
}
