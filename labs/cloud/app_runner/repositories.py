"""Connections to providers of source code, and the repositories of services.

https://docs.aws.amazon.com/apprunner/latest/dg/manage-connections.html
"""

import secrets
from typing import Any

from labs.cloud.app_runner import building
from labs.cloud.app_runner.state import INVALID, NOT_FOUND, QUOTA, AppRunner, in_region, listed
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record
from labs.cloud.frame.tags import merge

MOST_CONNECTIONS = 10


def checked(runner: AppRunner, code: Record, authentication: Record, region: str) -> Record:
    """A service's code repository.

    Raises:
        AwsError: InvalidRequestException.
    """
    arn = authentication.get("ConnectionArn")
    if not arn or arn not in runner.connections or arns.region(arn) != region:
        raise AwsError(INVALID, "Authentication configuration is invalid: a ConnectionArn is required for source code.")
    if building.path(code["RepositoryUrl"]) is None:
        raise AwsError(
            INVALID,
            f"The repository {code['RepositoryUrl']} cannot be reached from here. "
            "Use a git repository of this machine: file:///<folder>.",
        )
    configuration = code.get("CodeConfiguration") or {"ConfigurationSource": "REPOSITORY"}
    values = configuration.get("CodeConfigurationValues")
    if configuration["ConfigurationSource"] == "API":
        if not values:
            raise AwsError(INVALID, "CodeConfigurationValues is required when ConfigurationSource is API.")
        if values["Runtime"] not in building.PACKAGES:
            raise AwsError(INVALID, f"The runtime must be one of {', '.join(building.PACKAGES)} here.")
    return {**code, "CodeConfiguration": configuration}


def create(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Makes a connection. On AWS its owner then completes the handshake with the provider in the console; the local
    repositories need none, so it is available at once."""
    name = request["ConnectionName"]
    found = in_region(runner.connections, request.region)
    if any(one["ConnectionName"] == name for one in found):
        raise AwsError(INVALID, f"Connection with the provided name already exists: {name}")
    if len(found) >= MOST_CONNECTIONS:
        raise AwsError(QUOTA, f"You have reached your limit of {MOST_CONNECTIONS} connections in this region.")
    tags = merge([], request.get("Tags") or [], key="Key", code=INVALID)
    arn = arns.make("apprunner", request.region, f"connection/{name}/{secrets.token_hex(16)}")
    record = {
        "ConnectionName": name,
        "ConnectionArn": arn,
        "ProviderType": request["ProviderType"],
        "Status": "AVAILABLE",
        "CreatedAt": clock.now(),
        "_tags": tags,
    }
    return {"Connection": runner.connections.put(arn, record)}


def delete(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Removes a connection that no service uses."""
    arn = request["ConnectionArn"]
    if arn not in runner.connections:
        raise AwsError(NOT_FOUND, f"Connection with the provided arn does not exist: {arn}")
    if any(arn in str(one["SourceConfiguration"]) for one in runner.services.values() if one["Status"] != "DELETED"):
        raise AwsError(INVALID, f"The connection {arn} is in use by a service.")
    record = runner.connections[arn]
    runner.connections.drop(arn)
    return {"Connection": {**record, "Status": "DELETED"}}


def list_all(runner: AppRunner, request: Request) -> dict[str, Any]:
    """All connections, or the one with a name."""
    found = [
        one
        for one in in_region(runner.connections, request.region)
        if request.get("ConnectionName") in (None, one["ConnectionName"])
    ]
    answer = listed(found, request, 100)
    return {"ConnectionSummaryList": answer.pop("page"), **answer}


OPERATIONS = {"CreateConnection": create, "DeleteConnection": delete, "ListConnections": list_all}
