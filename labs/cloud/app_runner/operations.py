"""The operations of a service: what it is busy with, and what it was. They are told to EventBridge.

https://docs.aws.amazon.com/apprunner/latest/api/API_OperationSummary.html
https://docs.aws.amazon.com/apprunner/latest/dg/monitor-ev.html
"""

import uuid
from typing import Any

from labs.cloud.app_runner.state import BUSY, STATE, AppRunner, listed
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

SOURCE = "aws.apprunner"
MOST_KEPT = 100
MOST_LISTED = 20
_NAMES = {
    "CREATE_SERVICE": "CreateService",
    "UPDATE_SERVICE": "UpdateService",
    "DELETE_SERVICE": "DeleteService",
    "PAUSE_SERVICE": "PauseService",
    "RESUME_SERVICE": "ResumeService",
    "START_DEPLOYMENT": "Deployment",
}
_ENDED_WELL = "CompletedSuccessfully"


def require_idle(service: Record, allowed: tuple[str, ...]) -> None:
    """Makes sure that a service can begin an operation.

    Raises:
        AwsError: InvalidStateException: it is busy with another one, or in a state in which this one makes no sense.
    """
    if service["Status"] not in allowed:
        raise AwsError(
            STATE,
            f"Service cannot be changed in its current state: {service['Status']}. Service: {service['ServiceArn']}",
        )


def begin(runner: AppRunner, arn: str, kind: str, **members: Any) -> Record:
    """Begins an operation: the service is busy from now on.

    Args:
        runner: the state.
        arn: the service.
        kind: the operation's type, e.g. `UPDATE_SERVICE`.
        members: of ours, kept with the operation.
    """
    now = clock.now()
    operation = {
        "Id": str(uuid.uuid4()),
        "Type": kind,
        "Status": "IN_PROGRESS",
        "TargetArn": arn,
        "StartedAt": now,
        "UpdatedAt": now,
        "_service": arn,
        **members,
    }
    runner.operations.put(operation["Id"], operation)
    past = [one for one in runner.operations.values() if one["_service"] == arn]
    for old in past[: max(0, len(past) - MOST_KEPT)]:
        runner.operations.drop(old["Id"])
    set_status(runner, arn, BUSY)
    _tell_operation(runner, operation)
    runner.wake(arn)
    return operation


def move(runner: AppRunner, operation: Record, status: str) -> Record:
    """Writes how far an operation is."""
    operation = runner.operations.put(
        operation["Id"], {**runner.operations[operation["Id"]], "Status": status, "UpdatedAt": clock.now()}
    )
    _tell_operation(runner, operation)
    return operation


def end(runner: AppRunner, operation: Record, status: str, service_status: str) -> None:
    """Ends an operation.

    Args:
        runner: the state.
        operation: its record.
        status: how it ended.
        service_status: the service's from now on.
    """
    now = clock.now()
    operation = {**runner.operations[operation["Id"]], "Status": status, "UpdatedAt": now, "EndedAt": now}
    runner.operations.put(operation["Id"], operation)
    set_status(runner, operation["_service"], service_status)
    _tell_operation(runner, operation)
    runner.store.flush_quietly()
    runner.ended(operation)


def set_status(runner: AppRunner, arn: str, status: str) -> None:
    """Changes a service's status, and tells it."""
    before = runner.services[arn]["Status"]
    service = runner.change(arn, Status=status, UpdatedAt=clock.now())
    if before != status:
        detail = {
            "previousServiceStatus": before,
            "currentServiceStatus": status,
            "serviceName": service["ServiceName"],
            "serviceId": service["ServiceId"],
            "message": f"Service status is set to {status}.",
            "severity": "ERROR" if status.endswith("FAILED") else "INFO",
        }
        runner.publish(arns.region(arn), "AppRunner Service Status Change", [arn], detail, SOURCE)


def list_operations(runner: AppRunner, request: Request) -> dict[str, Any]:
    """The operations of a service, the newest first."""
    arn = runner.service(request["ServiceArn"])["ServiceArn"]
    found = [one for one in reversed(list(runner.operations.values())) if one["_service"] == arn]
    answer = listed(found, request, MOST_LISTED)
    return {"OperationSummaryList": answer.pop("page"), **answer}


def _tell_operation(runner: AppRunner, operation: Record) -> None:
    """Sends the event of an operation that began, or ended."""
    if operation["Status"] == "ROLLBACK_IN_PROGRESS":
        return
    outcome = {"IN_PROGRESS": "Started", "SUCCEEDED": _ENDED_WELL}.get(operation["Status"], "Failed")
    words = {"Started": "started", _ENDED_WELL: "completed successfully", "Failed": "failed"}[outcome]
    service = runner.services[operation["_service"]]
    name = _NAMES[operation["Type"]]
    detail = {
        "operationStatus": f"{name}{outcome}",
        "serviceName": service["ServiceName"],
        "serviceId": service["ServiceId"],
        "message": f"{name.removesuffix('Service')} {words}.",
        "severity": "ERROR" if outcome == "Failed" else "INFO",
    }
    arn = service["ServiceArn"]
    runner.publish(arns.region(arn), "AppRunner Service Operation Status Change", [arn], detail, SOURCE)


OPERATIONS = {"ListOperations": list_operations}
