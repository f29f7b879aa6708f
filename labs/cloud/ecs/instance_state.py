"""The states of a container instance, and what each change of them brings along: event, saved record, its tasks.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html
"""

from typing import Any

from labs.cloud.ecs import capacity, lookup, task_state
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, clock

INSTANCE_CHANGED = "ecs-container-instance"  # a signal, with the cluster's ARN


def changed(ecs: Ecs, record: dict[str, Any]) -> None:
    """Keeps a changed container instance, tells EventBridge of it, and wakes the services of its cluster."""
    record["version"] = record.get("version", 0) + 1
    ecs.container_instances.put(record["containerInstanceArn"], record)
    ecs.store.flush_quietly()
    arn = record["containerInstanceArn"]
    ecs.publish(arns.region(arn), "ECS Container Instance State Change", [arn], event_detail(ecs, record))
    ecs.signals.send(INSTANCE_CHANGED, record["clusterArn"])


def connected(ecs: Ecs, record: dict[str, Any], is_connected: bool) -> None:
    """Notes whether the agent of an instance is heard of."""
    if record["agentConnected"] != is_connected and record["status"] != lookup.INACTIVE:
        record["agentConnected"] = is_connected
        changed(ecs, record)


def forget(ecs: Ecs, record: dict[str, Any], reason: str) -> None:
    """A container instance is one no more: INACTIVE, and its tasks are over.

    Args:
        ecs: the state.
        record: the instance's record, changed in place.
        reason: why its tasks stop.
    """
    record.update(status=lookup.INACTIVE, agentConnected=False)
    ecs.attributes.drop(record["containerInstanceArn"])
    changed(ecs, record)
    lose_tasks(ecs, record, reason)


def lose_tasks(ecs: Ecs, record: dict[str, Any], reason: str) -> None:
    """The tasks of an instance are gone with it: at once, without a signal."""
    for task in capacity.tasks_on(ecs, record["containerInstanceArn"]):
        task_state.ask_to_stop(ecs, task, "TerminationNotice", reason)
        ecs.agent.kill(task["taskArn"])


def event_detail(ecs: Ecs, record: dict[str, Any]) -> dict[str, Any]:
    """A container instance as the detail of its event."""
    kept = {key: value for key, value in record.items() if not key.startswith("_")}
    kept.update(
        registeredAt=clock.iso(record["registeredAt"]),
        remainingResources=capacity.remaining(ecs, record),
        updatedAt=clock.iso(clock.now()),
    )
    return kept
