"""LocalStack's image as a container of the course: labelled, on loopback only, with the learner's token.

The token (https://docs.localstack.cloud/getting-started/auth-token/) goes in through the container's standard input
and becomes a variable of its first process only. So it is neither in the container's configuration, which
`docker inspect` shows, nor in arguments, a file or a log of ours.
"""

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.models.images import Image

from labs import settings
from labs.cloud.backends.errors import BackendUnavailableError
from labs.cloud.engine import labels

TOKEN_VARIABLE = "LOCALSTACK_AUTH_TOKEN"  # noqa: S105 - a variable's name
IMAGE_VARIABLE = "COURSE_LOCALSTACK_IMAGE"
IMAGE = "localstack/localstack-pro"  # https://docs.localstack.cloud/getting-started/auth-token/, "docker run"
ROLE = "localstack"
PORT = "4566/tcp"
START_SECONDS = 50.0  # less than the local AWS as a whole has
STOP_SECONDS = 10
BY_ADDRESS = "`python3 -m labs start --backend localstack --url URL`"
DATA = "/var/lib/localstack"
# Reads the token, then becomes what the image runs by itself.
READ_TOKEN = f'IFS= read -r {TOKEN_VARIABLE} && export {TOKEN_VARIABLE} && exec "$@" </dev/null'


class LocalStackContainer:
    """The container, running."""

    def __init__(self, container: Container) -> None:
        self._container = container
        container.reload()
        bindings = container.ports.get(PORT) or []
        if not bindings:
            raise BackendUnavailableError(f"The container of LocalStack has ended. It said: {self._last_words()}")
        self.url = f"http://{settings.GATEWAY_HOST}:{bindings[0]['HostPort']}"

    def wait(self, healthy: Callable[[], Any]) -> Any:
        """What `healthy` says once it says something.

        Raises:
            BackendUnavailableError: it never does; the container is removed.
        """
        deadline = time.monotonic() + START_SECONDS
        while not (found := healthy()):
            self._container.reload()
            if self._container.status != "running" or time.monotonic() > deadline:
                said = self._last_words()
                self.stop()
                raise BackendUnavailableError(
                    f"LocalStack's container did not get ready. It said: {said} Is the token in {TOKEN_VARIABLE} valid?"
                )
            time.sleep(0.2)
        return found

    def stop(self) -> None:
        """Ends and removes the container. Its volume stays: a plan that persists finds its state in it again."""
        with contextlib.suppress(DockerException):
            self._container.stop(timeout=STOP_SECONDS)
            self._container.remove(force=True)

    def _last_words(self) -> str:
        said = self._container.logs(tail=5).decode("utf-8", "replace").strip()
        token = os.environ.get(TOKEN_VARIABLE)
        return (said.replace(token, "(the token)") if token else said) or "nothing."


def start() -> LocalStackContainer:
    """The container of this data folder, adopted if it still runs, started if not.

    Raises:
        BackendUnavailableError: there is no engine, no token or no image, or it ends at once.
    """
    try:
        client = docker.from_env()
        for found in client.containers.list(all=True, filters={"label": labels.ours(ROLE)}):
            if found.status == "running":
                return LocalStackContainer(found)
            found.remove(force=True)
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            raise BackendUnavailableError(
                f"LocalStack's image starts only with a token: set {TOKEN_VARIABLE} in this terminal "
                f"(app.localstack.cloud gives you one), or name a LocalStack that runs: {BY_ADDRESS}."
            )
        return LocalStackContainer(_run(client, _image(client), token))
    except DockerException as problem:
        raise BackendUnavailableError(f"LocalStack's container cannot be started: {problem}") from None


def _image(client: docker.DockerClient) -> Image:
    name = os.environ.get(IMAGE_VARIABLE) or IMAGE
    with contextlib.suppress(ImageNotFound):
        return client.images.get(name)
    try:
        return client.images.pull(name, tag=None if ":" in name.rpartition("/")[2] else "latest")
    except (DockerException, NotFound) as problem:
        raise BackendUnavailableError(
            f"The image {name} is not in the engine and could not be pulled: {problem} Load it, or name a LocalStack "
            f"that runs: {BY_ADDRESS}."
        ) from None


def _run(client: docker.DockerClient, image: Image, token: str) -> Container:
    own = image.attrs["Config"]
    volume = f"{settings.COURSE}-localstack-{labels.owner()}"
    client.volumes.create(volume, labels=labels.labels(ROLE))
    container = client.containers.create(
        image.id,
        entrypoint=["/bin/sh", "-c", READ_TOKEN, "sh"],
        command=[*(own.get("Entrypoint") or []), *(own.get("Cmd") or [])],
        environment={"PERSISTENCE": "1", "DISABLE_EVENTS": "1"},
        labels=labels.labels(ROLE),
        ports={PORT: (settings.GATEWAY_HOST,)},
        volumes={volume: {"bind": DATA, "mode": "rw"}},
        stdin_open=True,
        init=True,
    )
    try:
        line = container.attach_socket(params={"stdin": 1, "stream": 1})
        container.start()
        getattr(line, "_sock", line).sendall(f"{token}\n".encode())
        line.close()
    except BaseException:
        container.remove(force=True)
        raise
    return container
