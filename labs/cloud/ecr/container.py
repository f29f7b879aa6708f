"""The container of the Distribution registry, which keeps layers and manifests. Everything here is for a thread.

https://distribution.github.io/distribution/
"""

import contextlib
import http.client
import threading
import time
from pathlib import Path

from docker.errors import DockerException, NotFound
from docker.models.containers import Container

from labs import settings
from labs.cloud.engine import docker, labels, network, own_image

ROLE = "registry"
FOLDER = Path(__file__).resolve().parent / "registry"
SPEC_KEY = "course.registry.spec"
PORT = "5000/tcp"
DATA = "/var/lib/registry"
START_SECONDS = 15.0
NETWORK = "registry"  # of its own, so that no other container reaches it

_changing = threading.Lock()


class RegistryError(Exception):
    """The registry does not run. The text says why."""


def image() -> str:
    """The tag of the registry's image, built if it is missing.

    Raises:
        docker.errors.DockerException: it could not be built.
    """
    return own_image.ensure("registry", FOLDER, ("Dockerfile", "config.yml"))


def ensure() -> int:
    """Makes sure that the registry runs.

    Returns:
        Its port on 127.0.0.1.

    Raises:
        RegistryError: it ends at once or does not answer.
        docker.errors.DockerException: the engine refuses.
    """
    tag = image()
    with _changing:
        found = _find()
        if found is None or found.status != "running" or found.labels.get(SPEC_KEY) != tag:
            found = _start(tag)
        return _port(found)


def collect_garbage() -> None:
    """Removes layers that no manifest names. Nothing may be written meanwhile.

    https://distribution.github.io/distribution/about/garbage-collection/

    Raises:
        RegistryError: it failed.
    """
    found = _find()
    if found is None:
        raise RegistryError("There is no registry.")
    code, said = found.exec_run(["docker-registry", "garbage-collect", "/etc/course/registry.yml"])
    if code:
        raise RegistryError(f"The garbage collection failed: {said[-500:].decode('utf-8', 'replace')}")


def remove() -> None:
    """Removes the container. Its volume stays, and everything in it."""
    with _changing:
        _remove()


def volume() -> str:
    """The name of the volume that keeps the bytes."""
    return f"{settings.COURSE}-registry-{labels.owner()}"


def _name() -> str:
    return f"ecr-registry-{labels.owner()[:6]}"


def _start(tag: str) -> Container:
    _remove()
    client = docker.client()
    joined = network.ensure(NETWORK)
    client.volumes.create(volume(), labels=labels.labels(ROLE))
    made = client.containers.create(
        tag,
        name=_name(),
        labels=labels.labels(ROLE) | {SPEC_KEY: tag},
        volumes={volume(): {"bind": DATA, "mode": "rw"}},
        ports={PORT: (settings.GATEWAY_HOST, None)},
        environment={"OTEL_TRACES_EXPORTER": "none"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        read_only=True,
        tmpfs={"/tmp": "mode=1777"},  # noqa: S108 - in the container
        network=joined,
    )
    try:
        made.start()
        _wait(made)
    except (DockerException, RegistryError):
        made.remove(force=True)
        raise
    return made


def _wait(made: Container) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        made.reload()
        if made.status == "exited":
            said = made.logs(tail=5).decode("utf-8", "replace").strip()
            raise RegistryError(f"The registry ended at once: {said}")
        if made.status == "running" and _answers(_port(made)):
            return
        time.sleep(0.05)
    raise RegistryError(f"The registry did not answer within {START_SECONDS:.0f} s.")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(settings.GATEWAY_HOST, port, timeout=2)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def _port(found: Container) -> int:
    published = found.attrs["NetworkSettings"]["Ports"].get(PORT) or []
    if not published:
        raise RegistryError("The registry's port is not published.")
    return int(published[0]["HostPort"])


def _remove() -> None:
    found = _find()
    if found is not None and found.labels.get(labels.OWNER_KEY) == labels.owner():
        found.remove(force=True)


def _find() -> Container | None:
    try:
        return docker.client().containers.get(_name())
    except NotFound:
        return None
