"""Keeps the network of the task containers and the relay on it.

169.254.170.2 is the one address from which every AWS SDK accepts container credentials, so an unmodified boto3 in a
task works. The relay's only listener is that address; it passes everything to the gateway's unix socket, whose folder
is mounted, or, where the engine runs in a machine of its own (Docker Desktop), to `host.docker.internal`.

There is one such address on an engine. If two local AWS share the engine, the relay serves the one that has tasks.
"""

import logging
import os
import platform
import threading
import time
from pathlib import Path

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container
from docker.models.networks import Network

from labs import settings
from labs.cloud.engine import own_image
from labs.cloud.engine.labels import OWNER_KEY

FOLDER = Path(__file__).resolve().parent
NETWORK = settings.COURSE
CONTAINER = f"{settings.COURSE}-relay"
SUBNET = "169.254.170.0/24"
ENGINE_ADDRESS = "169.254.170.1"
TASK_ADDRESSES = "169.254.170.128/25"  # so that no task is ever given the relay's address
ROLE = "relay"
USERS = ("task", "app-runner-instance")  # the roles of containers that need it
BUSY_SECONDS = 15.0

log = logging.getLogger(__name__)


def _image() -> str:
    return own_image.ensure("relay", FOLDER, ("Dockerfile", "haproxy.cfg"))


class RelayUnavailableError(Exception):
    """Task containers cannot reach the local AWS. The text says why."""


class Relay:
    """The relay of one gateway.

    Args:
        owner: the gateway's name on labels.
        socket: the gateway's unix socket.
        port: the gateway's port on 127.0.0.1, used where the socket cannot be mounted.
    """

    def __init__(self, owner: str, socket: Path, port: int) -> None:
        self._owner = owner
        self._socket = socket
        self._port = port
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Builds the relay's image if it is missing; seconds the first time. For a background thread."""
        try:
            with self._lock:
                _image()
        except (DockerException, RelayUnavailableError) as problem:
            log.warning("the relay's image could not be built yet: %s", problem)

    def ensure(self) -> str:
        """Makes sure that the relay runs and is ours.

        Returns:
            The network that task containers are to join.

        Raises:
            RelayUnavailableError: it cannot run.
        """
        try:
            with self._lock:
                client = docker.from_env()
                if not self._runs(client):
                    self._start(client)
        except DockerException as problem:
            raise RelayUnavailableError(f"The relay to the local AWS could not be started: {problem}") from problem
        return NETWORK

    def remove(self) -> None:
        """Removes the relay if it is ours, and the network if nothing is on it."""
        with self._lock:
            client = docker.from_env()
            if (relay := _relay(client)) and relay.labels.get(OWNER_KEY) == self._owner:
                relay.remove(force=True, v=True)
            if (network := _network(client)) and not network.attrs.get("Containers"):
                try:
                    network.remove()
                except APIError as problem:  # somebody joined it in this moment
                    log.warning("the network %s stays: %s", NETWORK, problem)

    def _runs(self, client: docker.DockerClient) -> bool:
        relay = _relay(client)
        return relay is not None and relay.status == "running" and relay.labels.get(OWNER_KEY) == self._owner

    def _start(self, client: docker.DockerClient) -> None:
        image = _image()
        network = self._ensure_network(client)
        if old := _relay(client):
            self._wait_idle(client, old.labels.get(OWNER_KEY, ""))
            old.remove(force=True, v=True)
        mounted = _shares_our_files(client)
        target = "unix@/gateway/gateway.sock" if mounted else f"host.docker.internal:{self._port}"
        relay = client.containers.create(
            image,
            name=CONTAINER,
            labels={settings.LABEL_KEY: settings.LABEL_VALUE, settings.ROLE_KEY: ROLE, OWNER_KEY: self._owner},
            environment={"GATEWAY": target},
            volumes={str(self._socket.parent): {"bind": "/gateway", "mode": "ro"}} if mounted else {},
            extra_hosts={} if mounted else {"host.docker.internal": "host-gateway"},
            user=f"{os.getuid()}:{os.getgid()}" if mounted else None,  # the socket is for this user only
            sysctls={"net.ipv4.ip_unprivileged_port_start": "0"},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            read_only=True,
            network=network.name,
            networking_config={
                network.name: client.api.create_endpoint_config(ipv4_address=settings.RELAY_ADDRESS),
            },
        )
        try:
            relay.start()
            _wait_running(relay)
        except (DockerException, RelayUnavailableError):
            relay.remove(force=True, v=True)
            raise

    def _wait_idle(self, client: docker.DockerClient, owner: str) -> None:
        """Waits until the relay's present owner has no task running.

        Raises:
            RelayUnavailableError: it still has after some seconds.
        """
        if owner == self._owner:
            return
        theirs = [settings.LABEL, f"{OWNER_KEY}={owner}"]
        filters = [{"label": [*theirs, f"{settings.ROLE_KEY}={role}"]} for role in USERS]
        deadline = time.monotonic() + BUSY_SECONDS
        while any(client.containers.list(sparse=True, filters=one) for one in filters):
            if time.monotonic() > deadline:
                raise RelayUnavailableError(
                    "Another local AWS of this course has tasks on this Docker engine. Stop those first."
                )
            time.sleep(0.2)

    def _ensure_network(self, client: docker.DockerClient) -> Network:
        if network := _network(client):
            return network
        pool = docker.types.IPAMPool(subnet=SUBNET, iprange=TASK_ADDRESSES, gateway=ENGINE_ADDRESS)
        return client.networks.create(
            NETWORK,
            driver="bridge",
            ipam=docker.types.IPAMConfig(pool_configs=[pool]),
            labels={settings.LABEL_KEY: settings.LABEL_VALUE, settings.ROLE_KEY: ROLE},
        )


def _relay(client: docker.DockerClient) -> Container | None:
    try:
        return client.containers.get(CONTAINER)
    except NotFound:
        return None


def _network(client: docker.DockerClient) -> Network | None:
    try:
        return client.networks.get(NETWORK)
    except NotFound:
        return None


def _shares_our_files(client: docker.DockerClient) -> bool:
    """Whether the engine runs on this very machine, so that a unix socket of ours can be mounted."""
    info = client.info()
    return info.get("OperatingSystem") != "Docker Desktop" and info.get("KernelVersion") == platform.release()


def _wait_running(relay: Container) -> None:
    """Waits until HAProxy has read its configuration and stays up."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        relay.reload()
        if relay.status == "exited":
            said = relay.logs(tail=5).decode("utf-8", "replace").strip()
            raise RelayUnavailableError(f"The relay to the local AWS ended at once: {said}")
        if relay.exec_run(["true"]).exit_code == 0:
            return
        time.sleep(0.05)
    raise RelayUnavailableError("The relay to the local AWS did not start within 10 s.")
