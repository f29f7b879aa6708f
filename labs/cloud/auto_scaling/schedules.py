"""Scheduled actions of groups: the operations, and when they are due. They run on real time.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-scheduled-scaling.html
"""

import re
import uuid
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from labs.cloud.auto_scaling import group_checks, processes
from labs.cloud.auto_scaling.state import INVALID, AutoScaling, group_of, listed, stamp
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.expressions import Expression, ExpressionError, parse
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

MOST_ACTIONS = 125  # https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html
LATE_SECONDS = 60.0  # one that was missed by more, because nothing ran, is left out
_SIZES = ("MinSize", "MaxSize", "DesiredCapacity")
_WEEKDAYS = {str(number): str(number + 1) for number in range(7)} | {"7": "1"}  # cron counts from Sunday, 0


def put(scaling: AutoScaling, request: Request) -> None:
    """PutScheduledUpdateGroupAction: a new one, or another one in the place of one that is there."""
    group = group_of(scaling, request)
    action = _made(group, request)
    if action["_key"] not in scaling.actions and len(scaling.of_group(scaling.actions, group)) >= MOST_ACTIONS:
        raise AwsError("LimitExceeded", f"An Auto Scaling group can have {MOST_ACTIONS} scheduled actions.")
    scaling.actions.put(action["_key"], action)
    scaling.policies_changed.beat()


