"""How the checks of this chapter ask its program, and look twice where a container may die at once."""

import json
import time
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from docker.models.containers import Container

from labs.kit import look_docker

INSIDE = "8000/tcp"  # where server.py listens unless told otherwise
STARTUP = 5.0  # seconds that a program gets until its first answer


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
        if answer is not None or time.monotonic() > deadline or look_docker.state(container) != "running":
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


def answers_inside(container: Container) -> bool:
    """Whether something listens at port 8000 of the container's own loopback."""
    knock = "import socket; socket.create_connection(('127.0.0.1', 8000), 2)"
    return container.exec_run(["python3", "-c", knock]).exit_code == 0
