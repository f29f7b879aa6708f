"""A task's network in Docker: one address for all its containers, and a way to the local AWS.

A task of several containers has a pause container that holds the network for the others, as the ECS agent does it; a
task of one container holds its own. For threads.
"""

import logging
from typing import Any, NamedTuple

import docker as sdk
from docker.errors import APIError, ImageNotFound, NotFound
from docker.models.containers import Container

from labs import settings
from labs.cloud.ecs import networking
from labs.cloud.engine import docker, labels, network
from labs.cloud.relay.relay import Relay, RelayUnavailableError

PAUSE = "~internal~ecs~pause"  # the name that the ECS agent gives it
ADDRESS_TRIES = 5

log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Where a task is to live: its subnet and the addresses that are in use."""

    subnet: networking.Subnet
    used: frozenset[str]


class Address(NamedTuple):
    """What Docker gave a container."""

    ip: str
    mac: str


def network_of(place: Place) -> str:
    """The name of the Docker network of a task's VPC, made if missing."""
    if place.subnet.is_default_vpc:
        return network.ensure(network.DEFAULT_VPC, place.subnet.vpc_cidr)
    return network.ensure(place.subnet.vpc)


def network_of_instance(instance: str) -> str:
    """The name of the Docker network of the VPC that an EC2 instance is in.

    Raises:
        docker.errors.NotFound: the instance has no container.
    """
    container = docker.client().containers.get(labels.instance_container(instance))
    found = container.attrs["NetworkSettings"]["Networks"]
    return next(name for name in found if name.startswith(f"{settings.COURSE}-"))


def create(options: dict[str, Any], place: Place, relay: Relay) -> Container:
    """Creates a container with an address of the task's subnet, on the way to the local AWS. It is not started.

    Args:
        options: what `containers.create` takes, with `network`.
        place: where the task is to live.
        relay: the way to the local AWS.

    Raises:
        docker.errors.DockerException: the engine refuses.
    """
    client = docker.client()
    container = client.containers.create(**options)
    try:
        _join(client, container, options["network"], place)
        try:
            client.networks.get(relay.ensure()).connect(container)
        except RelayUnavailableError as problem:
            log.warning("a task starts without a way to the local AWS: %s", problem)
    except BaseException:
        container.remove(force=True, v=True)
        raise
    return container


def create_bridged(options: dict[str, Any], links: list[tuple[str, str]], relay: Relay) -> Container:
    """Creates a container of a bridge mode task: on the network of its instance's VPC, on the way to the local AWS.

    Its ports are not open there by themselves: the instance leads its host ports to them.

    Args:
        options: what `containers.create` takes, with `network`.
        links: names of containers and what they are called here.
        relay: the way to the local AWS.
    """
    client = docker.client()
    if links:
        joined = client.api.create_endpoint_config(links=links)
        options = {**options, "networking_config": {options["network"]: joined}}
    container = client.containers.create(**options)
    try:
        client.networks.get(relay.ensure()).connect(container)
    except RelayUnavailableError as problem:
        log.warning("a task starts without a way to the local AWS: %s", problem)
    except BaseException:
        container.remove(force=True, v=True)
        raise
    return container


def create_pause(task: dict[str, Any], name: str, place: Place, relay: Relay) -> Container:
    """Creates a task's pause container: the base image, asleep.

    Args:
        task: the task's record.
        name: the container's name.
        place: where the task is to live.
        relay: the way to the local AWS.
    """
    own = {labels.TASK_ARN: task["taskArn"], "com.amazonaws.ecs.container-name": PAUSE}
    options = {
        "image": settings.BASE_IMAGE,
        "name": name,
        "network": network_of(place),
        "labels": labels.labels(labels.TASK_ROLE) | own,
        "entrypoint": ["sleep", "infinity"],
        "stop_signal": "SIGKILL",
        "hostname": f"ip-{task['taskArn'][-12:]}",
        "cap_drop": ["ALL"],
        "read_only": True,
    }
    return create(options, place, relay)


def address(container: Container) -> Address:
    """The address of a started container on its VPC's network."""
    container.reload()
    found = container.attrs["NetworkSettings"]["Networks"]
    for name, endpoint in found.items():
        if name.startswith(f"{settings.COURSE}-"):
            return Address(endpoint["IPAddress"], endpoint["MacAddress"])
    return Address("", "")


def existing(name: str) -> Container | None:
    """Our container of this name, if there is one."""
    try:
        found = docker.client().containers.get(name)
    except (NotFound, ImageNotFound):
        return None
    return found if found.labels.get(labels.OWNER_KEY) == labels.owner() else None


def _join(client: sdk.DockerClient, container: Container, name: str, place: Place) -> None:
    """Gives the container an address of its subnet, where the network has the VPC's range."""
    if not place.subnet.is_default_vpc or not _has_range(client, name, place.subnet.vpc_cidr):
        return
    joined = client.networks.get(name)
    used = set(place.used)
    joined.disconnect(container)
    for _ in range(ADDRESS_TRIES):
        ip = networking.free_address(place.subnet.cidr, used)
        try:
            joined.connect(container, ipv4_address=ip)
        except APIError as problem:
            if "already in use" not in str(problem):
                raise
            used.add(ip)
        else:
            return
    joined.connect(container)


def _has_range(client: sdk.DockerClient, name: str, cidr: str) -> bool:
    pools = client.networks.get(name).attrs["IPAM"]["Config"] or []
    return any(pool.get("Subnet") == cidr for pool in pools)
