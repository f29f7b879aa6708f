"""The service scheduler: wakes for a service when something about it changes, and has it move a step.

`service_step` decides, from the records alone; `service_tasks` starts and stops tasks; `deployment_failures` ends
deployments.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""

import logging
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError

from labs.cloud.ecs import (
    alarms,
    deployments,
    health,
    instance_state,
    launch,
    service_step,
    services,
    strategies,
    task_state,
    traffic,
)
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, signals
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.pulse import Pulse

RETRY_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass
class Scheduler:
    """Looks after every service that is not INACTIVE.

    Args:
        ecs: the state.
    """

    ecs: Ecs
    _pulses: dict[str, Pulse] = field(default_factory=dict)
    _dirty: set[str] = field(default_factory=set)
    ended: bool = False  # the local AWS stops: no task is started any more

    def start(self) -> None:
        """Begins, with the services that the state knows."""
        self.ecs.signals.listen(services.SERVICE_CHANGED, self.wake)
        self.ecs.signals.listen(task_state.TASK_CHANGED, self._wake_known)
        self.ecs.signals.listen(signals.TARGET_HEALTH, self._wake_balanced)
        self.ecs.signals.listen(instance_state.INSTANCE_CHANGED, self._wake_placed)
        for arn, service in self.ecs.service_records.items():
            if service["status"] != "INACTIVE":
                self.wake(arn)

    def wake(self, arn: str) -> None:
        """Something about a service has changed."""
        if self.ended:
            return
        self._dirty.add(arn)
        if arn in self._pulses:
            self._pulses[arn].beat()
        else:
            self._pulses[arn] = Pulse()
            self.ecs.background.spawn(self._keep(arn), f"service {arn}")

    def _wake_known(self, arn: str) -> None:
        """A task has changed: its service's, or, as it may have left room, that of those that wait for some."""
        if arn in self.ecs.service_records:
            self.wake(arn)
        for waiting, service in self.ecs.service_records.items():
            if service.get("_unplaced") and waiting != arn:
                self.wake(waiting)

    def _wake_placed(self, cluster: str) -> None:
        """A container instance of a cluster has changed: services on it may have more room, or less."""
        for arn, service in self.ecs.service_records.items():
            if service["clusterArn"] == cluster and service.get("launchType") != "FARGATE":
                self.wake(arn)

    def _wake_balanced(self, group: str) -> None:
        """The health of a target group's targets has changed."""
        for arn, service in self.ecs.service_records.items():
            if any(group in traffic.groups(one) for one in service["loadBalancers"]):
                self.wake(arn)

    async def _keep(self, arn: str) -> None:
        """Looks after one service until it is INACTIVE."""
        pulse = self._pulses[arn]
        try:
            while not self.ended and self.ecs.service_records[arn]["status"] != "INACTIVE":
                self._dirty.discard(arn)
                try:
                    wait = await self._look(arn)
                except (AwsError, BotoCoreError) as problem:
                    log.info("service %s: %s", arn, problem)
                    wait = RETRY_SECONDS
                except Exception:
                    log.exception("service %s", arn)
                    wait = RETRY_SECONDS
                if arn not in self._dirty:
                    await pulse.wait(wait)
        finally:
            del self._pulses[arn]

    async def _look(self, arn: str) -> float | None:
        """One step for a service; seconds until the next one is due without any news."""
        service = self.ecs.service_records[arn]
        primary = deployments.primary(service)
        definition = self.ecs.task_definitions[primary["taskDefinition"]]
        region = arns.region(arn)
        subnets = await launch.subnets(region, definition, primary.get("networkConfiguration"))
        states = await health.of_targets(self.ecs, service)
        waits: list[float | None] = []
        if service["status"] == "ACTIVE" and alarms.are_watched(service):
            await alarms.look(service)
            waits.append(alarms.EVERY_SECONDS)
        if service["status"] == "ACTIVE" and strategies.is_under_way(service):
            waits.append(await strategies.act(self.ecs, service))
            self.ecs.service_records.put(arn, service)
        waits.append(service_step.step(self.ecs, service, subnets, states))
        return min((one for one in waits if one is not None), default=None)
