"""What ECS knows: its tables, and those it talks to. Handed to every operation as its first argument."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from labs.cloud.ecs.execute_session import Sessions
from labs.cloud.frame.background import Background
from labs.cloud.frame.pulse import Pulse
from labs.cloud.frame.service import Services
from labs.cloud.frame.signals import Signals
from labs.cloud.frame.store import Store, Table

Publish = Callable[[str, str, list[str], dict[str, Any]], None]


class Agent(Protocol):
    """Who runs the tasks: `agent.Agent`."""

    def begin(self, arn: str) -> None:
        """Begins the life of a task whose record is in the table."""

    def wake(self, arn: str) -> None:
        """Makes a task look at what is wanted of it."""

    def kill(self, arn: str) -> None:
        """Ends a task that is to stop without any grace: its instance is gone."""


@dataclass
class Ecs:
    """The state of ECS. Every table is keyed by ARN and holds records in the shape that the API returns.

    Args:
        store: where the tables are kept.
        services: the other services of ours, by signing name.
        signals: hints from and to them.
        publish: sends an event to EventBridge: (region, detail type, resource ARNs, detail). Returns at once.
    """

    store: Store
    services: Services
    signals: Signals
    publish: Publish
    background: Background = field(default_factory=Background)
    express_lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # who changes what Express services share
    express_pulses: dict[str, Pulse] = field(default_factory=dict)  # by ARN: who looks after an Express Mode service
    door: Callable[[str, int], int | None] = lambda _balancer, _port: None  # where a listener answers on this machine
    sessions: Sessions = field(default_factory=Sessions)  # of ECS Exec
    agent: Agent = field(init=False)  # set by the control plane
    # Waits until a task's instance leads its host ports to it, some seconds at most; set by the agents' channel.
    forwarded: Callable[[dict[str, Any], float], Awaitable[bool]] = field(init=False)

    def __post_init__(self) -> None:
        self.clusters: Table = self.store.table("ecs.clusters")
        self.task_definitions: Table = self.store.table("ecs.task-definitions")
        self.tasks: Table = self.store.table("ecs.tasks")
        self.service_records: Table = self.store.table("ecs.services")
        self.express: Table = self.store.table("ecs.express")  # Express Mode services
        self.service_deployments: Table = self.store.table("ecs.service-deployments")
        self.service_revisions: Table = self.store.table("ecs.service-revisions")
        self.capacity_providers: Table = self.store.table("ecs.capacity-providers")
        self.container_instances: Table = self.store.table("ecs.container-instances")
        self.account_settings: Table = self.store.table("ecs.account-settings")
        self.attributes: Table = self.store.table("ecs.attributes")
