"""The container of a load balancer's HAProxy. Everything here is for a thread."""

import hashlib
import os
import platform
import shutil
import socket
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import docker as sdk
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from labs import settings
from labs.cloud.engine import docker, labels, network, own_image

ROLE = "load-balancer"
CONFIGURATION = "haproxy.cfg"
ARN_KEY = "course.load-balancer"
SPEC_KEY = "course.load-balancer.spec"
FOLDER = Path(__file__).resolve().parent / "haproxy"
SOCKET_PATH_BYTES = 100  # the kernel's limit is 108 on Linux, 104 on macOS

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


def image() -> str:
    """The tag of HAProxy's image, built if it is missing.

    Raises:
        docker.errors.DockerException: it could not be built.
    """
    return own_image.ensure("load-balancer", FOLDER, ("Dockerfile", "entry.sh"))


def prepare(spec: Spec) -> None:
    """Makes what a container will need: the image and the network."""
    image()
    network.ensure(spec.vpc, spec.cidr)


def runs(spec: Spec) -> bool:
    """Whether the container of this spec is there and runs."""
    found = _find(spec.container)
    return found is not None and found.status == "running" and found.labels.get(SPEC_KEY) == spec.digest(image())


def start(spec: Spec, files: Mapping[str, str]) -> None:
    """Makes the container anew, with these files: `CONFIGURATION`, and others that it names.

    Raises:
        docker.errors.DockerException: the engine refuses.
    """
    with _changing:
        _start(spec, files)


def _start(spec: Spec, files: Mapping[str, str]) -> None:
    tag = image()
    remove(spec.container)
    joined = network.ensure(spec.vpc, spec.cidr)
    client = docker.client()
    shared = shares_our_files()
    place = folder(spec.arn)
    if shared:
        for name, content in files.items():
            write(place, name, content)
    # Both of AWS's names, so that a task can call the load balancer by the one it was given.
    aliases = [spec.name, spec.name.replace(".elb.localhost", ".elb.amazonaws.com")]
    made = client.containers.create(
        tag,
        name=spec.container,
        labels=labels.labels(ROLE) | {ARN_KEY: spec.arn, SPEC_KEY: spec.digest(tag)},
        environment={} if shared else {"CONFIG": files[CONFIGURATION]},
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


def free_door(taken: set[int]) -> int:
    """A port on 127.0.0.1 that nobody uses now, and that is none of `taken`."""
    while True:
        with socket.socket() as probe:
            probe.bind((settings.GATEWAY_HOST, 0))
            if (door := probe.getsockname()[1]) not in taken:
                return door


def folder(arn: str) -> Path:
    """The folder of a load balancer's configuration and sockets. Only this user can enter it.

    A path too long for the kernel is replaced by a short one among the temporary files.
    """
    own = arn.rpartition("/")[2]
    path = settings.data_dir().absolute() / "run" / "lb" / own
    if len(os.fsencode(path / "master.sock")) > SOCKET_PATH_BYTES:
        path = Path(tempfile.gettempdir()) / f"{settings.COURSE}-lb-{labels.owner()}" / own
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def forget(arn: str) -> None:
    """Removes the folder of a load balancer whose container is gone."""
    shutil.rmtree(folder(arn), ignore_errors=True)


def forget_keys(arn: str, kept: set[str]) -> None:
    """Removes the private keys that a load balancer needs no more from its folder."""
    for file in folder(arn).glob("*.pem"):
        if file.name not in kept:
            file.unlink(missing_ok=True)


def write(place: Path, name: str, content: str) -> None:
    """Puts a file into a folder, whole or not at all. Only this user can read it."""
    fresh = place / f"{name}.new"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    fresh.replace(place / name)


def shares_our_files() -> bool:
    """Whether the engine runs on this very machine, so that a folder of ours with sockets can be mounted."""
    info: dict[str, Any] = docker.client().info()
    return info.get("OperatingSystem") != "Docker Desktop" and info.get("KernelVersion") == platform.release()


def _find(name: str) -> Container | None:
    try:
        return docker.client().containers.get(name)
    except NotFound:
        return None
