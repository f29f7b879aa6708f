"""VPC ingress connections: a private name for a service that is not public.

https://docs.aws.amazon.com/apprunner/latest/dg/network-pl.html
"""

import secrets
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.app_runner.state import (
    BUSY,
    DELETED,
    DOMAIN,
    INVALID,
    NOT_FOUND,
    STATE,
    AppRunner,
    in_region,
    listed,
)
from labs.cloud.frame import arns, aws, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record
from labs.cloud.frame.tags import merge

ARN = "VpcIngressConnectionArn"


async def create(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Makes a connection from a VPC endpoint to a service."""
    service = runner.service(request["ServiceArn"])
    if service["Status"] in (BUSY, DELETED):
        raise AwsError(STATE, f"Service cannot be changed in its current state: {service['Status']}.")
    if service["NetworkConfiguration"]["IngressConfiguration"]["IsPubliclyAccessible"]:
        raise AwsError(INVALID, "The service is publicly accessible. A VPC ingress connection is for a private one.")
    name = request["VpcIngressConnectionName"]
    if any(one["VpcIngressConnectionName"] == name for one in in_region(runner.ingresses, request.region)):
        raise AwsError(INVALID, f"VpcIngressConnection with the provided name already exists: {name}")
    await _require_endpoint(request)
    own = secrets.token_hex(16)
    record = {
        ARN: arns.make("apprunner", request.region, f"vpcingressconnection/{name}/{own}"),
        "VpcIngressConnectionName": name,
        "ServiceArn": service["ServiceArn"],
        "Status": "AVAILABLE",
        "AccountId": arns.account(service["ServiceArn"]),
        "DomainName": f"{own[:10]}.vpce.{request.region}.{DOMAIN}",
        "IngressVpcConfiguration": request["IngressVpcConfiguration"],
        "CreatedAt": clock.now(),
        "_tags": merge([], request.get("Tags") or [], key="Key", code=INVALID),
    }
    return {"VpcIngressConnection": runner.ingresses.put(record[ARN], record)}


def describe(runner: AppRunner, request: Request) -> dict[str, Any]:
    """One connection."""
    return {"VpcIngressConnection": _find(runner, request)}


async def update(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Gives a connection another endpoint."""
    _find(runner, request)
    await _require_endpoint(request)
    changed = {**_find(runner, request), "IngressVpcConfiguration": request["IngressVpcConfiguration"]}
    return {"VpcIngressConnection": runner.ingresses.put(request[ARN], changed)}


def delete(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Removes a connection."""
    record = _find(runner, request)
    runner.ingresses.drop(record[ARN])
    return {"VpcIngressConnection": {**record, "Status": "DELETED", "DeletedAt": clock.now()}}


def list_all(runner: AppRunner, request: Request) -> dict[str, Any]:
    """All connections, or those of a service or an endpoint."""
    wanted = request.get("Filter") or {}
    found = [
        {ARN: one[ARN], "ServiceArn": one["ServiceArn"]}
        for one in in_region(runner.ingresses, request.region)
        if wanted.get("ServiceArn") in (None, one["ServiceArn"])
        and wanted.get("VpcEndpointId") in (None, one["IngressVpcConfiguration"].get("VpcEndpointId"))
    ]
    answer = listed(found, request, 100)
    return {"VpcIngressConnectionSummaryList": answer.pop("page"), **answer}


def _find(runner: AppRunner, request: Request) -> Record:
    if request[ARN] in runner.ingresses:
        return runner.ingresses[request[ARN]]
    raise AwsError(NOT_FOUND, f"VpcIngressConnection with the provided arn does not exist: {request[ARN]}")


async def _require_endpoint(request: Request) -> None:
    """The VPC endpoint must be there, and in the VPC."""
    asked = request["IngressVpcConfiguration"]
    if not asked.get("VpcId") or not asked.get("VpcEndpointId"):
        raise AwsError(INVALID, "IngressVpcConfiguration must have a VpcId and a VpcEndpointId.")
    try:
        answer = await aws.call(
            "ec2", "describe_vpc_endpoints", region=request.region, VpcEndpointIds=[asked["VpcEndpointId"]]
        )
    except ClientError as problem:
        raise AwsError(INVALID, problem.response["Error"].get("Message", str(problem))) from None
    if not any(one["VpcId"] == asked["VpcId"] for one in answer["VpcEndpoints"]):
        raise AwsError(INVALID, f"There is no VPC endpoint {asked['VpcEndpointId']} in {asked['VpcId']}.")


OPERATIONS = {
    "CreateVpcIngressConnection": create,
    "DescribeVpcIngressConnection": describe,
    "UpdateVpcIngressConnection": update,
    "DeleteVpcIngressConnection": delete,
    "ListVpcIngressConnections": list_all,
}
