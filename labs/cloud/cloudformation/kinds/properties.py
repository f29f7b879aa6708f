"""Properties of a template, in PascalCase, as the members of an API's input.

A property is the member of botocore's shape whose name begins with a capital letter; what differs is in `RENAMED`.
Text and numbers are taken for each other where the shape wants so, as CloudFormation does; an object where the shape
wants text is a JSON document. What the shape does not know is refused.
"""

import functools
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from labs.cloud.cloudformation.functions import text

# Members whose property is not the member with a capital letter, wherever they occur.
RENAMED = {
    "efsVolumeConfiguration": "EFSVolumeConfiguration",
    "fileSystemId": "FilesystemId",
    "iam": "IAM",
    "fsxWindowsFileServerVolumeConfiguration": "FSxWindowsFileServerVolumeConfiguration",
    "s3BucketName": "S3BucketName",
}


class RefusedError(Exception):
    """A resource cannot be as its properties say; the text is the reason that its event tells."""


@functools.cache
def model(service: str) -> ServiceModel:
    """botocore's model of a service, by boto3's name of it."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service_name=service)


def inputs(service: str, *operations: str) -> dict[str, Shape]:
    """The members of the inputs of some operations, together."""
    found: dict[str, Shape] = {}
    for name in operations:
        found |= model(service).operation_model(name).input_shape.members
    return found


def without(members: dict[str, Shape], *names: str) -> dict[str, Shape]:
    """Members but for some that a template does not have."""
    return {name: shape for name, shape in members.items() if name not in names}


def named(member: str, renamed: Mapping[str, str] = RENAMED) -> str:
    """The property that stands for a member."""
    return renamed.get(member) or member[0].upper() + member[1:]


def translate(
    properties: Mapping[str, Any],
    members: Mapping[str, Shape],
    *,
    renamed: Mapping[str, str] | None = None,
    path: str = "",
) -> dict[str, Any]:
    """Properties as members.

    Args:
        properties: of a resource, or of an object in them; without functions.
        members: what there is, by member.
        renamed: exceptions besides `RENAMED`: properties by member.
        path: where this is, for the words of a refusal, e.g. `#/ContainerDefinitions/0`.

    Raises:
        RefusedError: one that does not exist, or of another type.
    """
    names = {**RENAMED, **(renamed or {})}
    known = {named(member, names): (member, shape) for member, shape in members.items()}
    found = {}
    for name, value in properties.items():
        if name not in known:
            raise RefusedError(f"Encountered unsupported property {name}")
        member, shape = known[name]
        if value is not None:
            found[member] = _value(value, shape, names, f"{path or '#'}/{name}")
    return found


def check(logical: str, properties: Mapping[str, Any], known: Collection[str], required: Collection[str]) -> None:
    """Refuses properties that a type does not have, and the lack of one that it needs.

    Raises:
        RefusedError: naming the first.
    """
    for name in properties:
        if name not in known:
            raise RefusedError(f"Encountered unsupported property {name}")
    for name in required:
        if properties.get(name) is None:
            raise RefusedError(
                f"Properties validation failed for resource {logical} with message:\n#: required key [{name}] not found"
            )


def _value(value: Any, shape: Shape, names: Mapping[str, str], path: str) -> Any:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        return translate(value, shape.members, renamed=names, path=path)
    if kind == "list" and isinstance(value, list):
        return [_value(item, shape.member, names, f"{path}/{place}") for place, item in enumerate(value)]
    if kind == "map" and isinstance(value, dict):
        return {str(key): _value(item, shape.value, names, f"{path}/{key}") for key, item in value.items()}
    found = _scalar(value, kind)
    if found is None:
        wanted = {"structure": "JSONObject", "map": "JSONObject", "list": "JSONArray"}.get(kind, kind.capitalize())
        given = {dict: "JSONObject", list: "JSONArray", bool: "Boolean", str: "String"}.get(type(value), "Number")
        raise RefusedError(f"Model validation failed ({path}: expected type: {wanted}, found: {given})")
    return found


def _scalar(value: Any, kind: str) -> Any:
    """A scalar, or a JSON document for a text, as a member's type; None if it cannot be that."""
    written = text(value)
    found: Any = None
    if kind == "string" and isinstance(value, dict | list):
        found = json.dumps(value)
    elif kind in ("string", "timestamp") and isinstance(value, str | int | float):
        found = written
    elif kind in ("integer", "long") and re.fullmatch(r"-?\d+(\.0)?", written):
        found = int(float(written))
    elif kind in ("float", "double") and re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", written):
        found = float(written)
    elif kind == "boolean" and written.lower() in ("true", "false"):
        found = written.lower() == "true"
    return found
