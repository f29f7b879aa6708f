"""Scalable targets and their tags: the operations.

https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
"""

import uuid
from typing import Any

from labs import settings
from labs.cloud.frame import alarms as cloudwatch
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.paging import page
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record, Table
from labs.cloud.frame.tags import MOST as MOST_TAGS
from labs.cloud.frame.tags import reserved
from labs.cloud.scaling import alarms, ecs
from labs.cloud.scaling.state import DIMENSION, INVALID, NAMESPACE, Scaling, key, target_of

ROLE = (
    "role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService"
)
MOST_LISTED = 50
NOT_SUSPENDED = {
    "DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": False,
}  # fmt: skip


async def register(scaling: Scaling, request: Request) -> dict[str, Any]:
    """RegisterScalableTarget: a new one, or what is given of one that is there."""
    where = key(request)
    service = await ecs.look(scaling, request.region, request["ResourceId"])
    if service is None:
        raise AwsError(INVALID, f"ECS service doesn't exist: {request['ResourceId']}")
    present = scaling.targets.get(where)
    low, high = (request.get(name, (present or {}).get(name)) for name in ("MinCapacity", "MaxCapacity"))
    if low is None or high is None:
        raise AwsError(INVALID, "Both MinCapacity and MaxCapacity must be specified for a new scalable target.")
    check_bounds(low, high)
    if present and request.get("Tags"):
        raise AwsError(INVALID, "Tags of a scalable target that is registered are changed with TagResource.")
    tags = _checked_tags(request.get("Tags", {}))
    target = present or {
        "_key": where,
        "_region": request.region,
        "_tags": tags,
        "ServiceNamespace": NAMESPACE,
        "ResourceId": request["ResourceId"],
        "ScalableDimension": DIMENSION,
        "RoleARN": f"arn:aws:iam::{settings.ACCOUNT}:{ROLE}",
        "CreationTime": clock.now(),
        "ScalableTargetARN": arns.make("application-autoscaling", request.region, f"scalable-target/{_new_id()}"),
    }
    suspended = {**NOT_SUSPENDED, **target.get("SuspendedState", {}), **request.get("SuspendedState", {})}
    # AWS holds the capacity within the bounds when they are told, not later.
    target = {**target, "MinCapacity": low, "MaxCapacity": high, "SuspendedState": suspended, "_hold": True}
    scaling.targets.put(where, target)
    scaling.changed.beat()
    return {"ScalableTargetARN": target["ScalableTargetARN"]}


def describe(scaling: Scaling, request: Request) -> dict[str, Any]:
    """DescribeScalableTargets."""
    wanted = request.get("ResourceIds")
    found = [
        one
        for one in scaling.targets.values()
        if one["_region"] == request.region
        and one["ServiceNamespace"] == request["ServiceNamespace"]
        and (not wanted or one["ResourceId"] in wanted)
        and request.get("ScalableDimension", DIMENSION) == one["ScalableDimension"]
    ]
    part, token = listed(found, request)
    return {"ScalableTargets": part, "NextToken": token}


async def deregister(scaling: Scaling, request: Request) -> dict[str, Any]:
    """DeregisterScalableTarget: its policies, their alarms and its scheduled actions go with it."""
    await remove(scaling, target_of(scaling, request, "found"))
    return {}


async def remove(scaling: Scaling, target: Record) -> None:
    """Forgets a scalable target and what belongs to it."""
    policies = scaling.policies_of(target)
    scaling.targets.drop(target["_key"])
    for action in scaling.actions_of(target):
        scaling.actions.drop(action["_key"])
    for policy in policies:
        scaling.policies.drop(policy["_key"])
    await cloudwatch.remove(target["_region"], [name for policy in policies for name in alarms.names(policy)])


def tag(scaling: Scaling, request: Request) -> dict[str, Any]:
    """TagResource."""
    target = _by_arn(scaling, request)
    merged = {**target["_tags"], **_checked_tags(request["Tags"])}
    if len(merged) > MOST_TAGS:
        raise AwsError("TooManyTagsException", f"A resource can have {MOST_TAGS} tags at most.")
    scaling.targets.put(target["_key"], {**target, "_tags": merged})
    return {}


def untag(scaling: Scaling, request: Request) -> dict[str, Any]:
    """UntagResource."""
    target = _by_arn(scaling, request)
    left = {name: value for name, value in target["_tags"].items() if name not in request["TagKeys"]}
    scaling.targets.put(target["_key"], {**target, "_tags": left})
    return {}


def list_tags(scaling: Scaling, request: Request) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"Tags": _by_arn(scaling, request)["_tags"]}


def check_bounds(low: int, high: int) -> None:
    """Refuses a minimum and a maximum that leave no room.

    Raises:
        AwsError: ValidationException.
    """
    if low < 0 or high < 0:
        raise AwsError(INVALID, "Minimum and maximum capacity must not be negative.")
    if low > high:
        raise AwsError(INVALID, "Maximum capacity cannot be less than minimum capacity")


def asked_for(table: Table, request: Request, names: str, name: str) -> list[Record]:
    """The records of a region that a list of policies or of scheduled actions asks for.

    Args:
        table: all of them.
        request: with `ServiceNamespace`, and filters.
        names: the member of the request that holds names.
        name: the member of a record that holds its name.

    Raises:
        AwsError: ValidationException for a dimension without a resource.
    """
    wanted, resource = request.get(names), request.get("ResourceId")
    if request.get("ScalableDimension") and not resource:
        raise AwsError(INVALID, "If you specify a scalable dimension, you must also specify a resource ID.")
    return [
        one
        for one in table.values()
        if one["_target"].split(" ")[0] == request.region
        and one["ServiceNamespace"] == request["ServiceNamespace"]
        and (not wanted or one[name] in wanted)
        and resource in (None, one["ResourceId"])
    ]


def listed(found: list[Record], request: Request) -> tuple[list[Record], str | None]:
    """One page of records, as all lists of this service have them: 1 to 50, and 50 where nothing is said.

    Raises:
        AwsError: ValidationException for the size, InvalidNextTokenException for the token.
    """
    size = request.get("MaxResults")
    if size is not None and not 1 <= size <= MOST_LISTED:
        raise AwsError(INVALID, f"MaxResults must be between 1 and {MOST_LISTED}.")
    return page(found, size, request.get("NextToken"), most=MOST_LISTED, code="InvalidNextTokenException")


def _by_arn(scaling: Scaling, request: Request) -> Record:
    arn = request["ResourceARN"]
    for target in scaling.targets.values():
        if target["ScalableTargetARN"] == arn:
            return target
    raise AwsError("ResourceNotFoundException", f"The specified resource doesn't exist: {arn}")


def _checked_tags(tags: dict[str, str]) -> dict[str, str]:
    if any(reserved(name) for name in tags):
        raise AwsError(INVALID, "Tag keys that begin with 'aws:' are reserved for AWS use.")
    if len(tags) > MOST_TAGS:
        raise AwsError(INVALID, f"A resource can have {MOST_TAGS} tags at most.")
    return dict(tags)


def _new_id() -> str:
    return f"0ec5{uuid.uuid4().hex[:30]}"


OPERATIONS = {
    "RegisterScalableTarget": register,
    "DescribeScalableTargets": describe,
    "DeregisterScalableTarget": deregister,
    "TagResource": tag,
    "UntagResource": untag,
    "ListTagsForResource": list_tags,
}
