"""A task in the target groups of its service's load balancers.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-load-balancing.html
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from labs.cloud.ecs import networking
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns
from labs.cloud.frame.errors import AwsError

log = logging.getLogger(__name__)


async def register(ecs: Ecs, task: dict[str, Any]) -> None:
    """Registers a task's address with the target groups of its service; its record then says with which.

    Raises:
        AwsError: a target group is gone, or refuses.
    """
    known = {entry["group"] for entry in task.get("_targets", [])}
    for balancer in task.get("_load_balancers", []):
        group = balancer.get("targetGroupArn")
        target = _target(task, balancer)
        if target is None or not group or group in known:
            continue
        await _balancing(ecs, task, "RegisterTargets", group, Targets=[target])
        task.setdefault("_targets", []).append({"group": group, "target": target})
        ecs.tasks.put(task["taskArn"], task)


async def deregister(ecs: Ecs, task: dict[str, Any], waits: Callable[[], Awaitable[bool]]) -> None:
    """Takes a task out of its target groups, and waits until no request is in its hands.

    Args:
        ecs: the state.
        task: its record; `_targets` is gone from it afterwards.
        waits: waits for news of the targets; False if there is no time to wait.
    """
    for entry in task["_targets"]:
        try:
            await _balancing(ecs, task, "DeregisterTargets", entry["group"], Targets=[entry["target"]])
            while await _drains(ecs, task, entry) and await waits():
                pass
        except AwsError as problem:  # the target group is gone
            log.info("task %s: %s", task["taskArn"], problem)
    del task["_targets"]


def _target(task: dict[str, Any], balancer: dict[str, Any]) -> dict[str, Any] | None:
    """A task's own address, or its instance with the host port; None if it has neither."""
    if ip := networking.detail(task, "privateIPv4Address"):
        return {"Id": ip, "Port": balancer["containerPort"]}
    ports = task.get("_ports", {}).get(balancer.get("containerName", ""), [])
    port = next((one["hostPort"] for one in ports if one["containerPort"] == balancer["containerPort"]), None)
    return {"Id": task["_instance"], "Port": port} if port else None


async def _drains(ecs: Ecs, task: dict[str, Any], entry: dict[str, Any]) -> bool:
    answer = await _balancing(ecs, task, "DescribeTargetHealth", entry["group"], Targets=[entry["target"]])
    return any(one["TargetHealth"]["State"] == "draining" for one in answer["TargetHealthDescriptions"])


async def _balancing(ecs: Ecs, task: dict[str, Any], operation: str, group: str, **more: Any) -> dict[str, Any]:
    region = arns.region(task["taskArn"])
    return await ecs.services.call("elasticloadbalancing", operation, region, TargetGroupArn=group, **more)
