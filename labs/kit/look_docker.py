"""What checks look at in Docker: how containers are and were, what they publish, and probes of an image.

A probe is a container of the check's own, with the course's label, removed when the check is over.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from docker.errors import NotFound
from docker.models.containers import Container
from docker.models.images import Image
from requests.exceptions import ConnectionError as EngineAway
from requests.exceptions import ReadTimeout

from labs import settings
from labs.kit import world

LOOPBACK = ("127.0.0.1", "::1")
SETTLE = 2.0  # seconds after which a check looks again


def unlabelled(thing: Any, name: str) -> str:
    """Two sentences about what lacks the course's label; empty when it carries it.

    Args:
        thing: a container, image, network or volume of the Docker SDK; None is nothing to complain about.
        name: how the learner calls it, e.g. `The volume dock-keep`.
    """
    if thing is None or world.ours(thing):
        return ""
    return (
        f"{name} is there, but lacks the label {settings.LABEL}. "
        "No reset and no clean-up will touch it: remove it by hand and make it again, with the label."
    )


def state(container: Container) -> str:
    """`created`, `running`, `exited`, ... as the engine sees it now; `gone` when it was removed meanwhile."""
    try:
        container.reload()
    except NotFound:
        return "gone"
    return container.status


def last_line(container: Container) -> str:
    """The last line of a container's log, for a message; says so when there is none."""
    lines = container.logs(tail=1).decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "(the log is empty)"


def how_it_ended(container: Container) -> str:
    """A clause about a container that does not run: its code and the last line of its log."""
    code = container.attrs["State"]["ExitCode"]
    return f"It ended with code {code}; the last line of its log: {last_line(container)}"


def start_error(container: Container) -> str:
    """Why the engine could not start a container; empty when it was never asked to."""
    return container.attrs["State"].get("Error", "")


def bindings(container: Container) -> dict[str, list[tuple[str, int]]]:
    """Published ports: `{"8000/tcp": [("127.0.0.1", 8082)]}`, only those that are bound on the host."""
    ports = container.attrs["NetworkSettings"]["Ports"] or {}
    return {
        inside: [(it["HostIp"], int(it["HostPort"])) for it in outside] for inside, outside in ports.items() if outside
    }


def exposed(container: Container, inside: str) -> list[tuple[str, int]]:
    """Where a port of a container is published beyond this machine: addresses and ports of the host.

    Args:
        container: of the Docker SDK.
        inside: the port in it, e.g. `8000/tcp`.
    """
    return [(address, port) for address, port in bindings(container).get(inside, []) if address not in LOOPBACK]


def environment(thing: Container | Image) -> dict[str, str]:
    """The environment variables in a container's or an image's configuration."""
    return dict(line.partition("=")[::2] for line in thing.attrs["Config"].get("Env") or [])


@dataclass(frozen=True)
class Ended:
    """How a probe that ran to its end came out; `code` is None when it was still running."""

    code: int | None
    output: str
    errors: str


@contextmanager
def probe(prefix: str, image: str, **options: Any) -> Iterator[Container]:
    """Start a container of the check's own, and remove it afterwards.

    Args:
        prefix: the beginning of its name: the chapter's, so that the chapter's reset finds one that was left.
        image: the image to start.
        options: what `containers.create` of the Docker SDK takes.

    Raises:
        docker.errors.APIError: the engine cannot start it.
    """
    with closing(world.docker_client()) as client:
        container = client.containers.create(
            image,
            name=f"{prefix}probe-{secrets.token_hex(4)}",
            labels={settings.LABEL_KEY: settings.LABEL_VALUE},
            **options,
        )
        try:
            container.start()
            yield container
        finally:
            with suppress(NotFound):
                container.remove(force=True, v=True)


def run_to_end(prefix: str, image: str, seconds: int, **options: Any) -> Ended:
    """Start a probe, wait for its end, and read what it wrote.

    Args:
        prefix: the beginning of its name: the chapter's, so that the chapter's reset finds one that was left.
        image: the image to start.
        seconds: how long it may take.
        options: what `containers.create` of the Docker SDK takes.

    Raises:
        docker.errors.APIError: the engine cannot start it.
    """
    with probe(prefix, image, **options) as container:
        try:
            code = container.wait(timeout=seconds)["StatusCode"]
        except (ReadTimeout, EngineAway):  # the SDK raises either, depending on how it is connected
            code = None
        return Ended(code, _log(container, stderr=False), _log(container, stdout=False))


def _log(container: Container, **streams: bool) -> str:
    return container.logs(**streams).decode(errors="replace").strip()


def stays_up(container: Container) -> bool:
    """Whether a container still runs after a moment, without a restart in between."""
    before = container.attrs["State"]["StartedAt"]
    time.sleep(SETTLE)
    return state(container) == "running" and container.attrs["State"]["StartedAt"] == before
