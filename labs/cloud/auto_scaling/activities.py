"""Scaling activities: what was done to a group, why, and how it went, in AWS's words.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-verify-scaling-activity.html
"""

import json
import uuid
from typing import Any

from labs.cloud.auto_scaling.state import INVALID, AutoScaling, group_of, listed
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

KEPT_SECONDS = 6 * 7 * 86400.0  # "all activities for the past six weeks are described"
MOST_KEPT = 2000  # of all groups together
_FILTERS = {"StartTimeLowerBound", "StartTimeUpperBound", "Status"}


def describe(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribeScalingActivities: newest first."""
    name = request.get("AutoScalingGroupName")
    if name and not request.get("IncludeDeletedGroups"):
        group_of(scaling, request)
    for one in request.get("Filters", []):
        if one.get("Name") not in _FILTERS:
            raise AwsError(INVALID, f"Filter type {one.get('Name')} is not supported.")
    statuses = {value for one in request.get("Filters", []) if one["Name"] == "Status" for value in one["Values"]}
    wanted = request.get("ActivityIds")
    found = [
        one
        for one in reversed(list(scaling.activities.values()))
        if one["_group"].split(" ")[0] == request.region
        and name in (None, one["AutoScalingGroupName"])
        and (request.get("IncludeDeletedGroups") or one.get("AutoScalingGroupState") != "Deleted")
        and (not wanted or one["ActivityId"] in wanted)
        and (not statuses or one["StatusCode"] in statuses)
        and _within(one, request)
    ]
    part, token = listed(found, request)
    return {"Activities": part, "NextToken": token}


def begin(scaling: AutoScaling, group: Record, description: str, cause: str, **details: str) -> Record:
    """Something is being done to a group.

    Args:
        scaling: the state.
        group: the group.
        description: what, e.g. `Terminating EC2 instance: i-...`.
        cause: why.
        details: `subnet` and `zone`.

    Returns:
        The activity.
    """
    about = {"Subnet ID": details.get("subnet"), "Availability Zone": details.get("zone")}
    activity = {
        "_group": group["_key"],
        "ActivityId": str(uuid.uuid4()),
        "AutoScalingGroupName": group["AutoScalingGroupName"],
        "AutoScalingGroupARN": group["AutoScalingGroupARN"],
        "Description": description,
        "Cause": cause[:1023],
        "StartTime": clock.now(),
        "StatusCode": "InProgress",
        "Progress": 50,
        "Details": json.dumps({name: value for name, value in about.items() if value}, separators=(",", ":")),
    }
    return scaling.activities.put(activity["ActivityId"], activity)


def update(scaling: AutoScaling, activity_id: str | None, **changes: Any) -> None:
    """Changes an activity, if it is still known."""
    if activity_id in scaling.activities:
        scaling.activities.put(activity_id, {**scaling.activities[activity_id], **changes})


def end(scaling: AutoScaling, activity_id: str | None, status: str = "Successful", message: str | None = None) -> None:
    """An activity is over.

    Args:
        scaling: the state.
        activity_id: which.
        status: its `StatusCode`.
        message: its `StatusMessage`.
    """
    more = {"StatusMessage": message} if message else {}
    update(scaling, activity_id, StatusCode=status, Progress=100, EndTime=clock.now(), **more)


def of_group_deleted(scaling: AutoScaling, group: Record) -> None:
    """Marks the activities of a group that was deleted."""
    for one in scaling.of_group(scaling.activities, group):
        update(scaling, one["ActivityId"], AutoScalingGroupState="Deleted")
        if one["StatusCode"] == "InProgress":
            end(scaling, one["ActivityId"], "Cancelled")


def forget_old(scaling: AutoScaling) -> None:
    """Forgets the activities of more than six weeks ago, and the oldest ones if there are too many."""
    oldest = clock.now() - KEPT_SECONDS
    for number, (activity_id, one) in enumerate(list(scaling.activities.items())):
        if one["StartTime"] < oldest or number < len(scaling.activities) - MOST_KEPT:
            scaling.activities.drop(activity_id)


def _within(activity: Record, request: Request) -> bool:
    start = clock.iso(activity["StartTime"])
    bounds = {one["Name"]: one.get("Values", [""])[0] for one in request.get("Filters", [])}
    return bounds.get("StartTimeLowerBound", "") <= start <= bounds.get("StartTimeUpperBound", "9999")


OPERATIONS = {"DescribeScalingActivities": describe}
