"""What the checks of this chapter look at: containers that stay up, what the program answers, probes of an image.

Checks ask the running program, and look twice where a container may die at once. What they make themselves is a
probe: a container with the course's label, whose name starts with `dock-probe-`, removed when the check is over.
"""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from docker.errors import NotFound
from docker.models.containers import Container
from docker.models.images import Image
from requests.exceptions import ConnectionError as EngineAway
from requests.exceptions import ReadTimeout

from labs import settings
from labs.kit import world

INSIDE = "8000/tcp"  # where server.py listens unless told otherwise
LOOPBACK = ("127.0.0.1", "::1")
STARTUP = 5.0  # seconds that a program gets until its first answer
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


def exposed(container: Container) -> list[tuple[str, int]]:
    """Where port 8000 of a container is published beyond this machine: addresses and ports of the host."""
    return [(address, port) for address, port in bindings(container).get(INSIDE, []) if address not in LOOPBACK]


def ask(port: int, path: str = "/") -> dict[str, Any] | None:
    """What answers at a published port.

    Args:
        port: the port on 127.0.0.1.
        path: `/` counts a visit, `/about` does not.

    Returns:
        The program's answer, parsed; empty when something answers in another way; None when nobody answers.
    """
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
            body = json.load(reply)
    except (HTTPError, ValueError):
        return {}
    except (OSError, HTTPException):
        return None
    return body if isinstance(body, dict) else {}


def wait_for_answer(container: Container, port: int) -> dict[str, Any] | None:
    """Ask `/about` until somebody answers, the container ends, or its time is over.

    A server that says in its log that it listens has one second left: what is not heard then never will be.
    """
    deadline = time.monotonic() + STARTUP
    while True:
        answer = ask(port, "/about")
        if answer is not None or time.monotonic() > deadline or state(container) != "running":
            return answer
        if listens(container):
            deadline = min(deadline, time.monotonic() + 1)
        time.sleep(0.2)


def listens(container: Container) -> bool:
    """Whether the chapter's server says in its log that it listens, wherever that may be."""
    return b"listening on" in container.logs()


def says_it_is(container: Container, answer: dict[str, Any] | None) -> bool:
    """Whether an answer came from the chapter's program in this very container."""
    return (
        answer is not None
        and answer.get("app") == "dock-web"
        and answer.get("host") == container.attrs["Config"]["Hostname"]
    )


def stays_up(container: Container) -> bool:
    """Whether a container still runs after a moment, without a restart in between."""
    before = container.attrs["State"]["StartedAt"]
    time.sleep(SETTLE)
    return state(container) == "running" and container.attrs["State"]["StartedAt"] == before


def answers_inside(container: Container) -> bool:
    """Whether something listens at port 8000 of the container's own loopback."""
    knock = "import socket; socket.create_connection(('127.0.0.1', 8000), 2)"
    return container.exec_run(["python3", "-c", knock]).exit_code == 0


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
def probe(image: str, **options: Any) -> Iterator[Container]:
    """Start a container of the check's own, and remove it afterwards.

    Args:
        image: the image to start.
        options: what `containers.create` of the Docker SDK takes.

    Raises:
        docker.errors.APIError: the engine cannot start it.
    """
    with closing(world.docker_client()) as client:
        container = client.containers.create(
            image,
            name=f"dock-probe-{secrets.token_hex(4)}",
            labels={settings.LABEL_KEY: settings.LABEL_VALUE},
            **options,
        )
        try:
            container.start()
            yield container
        finally:
            with suppress(NotFound):
                container.remove(force=True, v=True)


def run_to_end(image: str, seconds: int, **options: Any) -> Ended:
    """Start a probe, wait for its end, and read what it wrote.

    Args:
        image: the image to start.
        seconds: how long it may take.
        options: what `containers.create` of the Docker SDK takes.

    Raises:
        docker.errors.APIError: the engine cannot start it.
    """
    with probe(image, **options) as container:
        try:
            code = container.wait(timeout=seconds)["StatusCode"]
        except (ReadTimeout, EngineAway):  # the SDK raises either, depending on how it is connected
            code = None
        return Ended(code, _log(container, stderr=False), _log(container, stdout=False))


def _log(container: Container, **streams: bool) -> str:
    return container.logs(**streams).decode(errors="replace").strip()
