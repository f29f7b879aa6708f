"""The API of EventBridge Pipes: from a queue to a target.

https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_CreatePipe.html
"""

import json
from typing import Any

from labs.cloud.events import invoke, pipe_flow
from labs.cloud.events.state import Events
from labs.cloud.frame import arns, clock, roles
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.paging import page
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

MOST_TAGS = 50
_KEPT = (
    "Description", "SourceParameters", "Enrichment", "EnrichmentParameters", "Target", "TargetParameters", "RoleArn",
    "LogConfiguration", "KmsKeyIdentifier",
)  # fmt: skip
_TOLD = ("Arn", "Name", "DesiredState", "CurrentState", "CreationTime", "LastModifiedTime")
_LISTED = (*_TOLD, "StateReason", "Source", "Target", "Enrichment")


async def create_pipe(events: Events, request: Request) -> dict[str, Any]:
    """CreatePipe."""
    arn = _arn(request)
    if arn in events.pipes:
        raise AwsError("ConflictException", f"Pipe with name {request['Name']} already exists.", 409)
    _check_tags(request.get("Tags", {}))
    pipe = {
        "Arn": arn,
        "Name": request["Name"],
        "Source": request["Source"],
        "DesiredState": request.get("DesiredState", "RUNNING"),
        "CurrentState": "CREATING",
        "CreationTime": clock.now(),
        "LastModifiedTime": clock.now(),
        "Tags": request.get("Tags", {}),
        **{name: request[name] for name in _KEPT if name in request},
    }
    await _check(pipe)
    return _put(events, pipe)


async def update_pipe(events: Events, request: Request) -> dict[str, Any]:
    """UpdatePipe: what the request leaves out stays as it is."""
    pipe = {**_require(events, request), **{name: request[name] for name in _KEPT if name in request}}
    pipe |= {"DesiredState": request.get("DesiredState", pipe["DesiredState"]), "LastModifiedTime": clock.now()}
    await _check(pipe)
    return _put(events, {**pipe, "CurrentState": "UPDATING"})


def describe_pipe(events: Events, request: Request) -> dict[str, Any]:
    """DescribePipe."""
    return _require(events, request)


def delete_pipe(events: Events, request: Request) -> dict[str, Any]:
    """DeletePipe."""
    pipe = _require(events, request)
    events.pipes.drop(pipe["Arn"])
    events.pipes_changed.beat()
    return {**_short(pipe), "CurrentState": "DELETING"}


def list_pipes(events: Events, request: Request) -> dict[str, Any]:
    """ListPipes."""
    found = [
        {name: pipe[name] for name in _LISTED if name in pipe}
        for pipe in sorted(events.pipes.values(), key=lambda one: one["Name"])
        if arns.region(pipe["Arn"]) == request.region
        and pipe["Name"].startswith(request.get("NamePrefix", ""))
        and pipe["Source"].startswith(request.get("SourcePrefix", ""))
        and pipe["Target"].startswith(request.get("TargetPrefix", ""))
        and pipe["DesiredState"] == request.get("DesiredState", pipe["DesiredState"])
        and pipe["CurrentState"] == request.get("CurrentState", pipe["CurrentState"])
    ]
    items, token = page(found, request.get("Limit"), request.get("NextToken"), code="ValidationException")
    return {"Pipes": items, "NextToken": token}


def start_pipe(events: Events, request: Request) -> dict[str, Any]:
    """StartPipe."""
    return _put(events, {**_require(events, request), "DesiredState": "RUNNING", "CurrentState": "STARTING"})


def stop_pipe(events: Events, request: Request) -> dict[str, Any]:
    """StopPipe."""
    return _put(events, {**_require(events, request), "DesiredState": "STOPPED", "CurrentState": "STOPPING"})


def tag_resource(events: Events, request: Request) -> dict[str, Any]:
    """TagResource."""
    pipe = _by_arn(events, request["resourceArn"])
    merged = {**pipe["Tags"], **request["tags"]}
    _check_tags(merged)
    events.pipes.put(pipe["Arn"], {**pipe, "Tags": merged})
    return {}


def untag_resource(events: Events, request: Request) -> dict[str, Any]:
    """UntagResource."""
    pipe = _by_arn(events, request["resourceArn"])
    left = {name: value for name, value in pipe["Tags"].items() if name not in request["tagKeys"]}
    events.pipes.put(pipe["Arn"], {**pipe, "Tags": left})
    return {}


def list_tags_for_resource(events: Events, request: Request) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"tags": _by_arn(events, request["resourceArn"])["Tags"]}


def _arn(request: Request) -> str:
    return arns.make("pipes", request.region, f"pipe/{request['Name']}")


def _require(events: Events, request: Request) -> Record:
    if found := events.pipes.get(_arn(request)):
        return found
    raise AwsError("NotFoundException", f"Pipe {request['Name']} does not exist.", 404)


def _by_arn(events: Events, arn: str) -> Record:
    if found := events.pipes.get(arn):
        return found
    raise AwsError("NotFoundException", f"Pipe {arn} does not exist.", 404)


def _short(pipe: Record) -> dict[str, Any]:
    return {name: pipe[name] for name in _TOLD}


def _put(events: Events, pipe: Record) -> dict[str, Any]:
    pipe.pop("StateReason", None)
    events.pipes.put(pipe["Arn"], pipe)
    events.pipes_changed.beat()
    return _short(pipe)


async def _check(pipe: Record) -> None:
    """Refuses what AWS refuses, and what is not here."""
    source, target = pipe["Source"], pipe["Target"]
    if not source.startswith("arn:") or source.split(":")[2] != "sqs":
        _refuse(f"The local AWS has pipes from SQS queues only, and {source} is none.")
    if target.split(":")[2:3] not in [[one] for one in invoke.SENDERS]:
        _refuse(f"The local AWS cannot send to {target}.")
    if pipe.get("Enrichment"):
        _refuse("The local AWS has pipes without enrichment.")
    parameters = pipe.get("TargetParameters", {})
    for name, (service, needed) in pipe_flow.PARAMETERS.items():
        if name in parameters and target.split(":")[2] != service:
            _refuse(f"{name} can be set only for a target of {service}.")
        if needed and target.split(":")[2] == service and name not in parameters:
            _refuse(f"{name} is required for the target {target}.")
    for one in pipe.get("SourceParameters", {}).get("FilterCriteria", {}).get("Filters", []):
        _check_pattern(one.get("Pattern", ""))
    if not await roles.trusts(pipe["RoleArn"], pipe_flow.PRINCIPAL):
        _refuse(f"The role {pipe['RoleArn']} must allow {pipe_flow.PRINCIPAL} to assume it.")


def _check_pattern(text: str) -> None:
    try:
        pattern = json.loads(text)
    except ValueError:
        pattern = None
    if not isinstance(pattern, dict):
        _refuse(f"Invalid filter pattern: {text}")


def _check_tags(tags: dict[str, str]) -> None:
    if len(tags) > MOST_TAGS:
        _refuse(f"A pipe can have {MOST_TAGS} tags at most.")
    if any(name.lower().startswith("aws:") for name in tags):
        _refuse("Tag keys that begin with 'aws:' are reserved for AWS use.")


def _refuse(message: str) -> None:
    raise AwsError("ValidationException", message, 400)


OPERATIONS = {
    "CreatePipe": create_pipe,
    "UpdatePipe": update_pipe,
    "DescribePipe": describe_pipe,
    "DeletePipe": delete_pipe,
    "ListPipes": list_pipes,
    "StartPipe": start_pipe,
    "StopPipe": stop_pipe,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}
