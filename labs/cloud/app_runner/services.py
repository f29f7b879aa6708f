"""The operations on services themselves. What they begin goes on in `keeper`.

https://docs.aws.amazon.com/apprunner/latest/api/API_Operations.html
"""

import secrets
from typing import Any

from labs.cloud.app_runner import checks, operations
from labs.cloud.app_runner.state import (
    BUSY,
    CONFIGURED,
    CREATE_FAILED,
    DELETE_FAILED,
    DELETED,
    DOMAIN,
    INVALID,
    PAUSED,
    QUOTA,
    RUNNING,
    AppRunner,
    in_region,
    listed,
)
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record
from labs.cloud.frame.tags import merge

MOST_SERVICES = 30  # https://docs.aws.amazon.com/general/latest/gr/apprunner.html
MOST_LISTED = 20
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_SUMMARY = ("ServiceName", "ServiceId", "ServiceArn", "ServiceUrl", "CreatedAt", "UpdatedAt", "Status")


async def create_service(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Makes a service, and deploys it."""
    name, region = request["ServiceName"], request.region
    tags = merge([], request.get("Tags") or [], key="Key", code=INVALID)
    configured = await checks.configured(runner, request)
    live = [one for one in in_region(runner.services, region) if one["Status"] != DELETED]
    if any(one["ServiceName"] == name for one in live):
        raise AwsError(INVALID, f"Service with the provided name already exists: {name}.")
    if len(live) >= MOST_SERVICES:
        raise AwsError(QUOTA, f"You have reached your limit of {MOST_SERVICES} services in this region.")
    own = secrets.token_hex(16)
    arn = arns.make("apprunner", region, f"service/{name}/{own}")
    subdomain = "".join(secrets.choice(_LETTERS) for _ in range(10))
    now = clock.now()
    record: Record = {
        "ServiceName": name,
        "ServiceId": own,
        "ServiceArn": arn,
        "ServiceUrl": f"{subdomain}.{region}.{DOMAIN}",
        "CreatedAt": now,
        "UpdatedAt": now,
        "Status": BUSY,
        **configured,
        "_tags": tags,
        "_credentials_id": secrets.token_hex(16),
        "_domains": [],
    }
    if request.get("EncryptionConfiguration"):
        record["EncryptionConfiguration"] = request["EncryptionConfiguration"]
    runner.services.put(arn, record)
    operation = operations.begin(runner, arn, "CREATE_SERVICE")
    return {"Service": runner.services[arn], "OperationId": operation["Id"]}


def describe_service(runner: AppRunner, request: Request) -> dict[str, Any]:
    """One service."""
    return {"Service": runner.service(request["ServiceArn"])}


def list_services(runner: AppRunner, request: Request) -> dict[str, Any]:
    """All services, the newest first."""
    live = [one for one in reversed(in_region(runner.services, request.region)) if one["Status"] != DELETED]
    answer = listed([{name: one[name] for name in _SUMMARY} for one in live], request, MOST_LISTED)
    return {"ServiceSummaryList": answer.pop("page"), **answer}


async def update_service(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Changes a service, and deploys it. One whose creation failed is built anew."""
    arn = request["ServiceArn"]
    allowed = (RUNNING, CREATE_FAILED)
    operations.require_idle(runner.service(arn), allowed)
    before = runner.service(arn)
    _require_same_kind(request, before)
    configured = await checks.configured(runner, request, before)
    operations.require_idle(runner.service(arn), allowed)  # it may have changed meanwhile
    runner.change(arn, **configured)
    operation = operations.begin(runner, arn, "UPDATE_SERVICE", _before={name: before.get(name) for name in CONFIGURED})
    return {"Service": runner.services[arn], "OperationId": operation["Id"]}


def start_deployment(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Deploys the newest image or commit of a service."""
    operation = _begin(runner, request, "START_DEPLOYMENT", (RUNNING,))
    return {"OperationId": operation["Id"]}


def pause_service(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Takes all instances of a service away."""
    return _answer(runner, _begin(runner, request, "PAUSE_SERVICE", (RUNNING,)))


def resume_service(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Brings a paused service back."""
    return _answer(runner, _begin(runner, request, "RESUME_SERVICE", (PAUSED,)))


def delete_service(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Removes a service and all that belongs to it."""
    allowed = (RUNNING, PAUSED, CREATE_FAILED, DELETE_FAILED)
    arn = runner.service(request["ServiceArn"])["ServiceArn"]
    if any(one["ServiceArn"] == arn for one in runner.ingresses.values()):
        raise AwsError(
            "InvalidStateException", "The service has a VPC ingress connection. Delete that one before the service."
        )
    return _answer(runner, _begin(runner, request, "DELETE_SERVICE", allowed))


def _begin(runner: AppRunner, request: Request, kind: str, allowed: tuple[str, ...]) -> Record:
    service = runner.service(request["ServiceArn"])
    operations.require_idle(service, allowed)
    return operations.begin(runner, service["ServiceArn"], kind)


def _answer(runner: AppRunner, operation: Record) -> dict[str, Any]:
    return {"Service": runner.services[operation["_service"]], "OperationId": operation["Id"]}


def _require_same_kind(request: Request, before: Record) -> None:
    source = request.get("SourceConfiguration")
    kinds = ("ImageRepository", "CodeRepository")
    if source and any(kind in source and kind not in before["SourceConfiguration"] for kind in kinds):
        raise AwsError(INVALID, "The type of a service's source cannot be changed from image to code or back.")


OPERATIONS = {
    "CreateService": create_service,
    "DescribeService": describe_service,
    "ListServices": list_services,
    "UpdateService": update_service,
    "StartDeployment": start_deployment,
    "PauseService": pause_service,
    "ResumeService": resume_service,
    "DeleteService": delete_service,
}
