"""Scaling policies: the operations.

https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html
"""

import uuid
from typing import Any

from labs.cloud.frame import alarms as cloudwatch
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record
from labs.cloud.scaling import alarms, policy_checks
from labs.cloud.scaling.state import DIMENSION, INVALID, NAMESPACE, Scaling, key, named, target_of
from labs.cloud.scaling.targets import asked_for, listed

MOST_OF_TARGET = 50  # https://docs.aws.amazon.com/general/latest/gr/as-app.html
_CONFIGURATIONS = {
    "StepScaling": "StepScalingPolicyConfiguration",
    "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
}


async def put(scaling: Scaling, request: Request) -> dict[str, Any]:
    """PutScalingPolicy: a new one, or another configuration for one that is there."""
    target = target_of(scaling, request)
    where = f"{target['_key']} {request['PolicyName']}"
    present = scaling.policies.get(where)
    kind = request.get("PolicyType") or (present or {}).get("PolicyType", "StepScaling")
    if present and kind != present["PolicyType"]:
        raise AwsError(INVALID, f"The type of policy {request['PolicyName']} cannot be changed. Delete it first.")
    if not present and len(scaling.policies_of(target)) >= MOST_OF_TARGET:
        raise AwsError("LimitExceededException", f"A scalable target can have {MOST_OF_TARGET} scaling policies.")
    configuration = await _configuration(scaling, request, kind, present)
    region = request.region
    policy = {
        "_key": where,
        "_target": target["_key"],
        "PolicyName": request["PolicyName"],
        "ServiceNamespace": NAMESPACE,
        "ResourceId": request["ResourceId"],
        "ScalableDimension": DIMENSION,
        "PolicyType": kind,
        "CreationTime": clock.now(),
        "PolicyARN": arns.make(
            "autoscaling",
            region,
            f"scalingPolicy:{uuid.uuid4()}:resource/ecs/{request['ResourceId']}:policyName/{request['PolicyName']}",
        ),
        **(present or {}),
        _CONFIGURATIONS[kind]: configuration,
    }
    if kind == "TargetTrackingScaling":
        before = alarms.names(policy)
        policy["_alarms"] = alarms.plan(policy)
        policy["_since"] = clock.now()  # its datapoints so far may be of another metric
        await alarms.put(policy, region)
        await cloudwatch.remove(region, [name for name in before if name not in alarms.names(policy)])
        if target["_key"] not in scaling.targets:  # deregistered meanwhile
            await cloudwatch.remove(region, alarms.names(policy))
            target_of(scaling, request)
    scaling.policies.put(where, policy)
    scaling.changed.beat()
    return {"PolicyARN": policy["PolicyARN"], "Alarms": alarms.told(policy, region)}


async def describe(scaling: Scaling, request: Request) -> dict[str, Any]:
    """DescribeScalingPolicies, each with the alarms that run it."""
    found = asked_for(scaling.policies, request, "PolicyNames", "PolicyName")
    part, token = listed(found, request)
    return {"ScalingPolicies": await _with_alarms(part, request.region), "NextToken": token}


async def delete(scaling: Scaling, request: Request) -> dict[str, Any]:
    """DeleteScalingPolicy: the alarms of a target tracking policy go with it."""
    policy = scaling.policies.get(f"{key(request)} {request['PolicyName']}")
    if policy is None:
        text = f"No scaling policy found for {named(request)}, policy name: {request['PolicyName']}"
        raise AwsError("ObjectNotFoundException", text)
    scaling.policies.drop(policy["_key"])
    await cloudwatch.remove(request.region, alarms.names(policy))
    return {}


async def _configuration(scaling: Scaling, request: Request, kind: str, present: Record | None) -> dict[str, Any]:
    """The configuration that a policy is to have, checked."""
    if kind == "PredictiveScaling":
        text = "The local AWS of this course has no predictive scaling: it has no two weeks of metrics to learn from."
        raise AwsError(INVALID, text)
    member = _CONFIGURATIONS[kind]
    others = [name for name in request if name.endswith("PolicyConfiguration") and name != member]
    if others:
        raise AwsError(INVALID, f"{others[0]} does not belong to a policy of type {kind}.")
    configuration = request.get(member) or (present or {}).get(member)
    if configuration is None:
        raise AwsError(INVALID, f"{member} must be specified for a policy of type {kind}.")
    if kind == "StepScaling":
        return policy_checks.step(configuration)
    return await policy_checks.target_tracking(scaling, request, configuration)


async def _with_alarms(policies: list[Record], region: str) -> list[Record]:
    steps = {one["PolicyARN"] for one in policies if one["PolicyType"] == "StepScaling"}
    running = await cloudwatch.with_actions(region, steps) if steps else []
    found = []
    for policy in policies:
        own = alarms.told(policy, region) or [
            {"AlarmName": alarm["AlarmName"], "AlarmARN": alarm["AlarmArn"]}
            for alarm in running
            if cloudwatch.runs(alarm, policy["PolicyARN"])
        ]
        found.append({**policy, "Alarms": own})
    return found


OPERATIONS = {"PutScalingPolicy": put, "DescribeScalingPolicies": describe, "DeleteScalingPolicy": delete}
