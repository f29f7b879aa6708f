"""The API of EventBridge Scheduler: groups of schedules, and their tags.

https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateScheduleGroup.html
"""

from typing import Any

from labs.cloud.events.state import Events
from labs.cloud.frame import arns, clock, tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.paging import page
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

DEFAULT = "default"


def create_schedule_group(events: Events, request: Request) -> dict[str, Any]:
    """CreateScheduleGroup."""
    arn = _arn(request["Name"], request.region)
    present = _find(events, request["Name"], request.region)
    if present:
        if request.get("ClientToken") and present.get("_token") == request["ClientToken"]:
            return {"ScheduleGroupArn": arn}
        raise AwsError("ConflictException", f"Schedule group {request['Name']} already exists.", 409)
    group = _new(request["Name"], request.region)
    group["_token"] = request.get("ClientToken")
    group["_tags"] = tags.merge([], request.get("Tags", []), key="Key", code="ValidationException")
    events.schedule_groups.put(arn, group)
    return {"ScheduleGroupArn": arn}


def get_schedule_group(events: Events, request: Request) -> dict[str, Any]:
    """GetScheduleGroup."""
    return require_group(events, request["Name"], request.region)


def delete_schedule_group(events: Events, request: Request) -> dict[str, Any]:
    """DeleteScheduleGroup: its schedules go with it."""
    if request["Name"] == DEFAULT:
        raise AwsError("ValidationException", "The default schedule group cannot be deleted.")
    group = require_group(events, request["Name"], request.region)
    for arn, schedule in list(events.schedules.items()):
        if schedule["GroupName"] == request["Name"] and arns.region(arn) == request.region:
            events.schedules.drop(arn)
    events.schedule_groups.drop(group["Arn"])
    events.schedules_changed.beat()
    return {}


def list_schedule_groups(events: Events, request: Request) -> dict[str, Any]:
    """ListScheduleGroups."""
    groups = [group for group in events.schedule_groups.values() if arns.region(group["Arn"]) == request.region]
    if not any(group["Name"] == DEFAULT for group in groups):
        groups.append(_new(DEFAULT, request.region))
    prefix = request.get("NamePrefix", "")
    found = sorted((group for group in groups if group["Name"].startswith(prefix)), key=lambda one: one["Name"])
    items, token = page(found, request.get("MaxResults"), request.get("NextToken"), code="ValidationException")
    return {"ScheduleGroups": items, "NextToken": token}


def tag_resource(events: Events, request: Request) -> dict[str, Any]:
    """TagResource."""
    group = _by_arn(events, request["ResourceArn"])
    merged = tags.merge(group.get("_tags", []), request["Tags"], key="Key", code="ValidationException")
    events.schedule_groups.put(group["Arn"], {**group, "_tags": merged})
    return {}


def untag_resource(events: Events, request: Request) -> dict[str, Any]:
    """UntagResource."""
    group = _by_arn(events, request["ResourceArn"])
    left = tags.without(group.get("_tags", []), request["TagKeys"], key="Key")
    events.schedule_groups.put(group["Arn"], {**group, "_tags": left})
    return {}


def list_tags_for_resource(events: Events, request: Request) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"Tags": _by_arn(events, request["ResourceArn"]).get("_tags", [])}


def require_group(events: Events, name: str, region: str) -> Record:
    """A group of schedules.

    Raises:
        AwsError: there is none of this name.
    """
    if found := _find(events, name, region):
        return found
    raise AwsError("ResourceNotFoundException", f"Schedule group {name} does not exist.", 404)


def _find(events: Events, name: str, region: str) -> Record | None:
    """A group; the default one is there in every region without being made."""
    found = events.schedule_groups.get(_arn(name, region))
    return found or (_new(DEFAULT, region) if name == DEFAULT else None)


def _by_arn(events: Events, arn: str) -> Record:
    name, region = arn.rpartition("/")[2], arns.region(arn)
    if arn != _arn(name, region):
        raise AwsError("ResourceNotFoundException", f"The resource {arn} does not exist.", 404)
    return require_group(events, name, region)


def _new(name: str, region: str) -> Record:
    now = clock.now()
    return {
        "Arn": _arn(name, region),
        "Name": name,
        "State": "ACTIVE",
        "CreationDate": now,
        "LastModificationDate": now,
        "_tags": [],
    }


def _arn(name: str, region: str) -> str:
    return arns.make("scheduler", region, f"schedule-group/{name}")
