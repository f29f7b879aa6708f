"""App Runner as a whole: its operations, and what goes on by itself."""

import asyncio
import logging
import secrets

from docker.errors import DockerException

from labs.cloud.app_runner import (
    auto_scaling,
    connectors,
    domains,
    front,
    ingresses,
    instances,
    logs,
    observability,
    operations,
    pushes,
    repositories,
    services,
    tags,
)
from labs.cloud.app_runner.keeper import Keeper
from labs.cloud.app_runner.state import DELETED, INVALID, PAUSED, SIGNING_NAME, AppRunner
from labs.cloud.engine import docker, sweep
from labs.cloud.engine.exchange import Receive, Scope, Send, pass_on, say
from labs.cloud.engine.output import Output
from labs.cloud.engine.stream import Stream
from labs.cloud.frame.credentials import Credentials
from labs.cloud.frame.service import Operation, Service
from labs.cloud.frame.signals import IMAGE_PUSHED

TARGET = "AppRunner"
_IMAGE = "ImageIdentifier"
ROOMS = (auto_scaling, connectors, domains, ingresses, observability, operations, repositories, services, tags)
OPERATIONS: dict[str, Operation] = {name: one for room in ROOMS for name, one in room.OPERATIONS.items()}

log = logging.getLogger(__name__)


class AppRunnerService:
    """App Runner.

    Args:
        runner: its state.
        stream: the engine's events.
    """

    def __init__(self, runner: AppRunner, stream: Stream) -> None:
        self._runner = runner
        self._keepers: dict[str, Keeper] = {}
        self._started = False
        self._output = Output()
        self._credentials = Credentials()
        runner.wake = self._wake
        runner.ended = lambda _: self._pushed(None)  # a push during an operation counts after it
        stream.listen(self._heard)
        runner.signals.listen(IMAGE_PUSHED, self._pushed)
        # a `repositoryUri` of our ECR works as given, and not only in the form that it has on AWS
        self.service = Service(
            SIGNING_NAME, runner, OPERATIONS, runner.store, invalid=INVALID, wider=[_IMAGE, "TagKey"]
        )

    async def start(self) -> None:
        """Looks after all services from now on."""
        self._started = True
        for arn, record in self._runner.services.items():
            if record["Status"] != DELETED:
                for one in await docker.run(instances.found, arn):
                    await docker.run(logs.follow, self._output, record, one.id)
            self._wake(arn)
        self._pushed(None)

    async def stop(self) -> None:
        """Ends the instances and what carries them; what is wanted stays on record."""
        self._started = False
        await self._runner.background.end()
        await asyncio.to_thread(self._output.end)
        for role in (front.ROLE, instances.ROLE):
            try:
                await docker.run(sweep.sweep_quietly, role)
            except DockerException as problem:
                log.warning("containers of App Runner may be left: %s", problem)

    async def credentials(self, wanted: str) -> dict[str, str] | None:
        """The credentials of the instance role behind an id, as SDKs read them; None if the id is none of ours.

        Raises:
            Refusal: the role cannot be assumed.
        """
        for record in self._runner.services.values():
            role = (record.get("_active") or record)["InstanceConfiguration"].get("InstanceRoleArn")
            known = record["_credentials_id"]
            if role and record["Status"] != DELETED and secrets.compare_digest(known.encode(), wanted.encode()):
                return await asyncio.to_thread(self._credentials.get, known, role, record["ServiceArn"])
        return None

    async def answer(self, scope: Scope, receive: Receive, send: Send, host: str) -> None:
        """ASGI: a request to the URL of a service."""
        found = next((one for one in self._runner.services.values() if host == one["ServiceUrl"]), None)
        if found is None or found["Status"] in (DELETED, PAUSED):
            await say(send, 404, f"There is no running service with the name {host}.")
            return
        network = (found.get("_active") or found)["NetworkConfiguration"]
        if not network["IngressConfiguration"]["IsPubliclyAccessible"]:
            await say(send, 404, f"The service {found['ServiceName']} is private: it has no public address.")
            return
        door = found.get("_door")
        if not door or not found.get("_active") or not await pass_on(scope, receive, send, door, host):
            await say(send, 503, f"The service {found['ServiceName']} is being set up. Try again in a moment.")

    def _wake(self, arn: str) -> None:
        if not self._started:
            return
        if arn not in self._keepers:
            self._keepers[arn] = Keeper(self._runner, arn, self._output)
            self._runner.background.spawn(self._keep(arn), f"the service {arn}")
        self._keepers[arn].wake()

    async def _keep(self, arn: str) -> None:
        try:
            await self._keepers[arn].run()
        finally:
            del self._keepers[arn]

    def _pushed(self, repository: str | None) -> None:
        """A repository has another image, or it is not known whether."""
        if self._started:
            self._runner.background.spawn(pushes.look(self._runner, repository), "automatic deployments")

    def _heard(self, event: dict | None) -> None:
        """Docker's stream says that something has happened to a container of ours."""
        arn = ((event or {}).get("Actor") or {}).get("Attributes", {}).get(front.SERVICE_KEY)
        for one in [arn] if arn else [] if event else list(self._keepers):
            if one in self._keepers:
                self._keepers[one].wake()
