"""Where an awsvpc task lives: its subnet, its zone, its network interface with an address of the subnet.

Subnets and security groups are the backend's, read through EC2's public API.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-networking-awsvpc.html
"""

import ipaddress
import secrets
import time
import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from labs.cloud.frame import aws
from labs.cloud.frame.errors import AwsError

FRESH_SECONDS = 30.0
RESERVED = 4  # the first four addresses of a subnet, and its last one, are AWS's own
ATTACHMENT = "ElasticNetworkInterface"

_known: dict[tuple[str, str], tuple[float, Any]] = {}


class Subnet(NamedTuple):
    """What is to be known of a subnet."""

    id: str
    vpc: str
    zone: str
    cidr: str
    vpc_cidr: str
    is_default_vpc: bool


async def subnets(region: str, ids: Iterable[str]) -> list[Subnet]:
    """The subnets with these ids, in this order.

    Raises:
        AwsError: one of them does not exist, or they are of several VPCs.
    """
    wanted = list(ids)
    await _read(region, "subnet", wanted, _read_subnets, "The subnet ID '{}' does not exist")
    found = [_known[region, one][1] for one in wanted]
    if len({subnet.vpc for subnet in found}) > 1:
        raise AwsError("InvalidParameterException", "Error retrieving subnet information: subnets are of several VPCs.")
    return found


async def check(region: str, configuration: dict[str, Any]) -> None:
    """Whether an awsvpc configuration names subnets and security groups that exist.

    Args:
        region: where.
        configuration: `awsvpcConfiguration` of a request.

    Raises:
        AwsError: as ECS refuses it.
    """
    if not configuration.get("subnets"):
        raise AwsError("InvalidParameterException", "subnets can not be empty.")
    await subnets(region, configuration["subnets"])
    groups = configuration.get("securityGroups", [])
    await _read(region, "security group", groups, _read_groups, "The security group '{}' does not exist")


def attachment(subnet: Subnet) -> dict[str, Any]:
    """The record of a task's network interface, before it has an address."""
    return {
        "id": str(uuid.uuid4()),
        "type": ATTACHMENT,
        "status": "PRECREATED",
        "details": [
            {"name": "subnetId", "value": subnet.id},
            {"name": "networkInterfaceId", "value": f"eni-{secrets.token_hex(9)[:17]}"},
        ],
    }


def attach(record: dict[str, Any], address: str, mac: str) -> None:
    """Writes a network interface's address into its record."""
    private_name = f"ip-{address.replace('.', '-')}.ec2.internal"
    fresh = {"macAddress": mac, "privateDnsName": private_name, "privateIPv4Address": address}
    kept = [detail for detail in record["details"] if detail["name"] not in fresh]
    record["details"] = kept + [{"name": name, "value": value} for name, value in fresh.items()]
    record["status"] = "ATTACHED"


def detail(task: dict[str, Any], name: str) -> str | None:
    """A detail of a task's network interface, e.g. `privateIPv4Address`."""
    details = (
        one for entry in task.get("attachments", ()) if entry["type"] == ATTACHMENT for one in entry.get("details", ())
    )
    return next((one["value"] for one in details if one["name"] == name), None)


def free_address(cidr: str, used: Iterable[str]) -> str:
    """An address of a subnet that nobody has, as far as known, chosen at random as in a VPC."""
    network = ipaddress.ip_network(cidr)
    taken = set(used)
    count = network.num_addresses
    while True:
        address = str(network[RESERVED + secrets.randbelow(count - RESERVED - 1)])
        if address not in taken:
            return address


async def _read(region: str, what: str, ids: list[str], read: Any, message: str) -> None:
    """Makes sure that facts on these ids are known and fresh."""
    now = time.monotonic()
    stale = [one for one in ids if now - _known.get((region, one), (-FRESH_SECONDS, None))[0] >= FRESH_SECONDS]
    if not stale:
        return
    try:
        found = await read(region, stale)
    except ClientError as refused:
        text = refused.response["Error"].get("Message", "")
        unknown = next((one for one in stale if one in text), stale[0])
        raise AwsError("InvalidParameterException", message.format(unknown)) from None
    for one in stale:
        if one not in found:
            _known.pop((region, one), None)
            raise AwsError("InvalidParameterException", message.format(one))
        _known[region, one] = (now, found[one])


async def _read_subnets(region: str, ids: list[str]) -> dict[str, Subnet]:
    answer = await aws.call("ec2", "describe_subnets", region=region, SubnetIds=ids)
    vpcs = sorted({subnet["VpcId"] for subnet in answer["Subnets"]})
    described = await aws.call("ec2", "describe_vpcs", region=region, VpcIds=vpcs) if vpcs else {"Vpcs": []}
    by_id = {vpc["VpcId"]: vpc for vpc in described["Vpcs"]}
    return {
        subnet["SubnetId"]: Subnet(
            subnet["SubnetId"],
            subnet["VpcId"],
            subnet["AvailabilityZone"],
            subnet["CidrBlock"],
            by_id[subnet["VpcId"]]["CidrBlock"],
            by_id[subnet["VpcId"]].get("IsDefault", False),
        )
        for subnet in answer["Subnets"]
    }


async def _read_groups(region: str, ids: list[str]) -> dict[str, str]:
    answer = await aws.call("ec2", "describe_security_groups", region=region, GroupIds=ids)
    return {group["GroupId"]: group["VpcId"] for group in answer["SecurityGroups"]}
