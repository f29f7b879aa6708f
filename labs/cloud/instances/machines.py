"""The container of an instance: a slice of the engine with the instance's address, in which the ECS agent runs.

Everything here is for a thread.
"""

import hashlib
import json
import logging
import platform
from pathlib import Path
from typing import NamedTuple

from docker.errors import APIError, NotFound
from docker.models.containers import Container

from labs import settings
from labs.cloud.engine import docker, labels, network, own_image
from labs.cloud.frame import clock, identity
from labs.cloud.instances import images, types
from labs.cloud.relay.relay import Relay

FOLDER = Path(__file__).resolve().parent / "machine"
FILES = ("Dockerfile", "agent.py", "init.py", "systemctl")
MEMORY = 256 * 1024 * 1024  # of the agent; the tasks have theirs
# systemd's RestartSec of ecs.service
RESTART_SECONDS = clock.lesson(10.0)

log = logging.getLogger(__name__)


class Machine(NamedTuple):
    """An EC2 instance that is to run: its facts, and the content of its ecs.config."""

    id: str
    region: str
    type: str
    image: str
    address: str
    subnet: str
    vpc: str
    vpc_cidr: str
    is_default_vpc: bool
    zone: str
    configuration: str

    @property
    def size(self) -> types.Size:
        """What its type has."""
        return types.size(self.type)


def image() -> str:
    """The tag of the instances' image, built if it is missing.

    Raises:
        docker.errors.DockerException: it could not be built.
    """
    return own_image.ensure("instance", FOLDER, FILES)


def running() -> set[str]:
    """The ids of the instances whose container runs."""
    return {one.labels[labels.INSTANCE] for one in _all() if one.status == "running"}


def present() -> set[str]:
    """The ids of the instances that have a container, running or not."""
    return {one.labels[labels.INSTANCE] for one in _all()}


def boot(machine: Machine, relay: Relay) -> str:
    """Makes and starts the container of an instance, with its disk as it was.

    Args:
        machine: the instance.
        relay: the way to the local AWS.

    Returns:
        The address that it has: its own, or another one where the engine cannot give it that one.

    Raises:
        docker.errors.DockerException: the engine refuses.
        labs.cloud.relay.relay.RelayUnavailableError: there is no way to the local AWS.
    """
    remove(machine.id)
    client = docker.client()
    name = network.ensure(*((network.DEFAULT_VPC, machine.vpc_cidr) if machine.is_default_vpc else (machine.vpc,)))
    joined = client.networks.get(name)
    _disk(machine.id)
    container = client.containers.create(
        image(),
        name=container_name(machine.id),
        hostname=f"ip-{machine.address.replace('.', '-')}",
        labels=labels.labels(labels.INSTANCE_ROLE) | {labels.INSTANCE: machine.id},
        environment=_environment(machine),
        volumes={disk_name(machine.id): {"bind": "/disk", "mode": "rw"}},
        mem_limit=MEMORY,
        sysctls={"net.ipv4.ip_forward": "1", "net.ipv4.ip_unprivileged_port_start": "0"},
        cap_drop=["ALL"],
        cap_add=["NET_ADMIN", "NET_RAW", "KILL"],
        security_opt=["no-new-privileges"],
        stop_signal="SIGKILL",
        ipc_mode="shareable",
        network=name,
    )
    try:
        joined.disconnect(container)
        try:
            joined.connect(container, ipv4_address=machine.address)
        except APIError as problem:  # not of the network's range, or a task has it already
            log.warning("%s cannot have the address %s: %s", machine.id, machine.address, problem.explanation)
            joined.connect(container)
        client.networks.get(relay.ensure()).connect(container)
        container.start()
        container.reload()
    except BaseException:
        container.remove(force=True, v=True)
        raise
    return container.attrs["NetworkSettings"]["Networks"][name]["IPAddress"]


def remove(instance: str) -> None:
    """Removes the container of an instance; its disk stays."""
    for one in _all():
        if one.labels[labels.INSTANCE] == instance:
            try:
                one.remove(force=True, v=True)
            except NotFound:
                continue


def remove_disk(instance: str) -> None:
    """Removes the disk of an instance that was terminated."""
    filters = {"label": [f"{labels.INSTANCE}={instance}", *labels.ours()]}
    for volume in docker.client().volumes.list(filters=filters):
        try:
            volume.remove(force=True)
        except NotFound:
            continue
        except APIError as problem:  # a task's container still has it
            log.info("the disk of %s stays for now: %s", instance, problem.explanation)


