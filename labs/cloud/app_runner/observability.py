"""Observability configurations: whether a service is traced. They are kept; nothing collects traces here.

https://docs.aws.amazon.com/apprunner/latest/dg/monitor-xray.html
"""

from typing import Any

from labs.cloud.app_runner.configurations import Family, users
from labs.cloud.app_runner.state import INVALID, AppRunner, listed
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

FAMILY = Family("ObservabilityConfiguration", names=10, revisions=10)


def enabled(runner: AppRunner, asked: Record) -> Record:
    """A service's `ObservabilityConfiguration`, with the whole ARN.

    Raises:
        AwsError: ResourceNotFoundException, or InvalidRequestException without an ARN.
    """
    arn = asked.get(FAMILY.arn)
    if asked["ObservabilityEnabled"] and not arn:
        raise AwsError(INVALID, "ObservabilityConfigurationArn is required when ObservabilityEnabled is true.")
    found = {FAMILY.arn: FAMILY.find(runner.observability, arn)[FAMILY.arn]} if arn else {}
    return {"ObservabilityEnabled": asked["ObservabilityEnabled"], **found}


def create(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Makes the next revision of a configuration."""
    members = {name: request[name] for name in ("TraceConfiguration",) if request.get(name)}
    return {FAMILY.kind: FAMILY.create(runner.observability, request.region, request, members)}


def describe(runner: AppRunner, request: Request) -> dict[str, Any]:
    """One revision."""
    return {FAMILY.kind: FAMILY.find(runner.observability, request[FAMILY.arn])}


def delete(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Removes a revision that no service uses."""
    record = FAMILY.find(runner.observability, request[FAMILY.arn])
    if users(runner, FAMILY.kind, record[FAMILY.arn]):
        raise AwsError(INVALID, f"The observability configuration {record[FAMILY.arn]} is in use by a service.")
    return {FAMILY.kind: FAMILY.delete(runner.observability, record)}


def list_all(runner: AppRunner, request: Request) -> dict[str, Any]:
    """All revisions."""
    found = FAMILY.chosen(FAMILY.all(runner.observability, request.region), request)
    answer = listed(found, request, 100)
    return {f"{FAMILY.kind}SummaryList": answer.pop("page"), **answer}


OPERATIONS = {
    "CreateObservabilityConfiguration": create,
    "DescribeObservabilityConfiguration": describe,
    "DeleteObservabilityConfiguration": delete,
    "ListObservabilityConfigurations": list_all,
}
