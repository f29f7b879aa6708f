"""Makes tasks on container instances: finds the room, takes it, and writes the records.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement.html
"""

from dataclasses import dataclass
from typing import Any

from labs.cloud.ecs import capacity, launch, networking, task_records, waiting
from labs.cloud.ecs.placement import Constraints, Instance, Misfit, Need, Strategies
from labs.cloud.ecs.state import Ecs


@dataclass(frozen=True)
class Batch:
    """Tasks that are alike.

    Args:
        cluster: their cluster.
        definition: their task definition.
        how: on what they run.
        subnets: those that they may live in, for awsvpc tasks.
        more: as for `task_records.make`, with `group`.
    """

    cluster: dict[str, Any]
    definition: dict[str, Any]
    how: launch.How
    subnets: list[networking.Subnet]
    more: dict[str, Any]

    def need(self) -> Need:
        """What one of them needs of its instance."""
        return capacity.need(self.definition, self.more.get("overrides"), {one.zone for one in self.subnets})


def place(
    ecs: Ecs, batch: Batch, count: int, constraints: Constraints, strategies: Strategies
) -> tuple[list[dict[str, Any]], list[Misfit]]:
    """As many tasks of a batch as there is room for, up to a count; and why there is no room for the others."""
    found = capacity.instances(ecs, batch.cluster, batch.how.provider)
    group, wanted = batch.more["group"], batch.need()
    made: list[dict[str, Any]] = []
    for _ in range(count):
        placed = capacity.place(found, batch.definition, wanted, group, constraints=constraints, strategies=strategies)
        if isinstance(placed, list):
            return made, placed
        made.append(put(ecs, batch, *placed))
    return made, []


def put(ecs: Ecs, batch: Batch, instance: Instance, ports: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The record of a new task on a container instance, with its host ports there."""
    zone = instance.attributes.get("ecs.availability-zone")
    subnet = next((one for one in batch.subnets if one.zone == zone), None)
    members = capacity.members(ecs.container_instances[instance.arn], batch.need(), ports)
    return task_records.make(ecs, batch.cluster, batch.definition, batch.how, subnet, **batch.more, **members)


def put_waiting(ecs: Ecs, batch: Batch, constraints: Constraints, strategies: Strategies) -> dict[str, Any]:
    """The record of a new task of a capacity provider: on one of its instances, or waiting until one has room."""
    rules = {"_constraints": constraints, "_strategies": strategies, "_subnets": [list(one) for one in batch.subnets]}
    task = task_records.make(ecs, batch.cluster, batch.definition, batch.how, None, **batch.more, **rules)
    waiting.place(ecs, task)
    return task
