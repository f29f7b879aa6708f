"""The API of EventBridge Scheduler: schedules.

https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
"""

import json
import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from labs.cloud.events import deliveries, due, invoke
from labs.cloud.events.groups import DEFAULT, require_group
from labs.cloud.events.state import Events
from labs.cloud.frame import arns, clock, roles
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.expressions import ExpressionError, parse
from labs.cloud.frame.paging import page
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12})?:.+", re.DOTALL)
_KEPT = ("ScheduleExpression", "FlexibleTimeWindow", "Description", "StartDate", "EndDate", "KmsKeyArn")
# What only reads cannot be a universal target.
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
_READING = (
    "get", "describe", "list", "poll", "receive", "search", "scan", "query", "select", "read", "lookup", "discover",
    "validate", "batchget", "batchdescribe", "batchread", "transactget", "adminget", "adminlist", "testmigration",
    "retrieve", "testconnection", "translatedocument", "isauthorized", "invokemodel",
)  # fmt: skip
# Parameters that belong to one kind of target: the service in its ARN, and whether it needs them.
_PARAMETERS = {
    "EcsParameters": ("ecs", True),
    "EventBridgeParameters": ("events", True),
    "KinesisParameters": ("kinesis", True),
    "SageMakerPipelineParameters": ("sagemaker", False),
    "SqsParameters": ("sqs", False),
}


async def create_schedule(events: Events, request: Request) -> dict[str, Any]:
    """CreateSchedule."""
    arn = _arn(request)
    await _check(events, request)
    if present := events.schedules.get(arn):
        if request.get("ClientToken") and present["_token"] == request["ClientToken"]:
            return {"ScheduleArn": arn}
        raise AwsError("ConflictException", f"Schedule {request['Name']} already exists.", 409)
    _put(events, request, arn, clock.now())
    return {"ScheduleArn": arn}


async def update_schedule(events: Events, request: Request) -> dict[str, Any]:
    """UpdateSchedule: what the request leaves out gets its default."""
    await _check(events, request)
    present = _require(events, request)
    _put(events, request, present["Arn"], present["CreationDate"])
    return {"ScheduleArn": present["Arn"]}


def get_schedule(events: Events, request: Request) -> dict[str, Any]:
    """GetSchedule."""
    return _require(events, request)


def delete_schedule(events: Events, request: Request) -> dict[str, Any]:
    """DeleteSchedule."""
    events.schedules.drop(_require(events, request)["Arn"])
    events.schedules_changed.beat()
    return {}


def list_schedules(events: Events, request: Request) -> dict[str, Any]:
    """ListSchedules."""
    if group := request.get("GroupName"):
        require_group(events, group, request.region)
    found = [
        {**schedule, "Target": {"Arn": schedule["Target"]["Arn"]}}
        for schedule in sorted(events.schedules.values(), key=lambda one: one["Arn"])
        if arns.region(schedule["Arn"]) == request.region
        and schedule["GroupName"] == (group or schedule["GroupName"])
        and schedule["Name"].startswith(request.get("NamePrefix", ""))
        and schedule["State"] == request.get("State", schedule["State"])
    ]
    items, token = page(found, request.get("MaxResults"), request.get("NextToken"), code="ValidationException")
    return {"Schedules": items, "NextToken": token}


def _arn(request: Request) -> str:
    return arns.make("scheduler", request.region, f"schedule/{request.get('GroupName', DEFAULT)}/{request['Name']}")


def _require(events: Events, request: Request) -> Record:
    if found := events.schedules.get(_arn(request)):
        return found
    raise AwsError("ResourceNotFoundException", f"Schedule {request['Name']} does not exist.", 404)


