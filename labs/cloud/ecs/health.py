"""Whether a service's task is healthy: its containers' own checks and its load balancers' checks together.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-load-balancing.html
"""

from typing import Any, NamedTuple

from labs.cloud.ecs import task_state, traffic
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError

HEALTHY, UNHEALTHY, STARTING = "healthy", "unhealthy", "starting"
# "If a task has no health check, it is considered healthy 40 seconds after it has reached RUNNING" (ECS API, 2026-11)
SETTLED = clock.lesson(40.0)

Targets = dict[tuple[str, str, int], dict[str, Any]]  # (target group, id, port) to TargetHealth


class Judgement(NamedTuple):
    """What a task's health is; why it is stopped if it is unhealthy; seconds after which that may change by itself."""

    state: str
    reason: str = ""
    wait: float | None = None


async def of_targets(ecs: Ecs, service: dict[str, Any]) -> Targets:
    """The health of all targets of a service's target groups. A group that is gone has none."""
    found: Targets = {}
    region = arns.region(service["serviceArn"])
    for arn in [group for balancer in service["loadBalancers"] for group in traffic.groups(balancer)]:
        try:
            answer = await ecs.services.call("elasticloadbalancing", "DescribeTargetHealth", region, TargetGroupArn=arn)
        except AwsError:
            continue
        for one in answer["TargetHealthDescriptions"]:
            found[arn, one["Target"]["Id"], one["Target"].get("Port", 0)] = one["TargetHealth"]
    return found


def judge(ecs: Ecs, service: dict[str, Any], task: dict[str, Any], targets: Targets) -> Judgement:
    """A task's health. The first time that it is healthy is written into its record.

    Args:
        ecs: the state.
        service: its service's record.
        task: its record.
        targets: the health of the service's targets.
    """
    if task["lastStatus"] != task_state.RUNNING:
        return Judgement(STARTING)
    definition = ecs.task_definitions[task["taskDefinitionArn"]]
    now = clock.now()
    age = now - task.get("startedAt", now)
    grace = service.get("healthCheckGracePeriodSeconds", 0) - age
    found = [_by_containers(definition, task), *_by_targets(task, targets)]
    checks = [one for one in found if one is not None]
    bad = next((one for one in checks if one.state == UNHEALTHY), None)
    if bad:
        return Judgement(STARTING, wait=grace) if grace > 0 else bad
    if any(one.state == STARTING for one in checks):
        return Judgement(STARTING)
    if not checks and age < SETTLED:
        return Judgement(STARTING, wait=SETTLED - age)
    if not task.get("_was_healthy"):
        task["_was_healthy"] = True
        ecs.tasks.put(task["taskArn"], task)
    return Judgement(HEALTHY)


def _by_containers(definition: dict[str, Any], task: dict[str, Any]) -> Judgement | None:
    checked = any(one.get("healthCheck") and one.get("essential", True) for one in definition["containerDefinitions"])
    if not checked:
        return None
    status = task_state.health(task, definition)
    if status == "UNHEALTHY":
        return Judgement(UNHEALTHY, "Task failed container health checks")
    return Judgement(HEALTHY if status == "HEALTHY" else STARTING)


def _by_targets(task: dict[str, Any], targets: Targets) -> list[Judgement]:
    found = []
    for entry in task.get("_targets", []):
        seen = targets.get((entry["group"], entry["target"]["Id"], entry["target"]["Port"]))
        state = seen["State"] if seen else "initial"
        if state == "unhealthy":
            reason = f"Task failed ELB health checks in (target-group {entry['group']})"
            found.append(Judgement(UNHEALTHY, reason))
        else:  # a group that no listener uses checks nobody
            found.append(Judgement(HEALTHY if state in ("healthy", "unused") else STARTING))
    return found