def batch_put(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """BatchPutScheduledUpdateGroupAction: each by itself."""
    group_of(scaling, request)
    failed = []
    for one in request["ScheduledUpdateGroupActions"]:
        each = Request({**one, "AutoScalingGroupName": request["AutoScalingGroupName"]}, request.region)
        try:
            put(scaling, each)
        except AwsError as problem:
            failed.append(_failed(one["ScheduledActionName"], problem))
    return {"FailedScheduledUpdateGroupActions": failed}


def describe(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribeScheduledActions."""
    names = request.get("ScheduledActionNames")
    if request.get("AutoScalingGroupName"):
        group_of(scaling, request)
    low, high = _time(request.get("StartTime")), _time(request.get("EndTime"))
    found = [
        one
        for one in scaling.actions.values()
        if one["_group"].split(" ")[0] == request.region
        and request.get("AutoScalingGroupName", one["AutoScalingGroupName"]) == one["AutoScalingGroupName"]
        and (not names or one["ScheduledActionName"] in names or one["ScheduledActionARN"] in names)
        and (names or low is None or one.get("StartTime", low) >= low)
        and (names or high is None or one.get("StartTime", high) <= high)
    ]
    part, token = listed(found, request)
    return {"ScheduledUpdateGroupActions": part, "NextToken": token}


def delete(scaling: AutoScaling, request: Request) -> None:
    """DeleteScheduledAction."""
    group, name = group_of(scaling, request), request["ScheduledActionName"]
    if f"{group['_key']} {name}" not in scaling.actions:
        raise AwsError(INVALID, f"Scheduled action name not found - {name}")
    scaling.actions.drop(f"{group['_key']} {name}")


def batch_delete(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """BatchDeleteScheduledAction: each by itself."""
    group_of(scaling, request)
    failed = []
    for name in request["ScheduledActionNames"]:
        each = {"AutoScalingGroupName": request["AutoScalingGroupName"], "ScheduledActionName": name}
        try:
            delete(scaling, Request(each, request.region))
        except AwsError as problem:
            failed.append(_failed(name, problem))
    return {"FailedScheduledActions": failed}


def run_due(scaling: AutoScaling, now: float) -> None:
    """Gives the groups of actions that are due their new sizes. An action that comes no more is forgotten."""
    for key, action in scaling.actions.items():
        if action["_next"] > now:
            continue
        group = scaling.groups[action["_group"]]
        in_time = now - action["_next"] < LATE_SECONDS or not action.get("Recurrence")
        if in_time and processes.runs(group, "ScheduledActions"):
            _apply(scaling, group, action)
        following = _next(action, now)
        if following is None:
            scaling.actions.drop(key)
        else:
            scaling.actions.put(key, {**action, "_next": following})


def next_due(scaling: AutoScaling) -> float | None:
    """When the next action of all is due, in seconds since the epoch; None without any."""
    return min((one["_next"] for one in scaling.actions.values()), default=None)


def _apply(scaling: AutoScaling, group: Record, action: Record) -> None:
    low, high = action.get("MinSize", group["MinSize"]), action.get("MaxSize", group["MaxSize"])
    before = group["DesiredCapacity"]
    if high < low:
        return
    desired = min(max(action.get("DesiredCapacity", before), low), high)
    changed = {**group, "MinSize": low, "MaxSize": high, "DesiredCapacity": desired}
    if desired != before:
        changed["_why"] = (
            f"At {stamp()} scheduled action {action['ScheduledActionName']} executed an update of AutoScalingGroup "
            f"constraints to min: {low}, max: {high}, desired: {desired} changing the desired capacity "
            f"from {before} to {desired}."
        )
    scaling.groups.put(group["_key"], changed)
    scaling.wake(group["_key"])


def _made(group: Record, request: Request) -> Record:
    name, now = request["ScheduledActionName"], clock.now()
    sizes = {member: request[member] for member in _SIZES if member in request}
    if not sizes:
        raise AwsError(INVALID, "At least one of MinSize, MaxSize and DesiredCapacity must be specified.")
    if {"MinSize", "MaxSize"} <= set(sizes):
        group_checks.check_sizes(sizes["MinSize"], sizes["MaxSize"], sizes.get("DesiredCapacity"))
    if any(value < 0 for value in sizes.values()):
        raise AwsError(INVALID, "Sizes must not be negative.")
    start, end = _time(request.get("StartTime") or request.get("Time")), _time(request.get("EndTime"))
    recurrence = request.get("Recurrence")
    if start is None and not recurrence:
        raise AwsError(INVALID, "Either StartTime or Recurrence must be specified.")
    if start is not None and start <= now:
        raise AwsError(INVALID, "Given start time is in the past")
    if end is not None and end <= (start or now):
        raise AwsError(INVALID, "Given end time is before the start time or in the past")
    arn = arns.make(
        "autoscaling",
        group["_region"],
        f"scheduledUpdateGroupAction:{uuid.uuid4()}:autoScalingGroupName/{group['AutoScalingGroupName']}:"
        f"scheduledActionName/{name}",
    )
    action = {
        "_key": f"{group['_key']} {name}",
        "_group": group["_key"],
        "AutoScalingGroupName": group["AutoScalingGroupName"],
        "ScheduledActionName": name,
        "ScheduledActionARN": arn,
        **sizes,
        **({"StartTime": start, "Time": start} if start is not None else {}),
        **({"EndTime": end} if end is not None else {}),
        **{member: request[member] for member in ("Recurrence", "TimeZone") if request.get(member)},
    }
    following = start if start is not None and not recurrence else _next(action, now)
    if following is None:
        raise AwsError(INVALID, f"The schedule {recurrence} has no occurrence between start and end.")
    return {**action, "_next": following}


def _next(action: Record, moment: float) -> float | None:
    """When an action comes again after a moment."""
    if not action.get("Recurrence"):
        return None
    start = action.get("StartTime", 0.0)
    found = _expression(action).after(max(moment, start - 1e-6), 0.0)
    return None if found is None or found > action.get("EndTime", found) else found


def _expression(action: Record) -> Expression:
    """Unix's five fields, as the schedule expressions of AWS have them.

    Raises:
        AwsError: ValidationError.
    """
    text = action["Recurrence"]
    try:
        zone = ZoneInfo(action.get("TimeZone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise AwsError(INVALID, f"Invalid time zone: {action['TimeZone']}") from None
    fields = text.split()
    if len(fields) != 5:
        raise AwsError(INVALID, f"Given recurrence string:{text} is invalid")
    minute, hour, day, month, weekday = fields
    weekday = re.sub(r"(?<![/\d])[0-7](?!\d)", lambda found: _WEEKDAYS[found[0]], weekday)
    if weekday == "*":
        weekday = "?"
    elif day == "*":
        day = "?"
    else:
        text = f"Given recurrence string:{text} names both days of the month and of the week, which this course cannot."
        raise AwsError(INVALID, text)
    try:
        return parse(f"cron({minute} {hour} {day} {month} {weekday} *)", zone)
    except ExpressionError:
        raise AwsError(INVALID, f"Given recurrence string:{text} is invalid") from None


def _time(value: Any) -> float | None:
    """A time as the Query protocol sends it: text.

    Raises:
        AwsError: ValidationError.
    """
    if value is None or isinstance(value, (int, float)):
        return value
    try:
        found = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        raise AwsError(INVALID, f"Invalid time: {value}") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _failed(name: str, problem: AwsError) -> dict[str, str]:
    return {"ScheduledActionName": name, "ErrorCode": problem.code, "ErrorMessage": problem.message}


OPERATIONS = {
    "PutScheduledUpdateGroupAction": put,
    "BatchPutScheduledUpdateGroupAction": batch_put,
    "DescribeScheduledActions": describe,
    "DeleteScheduledAction": delete,
    "BatchDeleteScheduledAction": batch_delete,
}
