"""The containers of a service's instances. Everything here is for a thread."""

import logging
import secrets
import shlex
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from docker.errors import APIError, DockerException, NotFound

from labs import settings
from labs.cloud.app_runner import checks, front
from labs.cloud.app_runner.state import Way
from labs.cloud.engine import docker, labels, network
from labs.cloud.frame.store import Record
from labs.cloud.relay.relay import RelayUnavailableError

ROLE = "app-runner-instance"
REVISION_KEY = "course.app-runner.revision"
STOP_SECONDS = 20
MIB = 1024 * 1024
LOG = {"max-size": "10m", "max-file": "2"}

log = logging.getLogger(__name__)


class Instance(NamedTuple):
    """What Docker says of an instance.

    Args:
        id: Docker's id of the container.
        name: its name, which is also its server's in HAProxy.
        revision: the id of the revision it runs.
        running: whether it runs.
        address: its address in App Runner's network.
    """

    id: str
    name: str
    revision: str
    running: bool
    address: str


def found(arn: str) -> list[Instance]:
    """The instances of a service, the oldest first."""
    wanted = [*labels.ours(ROLE), f"{front.SERVICE_KEY}={arn}"]
    rows = docker.client().api.containers(all=True, filters={"label": wanted})
    return [_instance(row) for row in sorted(rows, key=lambda row: row["Created"])]


def start(
    service: Record, revision: Record, environment: Mapping[str, str], way: Way, vpc: Mapping[str, Any] | None
) -> str:
    """Starts an instance.

    Args:
        service: the service's record.
        revision: what it is to run.
        environment: all of its variables.
        way: to the gateway.
        vpc: the VPC that it is to reach as well, as a VPC connector's record has it.

    Returns:
        Docker's id.

    Raises:
        docker.errors.DockerException: the engine refuses; nothing is left.
    """
    client = docker.client()
    joined = network.ensure(front.NETWORK)
    mebibytes, units = checks.mebibytes_and_units(revision["InstanceConfiguration"])
    command = checks.image_configuration(revision).get("StartCommand")
    code = "CodeRepository" in revision["SourceConfiguration"]  # an image may have no shell
    made = client.containers.create(
        revision["image"],
        command=["sh", "-c", command] if command and code else shlex.split(command) if command else None,
        name=f"apprunner-{service['ServiceName']}-{service['ServiceId'][:8]}-{secrets.token_hex(6)}",
        labels=labels.labels(ROLE) | {front.SERVICE_KEY: service["ServiceArn"], REVISION_KEY: revision["id"]},
        environment=dict(environment),
        use_config_proxy=False,
        mem_limit=mebibytes * MIB,
        memswap_limit=mebibytes * MIB,
        nano_cpus=_cpus(units),
        healthcheck={"test": ["NONE"]},
        log_config={"type": "json-file", "config": LOG},
        network=joined,
    )
    try:
        try:
            client.networks.get(way.ensure()).connect(made)
        except RelayUnavailableError as problem:
            log.warning("an instance of %s starts without a way to the local AWS: %s", service["ServiceName"], problem)
        if vpc:
            name = network.ensure(network.DEFAULT_VPC, vpc["cidr"]) if vpc["default"] else network.ensure(vpc["id"])
            client.networks.get(name).connect(made)
        made.start()
    except DockerException:
        made.remove(force=True, v=True)
        raise
    return made.id


def stop(container_id: str, ended: Callable[[str], object]) -> None:
    """Ends an instance and removes it: SIGTERM, and SIGKILL to one that does not end.

    Args:
        container_id: Docker's id.
        ended: called between the two.
    """
    try:
        made = docker.client().containers.get(container_id)
        made.stop(timeout=STOP_SECONDS)
        ended(container_id)
        made.remove(force=True, v=True)
    except NotFound:
        return
    except APIError as problem:
        if problem.status_code != 409:  # somebody removes it already
            raise


def remove(container_id: str) -> None:
    """Removes an instance at once."""
    try:
        docker.client().api.remove_container(container_id, force=True, v=True)
    except NotFound:
        return
    except APIError as problem:
        if problem.status_code != 409:
            raise


def _cpus(units: int) -> int:
    """A size in nano CPUs; Docker refuses more than the machine has."""
    return int(min(units / 1024, docker.client().info()["NCPU"]) * 1_000_000_000)


def _instance(row: Mapping[str, Any]) -> Instance:
    networks = row["NetworkSettings"]["Networks"]
    own = next((one for name, one in networks.items() if name.startswith(f"{settings.COURSE}-{front.NETWORK}-")), {})
    return Instance(
        row["Id"],
        row["Names"][0].lstrip("/"),
        row["Labels"].get(REVISION_KEY, ""),
        row["State"] == "running",
        own.get("IPAddress") or "",
    )
