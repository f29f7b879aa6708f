"""The ECS agent: keeps a life for every task that has not stopped, hears of its containers, adopts what still runs."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import DockerException

from labs.cloud.ecs import task_state, volumes
from labs.cloud.ecs.life import Life
from labs.cloud.ecs.logs import Logs
from labs.cloud.ecs.state import Ecs
from labs.cloud.engine import docker, labels, sweep
from labs.cloud.engine.stream import Stream
from labs.cloud.frame import signals
from labs.cloud.frame.pulse import Pulse
from labs.cloud.relay.relay import Relay

TIDY_SECONDS = 60.0
STOP_SECONDS = 20.0

log = logging.getLogger(__name__)


@dataclass
class Agent:
    """The lives of the tasks.

    Args:
        ecs: the state.
        stream: the engine's events.
        relay: the way from a task to the local AWS.
        logs: what sends containers' output to CloudWatch Logs.
    """

    ecs: Ecs
    stream: Stream
    relay: Relay
    logs: Logs
    lives: dict[str, Life] = field(default_factory=dict)
    _gap: Pulse = field(default_factory=Pulse)

    def begin(self, arn: str) -> None:
        """Begins the life of a task whose record is in the table."""
        if arn not in self.lives:
            life = self.lives[arn] = Life(self.ecs, self.relay, self.logs, self.ecs.tasks[arn])
            self.ecs.background.spawn(self._live(life), f"task {arn}")

    def wake(self, arn: str) -> None:
        """Makes a task look at what is wanted of it."""
        if life := self.lives.get(arn):
            life.pulse.beat()

    def kill(self, arn: str) -> None:
        """Ends a task that is to stop without any grace: its instance is gone."""
        if life := self.lives.get(arn):
            life.hurry = True
            life.pulse.beat()

    async def start(self) -> None:
        """Adopts the tasks that the state knows, and removes containers of tasks that it does not know."""
        await docker.run(sweep.sweep_quietly, "probe")  # a kill may have left one, see `container_options`
        self.stream.listen(self._hear)
        self.ecs.signals.listen(signals.TARGET_HEALTH, self._hear_of_targets)
        for arn, task in self.ecs.tasks.items():
            if task["lastStatus"] != task_state.STOPPED:
                self.begin(arn)
        self.ecs.background.spawn(self._tidy(), "tidy tasks")

    async def stop(self, reason: str) -> None:
        """Ends every task at once, without grace, and writes down why."""
        for arn in list(self.lives):
            task_state.ask_to_stop(self.ecs, self.ecs.tasks[arn], "TerminationNotice", reason)
            self.lives[arn].hurry = True
            self.wake(arn)
        end = asyncio.get_running_loop().time() + STOP_SECONDS
        while self.lives and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)

    async def _live(self, life: Life) -> None:
        try:
            await life.run()
        finally:
            self.lives.pop(life.arn, None)

    def _hear(self, event: dict[str, Any] | None) -> None:
        if event is None:  # the engine was away: everybody looks
            self._gap.beat()
            for life in self.lives.values():
                life.look_again()
            return
        attributes = event.get("Actor", {}).get("Attributes", {})
        life = self.lives.get(attributes.get(labels.TASK_ARN, ""))
        if life:
            life.hear(event)

    def _hear_of_targets(self, group: str) -> None:
        """The health of a target group has changed: a task that waits until it is drained may be."""
        for life in self.lives.values():
            if any(entry["group"] == group for entry in life.task.get("_targets", ())):
                life.pulse.beat()

    async def _tidy(self) -> None:
        """Now and then: forgets old tasks, and removes containers whose task is over."""
        while True:
            task_state.forget_old(self.ecs)
            self.ecs.store.flush_quietly()
            try:
                await docker.run(_remove_strays, frozenset(self.lives))
                await docker.run(volumes.remove_orphans)
            except (DockerException, BotoCoreError, ClientError, OSError) as problem:
                log.debug("no look for strays: %s", problem)
            await self._gap.wait(TIDY_SECONDS)


def _remove_strays(alive: frozenset[str]) -> None:
    """Removes containers of ours whose task has no life. For a thread."""
    client = docker.client()
    for container in client.containers.list(
        all=True, ignore_removed=True, filters={"label": labels.ours(labels.TASK_ROLE)}
    ):
        arn = container.labels.get(labels.TASK_ARN)
        if arn and arn not in alive:
            log.warning("the container %s belongs to no task any more and is removed", container.name)
            container.remove(force=True, v=True)
