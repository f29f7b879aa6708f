"""What the functions of a stack's template resolve to, from what is on record."""

import json
import re
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.cloudformation.functions import Scope
from labs.cloud.cloudformation.state import CloudFormation, pseudo
from labs.cloud.cloudformation.template import INVALID, Template
from labs.cloud.frame import aws
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record

_DYNAMIC = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^}]+)\}\}")


async def of(cfn: CloudFormation, stack: Record, template: Template, values: dict[str, Any]) -> Scope:
    """The scope of a stack.

    Args:
        cfn: the state.
        stack: its resources are what `Ref` and `Fn::GetAtt` find.
        template: its template.
        values: of its parameters.
    """
    region = stack["_region"]
    zones = await availability_zones(region) if "Fn::GetAZs" in json.dumps(template, default=str) else []

    def ref(name: str) -> str:
        record = _record(cfn, stack, name)
        return record["PhysicalResourceId"]

    def attribute(name: str, which: str) -> Any:
        found = _record(cfn, stack, name).get("_attributes", {})
        if which not in found:
            raise AwsError(
                INVALID, f"Template error: resource {name} does not support attribute type {which} in Fn::GetAtt"
            )
        return found[which]

    def export(name: str) -> str:
        found = cfn.exports(region).get(name)
        if found is None or found["ExportingStackId"] == stack["StackId"]:
            raise AwsError(INVALID, f"No export named {name} found.")
        if name not in stack.setdefault("_imports", []):
            stack["_imports"].append(name)
        return found["Value"]

    return Scope(
        {**pseudo(stack), **values},
        template.get("Mappings") or {},
        template.get("Conditions") or {},
        ref,
        attribute,
        export,
        zones,
    )


async def availability_zones(region: str) -> list[str]:
    """The names of a region's Availability Zones, in order."""
    answer = await aws.call("ec2", "describe_availability_zones", region=region)
    return sorted(one["ZoneName"] for one in answer["AvailabilityZones"])


async def dynamic(value: Any, region: str) -> Any:
    """A value with its dynamic references replaced.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html

    Raises:
        AwsError: one points to nothing.
    """
    if isinstance(value, list):
        return [await dynamic(item, region) for item in value]
    if isinstance(value, dict):
        return {key: await dynamic(item, region) for key, item in value.items()}
    if not isinstance(value, str) or "{{resolve:" not in value:
        return value
    parts, place = [], 0
    for found in _DYNAMIC.finditer(value):
        parts += [value[place : found.start()], await _look_up(found[1], found[2], region)]
        place = found.end()
    return "".join([*parts, value[place:]])


async def _look_up(service: str, path: str, region: str) -> str:
    try:
        if service != "secretsmanager":
            answer = await aws.call("ssm", "get_parameter", region=region, Name=path, WithDecryption=True)
            return answer["Parameter"]["Value"]
        arn = path.startswith("arn:")
        pieces = path.split(":")
        name, rest = (":".join(pieces[:7]), pieces[7:]) if arn else (pieces[0], pieces[1:])
        _, key, stage, version = [*rest, "", "", "", ""][:4]
        about = {"VersionStage": stage} if stage else {"VersionId": version} if version else {}
        text = (await aws.call("secretsmanager", "get_secret_value", region=region, SecretId=name, **about))[
            "SecretString"
        ]
        return str(json.loads(text)[key]) if key else text
    except (ClientError, KeyError, ValueError):
        raise AwsError(INVALID, f"Could not resolve the dynamic reference {{{{resolve:{service}:{path}}}}}.") from None


def _record(cfn: CloudFormation, stack: Record, name: str) -> Record:
    record = cfn.resources.get(f"{stack['StackId']} {name}")
    if record is None or not record.get("PhysicalResourceId"):
        raise AwsError(INVALID, f"Template format error: Unresolved resource dependencies [{name}] in the Resources "
                       "block of the template")  # fmt: skip
    return record
