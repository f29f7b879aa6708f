"""Removes containers of this local AWS whose process is gone."""

import logging
import time

from docker.errors import APIError, DockerException, NotFound

from labs.cloud.engine import docker, labels

log = logging.getLogger(__name__)


def sweep(role: str | None = None) -> int:
    """Removes every container of this local AWS, or those of one role.

    Returns:
        How many containers there were.

    Raises:
        docker.errors.DockerException: the engine is away.
    """
    return remove(labels.ours(role))


def remove(wanted: list[str]) -> int:
    """Removes every container that carries these labels, running or not.

    Returns:
        How many containers there were.

    Raises:
        docker.errors.DockerException: the engine is away.
    """
    found = docker.client().containers.list(all=True, sparse=True, filters={"label": wanted})
    for container in found:
        try:
            container.remove(force=True, v=True)
        except NotFound:
            continue
        except APIError as problem:
            if problem.status_code != 409:  # being removed already
                raise
    return len(found)


def sweep_quietly(role: str | None = None, seconds: float = 20.0) -> None:
    """`sweep()` until nothing is left, for the end of a process; an engine that is gone has nothing to sweep."""
    deadline = time.monotonic() + seconds
    try:
        while sweep(role) and time.monotonic() < deadline:
            time.sleep(0.1)
    except DockerException as problem:
        log.warning("containers may be left: %s", problem)
