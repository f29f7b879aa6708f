"""Scaling activities: what was done, why, and how it went.

https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-scaling-activities.html
"""

import uuid
from typing import Any

from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record
from labs.cloud.scaling.state import DIMENSION, INVALID, NAMESPACE, Scaling
from labs.cloud.scaling.targets import listed

KEPT_SECONDS = 6 * 7 * 86400.0  # "from the last six weeks"
MOST_KEPT = 1000  # of all targets together
PATIENCE_SECONDS = clock.lesson(20 * 60)  # then an activity counts as unfulfilled
IN_PROGRESS = "InProgress"


def describe(scaling: Scaling, request: Request) -> dict[str, Any]:
    """DescribeScalingActivities: newest first. Those that did not scale are told only when asked for."""
    if request.get("ScalableDimension") and not request.get("ResourceId"):
        raise AwsError(INVALID, "If you specify a scalable dimension, you must also specify a resource ID.")
    found = [
        one
        for one in reversed(list(scaling.activities.values()))
        if one["_region"] == request.region
        and one["ServiceNamespace"] == request["ServiceNamespace"]
        and request.get("ResourceId", one["ResourceId"]) == one["ResourceId"]
        and request.get("ScalableDimension", DIMENSION) == one["ScalableDimension"]
        and (request.get("IncludeNotScaledActivities") or not one.get("NotScaledReasons"))
    ]
    part, token = listed(found, request)
    return {"ScalingActivities": part, "NextToken": token}


def begin(scaling: Scaling, target: Record, count: int, cause: str) -> Record:
    """A desired count was set. An activity of the target that was still going on is overridden by this one."""
    for one in _going_on(scaling, target):
        _end(scaling, one, "Overridden", f"Successfully set desired count to {one['_count']}. Overridden by {count}.")
    status = f"Successfully set desired count to {count}. Waiting for change to be fulfilled by ecs."
    return _add(
        scaling, target, f"Setting desired count to {count}.", cause, IN_PROGRESS, StatusMessage=status, _count=count
    )


def fail(scaling: Scaling, target: Record, count: int, cause: str, reason: str) -> None:
    """A desired count could not be set."""
    status = f"Failed to set desired count to {count}. Reason: {reason}"
    activity = _add(scaling, target, f"Setting desired count to {count}.", cause, "Failed", StatusMessage=status)
    scaling.activities.put(activity["ActivityId"], {**activity, "EndTime": clock.now()})


def not_scaled(scaling: Scaling, target: Record, cause: str, code: str, **numbers: int) -> None:
    """A policy was triggered and nothing had to change. The same reason is told once, until something else happens.

    Args:
        scaling: the state.
        target: the scalable target.
        cause: why it was to scale.
        code: why it did not, e.g. `AlreadyAtMaxCapacity`.
        numbers: what belongs to the code, e.g. `MaxCapacity`.
    """
    mine = [one for one in scaling.activities.values() if one["_target"] == target["_key"]]
    reasons = [{"Code": code, **numbers}]
    if not mine or mine[-1].get("NotScaledReasons") != reasons:
        text = "Attempting to scale due to alarm triggered"
        _add(scaling, target, text, cause, "Failed", NotScaledReasons=reasons)


def follow(scaling: Scaling, target: Record, desired: int, running: int) -> float | None:
    """Ends the activity of a target that was going on, if the service has got there or was told something else.

    Args:
        scaling: the state.
        target: the scalable target.
        desired: the service's desired count now.
        running: how many of its tasks run now.

    Returns:
        When it ended; None if nothing was going on, or still is.
    """
    for one in _going_on(scaling, target):
        if desired != one["_count"]:
            text = f"Successfully set desired count to {one['_count']}. Overridden by another change of the service."
            return _end(scaling, one, "Overridden", text)
        if running == desired:
            text = f"Successfully set desired count to {desired}. Change successfully fulfilled by ecs."
            return _end(scaling, one, "Successful", text)
        if clock.now() - one["StartTime"] > PATIENCE_SECONDS:
            text = f"Successfully set desired count to {desired}. The change was not fulfilled by ecs in time."
            return _end(scaling, one, "Unfulfilled", text)
    return None


def forget_old(scaling: Scaling) -> None:
    """Forgets the activities of more than six weeks ago, and the oldest ones if there are too many."""
    oldest = clock.now() - KEPT_SECONDS
    for number, (activity_id, one) in enumerate(list(scaling.activities.items())):
        if one["StartTime"] < oldest or number < len(scaling.activities) - MOST_KEPT:
            scaling.activities.drop(activity_id)


def _going_on(scaling: Scaling, target: Record) -> list[Record]:
    return [
        one
        for one in scaling.activities.values()
        if one["_target"] == target["_key"] and one["StatusCode"] == IN_PROGRESS
    ]


def _add(scaling: Scaling, target: Record, description: str, cause: str, code: str, **more: Any) -> Record:
    activity = {
        "_region": target["_region"],
        "_target": target["_key"],
        "ActivityId": str(uuid.uuid4()),
        "ServiceNamespace": NAMESPACE,
        "ResourceId": target["ResourceId"],
        "ScalableDimension": DIMENSION,
        "Description": description,
        "Cause": cause,
        "StartTime": clock.now(),
        "StatusCode": code,
        **more,
    }
    return scaling.activities.put(activity["ActivityId"], activity)


def _end(scaling: Scaling, activity: Record, code: str, status: str) -> float:
    now = clock.now()
    ended = {**activity, "StatusCode": code, "StatusMessage": status, "EndTime": now}
    scaling.activities.put(activity["ActivityId"], ended)
    return now


OPERATIONS = {"DescribeScalingActivities": describe}
