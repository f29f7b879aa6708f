"""VPC connectors: the way of instances into a VPC of the account.

https://docs.aws.amazon.com/apprunner/latest/dg/network-vpc.html
"""

from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.app_runner.configurations import Family, users
from labs.cloud.app_runner.state import INVALID, AppRunner, listed
from labs.cloud.frame import aws
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

FAMILY = Family("VpcConnector", names=10, revisions=10)


def find(runner: AppRunner, arn: str) -> Record:
    """The connector that an ARN means.

    Raises:
        AwsError: ResourceNotFoundException.
    """
    return FAMILY.find(runner.connectors, arn)


async def create(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Makes a connector to the VPC of some subnets."""
    subnets, groups = request["Subnets"], request.get("SecurityGroups") or []
    if not subnets:
        raise AwsError(INVALID, "Subnets must not be empty.")
    region = request.region
    try:
        found = (await aws.call("ec2", "describe_subnets", region=region, SubnetIds=subnets))["Subnets"]
        if groups:
            await aws.call("ec2", "describe_security_groups", region=region, GroupIds=groups)
    except ClientError as problem:
        raise AwsError(INVALID, problem.response["Error"].get("Message", str(problem))) from None
    vpcs = {one["VpcId"] for one in found}
    if len(vpcs) != 1 or len(found) != len(set(subnets)):
        raise AwsError(INVALID, "Subnets must exist, and be of one VPC.")
    vpc = (await aws.call("ec2", "describe_vpcs", region=region, VpcIds=list(vpcs)))["Vpcs"][0]
    members = {
        "Subnets": subnets,
        "SecurityGroups": groups,
        "_vpc": {"id": vpc["VpcId"], "cidr": vpc["CidrBlock"], "default": vpc.get("IsDefault", False)},
    }
    return {FAMILY.kind: FAMILY.create(runner.connectors, region, request, members)}


def describe(runner: AppRunner, request: Request) -> dict[str, Any]:
    """One connector."""
    return {FAMILY.kind: find(runner, request[FAMILY.arn])}


def delete(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Removes a connector that no service uses."""
    record = find(runner, request[FAMILY.arn])
    if users(runner, "NetworkConfiguration", record[FAMILY.arn]):
        raise AwsError(INVALID, f"The VPC connector {record[FAMILY.arn]} is in use by a service.")
    return {FAMILY.kind: FAMILY.delete(runner.connectors, record)}


def list_all(runner: AppRunner, request: Request) -> dict[str, Any]:
    """All connectors."""
    answer = listed(FAMILY.all(runner.connectors, request.region), request, 100)
    return {"VpcConnectors": answer.pop("page"), **answer}


OPERATIONS = {
    "CreateVpcConnector": create,
    "DescribeVpcConnector": describe,
    "DeleteVpcConnector": delete,
    "ListVpcConnectors": list_all,
}
