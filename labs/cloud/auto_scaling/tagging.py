"""Tags of groups. Those with PropagateAtLaunch are also given to the instances that are launched.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-tagging.html
"""

from collections.abc import Iterable, Mapping
from typing import Any

from labs.cloud.auto_scaling.state import INVALID, AutoScaling, listed
from labs.cloud.frame import tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

RESOURCE_TYPE = "auto-scaling-group"
_FILTERS = {"auto-scaling-group": "ResourceId", "key": "Key", "value": "Value", "propagate-at-launch": "Propagate"}


def create_or_update(scaling: AutoScaling, request: Request) -> None:
    """CreateOrUpdateTags: of several groups, all or none."""
    changed: dict[str, Record] = {}
    for tag in request["Tags"]:
        group = _group(scaling, request, tag)
        group = changed.get(group["_key"], group)
        changed[group["_key"]] = {**group, "Tags": _merged(group["Tags"], of_request([tag], _name(group)))}
    for key, group in changed.items():
        scaling.groups.put(key, group)


def delete(scaling: AutoScaling, request: Request) -> None:
    """DeleteTags: a tag with a value is deleted if it has that value."""
    found = [(_group(scaling, request, tag), tag) for tag in request["Tags"]]
    for one, tag in found:
        group = scaling.groups[one["_key"]]
        left = [
            item
            for item in group["Tags"]
            if item["Key"] != tag["Key"] or tag.get("Value", item["Value"]) != item["Value"]
        ]
        scaling.groups.put(group["_key"], {**group, "Tags": left})


def describe(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribeTags."""
    for one in request.get("Filters", []):
        if one.get("Name") not in _FILTERS:
            raise AwsError(INVALID, f"Filter type {one.get('Name')} is not correct. Allowed: {', '.join(_FILTERS)}.")
    found = [
        tag
        for group in scaling.groups.values()
        if group["_region"] == request.region
        for tag in group["Tags"]
        if all(_has(tag, one) for one in request.get("Filters", []))
    ]
    part, token = listed(found, request)
    return {"Tags": part, "NextToken": token}


def of_request(given: Iterable[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    """Tags as a group keeps them.

    Raises:
        AwsError: ValidationError.
    """
    made = [
        {
            "ResourceId": name,
            "ResourceType": RESOURCE_TYPE,
            "Key": tag.get("Key", ""),
            "Value": tag.get("Value", ""),
            "PropagateAtLaunch": tag.get("PropagateAtLaunch", False),
        }
        for tag in given
    ]
    tags.merge([], made, key="Key", code=INVALID)
    return list({tag["Key"]: tag for tag in made}.values())


def at_launch(group: Record) -> dict[str, str]:
    """The tags that an instance of a group is launched with."""
    return {tag["Key"]: tag["Value"] for tag in group["Tags"] if tag["PropagateAtLaunch"]}


def fits(group: Record, wanted: Mapping[str, Any]) -> bool:
    """Whether a group's tags fit a filter: `tag-key`, `tag-value` or `tag:<key>`.

    Raises:
        AwsError: ValidationError; there is no such filter.
    """
    name, values = wanted.get("Name", ""), wanted.get("Values", [])
    if name == "tag-key":
        return any(tag["Key"] in values for tag in group["Tags"])
    if name == "tag-value":
        return any(tag["Value"] in values for tag in group["Tags"])
    if name.startswith("tag:"):
        return any(tag["Key"] == name[4:] and tag["Value"] in values for tag in group["Tags"])
    raise AwsError(
        INVALID, f"Filter type {name} is not correct. Allowed Filter types are: tag-key, tag-value, tag:<key>"
    )


def _merged(present: list[dict[str, Any]], more: list[dict[str, Any]]) -> list[dict[str, Any]]:
    merged = {tag["Key"]: tag for tag in present} | {tag["Key"]: tag for tag in more}
    if len(merged) > tags.MOST:
        raise AwsError("LimitExceeded", f"An Auto Scaling group can have {tags.MOST} tags at most.")
    return list(merged.values())


def _group(scaling: AutoScaling, request: Request, tag: Mapping[str, Any]) -> Record:
    if tag.get("ResourceType", RESOURCE_TYPE) != RESOURCE_TYPE:
        raise AwsError(INVALID, f"Invalid resource type '{tag['ResourceType']}'. It must be {RESOURCE_TYPE}.")
    group = scaling.groups.get(f"{request.region} {tag.get('ResourceId')}")
    if group is None:
        text = f"AutoScalingGroup name not found - AutoScalingGroup '{tag.get('ResourceId')}' not found"
        raise AwsError(INVALID, text)
    return group


def _has(tag: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    member = _FILTERS[wanted["Name"]]
    value = str(tag["PropagateAtLaunch"]).lower() if member == "Propagate" else tag[member]
    return value in wanted.get("Values", [])


def _name(group: Record) -> str:
    return group["AutoScalingGroupName"]


OPERATIONS = {"CreateOrUpdateTags": create_or_update, "DeleteTags": delete, "DescribeTags": describe}
