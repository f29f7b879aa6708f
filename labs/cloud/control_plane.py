"""Puts the services of ours together and hands them to the gateway."""

import asyncio
import logging
import threading
from collections.abc import Mapping
from typing import Any

from docker.errors import DockerException

from labs import settings
from labs.cloud.access.door import Access
from labs.cloud.app_runner import api as app_runner_api
from labs.cloud.app_runner.state import DOMAIN, AppRunner
from labs.cloud.auto_scaling import api as auto_scaling_api
from labs.cloud.auto_scaling.state import AutoScaling
from labs.cloud.cloudformation import api as cloudformation_api
from labs.cloud.ecr import api as ecr_api
from labs.cloud.ecr import container as registry_container
from labs.cloud.ecr.state import Ecr
from labs.cloud.ecs import spot
from labs.cloud.ecs.agent_channel import PATH as AGENT_PATH
from labs.cloud.ecs.api import ElasticContainerService
from labs.cloud.ecs.metadata import Metadata
from labs.cloud.ecs.metrics import Metrics
from labs.cloud.ecs.state import Ecs
from labs.cloud.engine import network, proxy
from labs.cloud.engine.stream import Stream
from labs.cloud.events.event_bridge import EventBridge
from labs.cloud.frame.background import Background
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Services
from labs.cloud.frame.signals import Signals
from labs.cloud.frame.store import Store
from labs.cloud.gateway import App, Backend, Receive, Scope, Send
from labs.cloud.instances import machines
from labs.cloud.instances.api import ContainerInstances
from labs.cloud.load_balancing import certificate_door
from labs.cloud.load_balancing.api import ElasticLoadBalancing
from labs.cloud.load_balancing.state import LoadBalancing
from labs.cloud.relay.relay import Relay
from labs.cloud.scaling import api as scaling_api

READY_SECONDS = 60.0

log = logging.getLogger(__name__)


