"""EC2 as Auto Scaling uses it: the backend's public API."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from labs.cloud.frame import aws
from labs.cloud.frame.errors import AwsError

GROUP_TAG = "aws:autoscaling:groupName"
GONE = ("shutting-down", "terminated")
# What a launch template may say beside what RunInstances takes in the same form.
_ONLY_OF_TEMPLATES = {"InstanceRequirements", "SecurityGroups", "Operator", "RamDiskId"}
_PER_INTERFACE = {"SubnetId", "SecurityGroupIds"}


class Subnet(NamedTuple):
    """A subnet and where it is."""

    subnet_id: str
    zone: str
    zone_id: str


async def subnets(region: str, wanted: Iterable[str]) -> list[Subnet]:
    """The subnets with these ids, in this order.

    Raises:
        AwsError: ValidationError; one does not exist.
    """
    wanted = list(wanted)
    try:
        answer = await aws.call("ec2", "describe_subnets", region=region, SubnetIds=wanted)
    except ClientError as problem:
        raise AwsError("ValidationError", problem.response["Error"]["Message"]) from None
    return _ordered(answer["Subnets"], wanted)


async def default_subnets(region: str, zones: Iterable[str]) -> list[Subnet]:
    """The default subnets of zones, in this order.

    Raises:
        AwsError: ValidationError; a zone does not exist or has none.
    """
    zones = list(zones)
    answer = await aws.call(
        "ec2", "describe_subnets", region=region, Filters=[{"Name": "default-for-az", "Values": ["true"]}]
    )
    by_zone = {one["AvailabilityZone"]: one for one in answer["Subnets"]}
    if unknown := [zone for zone in zones if zone not in by_zone]:
        raise AwsError("ValidationError", f"Invalid availability zones: [{', '.join(unknown)}]")
    return _ordered([by_zone[zone] for zone in zones], [by_zone[zone]["SubnetId"] for zone in zones])


async def look(region: str, group: str, instance_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What EC2 says of the instances of a group, those it launched and those attached to it, by instance id.

    Args:
        region: where.
        group: its name: instances carry it as a tag.
        instance_ids: others that are asked for.
    """
    found = await _describe(region, {"Name": f"tag:{GROUP_TAG}", "Values": [group]})
    rest = [one for one in instance_ids if one not in found]
    return found | (await _describe(region, {"Name": "instance-id", "Values": rest}) if rest else {})


async def describe(region: str, instance_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What EC2 says of instances, by instance id; those that it does not know are left out."""
    wanted = list(instance_ids)
    return await _describe(region, {"Name": "instance-id", "Values": wanted}) if wanted else {}


async def launch(
    region: str, data: Mapping[str, Any], subnet: Subnet, tags: Mapping[str, str], **more: Any
) -> dict[str, Any]:
    """Launches one instance.

    Args:
        region: where.
        data: the launch template's.
        subnet: in which it is.
        tags: of the instance, beside those that the template gives.
        more: parameters of RunInstances that go before the template's.

    Returns:
        What RunInstances says of it.

    Raises:
        botocore.exceptions.ClientError: EC2 refuses.
    """
    request = {
        name: value
        for name, value in data.items()
        if name not in _ONLY_OF_TEMPLATES | {"TagSpecifications", "NetworkInterfaces"}
    }
    if request.get("UserData"):  # boto3 encodes what RunInstances sends, and leaves a template's as it is
        request["UserData"] = base64.b64decode(request["UserData"]).decode("utf-8", "replace")
    if interfaces := data.get("NetworkInterfaces"):
        groups = [one for interface in interfaces for one in interface.get("Groups", [])]
        if groups:
            request.setdefault("SecurityGroupIds", groups)
    specifications = [one for one in data.get("TagSpecifications", []) if one["ResourceType"] != "instance"]
    own = {
        tag["Key"]: tag.get("Value", "")
        for one in data.get("TagSpecifications", [])
        if one["ResourceType"] == "instance"
        for tag in one["Tags"]
    }
    merged = [{"Key": key, "Value": value} for key, value in {**own, **tags}.items()]
    specifications.append({"ResourceType": "instance", "Tags": merged})
    answer = await aws.call(
        "ec2",
        "run_instances",
        region=region,
        **{
            **request,
            **more,
            "MinCount": 1,
            "MaxCount": 1,
            "SubnetId": subnet.subnet_id,
            "TagSpecifications": specifications,
        },
    )
    return answer["Instances"][0]


async def terminate(region: str, instance_id: str) -> None:
    """Terminates an instance; one that is gone is passed over."""
    try:
        await aws.call("ec2", "terminate_instances", region=region, InstanceIds=[instance_id])
    except ClientError as problem:
        if not problem.response["Error"]["Code"].startswith("InvalidInstanceID"):
            raise


async def tag(region: str, instance_id: str, tags: Mapping[str, str]) -> None:
    """Tags an instance."""
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    await aws.call("ec2", "create_tags", region=region, Resources=[instance_id], Tags=pairs)


async def untag(region: str, instance_id: str) -> None:
    """Takes the tag of the group away from an instance."""
    await aws.call("ec2", "delete_tags", region=region, Resources=[instance_id], Tags=[{"Key": GROUP_TAG}])


async def _describe(region: str, *filters: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    token: dict[str, str] = {}
    while True:
        answer = await aws.call("ec2", "describe_instances", region=region, Filters=list(filters), **token)
        found |= {one["InstanceId"]: one for some in answer["Reservations"] for one in some["Instances"]}
        if not answer.get("NextToken"):
            return found
        token = {"NextToken": answer["NextToken"]}


def _ordered(found: list[dict[str, Any]], wanted: list[str]) -> list[Subnet]:
    by_id = {
        one["SubnetId"]: Subnet(one["SubnetId"], one["AvailabilityZone"], one.get("AvailabilityZoneId", ""))
        for one in found
    }
    return [by_id[one] for one in wanted]
