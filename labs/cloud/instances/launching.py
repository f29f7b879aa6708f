"""RunInstances of an ECS-optimized AMI, completed: from its launch template, with a subnet and an address in it.

Some backends know neither templates nor the addresses of a subnet in RunInstances. What is filled in here is what the
caller could have said himself.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
"""

import ipaddress
import secrets
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.frame import aws
from labs.cloud.frame.errors import AwsError

RESERVED = 4  # the first four addresses of a subnet, and its last one, are AWS's own

Parameters = dict[str, str]


async def from_template(region: str, given: Parameters) -> Parameters:
    """The request with what its launch template says of what it does not say itself.

    Raises:
        botocore.exceptions.ClientError: there is no such template.
    """
    by = {"LaunchTemplateId": given.get("LaunchTemplate.LaunchTemplateId"),
          "LaunchTemplateName": given.get("LaunchTemplate.LaunchTemplateName")}  # fmt: skip
    named = {key: value for key, value in by.items() if value}
    if not named:
        return given
    version = given.get("LaunchTemplate.Version") or "$Default"
    answer = await aws.call("ec2", "describe_launch_template_versions", region=region, Versions=[version], **named)
    data = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    found: Parameters = {key: data[key] for key in ("ImageId", "InstanceType", "KeyName", "UserData") if key in data}
    profile = data.get("IamInstanceProfile", {})
    if not any(key.startswith("IamInstanceProfile.") for key in given):
        found |= {f"IamInstanceProfile.{key}": value for key, value in profile.items()}
    if not any(key.startswith("SecurityGroupId.") for key in given):
        for number, group in enumerate(data.get("SecurityGroupIds", []), 1):
            found[f"SecurityGroupId.{number}"] = group
    if zone := data.get("Placement", {}).get("AvailabilityZone"):
        found["Placement.AvailabilityZone"] = zone
    return {**found, **{key: value for key, value in given.items() if value}}


async def profile(given: Parameters) -> dict[str, str] | None:
    """The instance profile that a launch names, as IAM has it: `Arn` and `Id`; None if it names none.

    Raises:
        AwsError: InvalidParameterValue; there is no such profile.
    """
    arn = given.get("IamInstanceProfile.Arn", "")
    name = given.get("IamInstanceProfile.Name") or arn.rpartition("/")[2]
    if not name:
        return None
    try:
        found = (await aws.call("iam", "get_instance_profile", InstanceProfileName=name))["InstanceProfile"]
    except ClientError as problem:
        if "NoSuchEntity" not in problem.response["Error"]["Code"]:
            raise
        found = {}
    if not found or arn not in ("", found["Arn"]):
        which, said, kind = ("arn", arn, "ARN") if arn else ("name", name, "name")
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({said}) for parameter iamInstanceProfile.{which} is invalid. Invalid IAM Instance Profile {kind}",
        )
    return {"Arn": found["Arn"], "Id": found["InstanceProfileId"]}


async def subnet(region: str, given: Parameters) -> dict[str, Any] | None:
    """The subnet of a launch: the one that is named, or a default one (of the zone that is named); None if none."""
    wanted = given.get("SubnetId") or given.get("NetworkInterface.1.SubnetId")
    if wanted:
        found = (await aws.call("ec2", "describe_subnets", region=region, SubnetIds=[wanted]))["Subnets"]
        return found[0] if found else None
    filters = [{"Name": "default-for-az", "Values": ["true"]}]
    found = (await aws.call("ec2", "describe_subnets", region=region, Filters=filters))["Subnets"]
    zone = given.get("Placement.AvailabilityZone")
    found = [one for one in found if zone in (None, "", one["AvailabilityZone"])]
    return min(found, key=lambda one: one["AvailabilityZone"]) if found else None


async def free_address(region: str, cidr: str) -> str:
    """An address of a subnet that no instance and no network interface of it has, at random."""
    used = {one.get("PrivateIpAddress") for one in await instances(region)}
    interfaces = await aws.call("ec2", "describe_network_interfaces", region=region)
    used |= {one.get("PrivateIpAddress") for one in interfaces.get("NetworkInterfaces", [])}
    network = ipaddress.ip_network(cidr)
    while True:
        address = str(network[RESERVED + secrets.randbelow(network.num_addresses - RESERVED - 1)])
        if address not in used:
            return address


async def instances(region: str) -> list[dict[str, Any]]:
    """All EC2 instances of a region, as DescribeInstances tells them."""
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        answer = await aws.call("ec2", "describe_instances", region=region, **token)
        found += [one for reservation in answer["Reservations"] for one in reservation["Instances"]]
        if not answer.get("NextToken"):
            return found
        token = {"NextToken": answer["NextToken"]}