def disks() -> set[str]:
    """The ids of the instances that have a disk."""
    found = docker.client().volumes.list(filters={"label": labels.ours(labels.DISK_ROLE)})
    return {one.attrs["Labels"].get(labels.INSTANCE, "") for one in found} - {""}


def container_name(instance: str) -> str:
    """The name of an instance's container in Docker."""
    return labels.instance_container(instance)


def disk_name(instance: str) -> str:
    """The name of the Docker volume that is an instance's disk."""
    return labels.instance_disk(instance)


def _disk(instance: str) -> None:
    volumes = docker.client().volumes
    try:
        volumes.get(disk_name(instance))
    except NotFound:
        volumes.create(disk_name(instance), labels=labels.labels(labels.DISK_ROLE) | {labels.INSTANCE: instance})


def _all() -> list[Container]:
    filters = {"label": labels.ours(labels.INSTANCE_ROLE)}
    return [
        one
        for one in docker.client().containers.list(all=True, ignore_removed=True, filters=filters)
        if labels.INSTANCE in one.labels
    ]


def _environment(machine: Machine) -> dict[str, str]:
    """What the agent has to know of the instance."""
    facts = {
        "accountId": settings.ACCOUNT,
        "architecture": machine.size.architecture,
        "availabilityZone": machine.zone,
        "imageId": machine.image,
        "instanceId": machine.id,
        "instanceType": machine.type,
        "privateIp": machine.address,
        "region": machine.region,
        "version": "2017-09-30",
    }
    document = identity.document(facts)
    versions = {
        "agentVersion": images.AGENT_VERSION,
        "agentHash": hashlib.sha256((FOLDER / "agent.py").read_bytes()).hexdigest()[:8],
        "dockerVersion": f"DockerVersion: {docker.client().version()['Version']}",
    }
    return {
        "GATEWAY": f"http://{settings.RELAY_ADDRESS}",
        "AWS_REGION": machine.region,
        "INSTANCE_ID": machine.id,
        "VCPUS": str(machine.size.vcpus),
        "MEMORY_MIB": str(machine.size.registered_memory),
        "IDENTITY_DOCUMENT": document,
        "IDENTITY_SIGNATURE": identity.sign(document),
        "VERSIONS": json.dumps(versions),
        "ATTRIBUTES": json.dumps(_attributes(machine)),
        "ECS_CONFIG": machine.configuration,
        "RESTART_SECONDS": str(RESTART_SECONDS),
    }


def _attributes(machine: Machine) -> dict[str, str | None]:
    """What the agent tells of the instance: facts, and what it can do.

    The capabilities are those that the local AWS has on every instance.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html
    """
    architecture = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
    facts = {
        "ecs.ami-id": machine.image,
        "ecs.availability-zone": machine.zone,
        "ecs.instance-type": machine.type,
        "ecs.os-type": "linux",
        "ecs.os-family": "LINUX",
        # that of the engine: what an image is built for has to run on it
        "ecs.cpu-architecture": architecture.get(platform.machine().lower(), machine.size.architecture),
        "ecs.vpc-id": machine.vpc,
        "ecs.subnet-id": machine.subnet,
    }
    return {**facts, **dict.fromkeys(CAPABILITIES)}


CAPABILITIES = (
    *(f"com.amazonaws.ecs.capability.docker-remote-api.1.{minor}" for minor in range(17, 45)),
    *(f"com.amazonaws.ecs.capability.logging-driver.{name}" for name in ("awslogs", "json-file", "none", "local")),
    "com.amazonaws.ecs.capability.ecr-auth",
    "com.amazonaws.ecs.capability.privileged-container",
    "com.amazonaws.ecs.capability.task-iam-role",
    "com.amazonaws.ecs.capability.task-iam-role-network-host",
    "ecs.capability.container-health-check",
    "ecs.capability.container-ordering",
    "ecs.capability.docker-plugin.local",
    "ecs.capability.efs",
    "ecs.capability.efsAuth",
    "ecs.capability.env-files.s3",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.execution-role-ecr-pull",
    "ecs.capability.pid-ipc-namespace-sharing",
    "ecs.capability.private-registry-authentication.secretsmanager",
    "ecs.capability.secrets.asm.environment-variables",
    "ecs.capability.secrets.ssm.environment-variables",
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.task-eni",
)