def _put(events: Events, request: Request, arn: str, created: float) -> None:
    target = {**request["Target"]}
    target["RetryPolicy"] = {
        "MaximumEventAgeInSeconds": deliveries.MOST_AGE,
        "MaximumRetryAttempts": deliveries.MOST_RETRIES,
        **target.get("RetryPolicy", {}),
    }
    schedule = {
        "Arn": arn,
        "Name": request["Name"],
        "GroupName": request.get("GroupName", DEFAULT),
        "State": request.get("State", "ENABLED"),
        "ActionAfterCompletion": request.get("ActionAfterCompletion", "NONE"),
        "ScheduleExpressionTimezone": request.get("ScheduleExpressionTimezone", "UTC"),
        "Target": target,
        "CreationDate": created,
        "LastModificationDate": clock.now(),
        "_token": request.get("ClientToken"),
        **{name: request[name] for name in _KEPT if name in request},
    }
    due.plan(schedule, clock.now())
    events.schedules.put(arn, schedule)
    events.schedules_changed.beat()


async def _check(events: Events, request: Request) -> None:
    """Refuses what the model allows and AWS does not."""
    require_group(events, request.get("GroupName", DEFAULT), request.region)
    _check_times(request)
    _check_target(request["Target"])
    if not await roles.trusts(request["Target"]["RoleArn"], "scheduler.amazonaws.com"):
        _refuse("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")


def _check_times(request: Request) -> None:
    zone, text = request.get("ScheduleExpressionTimezone", "UTC"), request["ScheduleExpression"]
    try:
        parse(text, ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        if isinstance(problem, ExpressionError):
            _refuse(f"Invalid Schedule Expression {text}.")
        _refuse(f"Invalid Schedule Expression Timezone {zone}.")
    window = request["FlexibleTimeWindow"]
    if window["Mode"] == "FLEXIBLE" and "MaximumWindowInMinutes" not in window:
        _refuse("MaximumWindowInMinutes is required when the mode of FlexibleTimeWindow is FLEXIBLE.")
    if window["Mode"] == "OFF" and "MaximumWindowInMinutes" in window:
        _refuse("MaximumWindowInMinutes must not be set when the mode of FlexibleTimeWindow is OFF.")
    start, end = request.get("StartDate"), request.get("EndDate")
    if not all(isinstance(value, int | float) for value in (start, end) if value is not None):
        _refuse("StartDate and EndDate are seconds since the epoch.")
    if start is not None and end is not None and start >= end:
        _refuse("The StartDate must come before the EndDate.")


def _check_target(target: dict[str, Any]) -> None:
    arn = target["Arn"]
    if not _ARN.fullmatch(arn):
        _refuse("Provided Arn is not in correct format.")
    universal = arn.startswith(invoke.UNIVERSAL)
    service = "" if universal else arn.split(":")[2]
    for name, (owner, needed) in _PARAMETERS.items():
        if name in target and service != owner:
            _refuse(f"{name} can be set only for a target of {owner}, and {arn} is none.")
        if needed and service == owner and name not in target:
            _refuse(f"{name} is required for the target {arn}.")
    if service == "sqs" and arn.endswith(".fifo") and not target.get("SqsParameters", {}).get("MessageGroupId"):
        _refuse("SqsParameters with a MessageGroupId are required for a FIFO queue.")
    if target.get("DeadLetterConfig", {}).get("Arn", "").endswith(".fifo"):
        _refuse("A FIFO queue cannot be the dead-letter queue of a schedule.")
    if universal:
        _check_universal(arn, target.get("Input"))
    elif service == "logs" or service not in invoke.SENDERS:  # a log group can be a target of rules only
        _refuse(f"The local AWS cannot send to {arn}.")


def _check_universal(arn: str, content: str | None) -> None:
    try:
        invoke.universal_call(arn)
    except LookupError:
        _refuse(f"Invalid target: the API {arn.removeprefix(invoke.UNIVERSAL)} does not exist.")
    if arn.rpartition(":")[2].lower().startswith(_READING):
        _refuse(f"Invalid target: {arn} only reads, and read-only API operations are not supported.")
    try:
        found = json.loads(content or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        _refuse("Invalid RequestJson provided. Reason: the Input of a universal target must be a JSON object.")


def _refuse(message: str) -> None:
    raise AwsError("ValidationException", message, 400)
