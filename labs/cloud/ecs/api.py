"""ECS as a whole: all its operations, its agent and its scheduler, begun and ended together."""

import asyncio
from dataclasses import dataclass, field

from labs.cloud.ecs import (
    account_settings,
    attributes,
    capacity_providers,
    clusters,
    container_instances,
    execute,
    express,
    group_providers,
    instance_watch,
    protection,
    service_deployments,
    services,
    start_task,
    tags,
    task_definitions,
    tasks,
    waiting,
)
from labs.cloud.ecs.agent import Agent
from labs.cloud.ecs.agent_channel import AgentChannel
from labs.cloud.ecs.logs import Logs
from labs.cloud.ecs.managed_scaling import ManagedScaling
from labs.cloud.ecs.scheduler import Scheduler
from labs.cloud.ecs.state import Ecs
from labs.cloud.engine.stream import Stream
from labs.cloud.frame.service import Operation, Service
from labs.cloud.relay.relay import Relay

ROOMS = (
    account_settings, attributes, capacity_providers, clusters, container_instances, execute, express, group_providers,
    protection, service_deployments, services, start_task, tags, task_definitions, tasks,
)  # fmt: skip
OPERATIONS: dict[str, Operation] = {name: one for room in ROOMS for name, one in room.OPERATIONS.items()}


@dataclass
class ElasticContainerService:
    """ECS.

    Args:
        ecs: its state.
        stream: the engine's events.
        relay: the way from a task to the local AWS.
    """

    ecs: Ecs
    stream: Stream
    relay: Relay
    service: Service = field(init=False)

    def __post_init__(self) -> None:
        self.service = Service("ecs", self.ecs, OPERATIONS, self.ecs.store, invalid="InvalidParameterException")
        self._logs = Logs()
        self._agent = Agent(self.ecs, self.stream, self.relay, self._logs)
        self.ecs.agent = self._agent
        self._scheduler = Scheduler(self.ecs)
        self._managed_scaling = ManagedScaling(self.ecs)
        self.channel = AgentChannel(self.ecs)

    async def start(self) -> None:
        """Adopts what runs and begins to converge."""
        self.channel.start()
        await self._agent.start()
        instance_watch.start(self.ecs)
        self._scheduler.start()
        waiting.listen(self.ecs)
        self._managed_scaling.start()
        express.resume(self.ecs)

    async def stop(self) -> None:
        """Ends all tasks; what is wanted stays on record, so that services come back with the next start."""
        self._scheduler.ended = True
        await self._agent.stop("The local AWS was stopped.")
        self.channel.stop()
        await asyncio.to_thread(self._logs.end)
        await self.ecs.background.end()
