"""Scheduled actions: the operations, and when they are due. They run on real time.

https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html
"""

import logging
import uuid
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.expressions import At, Expression, ExpressionError, parse
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record
from labs.cloud.scaling.state import DIMENSION, INVALID, NAMESPACE, Scaling, key, named, target_of
from labs.cloud.scaling.targets import asked_for, check_bounds, listed

MOST_OF_TARGET = 200  # https://docs.aws.amazon.com/general/latest/gr/as-app.html
LATE_SECONDS = 60.0  # one that was missed by more, because nothing ran, is left out

log = logging.getLogger(__name__)


def put(scaling: Scaling, request: Request) -> dict[str, Any]:
    """PutScheduledAction: a new one, or what is given of one that is there."""
    target = target_of(scaling, request)
    where = f"{target['_key']} {request['ScheduledActionName']}"
    present = scaling.actions.get(where)
    if not present and len(scaling.actions_of(target)) >= MOST_OF_TARGET:
        raise AwsError("LimitExceededException", f"A scalable target can have {MOST_OF_TARGET} scheduled actions.")
    now = clock.now()
    arn = arns.make(
        "autoscaling",
        request.region,
        f"scheduledAction:{uuid.uuid4()}:resource/ecs/{request['ResourceId']}:"
        f"scheduledActionName/{request['ScheduledActionName']}",
    )
    action = {
        "_key": where,
        "_target": target["_key"],
        "ScheduledActionName": request["ScheduledActionName"],
        "ScheduledActionARN": arn,
        "ServiceNamespace": NAMESPACE,
        "ResourceId": request["ResourceId"],
        "ScalableDimension": DIMENSION,
        "CreationTime": now,
        **(present or {}),
        **{name: request[name] for name in ("Schedule", "Timezone", "ScalableTargetAction") if name in request},
        **{name: _seconds(request[name]) for name in ("StartTime", "EndTime") if name in request},
    }
    _check(action, target)
    expression = _expression(action)
    action["_start"] = max(action.get("StartTime", now), now)
    # A rate begins one interval after it is made, unless a start says when.
    first = now if "StartTime" not in action else action["_start"] - 0.001
    action["_next"] = _next(action, expression, max(first, now))
    if isinstance(expression, At) and action["_next"] is None:
        raise AwsError(INVALID, f"The schedule {action['Schedule']} is in the past or outside of start and end.")
    scaling.actions.put(where, action)
    scaling.changed.beat()
    return {}


def describe(scaling: Scaling, request: Request) -> dict[str, Any]:
    """DescribeScheduledActions."""
    found = asked_for(scaling.actions, request, "ScheduledActionNames", "ScheduledActionName")
    part, token = listed(found, request)
    return {"ScheduledActions": part, "NextToken": token}


def delete(scaling: Scaling, request: Request) -> dict[str, Any]:
    """DeleteScheduledAction."""
    where = f"{key(request)} {request['ScheduledActionName']}"
    if where not in scaling.actions:
        text = f"No scheduled action found for {named(request)}, scheduled action name: "
        raise AwsError("ObjectNotFoundException", text + request["ScheduledActionName"])
    scaling.actions.drop(where)
    return {}


def run_due(scaling: Scaling, now: float) -> None:
    """Gives the targets of actions that are due their new bounds. The scaler holds their capacity within them then.

    An action without any further occurrence is forgotten after it, as AWS does with those that ran once.
    """
    for where, action in scaling.actions.items():
        if action["_next"] is None or action["_next"] > now:
            continue
        target = scaling.targets[action["_target"]]
        in_time = now - action["_next"] < LATE_SECONDS or isinstance(_expression(action), At)
        if in_time and not target["SuspendedState"]["ScheduledScalingSuspended"]:
            low, high = _bounds(action, target)
            if low <= high:
                scaling.targets.put(target["_key"], {**target, "MinCapacity": low, "MaxCapacity": high, "_hold": True})
            else:
                log.warning("%s would set a minimum of %d over a maximum of %d", where, low, high)
        following = _next(action, _expression(action), now)
        if following is None:
            scaling.actions.drop(where)
        else:
            scaling.actions.put(where, {**action, "_next": following})


def _check(action: Record, target: Record) -> None:
    if not action.get("Schedule"):
        raise AwsError(INVALID, "Schedule must be specified for a new scheduled action.")
    new = action.get("ScalableTargetAction", {})
    if "MinCapacity" not in new and "MaxCapacity" not in new:
        raise AwsError(INVALID, "At least one of MinCapacity and MaxCapacity must be specified.")
    check_bounds(*_bounds(action, target))
    if action.get("StartTime") and action.get("EndTime") and action["EndTime"] <= action["StartTime"]:
        raise AwsError(INVALID, "The end time must be later than the start time.")


def _bounds(action: Record, target: Record) -> tuple[int, int]:
    """Minimum and maximum after an action; what it does not set stays."""
    new = action["ScalableTargetAction"]
    return new.get("MinCapacity", target["MinCapacity"]), new.get("MaxCapacity", target["MaxCapacity"])


def _expression(action: Record) -> Expression:
    """The action's schedule.

    Raises:
        AwsError: ValidationException.
    """
    try:
        return parse(action["Schedule"], ZoneInfo(action.get("Timezone", "UTC")))
    except ExpressionError:
        raise AwsError(INVALID, f"Invalid schedule expression: {action['Schedule']}") from None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise AwsError(INVALID, f"Invalid time zone: {action['Timezone']}") from None


def _next(action: Record, expression: Expression, moment: float) -> float | None:
    """The first occurrence later than a moment, within start and end."""
    found = expression.after(moment, action["_start"])
    early = found is not None and found < action.get("StartTime", found)
    return None if found is None or early or found > action.get("EndTime", found) else found


def _seconds(value: Any) -> float:
    """A time as the JSON protocol sends it: seconds, or text.

    Raises:
        AwsError: ValidationException.
    """
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else float(value)
    except ValueError:
        raise AwsError(INVALID, f"Invalid time: {value}") from None


OPERATIONS = {"PutScheduledAction": put, "DescribeScheduledActions": describe, "DeleteScheduledAction": delete}
