"""The container of a load balancer's HAProxy. Everything here is for a thread."""

import hashlib
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import docker as sdk
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from labs import settings
from labs.cloud.engine import docker, labels, network, proxy

ROLE = "load-balancer"
ARN_KEY = "course.load-balancer"
SPEC_KEY = "course.load-balancer.spec"

_changing = threading.Lock()  # what is being made when all are to go is there before they go


class Spec(NamedTuple):
    """What a container is made for. A change of it needs a new container.

    Args:
        arn: the load balancer's ARN.
        name: its DNS name.
        vpc: the key of its VPC's network.
        cidr: the address range to ask for, if the network is still to be made.
        doors: listener port to the port on 127.0.0.1.
    """

    arn: str
    name: str
    vpc: str
    cidr: str | None
    doors: dict[int, int]

    @property
    def container(self) -> str:
        """The container's name."""
        _, name, own = self.arn.rpartition("loadbalancer/")[2].split("/")
        return f"elb-{name}-{own[:8]}-{labels.owner()[:6]}"

    def digest(self, image: str) -> str:
        """A short name for all of it."""
        return hashlib.sha256(repr((self, image)).encode()).hexdigest()[:16]


def prepare(spec: Spec) -> None:
    """Makes what a container will need: the image and the network."""
    proxy.image()
    network.ensure(spec.vpc, spec.cidr)


def runs(spec: Spec) -> bool:
    """Whether the container of this spec is there and runs."""
    found = _find(spec.container)
    return found is not None and found.status == "running" and found.labels.get(SPEC_KEY) == spec.digest(proxy.image())


def start(spec: Spec, files: Mapping[str, str]) -> None:
    """Makes the container anew, with these files: `proxy.CONFIGURATION`, and others that it names.

    Raises:
        docker.errors.DockerException: the engine refuses.
    """
    with _changing:
        _start(spec, files)


def _start(spec: Spec, files: Mapping[str, str]) -> None:
    tag = proxy.image()
    remove(spec.container)
    joined = network.ensure(spec.vpc, spec.cidr)
    client = docker.client()
    shared = proxy.shares_our_files()
    place = folder(spec.arn)
    if shared:
        for name, content in files.items():
            proxy.write(place, name, content)
    # Both of AWS's names, so that a task can call the load balancer by the one it was given.
    aliases = [spec.name, spec.name.replace(".elb.localhost", ".elb.amazonaws.com")]
    made = client.containers.create(
        tag,
        name=spec.container,
        labels=labels.labels(ROLE) | {ARN_KEY: spec.arn, SPEC_KEY: spec.digest(tag)},
        environment={} if shared else {"CONFIG": files[proxy.CONFIGURATION]},
        volumes={str(place): {"bind": "/lb", "mode": "rw"}} if shared else {},
        tmpfs={} if shared else {"/lb": "mode=1777"},
        user=f"{os.getuid()}:{os.getgid()}" if shared else "65534:65534",
        ports={f"{port}/tcp": (settings.GATEWAY_HOST, door) for port, door in spec.doors.items()},
        sysctls={"net.ipv4.ip_unprivileged_port_start": "0"},
        ulimits=[sdk.types.Ulimit(name="nofile", soft=16384, hard=16384)],
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        read_only=True,
        stop_signal="SIGKILL",
        network=joined,
        networking_config={joined: client.api.create_endpoint_config(aliases=aliases)},
    )
    try:
        made.start()
    except APIError:
        made.remove(force=True, v=True)
        raise


def remove(name: str) -> None:
    """Removes a container of ours, if it is there."""
    found = _find(name)
    if found is not None and labels.OWNER_KEY in found.labels and found.labels[labels.OWNER_KEY] == labels.owner():
        found.remove(force=True, v=True)


def remove_others(kept: set[str]) -> None:
    """Removes the load balancers' containers of ours except those with these names."""
    with _changing:
        for found in docker.client().containers.list(all=True, sparse=True, filters={"label": labels.ours(ROLE)}):
            name = found.attrs["Names"][0].lstrip("/")
            if name not in kept:
                remove(name)


def last_words(name: str) -> str:
    """What HAProxy said last; for the log."""
    found = _find(name)
    return found.logs(tail=8).decode("utf-8", "replace").strip() if found else "there is no container"


def folder(arn: str) -> Path:
    """The folder of a load balancer's configuration and sockets. Only this user can enter it.

    A path too long for the kernel is replaced by a short one among the temporary files.
    """
    return proxy.folder("lb", arn.rpartition("/")[2])


def forget(arn: str) -> None:
    """Removes the folder of a load balancer whose container is gone."""
    shutil.rmtree(folder(arn), ignore_errors=True)


def forget_keys(arn: str, kept: set[str]) -> None:
    """Removes the private keys that a load balancer needs no more from its folder."""
    for file in folder(arn).glob("*.pem"):
        if file.name not in kept:
            file.unlink(missing_ok=True)


def _find(name: str) -> Container | None:
    try:
        return docker.client().containers.get(name)
    except NotFound:
        return None
