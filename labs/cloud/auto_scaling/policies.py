"""Scaling policies of groups: the operations.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutScalingPolicy.html
"""

import uuid
from collections.abc import Mapping
from typing import Any

from labs.cloud.auto_scaling import cooldowns, metrics, resizing
from labs.cloud.auto_scaling.state import INVALID, AutoScaling, group_key, group_of, listed
from labs.cloud.frame import alarms, arns, clock, sizes, step_checks, tracking
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

SIMPLE, STEP, TRACKING = "SimpleScaling", "StepScaling", "TargetTrackingScaling"
MOST_POLICIES = 50  # https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html
_MEMBERS = {
    SIMPLE: ("AdjustmentType", "ScalingAdjustment", "MinAdjustmentMagnitude", "Cooldown"),
    STEP: (
        "AdjustmentType", "StepAdjustments", "MinAdjustmentMagnitude", "MetricAggregationType",
        "EstimatedInstanceWarmup",
    ),
    TRACKING: ("TargetTrackingConfiguration", "EstimatedInstanceWarmup"),
}  # fmt: skip
_ADJUSTMENTS = ("ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity")


async def put(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """PutScalingPolicy: a new one, or another configuration for one that is there."""
    group, region = group_of(scaling, request), request.region
    key = f"{group['_key']} {request['PolicyName']}"
    present = scaling.policies.get(key)
    kind = request.get("PolicyType") or SIMPLE
    if present is None and len(scaling.of_group(scaling.policies, group)) >= MOST_POLICIES:
        raise AwsError("LimitExceeded", f"An Auto Scaling group can have {MOST_POLICIES} scaling policies.")
    await _check(scaling, request, kind)
    name = group["AutoScalingGroupName"]
    resource = f"scalingPolicy:{uuid.uuid4()}:autoScalingGroupName/{name}:policyName/{request['PolicyName']}"
    policy = {
        "_key": key,
        "_group": group["_key"],
        "_since": clock.now(),  # its datapoints so far may be of another metric
        "_alarms": {},
        "AutoScalingGroupName": name,
        "PolicyName": request["PolicyName"],
        "PolicyARN": present["PolicyARN"] if present else arns.make("autoscaling", region, resource),
        "PolicyType": kind,
        "Enabled": request.get("Enabled", True),
        "StepAdjustments": [],
        **({"MetricAggregationType": "Average"} if kind == STEP else {}),
        **{member: request[member] for member in _MEMBERS[kind] if member in request},
    }
    before = present["_alarms"] if present else {}
    if kind == TRACKING:
        configuration = request["TargetTrackingConfiguration"]
        policy["_alarms"] = tracking.plan(name, before, scales_in=not configuration.get("DisableScaleIn"))
        await tracking.put(
            region,
            policy["PolicyARN"],
            policy["_alarms"],
            configuration["TargetValue"],
            metrics.of_policy(policy),
            share=metrics.low_share(policy),
        )
    await alarms.remove(region, [one for one in before.values() if one not in policy["_alarms"].values()])
    if group["_key"] not in scaling.groups:  # deleted meanwhile
        await alarms.remove(region, list(policy["_alarms"].values()))
        group_of(scaling, request)
    scaling.policies.put(key, policy)
    scaling.policies_changed.beat()
    return {"PolicyARN": policy["PolicyARN"], "Alarms": tracking.told(policy["_alarms"], region)}


async def describe(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribePolicies, each with the alarms that run it."""
    if request.get("AutoScalingGroupName"):
        group_of(scaling, request)
    names, kinds = request.get("PolicyNames"), request.get("PolicyTypes")
    found = [
        one
        for one in scaling.policies.values()
        if one["_group"].split(" ")[0] == request.region
        and request.get("AutoScalingGroupName", one["AutoScalingGroupName"]) == one["AutoScalingGroupName"]
        and (not names or one["PolicyName"] in names or one["PolicyARN"] in names)
        and (not kinds or one["PolicyType"] in kinds)
    ]
    part, token = listed(found, request)
    by_hand = [one["PolicyARN"] for one in part if one["PolicyType"] != TRACKING]
    running = await alarms.with_actions(request.region, by_hand) if by_hand else []
    told = []
    for policy in part:
        own = tracking.told(policy["_alarms"], request.region) or [
            {"AlarmName": alarm["AlarmName"], "AlarmARN": alarm["AlarmArn"]}
            for alarm in running
            if alarms.runs(alarm, policy["PolicyARN"])
        ]
        told.append({**policy, "Alarms": own})
    return {"ScalingPolicies": told, "NextToken": token}


async def delete(scaling: AutoScaling, request: Request) -> None:
    """DeletePolicy: the alarms of a target tracking policy go with it."""
    policy = _named(scaling, request)
    scaling.policies.drop(policy["_key"])
    await alarms.remove(request.region, list(policy["_alarms"].values()))


def execute(scaling: AutoScaling, request: Request) -> None:
    """ExecutePolicy: what an alarm would make a simple or a step scaling policy do."""
    policy = _named(scaling, request)
    group = scaling.groups[policy["_group"]]
    if policy["PolicyType"] == TRACKING:
        raise AwsError(INVALID, "ExecutePolicy is not supported for policies of the type TargetTrackingScaling.")
    cause = f"a user request executed policy {policy['PolicyName']}"
    if policy["PolicyType"] == SIMPLE:
        if request.get("HonorCooldown"):
            cooldowns.require_over(scaling, group)
        run_simple(scaling, group, policy, cause)
        return
    if "MetricValue" not in request or "BreachThreshold" not in request:
        raise AwsError(INVALID, "MetricValue and BreachThreshold are required for a policy of the type StepScaling.")
    breach = request["MetricValue"] - request["BreachThreshold"]
    count = sizes.stepped(policy, breach, breach < 0, group["DesiredCapacity"])
    if count is None:
        text = f"No step adjustment found for metric value {request['MetricValue']} and breach threshold "
        raise AwsError(INVALID, f"{text}{request['BreachThreshold']}")
    resizing.within_bounds(scaling, group, count, cause)


def run_simple(scaling: AutoScaling, group: Record, policy: Record, cause: str) -> bool:
    """Does what a simple scaling policy says, and begins its cooldown; whether the desired capacity has changed."""
    adjustment = {
        "AdjustmentType": policy["AdjustmentType"],
        "MinAdjustmentMagnitude": policy.get("MinAdjustmentMagnitude", 0),
        "StepAdjustments": [{"ScalingAdjustment": policy["ScalingAdjustment"]}],
    }
    count = sizes.stepped(adjustment, 0.0, falls=False, capacity=group["DesiredCapacity"])
    changed = resizing.within_bounds(scaling, group, count or 0, cause)
    if changed:
        cooldowns.begin(scaling, scaling.groups[group["_key"]], policy.get("Cooldown", group["DefaultCooldown"]))
    return changed


async def remove_all(scaling: AutoScaling, group: Record) -> None:
    """Forgets the policies of a group, and removes their alarms."""
    gone = scaling.of_group(scaling.policies, group)
    for policy in gone:
        scaling.policies.drop(policy["_key"])
    names = [name for policy in gone for name in policy["_alarms"].values()]
    if names:
        await alarms.remove(group["_region"], names)


async def _check(scaling: AutoScaling, request: Request, kind: str) -> None:
    if kind == "PredictiveScaling":
        text = "The local AWS of this course has no predictive scaling: it has no two weeks of metrics to learn from."
        raise AwsError(INVALID, text)
    if kind not in _MEMBERS:
        raise AwsError(INVALID, f"Invalid policy type '{kind}'. Valid are {', '.join(_MEMBERS)}.")
    foreign = {name for members in _MEMBERS.values() for name in members} - set(_MEMBERS[kind])
    if wrong := sorted(name for name in foreign if name in request):
        raise AwsError(INVALID, f"{wrong[0]} is not supported for policies of the type {kind}.")
    for name in ("Cooldown", "EstimatedInstanceWarmup"):
        if request.get(name, 0) < 0:
            raise AwsError(INVALID, f"{name} must not be negative.")
    if kind == SIMPLE:
        _check_simple(request)
    elif kind == STEP:
        step_checks.check(request, INVALID)
        _check_adjustment(request)
    else:
        if "TargetTrackingConfiguration" not in request:
            raise AwsError(INVALID, f"TargetTrackingConfiguration must be specified for a policy of the type {kind}.")
        await metrics.check(scaling, request.region, request["TargetTrackingConfiguration"])


def _check_simple(request: Mapping[str, Any]) -> None:
    if "ScalingAdjustment" not in request or not request.get("AdjustmentType"):
        raise AwsError(INVALID, "AdjustmentType and ScalingAdjustment must be specified for a simple scaling policy.")
    _check_adjustment(request)
    if request["AdjustmentType"] == "ExactCapacity" and request["ScalingAdjustment"] < 0:
        raise AwsError(INVALID, "A ScalingAdjustment of ExactCapacity must not be negative.")
    if "MinAdjustmentMagnitude" in request and request["AdjustmentType"] != "PercentChangeInCapacity":
        raise AwsError(INVALID, "MinAdjustmentMagnitude is only for the adjustment type PercentChangeInCapacity.")


def _check_adjustment(request: Mapping[str, Any]) -> None:
    if request["AdjustmentType"] not in _ADJUSTMENTS:
        text = f"Invalid adjustment type '{request['AdjustmentType']}'. Valid are {', '.join(_ADJUSTMENTS)}."
        raise AwsError(INVALID, text)


def _named(scaling: AutoScaling, request: Request) -> Record:
    """The policy that a request names, by ARN or by group and name.

    Raises:
        AwsError: ValidationError.
    """
    name = request["PolicyName"]
    if name.startswith("arn:"):
        found = next((one for one in scaling.policies.values() if one["PolicyARN"] == name), None)
    else:
        if not request.get("AutoScalingGroupName"):
            raise AwsError(INVALID, "AutoScalingGroupName must be specified with the name of a policy.")
        group_of(scaling, request)
        found = scaling.policies.get(f"{group_key(request)} {name}")
    if found is None:
        raise AwsError(INVALID, f"Cannot find policy {name}")
    return found


OPERATIONS = {
    "PutScalingPolicy": put,
    "DescribePolicies": describe,
    "DeletePolicy": delete,
    "ExecutePolicy": execute,
}
