"""The HAProxy in front of a service: its container, and what it is told at run time."""

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence

import docker as sdk
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container

from labs import settings
from labs.cloud.app_runner import front_config
from labs.cloud.app_runner.front_config import Server
from labs.cloud.engine import admin, connections, docker, labels, network, proxy
from labs.cloud.frame.store import Record

ROLE = "app-runner"
SERVICE_KEY = "course.app-runner.service"
SPEC_KEY = "course.app-runner.spec"
NETWORK = "app-runner"  # the VPC of App Runner itself, in which all instances are
START_SECONDS = 15.0

Row = Mapping[str, str]


class Front:
    """The HAProxy of one service.

    Args:
        arn: the service's ARN.
        name: its URL's host name.
    """

    def __init__(self, arn: str, name: str) -> None:
        self._arn = arn
        self._name = name
        self._own = arn.rpartition("/")[2]
        self.container = f"apprunner-{arn.split('/')[1]}-{self._own[:8]}-front"
        self._channel: admin.Sockets | admin.Executed | None = None
        self._loaded = ""

    async def ensure(self, door: int, checks: Mapping[str, Record], servers: Sequence[Server], most: int) -> None:
        """Makes sure that it runs with this configuration. No request is lost when that changes.

        Args:
            door: the port on 127.0.0.1.
            checks: revisions and their health checks.
            servers: those that get requests, for a HAProxy that is started or reloaded now.
            most: how many requests each gets at once.

        Raises:
            docker.errors.DockerException: the engine refuses.
            admin.NoAnswerError: HAProxy does not answer.
        """
        text = front_config.render(checks)
        whole = front_config.complete(text, servers, most)
        if self._channel is None:
            shared = await docker.run(proxy.shares_our_files)
            if not await docker.run(self._runs, door):
                await docker.run(self._start, door, whole, shared)
            self._channel = admin.Sockets(self._folder()) if shared else admin.Executed(self.container)
            self._loaded = await self._answering()
        wanted = front_config.digest(text)
        if self._loaded == wanted:
            return
        if isinstance(self._channel, admin.Executed):
            await self._channel.write(proxy.CONFIGURATION, whole)
        else:
            await asyncio.to_thread(proxy.write, self._folder(), proxy.CONFIGURATION, whole)
        with connections.renewed([door]):
            await self._reload(wanted)

    async def _reload(self, wanted: str) -> None:
        """Has HAProxy read its file, and waits until it works by the configuration with this digest."""
        await self._channel.ask("master", ["reload"])
        end = asyncio.get_running_loop().time() + START_SECONDS
        while (found := await self._description()) != wanted:
            if asyncio.get_running_loop().time() > end:
                raise admin.NoAnswerError("HAProxy did not take its new configuration.")
            await asyncio.sleep(0.05)
        self._loaded = found

    async def table(self) -> dict[str, dict[str, Row]]:
        """The rows of `show stat` by backend (or frontend) and server.

        Raises:
            admin.NoAnswerError: HAProxy does not answer.
        """
        found: dict[str, dict[str, Row]] = {}
        for row in admin.rows(await self.ask(["show stat"])):
            found.setdefault(row["pxname"], {})[row["svname"]] = row
        return found

    async def ask(self, commands: list[str]) -> str:
        """What HAProxy says to commands.

        Raises:
            admin.NoAnswerError: it says nothing.
        """
        if self._channel is None:
            raise admin.NoAnswerError("HAProxy is not there.")
        return await self._channel.ask("admin", commands)

    def lost(self) -> None:
        """It did not answer: the next look finds out why."""
        self._channel = None

    async def remove(self) -> None:
        """Removes the container and its folder."""
        self._channel = None
        await docker.run(self._remove)
        shutil.rmtree(self._folder(), ignore_errors=True)

    def _folder(self):
        return proxy.folder("ar", self._own)

    async def _answering(self) -> str:
        end = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            try:
                return await self._description()
            except admin.NoAnswerError:
                if asyncio.get_running_loop().time() > end:
                    raise
                await asyncio.sleep(0.05)

    async def _description(self) -> str:
        found = re.search(r"^description: (\S*)", await self.ask(["show info"]), re.MULTILINE)
        if not found:
            raise admin.NoAnswerError("HAProxy answered with nothing.")
        return found[1]

    # --- for threads

    def _find(self) -> Container | None:
        try:
            found = docker.client().containers.get(self.container)
        except NotFound:
            return None
        return found if found.labels.get(labels.OWNER_KEY) == labels.owner() else None

    def _spec(self, door: int, image: str) -> str:
        return hashlib.sha256(f"{self._name} {door} {image}".encode()).hexdigest()[:16]

    def _runs(self, door: int) -> bool:
        found = self._find()
        running = found is not None and found.status == "running"
        return running and found.labels.get(SPEC_KEY) == self._spec(door, proxy.image())

    def _remove(self) -> None:
        if found := self._find():
            try:
                found.remove(force=True, v=True)
            except NotFound:
                return
            except APIError as problem:
                if problem.status_code != 409:
                    raise

    def _start(self, door: int, configuration: str, shared: bool) -> None:
        tag = proxy.image()
        self._remove()
        joined = network.ensure(NETWORK)
        client = docker.client()
        place = self._folder()
        if shared:
            proxy.write(place, proxy.CONFIGURATION, configuration)
        made = client.containers.create(
            tag,
            name=self.container,
            labels=labels.labels(ROLE) | {SERVICE_KEY: self._arn, SPEC_KEY: self._spec(door, tag)},
            environment={} if shared else {"CONFIG": configuration},
            volumes={str(place): {"bind": "/lb", "mode": "rw"}} if shared else {},
            tmpfs={} if shared else {"/lb": "mode=1777"},
            user=f"{os.getuid()}:{os.getgid()}" if shared else "65534:65534",
            ports={f"{front_config.PORT}/tcp": (settings.GATEWAY_HOST, door)},
            ulimits=[sdk.types.Ulimit(name="nofile", soft=16384, hard=16384)],
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            read_only=True,
            stop_signal="SIGKILL",
            network=joined,
            networking_config={joined: client.api.create_endpoint_config(aliases=[self._name])},
        )
        try:
            made.start()
        except DockerException:
            made.remove(force=True, v=True)
            raise
