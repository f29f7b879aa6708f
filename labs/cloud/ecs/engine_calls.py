"""What the life of a task asks of Docker, one container or all of a task's. For threads."""

from typing import Any

from docker.errors import APIError, NotFound

from labs.cloud.engine import docker, labels, sweep


def state(container_id: str) -> dict[str, Any] | None:
    """What Docker says of a container's state; None if it does not exist."""
    try:
        return docker.client().api.inspect_container(container_id)["State"]
    except NotFound:
        return None


def send_signal(container_id: str, signal: str | None) -> None:
    """Sends a signal, the container's own stop signal if none is given."""
    api = docker.client().api
    try:
        if signal is None:
            signal = api.inspect_container(container_id)["Config"].get("StopSignal") or "SIGTERM"
        api.kill(container_id, signal)
    except NotFound:
        return
    except APIError as problem:
        if problem.status_code != 409:  # it has ended meanwhile
            raise


def remove_all(arn: str) -> None:
    """Removes every container of a task."""
    sweep.remove([*labels.ours(labels.TASK_ROLE), f"{labels.TASK_ARN}={arn}"])
