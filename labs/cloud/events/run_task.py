"""An ECS target of a rule or a schedule as the input of RunTask.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_EcsParameters.html
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_EcsParameters.html
"""

import json
from typing import Any

_SAME = {
    "CapacityProviderStrategy": "capacityProviderStrategy",
    "EnableECSManagedTags": "enableECSManagedTags",
    "EnableExecuteCommand": "enableExecuteCommand",
    "Group": "group",
    "LaunchType": "launchType",
    "PlacementConstraints": "placementConstraints",
    "PlacementStrategy": "placementStrategy",
    "PlatformVersion": "platformVersion",
    "PropagateTags": "propagateTags",
    "ReferenceId": "referenceId",
}
_VPC = {"Subnets": "subnets", "SecurityGroups": "securityGroups", "AssignPublicIp": "assignPublicIp"}


def parameters(cluster: str, ecs: dict[str, Any], content: str | None, started_by: str) -> dict[str, Any]:
    """The input of RunTask.

    Args:
        cluster: the target's ARN.
        ecs: its `EcsParameters`, as EventBridge or as EventBridge Scheduler has them.
        content: what the target is sent: JSON with the members of RunTask's `overrides`; anything else is left out, as
            an event is that a rule sends when no input is set.
        started_by: e.g. `events-rule/nightly`.
    """
    wanted: dict[str, Any] = {
        "cluster": cluster,
        "taskDefinition": ecs["TaskDefinitionArn"],
        "count": ecs.get("TaskCount", 1),
        "startedBy": started_by,
    }
    wanted |= {name: ecs[given] for given, name in _SAME.items() if given in ecs}
    vpc = ecs.get("NetworkConfiguration", {}).get("awsvpcConfiguration")
    if vpc is not None:
        inner = {name: vpc[given] for given, name in _VPC.items() if given in vpc}
        wanted["networkConfiguration"] = {"awsvpcConfiguration": inner}
    if tags := [_tag(tag) for tag in ecs.get("Tags", [])]:
        wanted["tags"] = tags
    if overrides := _overrides(content):
        wanted["overrides"] = overrides
    return wanted


def _tag(tag: dict[str, str]) -> dict[str, str]:
    """A tag of a rule's target has `Key` and `Value`; one of a schedule's may have them in small letters."""
    return {name.lower(): value for name, value in tag.items()}


def _overrides(content: str | None) -> dict[str, Any]:
    members = (
        "containerOverrides", "cpu", "ephemeralStorage", "executionRoleArn", "inferenceAcceleratorOverrides", "memory",
        "taskRoleArn",
    )  # fmt: skip
    try:
        found = json.loads(content or "null")
    except ValueError:
        return {}
    return {name: found[name] for name in members if name in found} if isinstance(found, dict) else {}
