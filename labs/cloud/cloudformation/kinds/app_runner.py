"""`AWS::AppRunner::*`.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_AppRunner.html
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from labs.cloud.cloudformation.kinds import properties
from labs.cloud.cloudformation.kinds.kind import Kind, Work, gone, handler_reason
from labs.cloud.cloudformation.kinds.properties import RefusedError, translate
from labs.cloud.frame.errors import AwsError

SERVICE = "apprunner"
LOOK_SECONDS = 0.25
MOST_NAMED = 40
_SERVICE = properties.inputs(SERVICE, "CreateService")
_CHANGED = properties.inputs(SERVICE, "UpdateService")
_PAIRS = {"RuntimeEnvironmentVariables", "RuntimeEnvironmentSecrets"}


def _as_the_api_has_it(properties: Any) -> Any:
    """Variables and secrets are lists of `Name` and `Value` in a template, and maps in the API."""
    if isinstance(properties, list):
        return [_as_the_api_has_it(one) for one in properties]
    if not isinstance(properties, dict):
        return properties
    found = {key: _as_the_api_has_it(value) for key, value in properties.items()}
    for key in _PAIRS & found.keys():
        if isinstance(found[key], list):
            found[key] = {one["Name"]: one["Value"] for one in found[key] if {"Name", "Value"} <= one.keys()}
    return found


async def _create_service(work: Work) -> None:
    found = translate(_as_the_api_has_it(work.properties), _SERVICE)
    wanted = {"ServiceName": work.name(MOST_NAMED), **found, "Tags": work.tags()}
    if not work.physical:
        made = (await work.call(SERVICE, "CreateService", **wanted))["Service"]
        work.made(
            made["ServiceArn"], ServiceArn=made["ServiceArn"], ServiceId=made["ServiceId"],
            ServiceUrl=made["ServiceUrl"], Status="RUNNING",
        )  # fmt: skip
    await _steady(work, "create")


async def _update_service(work: Work) -> None:
    found = _as_the_api_has_it(work.properties)
    wanted = translate({key: value for key, value in found.items() if key in _CHANGED}, _CHANGED)
    await work.call(SERVICE, "UpdateService", ServiceArn=work.physical, **wanted)
    await _steady(work, "update")


async def _delete_service(work: Work) -> None:
    await gone(work, SERVICE, "DeleteService", ServiceArn=work.physical)
    while True:
        try:
            found = (await work.call(SERVICE, "DescribeService", ServiceArn=work.physical))["Service"]
        except AwsError:
            return
        if found["Status"] == "DELETED":
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _steady(work: Work, verb: str) -> None:
    while True:
        work.go_on()
        found = (await work.call(SERVICE, "DescribeService", ServiceArn=work.physical))["Service"]
        if found["Status"] != "OPERATION_IN_PROGRESS":
            break
        await asyncio.sleep(LOOK_SECONDS)
    operations = (await work.call(SERVICE, "ListOperations", ServiceArn=work.physical))["OperationSummaryList"]
    failed = operations and operations[0]["Status"] in ("FAILED", "ROLLBACK_SUCCEEDED", "ROLLBACK_FAILED")
    if found["Status"] not in ("RUNNING", "PAUSED") or failed:
        text = f"App Runner could not {verb} the service {work.physical}: {found['Status']}"
        raise RefusedError(handler_reason(text, "NotStabilized"))


def _simple(name: str, attributes: tuple[str, ...]) -> Kind:
    """A type that is made and removed by one call each, and replaced by every change."""
    members = properties.inputs(SERVICE, f"Create{name}")
    title = next((member for member in members if member.endswith("Name")), None)

    async def create(work: Work) -> None:
        wanted = {**translate(work.properties, members), "Tags": work.tags()}
        if title:
            wanted.setdefault(title, work.name(32))
        if not work.physical:
            made = (await work.call(SERVICE, f"Create{name}", **wanted))[name]
            told = {key: made[key] for key in attributes if key in made}
            work.made(made[f"{name}Arn"], **told)

    async def delete(work: Work) -> None:
        await gone(work, SERVICE, f"Delete{name}", **{f"{name}Arn": work.physical})

    create_step: Callable[[Work], Awaitable[None]] = create
    return Kind(
        service=SERVICE,
        known=frozenset(members),
        create=create_step,
        delete=delete,
        replaced_by=frozenset(members) - {"Tags"},
        attributes=frozenset(attributes),
    )


KINDS = {
    "AWS::AppRunner::Service": Kind(
        service=SERVICE,
        known=frozenset(_SERVICE),
        required=("SourceConfiguration",),
        create=_create_service,
        update=_update_service,
        delete=_delete_service,
        replaced_by=frozenset({"ServiceName", "EncryptionConfiguration"}),
        name="ServiceName",
        attributes=frozenset({"ServiceArn", "ServiceId", "ServiceUrl", "Status"}),
    ),
    "AWS::AppRunner::VpcConnector": _simple("VpcConnector", ("VpcConnectorArn", "VpcConnectorRevision")),
    "AWS::AppRunner::AutoScalingConfiguration": _simple(
        "AutoScalingConfiguration",
        ("AutoScalingConfigurationArn", "AutoScalingConfigurationRevision", "Latest"),
    ),
    "AWS::AppRunner::ObservabilityConfiguration": _simple(
        "ObservabilityConfiguration",
        ("ObservabilityConfigurationArn", "ObservabilityConfigurationRevision", "Latest"),
    ),
}
