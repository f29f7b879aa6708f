"""Auto scaling configurations: between which sizes a service scales, and how many requests an instance gets at once.

https://docs.aws.amazon.com/apprunner/latest/dg/manage-autoscaling.html
"""

from typing import Any

from labs.cloud.app_runner.configurations import Family, users
from labs.cloud.app_runner.state import INVALID, NOT_FOUND, AppRunner, listed
from labs.cloud.frame import arns
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

MOST_INSTANCES = 25  # https://docs.aws.amazon.com/general/latest/gr/apprunner.html
FAMILY = Family("AutoScalingConfiguration", names=10, revisions=5)
ARN = FAMILY.arn
_DEFAULTS = {"MaxConcurrency": 100, "MinSize": 1, "MaxSize": 25}
_OWN_NAME = "DefaultConfiguration"
_MEMBER = "AutoScalingConfigurationSummary"


def default(runner: AppRunner, region: str) -> Record:
    """The configuration of a service that names none."""
    arn = (runner.defaults.get(region) or {}).get("arn")
    return runner.scaling[arn] if arn in runner.scaling else _built_in(runner, region)


def find(runner: AppRunner, arn: str) -> Record:
    """The configuration that an ARN means.

    Raises:
        AwsError: ResourceNotFoundException.
    """
    built_in = _built_in(runner, arns.region(arn))
    if built_in[ARN].startswith(arn) and arn.rstrip("/").split("/")[1:2] == [_OWN_NAME]:
        return built_in
    return FAMILY.find(runner.scaling, arn)


def numbers(runner: AppRunner, service: Record) -> tuple[int, int, int]:
    """MaxConcurrency, MinSize and MaxSize of a service."""
    arn = service[_MEMBER][ARN]
    found = runner.scaling.get(arn) or _built_in(runner, arns.region(arn))
    return found["MaxConcurrency"], found["MinSize"], found["MaxSize"]


def summary(record: Record) -> Record:
    """The configuration as a service's record names it."""
    return {name: record[name] for name in (ARN, FAMILY.name, FAMILY.revision)}


def create(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Makes the next revision of a configuration."""
    wanted = {name: request.get(name, value) for name, value in _DEFAULTS.items()}
    if request[FAMILY.name] == _OWN_NAME:
        raise AwsError(INVALID, f"{_OWN_NAME} is a reserved name.")
    if not wanted["MinSize"] <= wanted["MaxSize"] <= MOST_INSTANCES:
        raise AwsError(INVALID, f"MaxSize must be between MinSize ({wanted['MinSize']}) and {MOST_INSTANCES}.")
    return {FAMILY.kind: _told(runner, FAMILY.create(runner.scaling, request.region, request, wanted))}


def describe(runner: AppRunner, request: Request) -> dict[str, Any]:
    """One revision."""
    return {FAMILY.kind: _told(runner, find(runner, request[ARN]))}


def delete(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Removes a revision, or all of a name, which no service may use."""
    record = find(runner, request[ARN])
    chosen = [record]
    if request.get("DeleteAllRevisions"):
        every = FAMILY.all(runner.scaling, arns.region(record[ARN]))
        chosen = [one for one in every if one[FAMILY.name] == record[FAMILY.name]]
    for one in chosen:
        if users(runner, _MEMBER, one[ARN]):
            raise AwsError(INVALID, f"The auto scaling configuration {one[ARN]} is in use by a service.")
        if _told(runner, one)["IsDefault"] or one[FAMILY.name] == _OWN_NAME:
            raise AwsError(INVALID, "The default auto scaling configuration cannot be deleted.")
    gone = [FAMILY.delete(runner.scaling, one) for one in chosen]
    return {FAMILY.kind: {**next(one for one in gone if one[ARN] == record[ARN]), "HasAssociatedService": False}}


def list_all(runner: AppRunner, request: Request) -> dict[str, Any]:
    """All revisions."""
    every = [_built_in(runner, request.region), *FAMILY.all(runner.scaling, request.region)]
    answer = listed([_told(runner, one) for one in FAMILY.chosen(every, request)], request, 100)
    return {f"{FAMILY.kind}SummaryList": answer.pop("page"), **answer}


def list_services(runner: AppRunner, request: Request) -> dict[str, Any]:
    """The services that use a revision."""
    found = [one["ServiceArn"] for one in users(runner, _MEMBER, find(runner, request[ARN])[ARN])]
    answer = listed(found, request, 100)
    return {"ServiceArnList": answer.pop("page"), **answer}


def update_default(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Makes a configuration that of new services that name none."""
    record = find(runner, request[ARN])
    if arns.region(record[ARN]) != request.region:
        raise AwsError(NOT_FOUND, f"AutoScalingConfiguration with the provided arn does not exist: {request[ARN]}")
    runner.defaults.put(request.region, {"arn": record[ARN]})
    return {FAMILY.kind: _told(runner, record)}


def _built_in(runner: AppRunner, region: str) -> Record:
    arn = arns.make("apprunner", region, f"autoscalingconfiguration/{_OWN_NAME}/1/{1:032d}")
    return {
        ARN: arn, FAMILY.name: _OWN_NAME, FAMILY.revision: 1, "Latest": True, "Status": "ACTIVE", **_DEFAULTS,
        "CreatedAt": 1621036800.0,
    }  # fmt: skip


def _told(runner: AppRunner, record: Record) -> Record:
    region = arns.region(record[ARN])
    used = bool(users(runner, _MEMBER, record[ARN]))
    return {**record, "HasAssociatedService": used, "IsDefault": default(runner, region)[ARN] == record[ARN]}


OPERATIONS = {
    "CreateAutoScalingConfiguration": create,
    "DescribeAutoScalingConfiguration": describe,
    "DeleteAutoScalingConfiguration": delete,
    "ListAutoScalingConfigurations": list_all,
    "ListServicesForAutoScalingConfiguration": list_services,
    "UpdateDefaultAutoScalingConfiguration": update_default,
}
