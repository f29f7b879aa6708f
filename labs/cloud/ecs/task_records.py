"""How the record of a new task is made.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
"""

import secrets
import uuid
from typing import Any

from labs.cloud.ecs import launch, metadata, networking, task_state
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, clock


def make(
    ecs: Ecs,
    cluster: dict[str, Any],
    definition: dict[str, Any],
    how: launch.How,
    subnet: networking.Subnet | None,
    **more: Any,
) -> dict[str, Any]:
    """The record of a new task, in PROVISIONING; kept, its life not begun.

    Args:
        ecs: the state.
        cluster: its cluster.
        definition: its task definition.
        how: on what it runs.
        subnet: where it lives, for an awsvpc task.
        more: `group`, `startedBy`, `overrides`, `tags`, `enableExecuteCommand`, and internal members.
    """
    region = arns.region(cluster["clusterArn"])
    arn = arns.make("ecs", region, f"task/{cluster['clusterName']}/{secrets.token_hex(16)}")
    overrides = more.pop("overrides", None) or {}
    now = clock.now()
    task = {
        "taskArn": arn,
        "clusterArn": cluster["clusterArn"],
        "taskDefinitionArn": definition["taskDefinitionArn"],
        "lastStatus": "PROVISIONING",
        "desiredStatus": task_state.RUNNING,
        "attachments": [networking.attachment(subnet)] if subnet else [],
        "attributes": [{"name": "ecs.cpu-architecture", "value": launch.ARCHITECTURE}],
        "availabilityZone": subnet.zone if subnet else f"{region}a",
        "connectivity": "CONNECTING",
        "containers": [_container(arn, region, one) for one in definition["containerDefinitions"]],
        "cpu": overrides.get("cpu") or definition.get("cpu") or _sum(definition, "cpu"),
        "memory": overrides.get("memory") or definition.get("memory") or _sum(definition, "memory"),
        "createdAt": now,
        "healthStatus": "UNKNOWN",
        "enableExecuteCommand": False,
        "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **overrides},
        "tags": [],
        "version": 0,
        **how.members(),
        **more,
    }
    if how.is_fargate:
        storage = overrides.get("ephemeralStorage") or definition.get("ephemeralStorage") or {"sizeInGiB": 20}
        task |= {"ephemeralStorage": storage, "fargateEphemeralStorage": {"sizeInGiB": storage["sizeInGiB"]}}
    metadata.assign(task, definition)
    task_state.change(ecs, task)
    return task


def _container(task_arn: str, region: str, definition: dict[str, Any]) -> dict[str, Any]:
    task = arns.resource(task_arn).partition("/")[2]
    found = {
        "containerArn": arns.make("ecs", region, f"container/{task}/{uuid.uuid4()}"),
        "taskArn": task_arn,
        "name": definition["name"],
        "image": definition["image"],
        "lastStatus": "PENDING",
        "networkBindings": [],
        "networkInterfaces": [],
        "healthStatus": "UNKNOWN",
        "cpu": str(definition.get("cpu", 0)),
    }
    sizes = {key: str(definition[key]) for key in ("memory", "memoryReservation") if key in definition}
    return found | sizes


def _sum(definition: dict[str, Any], what: str) -> str:
    keys = ("memory", "memoryReservation") if what == "memory" else ("cpu",)
    return str(sum(next((one[key] for key in keys if key in one), 0) for one in definition["containerDefinitions"]))
