"""The states of a task and what each change of them brings along: times, version, event, saved record.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
"""

from typing import Any

from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, clock

STOPPED = "STOPPED"
RUNNING = "RUNNING"
STARTING = ("PROVISIONING", "PENDING", "ACTIVATING")
TASK_CHANGED = "ecs-task"  # a signal, with the service's ARN or the task's where it has none
KEPT_SECONDS = 3600.0  # "Stopped tasks are displayed for at least 1 hour"
_TIMES = frozenset(
    {
        "connectivityAt", "createdAt", "executionStoppedAt", "pullStartedAt", "pullStoppedAt", "startedAt",
        "stoppedAt", "stoppingAt", "updatedAt",
    }
)  # fmt: skip


def change(ecs: Ecs, task: dict[str, Any], status: str | None = None) -> None:
    """Keeps a changed task, tells EventBridge of it, and wakes its service.

    Args:
        ecs: the state.
        task: the record, changed in place.
        status: its new `lastStatus`, if that changes.
    """
    if status is not None:
        task["lastStatus"] = status
    task["version"] = task.get("version", 0) + 1
    ecs.tasks.put(task["taskArn"], task)
    ecs.store.flush_quietly()
    if status != "DELETED":
        ecs.publish(arns.region(task["taskArn"]), "ECS Task State Change", [task["taskArn"]], event_detail(task))
    ecs.signals.send(TASK_CHANGED, task.get("_service") or task["taskArn"])


def ask_to_stop(ecs: Ecs, task: dict[str, Any], code: str, reason: str) -> None:
    """Makes a task want to stop. Its life does the rest. The first reason counts.

    Args:
        ecs: the state.
        task: the record.
        code: the `stopCode`, e.g. `UserInitiated`.
        reason: the `stoppedReason`.
    """
    if task["desiredStatus"] == STOPPED:
        return
    task.update(desiredStatus=STOPPED, stopCode=code, stoppedReason=reason, stoppingAt=clock.now())
    change(ecs, task)
    ecs.agent.wake(task["taskArn"])


def event_detail(task: dict[str, Any]) -> dict[str, Any]:
    """A task as the detail of an 'ECS Task State Change' event: times as text, internal members left out.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
    """
    return {**_plain(task), "updatedAt": clock.iso(clock.now())}


def health(task: dict[str, Any], definition: dict[str, Any]) -> str:
    """A task's health from that of its essential containers that have a health check.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/healthcheck.html
    """
    checked = {
        container["name"]
        for container in definition["containerDefinitions"]
        if container.get("healthCheck") and container.get("essential", True)
    }
    found = {one.get("healthStatus", "UNKNOWN") for one in task["containers"] if one["name"] in checked}
    for status in ("UNHEALTHY", "UNKNOWN"):
        if status in found:
            return status
    return "HEALTHY" if found else "UNKNOWN"


def forget_old(ecs: Ecs) -> None:
    """Forgets the tasks that stopped over an hour ago."""
    end = clock.now() - KEPT_SECONDS
    for arn in ecs.tasks:
        task = ecs.tasks[arn]
        if task["lastStatus"] == STOPPED and task.get("stoppedAt", end) < end:
            ecs.tasks.drop(arn)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: clock.iso(item) if key in _TIMES and isinstance(item, (int, float)) else _plain(item)
            for key, item in value.items()
            if not key.startswith("_")
        }
    return [_plain(item) for item in value] if isinstance(value, list) else value
