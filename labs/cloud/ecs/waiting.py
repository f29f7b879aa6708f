"""Tasks that wait in PROVISIONING until the capacity provider they were given has room for them.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-scaling-behavior.html
"""

from collections.abc import Iterable, Mapping
from typing import Any

from labs.cloud.ecs.reservation import Size
from labs.cloud.ecs.state import Ecs
from labs.cloud.ecs.task_state import TASK_CHANGED
from labs.cloud.frame import aws, clock

PATIENCE_SECONDS = clock.lesson(30 * 60)  # then a task that waits is stopped


def needs_room(task: Mapping[str, Any]) -> bool:
    """Whether a task is for the instances of a capacity provider and has none yet."""
    through_group = task.get("launchType") == "EC2" and task.get("capacityProviderName")
    return bool(through_group) and not task.get("containerInstanceArn")


def listen(ecs: Ecs) -> None:
    """Makes the tasks that wait look again when a task has made room, oldest first."""
    ecs.signals.listen(TASK_CHANGED, lambda arn: wake(ecs))


def wake(ecs: Ecs) -> None:
    """There may be room now: the tasks that wait look again, oldest first."""
    for arn, task in ecs.tasks.items():
        if task["lastStatus"] == "PROVISIONING" and needs_room(task):
            ecs.agent.wake(arn)


def of_provider(ecs: Ecs, cluster: str, name: str) -> list[dict[str, Any]]:
    """The tasks of a cluster that wait for room with a capacity provider, oldest first."""
    return [
        task
        for task in ecs.tasks.values()
        if task["clusterArn"] == cluster
        and task.get("capacityProviderName") == name
        and task["lastStatus"] == "PROVISIONING"
        and task["desiredStatus"] == "RUNNING"
        and needs_room(task)
    ]


def place(ecs: Ecs, task: dict[str, Any]) -> str | None:
    """Gives a task an instance of its capacity provider.

    Returns:
        Why it cannot have one; None if it has one now.
    """
    need = size(task)
    here = [
        one
        for one in ecs.container_instances.values()
        if one["clusterArn"] == task["clusterArn"]
        and one.get("capacityProviderName") == task["capacityProviderName"]
        and one["status"] == "ACTIVE"
    ]
    if not here:
        return "EMPTY CAPACITY PROVIDER"
    free = [(left(one), one) for one in here]
    fitting = [(have, one) for have, one in free if have.cpu >= need.cpu and have.memory >= need.memory]
    if not fitting:
        return "RESOURCE:MEMORY" if all(have.memory < need.memory for have, _ in free) else "RESOURCE:CPU"
    _, chosen = min(fitting, key=lambda pair: pair[0].memory)
    task["containerInstanceArn"] = chosen["containerInstanceArn"]
    ecs.tasks.put(task["taskArn"], task)
    return None


def size(task: Mapping[str, Any]) -> Size:
    """What a task needs."""
    return Size(int(task["cpu"]), int(task["memory"]))


async def size_of_types(region: str, types: Iterable[str]) -> Size:
    """What an instance has at the least, if it is of one of these types; nothing if EC2 knows none of them."""
    answer = await aws.call("ec2", "describe_instance_types", region=region, InstanceTypes=sorted(set(types)))
    found = [
        Size(one["VCpuInfo"]["DefaultVCpus"] * 1024, one["MemoryInfo"]["SizeInMiB"]) for one in answer["InstanceTypes"]
    ]
    return min(found, default=Size(0, 0))


def name_provider(ecs: Ecs, instances: Iterable[dict[str, Any]], name: str) -> None:
    """Writes into container instances to which capacity provider they belong."""
    for one in instances:
        if one.get("capacityProviderName") != name:
            one["capacityProviderName"] = name
            ecs.container_instances.put(one["containerInstanceArn"], one)


def left(instance: Mapping[str, Any]) -> Size:
    """What a container instance has left."""
    remaining = {each["name"]: each.get("integerValue", 0) for each in instance["remainingResources"]}
    return Size(remaining["CPU"], remaining["MEMORY"])