class ControlPlane:
    """The container services of our own.

    Args:
        relay: the way from containers to the gateway.
        backend: what answers for the rest.
    """

    def __init__(self, relay: Relay, backend: Backend) -> None:
        self._relay = relay
        self._store = Store(settings.cloud_dir() / "state.sqlite")
        self._access = Access(self._store)
        self._services = Services()
        self._signals = Signals()
        self._stream = Stream()
        self._background = Background()
        self._events = EventBridge(self._store, self._services, backend)
        ecs = Ecs(self._store, self._services, self._signals, self._events.publish)
        self._ecs = ElasticContainerService(ecs, self._stream, relay)
        balancing = LoadBalancing(self._store, self._services, self._signals)
        self._balancing = ElasticLoadBalancing(balancing)
        ecs.door = self._balancing.door
        self._registry = ecr_api.ElasticContainerRegistry(Ecr(self._store, self._events.publish, self._signals))
        self._metrics = Metrics(ecs)
        self._scaling = scaling_api.ApplicationAutoScaling(
            self._store, self._services, self._metrics.latest, self._balancing.requests_per_target
        )
        self._formation = cloudformation_api.CloudFormationService(self._store, self._services, backend)
        self._auto_scaling = auto_scaling_api.Ec2AutoScaling(
            AutoScaling(self._store, self._services, self._events.publish)
        )
        self._instances = ContainerInstances(self._store, self._signals, self._stream, relay, backend)
        self._app_runner = app_runner_api.AppRunnerService(
            AppRunner(self._store, self._signals, self._events.publish, relay), self._stream
        )
        self._metadata = Metadata(ecs, self._app_runner.credentials)
        ours = {
            "ecs": self._ecs.service,
            "elasticloadbalancing": self._balancing.service,
            ecr_api.SIGNING_NAME: self._registry.service,
            scaling_api.SIGNING_NAME: self._scaling.service,
            cloudformation_api.SIGNING_NAME: self._formation.service,
            auto_scaling_api.SIGNING_NAME: self._auto_scaling.service,
            app_runner_api.SIGNING_NAME: self._app_runner.service,
        }
        for name, service in ours.items():
            self._services.add(name, service)
        doors = {certificate_door.SIGNING_NAME: certificate_door.CertificateDoor(balancing, backend)}
        self.apps: Mapping[str, App] = {**ours, **self._events.apps, **self._instances.apps, **doors}
        self.targets: Mapping[str, str] = {
            "AmazonEC2ContainerServiceV20141113": "ecs",
            ecr_api.TARGET: ecr_api.SIGNING_NAME,
            scaling_api.TARGET_PREFIX: scaling_api.SIGNING_NAME,
            app_runner_api.TARGET: app_runner_api.SIGNING_NAME,
            **self._events.targets,
            **self._instances.targets,
        }

    async def start(self) -> None:
        """Begins as soon as the gateway answers, for the services use the backend through it."""
        self._stream.start()
        threading.Thread(target=self._prepare_images, name="images", daemon=True).start()
        self._background.spawn(self._begin(), "begin")

    async def stop(self) -> None:
        """Ends the tasks and what carries them; what is wanted stays on record."""
        await self._background.end()
        await self._formation.stop()
        await self._scaling.stop()
        await self._auto_scaling.stop()
        await self._metrics.stop()
        await self._events.stop()  # the backend is not reached any more, so what happens from now on is not told
        await self._app_runner.stop()
        await self._ecs.stop()
        await self._instances.stop()
        await self._registry.stop()
        await self._balancing.stop()
        self._stream.end()
        await asyncio.to_thread(self._remove_networks)
        self._store.close()

    async def balance(self, scope: Scope, receive: Receive, send: Send, host: str, port: int | None) -> None:
        """ASGI: a request to a load balancer, or to a service of App Runner."""
        if host.endswith(f".{DOMAIN}"):
            await self._app_runner.answer(scope, receive, send, host)
            return
        await self._balancing.balance(scope, receive, send, host, port)

    async def answer_task(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: a container of a task asks for its metadata or its role's credentials."""
        if scope["path"].startswith(AGENT_PATH):
            await self._ecs.channel(scope, receive, send)
        else:
            await self._metadata(scope, receive, send)

    async def admit(self, app: App, service: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: a service answers a request, if its sender may do what it asks for."""
        await self._access.answer(app, service, scope, receive, send)

    async def registry(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: Docker speaks to the registry of ECR."""
        await self._registry.answer(scope, receive, send)

    async def open_session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: the WebSocket of a session of ECS Exec."""
        await self._ecs.ecs.sessions(scope, receive, send)

    def interrupt(self, task: str) -> tuple[int, dict[str, Any]]:
        """Takes the capacity of a task on Fargate Spot back."""
        try:
            return 202, spot.interrupt(self._ecs.ecs, task)
        except AwsError as problem:
            return problem.status, {"message": problem.message}

    def condition(self) -> dict[str, Any]:
        """What `/_course/health` says of the state on disk."""
        return {"unsaved": ["containers"]} if self._store.failed else {}

    async def _begin(self) -> None:
        await _listening()
        await self._events.start()
        await self._balancing.start()
        await self._registry.start()  # before the tasks that pull from it
        await self._ecs.start()
        await self._instances.start()
        self._metrics.start()
        await self._scaling.start()
        await self._app_runner.start()
        await self._formation.start()
        await self._auto_scaling.start()

    def _prepare_images(self) -> None:
        """Builds what is missing, one after the other: the second one uses what the first one has fetched."""
        self._relay.prepare()
        try:
            proxy.image()
            registry_container.image()
            machines.image()
        except DockerException as problem:
            log.warning(
                "the images of load balancers, of the registry and of instances could not be built yet: %s", problem
            )

    def _remove_networks(self) -> None:
        try:
            self._relay.remove()
            network.remove_all()
        except DockerException as problem:
            log.warning("networks may be left: %s", problem)


async def _listening() -> None:
    """Waits until the gateway takes requests."""
    end = asyncio.get_running_loop().time() + READY_SECONDS
    while asyncio.get_running_loop().time() < end:
        try:
            _, writer = await asyncio.open_connection(settings.GATEWAY_HOST, settings.gateway_port())
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
