"""Puts the course's tags into the requests that make something, in each of the protocols.

https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html
"""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from labs import settings
from labs.cloud.engine import labels

# What EC2's operations make, in its words. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TagSpecification.html
EC2_TYPES = {
    "AllocateAddress": ("elastic-ip",),
    "AuthorizeSecurityGroupEgress": ("security-group-rule",),
    "AuthorizeSecurityGroupIngress": ("security-group-rule",),
    "CreateInternetGateway": ("internet-gateway",),
    "CreateKeyPair": ("key-pair",),
    "CreateLaunchTemplate": ("launch-template",),
    "CreateNatGateway": ("natgateway",),
    "CreateNetworkInterface": ("network-interface",),
    "CreateRouteTable": ("route-table",),
    "CreateSecurityGroup": ("security-group",),
    "CreateSubnet": ("subnet",),
    "CreateVolume": ("volume",),
    "CreateVpc": ("vpc",),
    "CreateVpcEndpoint": ("vpc-endpoint",),
    "ImportKeyPair": ("key-pair",),
    "RunInstances": ("instance", "volume", "network-interface"),
}


def ours() -> dict[str, str]:
    """The tags of everything that this data folder's course makes: the course's, and whose it is."""
    return {settings.LABEL_KEY: settings.LABEL_VALUE, labels.OWNER_KEY: labels.owner()}


def why_not(operation: OperationModel, member: str | None, body: bytes) -> str | None:
    """Why a request cannot be tagged although its service can, in a sentence; None if it can, or needs no tag.

    Args:
        operation: of botocore's model.
        member: of its input, which takes tags; None if nothing new is made.
        body: of the request.
    """
    if member == "TagSpecifications" and operation.name not in EC2_TYPES:
        return f"The course makes nothing with {operation.name}."
    if operation.name == "CreateSchedule":
        try:
            group = json.loads(body).get("GroupName", "default")
        except (ValueError, AttributeError):
            return None  # for AWS to refuse
        if group == "default":
            return (
                "A schedule carries no tag of its own, so that the course could not find and remove it afterwards. Put "
                "it into a schedule group of yours: CreateScheduleGroup, then GroupName."
            )
    return None


def added(operation: OperationModel, member: str, content_type: str, body: bytes) -> bytes:
    """A request's body with the course's tags in it, and all that was there.

    Args:
        operation: of botocore's model.
        member: of its input, see `services.tags_member`.
        content_type: of the request; tells a form from JSON.
        body: of the request.

    Raises:
        ValueError: the body is neither a form nor a JSON object.
    """
    shape = operation.input_shape.members[member]
    if "x-www-form-urlencoded" in content_type:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body))
        more = _specifications(operation, pairs) if member == "TagSpecifications" else _in_form(shape, member, pairs)
        return urlencode([*_without(pairs, more), *more]).encode()
    found = json.loads(body or b"{}")
    if not isinstance(found, dict):
        raise ValueError("the body is no object")  # noqa: TRY004 - wrong data from outside
    if found.get("Overwrite") is True and operation.name == "PutParameter":
        return body  # AWS takes tags or Overwrite, and what is there has its tags
    name = shape.serialization.get("name", member)
    found[name] = _in_json(shape, found.get(name))
    if operation.name == "CreateService" and operation.service_model.service_name == "ecs":
        found.setdefault("propagateTags", "SERVICE")  # to its tasks, whose network interfaces cost and count too
    return json.dumps(found).encode()


def _in_json(shape: Shape, given: Any) -> Any:
    if isinstance(shape, MapShape):
        return {**(given or {}), **ours()}
    key, value = key_and_value(shape)
    kept = [one for one in given or [] if not (isinstance(one, dict) and one.get(key) in ours())]
    return [*kept, *({key: name, value: text} for name, text in ours().items())]


def key_and_value(shape: Shape) -> tuple[str, str]:
    """What a list of tags calls the two parts of a tag, e.g. `key` and `value`."""
    assert isinstance(shape, ListShape)  # noqa: S101 - the models have lists and maps
    assert isinstance(shape.member, StructureShape)  # noqa: S101
    names = {name.lower(): name for name in shape.member.members}
    return names.get("key") or names["tagkey"], names.get("value") or names["tagvalue"]


def _in_form(shape: Shape, member: str, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The members of a form that say our tags, after those that are there."""
    assert isinstance(shape, ListShape)  # noqa: S101 - no form has a map of tags
    name = shape.serialization.get("name", member)
    flat = shape.serialization.get("flattened")
    prefix = f"{name}." if flat else f"{name}.{shape.member.serialization.get('name', 'member')}."
    key, value = key_and_value(shape)
    more = []
    for number, (tag, text) in enumerate(ours().items(), _last(prefix, pairs) + 1):
        more += [(f"{prefix}{number}.{key}", tag), (f"{prefix}{number}.{value}", text)]
        group = dict(pairs).get("AutoScalingGroupName")
        if group and "PropagateAtLaunch" in shape.member.members:
            more += [(f"{prefix}{number}.ResourceId", group), (f"{prefix}{number}.ResourceType", "auto-scaling-group")]
            more.append((f"{prefix}{number}.PropagateAtLaunch", "true"))
    return more


def _specifications(operation: OperationModel, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """EC2's way: tags for each kind of thing that the operation makes."""
    more = []
    there = {
        text: name.split(".")[1] for name, text in pairs if re.fullmatch(r"TagSpecification\.\d+\.ResourceType", name)
    }
    number = _last("TagSpecification.", pairs)
    for kind in EC2_TYPES[operation.name]:
        if kind not in there:
            number += 1
            more.append((f"TagSpecification.{number}.ResourceType", kind))
        prefix = f"TagSpecification.{there.get(kind, number)}.Tag."
        for position, (tag, text) in enumerate(ours().items(), _last(prefix, pairs) + 1):
            more += [(f"{prefix}{position}.Key", tag), (f"{prefix}{position}.Value", text)]
    return more


def _last(prefix: str, pairs: list[tuple[str, str]]) -> int:
    """The highest number that a form has after a prefix."""
    rests = [name.removeprefix(prefix).partition(".")[0] for name, _ in pairs if name.startswith(prefix)]
    return max((int(rest) for rest in rests if rest.isdecimal()), default=0)


def _without(pairs: list[tuple[str, str]], more: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A form without empty lists of what is added: `Tags=` says 'none'."""
    lists = {name.partition(".")[0] for name, _ in more}
    return [pair for pair in pairs if pair[0] not in lists]
