"""What the tests of CloudFormation share: templates and plain calls to look at what became of them."""

import json
import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, WaiterError
from cloud_lab import network, wait_until

FAST = {"Delay": 1, "MaxAttempts": 120}


def formation() -> Any:
    return boto3.client("cloudformation")


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:6]}"


def body(resources: dict[str, Any], **sections: Any) -> str:
    """A template in JSON."""
    return json.dumps({"Resources": resources, **sections})


def task(image: str, **more: Any) -> dict[str, Any]:
    """A task definition of one container, `main`."""
    return {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {
            "Cpu": "256",
            "Memory": "512",
            "RequiresCompatibilities": ["FARGATE"],
            "NetworkMode": "awsvpc",
            "ContainerDefinitions": [{"Name": "main", "Image": image, "StopTimeout": 2, **more}],
        },
    }


def service(**more: Any) -> dict[str, Any]:
    """A service of the task definition `Task` in the cluster `Cluster`."""
    subnets = network()["awsvpcConfiguration"]["subnets"]
    return {
        "Type": "AWS::ECS::Service",
        "Properties": {
            "Cluster": {"Ref": "Cluster"},
            "TaskDefinition": {"Ref": "Task"},
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": subnets}},
            **more,
        },
    }


def create(name: str, template: str, wait: str | None = "stack_create_complete", **more: Any) -> str:
    """Creates a stack and waits for it; its id."""
    stack_id = formation().create_stack(StackName=name, TemplateBody=template, **more)["StackId"]
    if wait:
        _wait(wait, name)
    return stack_id


def update(name: str, template: str | None = None, wait: str | None = "stack_update_complete", **more: Any) -> None:
    """Updates a stack and waits for it."""
    about = {"TemplateBody": template} if template else {"UsePreviousTemplate": True}
    formation().update_stack(StackName=name, **about, **more)
    if wait:
        _wait(wait, name)


def delete(name: str) -> None:
    """Deletes a stack and waits until it is gone."""
    stack_id = stack(name)["StackId"]
    formation().delete_stack(StackName=name)
    _wait("stack_delete_complete", stack_id)


def settled(name: str, seconds: float = 60.0) -> dict[str, Any]:
    """A stack after its operation has come to an end."""
    wait_until(lambda: not stack(name)["StackStatus"].endswith("IN_PROGRESS"), seconds)
    return stack(name)


def stack(name: str) -> dict[str, Any]:
    return formation().describe_stacks(StackName=name)["Stacks"][0]


def outputs(name: str) -> dict[str, str]:
    return {one["OutputKey"]: one["OutputValue"] for one in stack(name).get("Outputs", [])}


def resources(name: str) -> dict[str, dict[str, Any]]:
    """The resources of a stack by logical id."""
    found = formation().describe_stack_resources(StackName=name)["StackResources"]
    return {one["LogicalResourceId"]: one for one in found}


def physical(name: str, logical: str) -> str:
    return resources(name)[logical]["PhysicalResourceId"]


def events(name: str) -> list[tuple[str, str, str]]:
    """(logical id, status, reason) of all events, oldest first."""
    pages = formation().get_paginator("describe_stack_events").paginate(StackName=name)
    found = [one for page in pages for one in page["StackEvents"]][::-1]
    return [(one["LogicalResourceId"], one["ResourceStatus"], one.get("ResourceStatusReason", "")) for one in found]


def story(name: str) -> list[str]:
    """The events as `logical STATUS`."""
    return [f"{logical} {status}" for logical, status, _ in events(name)]


def refused(operation: str, **parameters: Any) -> tuple[str, str]:
    """The code and the message that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        getattr(formation(), operation)(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def _wait(waiter: str, name: str) -> None:
    """Waits; fails with what went wrong in the stack."""
    try:
        formation().get_waiter(waiter).wait(StackName=name, WaiterConfig=FAST)
    except WaiterError as problem:
        failed = [one for one in events(name) if one[1].endswith("_FAILED")]
        raise AssertionError(f"{problem}: {failed}") from None
