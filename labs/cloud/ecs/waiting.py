"""Tasks that wait in PROVISIONING until the capacity provider they were given has room for them.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-scaling-behavior.html
"""

from collections.abc import Iterable, Mapping
from typing import Any

from labs.cloud.ecs import capacity, networking, placement
from labs.cloud.ecs.instance_state import INSTANCE_CHANGED
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
    """Makes the tasks that wait look again when a task has made room, or an instance has come."""
    ecs.signals.listen(TASK_CHANGED, lambda _: wake(ecs))
    ecs.signals.listen(INSTANCE_CHANGED, lambda _: wake(ecs))


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
        Why it cannot have one, as the task's `stoppedReason` would tell it; None if it has one now.
    """
    found = capacity.instances(ecs, ecs.clusters[task["clusterArn"]], task["capacityProviderName"])
    if not found:
        return "EMPTY CAPACITY PROVIDER"
    definition = ecs.task_definitions[task["taskDefinitionArn"]]
    subnets = [networking.Subnet(*one) for one in task["_subnets"]]
    wanted = capacity.need(definition, task["overrides"], {one.zone for one in subnets})
    rules = {"constraints": task.get("_constraints", []), "strategies": task.get("_strategies", [])}
    placed = capacity.place(found, definition, wanted, task["group"], **rules)
    if isinstance(placed, list):
        nearest = placement.closest(placed)
        return nearest.reason if nearest else "EMPTY CAPACITY PROVIDER"
    instance, ports = placed
    task.update(capacity.members(ecs.container_instances[instance.arn], wanted, ports))
    subnet = next((one for one in subnets if one.zone == task["availabilityZone"]), None)
    if subnet:
        task["attachments"] = [networking.attachment(subnet)]
    ecs.tasks.put(task["taskArn"], task)
    return None


def size(ecs: Ecs, task: Mapping[str, Any]) -> Size:
    """What a task needs."""
    wanted = capacity.need(ecs.task_definitions[task["taskDefinitionArn"]], task["overrides"])
    return Size(wanted.cpu, wanted.memory)


async def size_of_types(region: str, types: Iterable[str]) -> Size:
    """What an instance has at the least, if it is of one of these types; nothing if EC2 knows none of them."""
    answer = await aws.call("ec2", "describe_instance_types", region=region, InstanceTypes=sorted(set(types)))
    found = [
        Size(one["VCpuInfo"]["DefaultVCpus"] * 1024, one["MemoryInfo"]["SizeInMiB"]) for one in answer["InstanceTypes"]
    ]
    return min(found, default=Size(0, 0))


def name_provider(ecs: Ecs, instances: Iterable[dict[str, Any]], name: str) -> None:
    """Writes into container instances to which capacity provider they belong."""
    changed = [one for one in instances if one.get("capacityProviderName") != name]
    for one in changed:
        one["capacityProviderName"] = name
        ecs.container_instances.put(one["containerInstanceArn"], one)
    if changed:
        wake(ecs)
