"""What every container that the backend starts has to be like, whoever writes the call: labelled, on the task network,
published on loopback only, quick to stop. Done at the Docker SDK, so that it needs no name of the backend's.
"""

import functools
import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container, ContainerCollection
from docker.models.images import Image, ImageCollection, RegistryData
from docker.models.networks import NetworkCollection
from docker.models.volumes import VolumeCollection

from labs import settings
from labs.cloud import guard
from labs.cloud.relay.relay import OWNER_KEY, Relay, RelayUnavailableError

TASK_ROLE = "task"
TASK_LABEL = "com.amazonaws.ecs.task-arn"  # the ECS agent's own label, and the backend's
CLOSING_SECONDS = 30.0
RELAY_URL = f"http://{settings.RELAY_ADDRESS}"

_ECR = re.compile(r"^(\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/(.+)$")
_LOCAL = ("localhost", "127.0.0.1")

log = logging.getLogger(__name__)


class StoppingError(Exception):
    """The local AWS stops and starts no container any more."""


def owner() -> str:
    """The name of this data folder's local AWS on labels; two of them can share an engine."""
    return hashlib.sha256(os.fsencode(settings.data_dir().absolute())).hexdigest()[:12]


def labels(role: str) -> dict[str, str]:
    """The labels of everything that this local AWS makes in Docker."""
    return {settings.LABEL_KEY: settings.LABEL_VALUE, settings.ROLE_KEY: role, OWNER_KEY: owner()}


class Wrapping:
    """The rules, put around the Docker SDK's own methods in this process. `close()` ends all starting."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._closing = False
        self._creating = 0
        self._changed = threading.Condition()
        self._ended = threading.Event()

    def install(self) -> None:
        """Wraps the SDK's methods. Once a process."""
        _wrap(ContainerCollection, "create", self._create)
        _wrap(ImageCollection, "get", lambda call, self_, name: call(self_, local_reference(name)))
        _wrap(ImageCollection, "pull", _pull)
        _wrap(ImageCollection, "get_registry_data", _registry_data)
        for collection in (NetworkCollection, VolumeCollection):
            _wrap(collection, "create", _labelled)

    def close(self) -> None:
        """From now on no container is created; waits for those being created."""
        with self._changed:
            self._closing = True
            self._changed.wait_for(lambda: not self._creating, timeout=10)

    def end(self) -> None:
        """Lets go of those who wait to create a container. After the last sweep."""
        self._ended.set()

    def _create(
        self, call: Callable, self_: ContainerCollection, image: Any, command: Any = None, **options: Any
    ) -> Container:
        with self._changed:
            closing = self._closing
            self._creating += not closing
        if closing:  # wait: the backend's service scheduler would try again at once, thousands of times
            self._ended.wait(CLOSING_SECONDS)
            raise StoppingError("The local AWS is stopping.")
        try:
            own = options.get("labels") or {}
            if settings.LABEL_KEY not in own:  # the relay says all of it itself
                options = self._rules(options, own)
                image = local_reference(image) if isinstance(image, str) else image
            return call(self_, image, command, **options)
        finally:
            with self._changed:
                self._creating -= 1
                self._changed.notify_all()

    def _rules(self, options: dict[str, Any], own: dict[str, str]) -> dict[str, Any]:
        """The options of a container, changed to the rules above."""
        is_task = TASK_LABEL in own
        options = {**options, "labels": {**own, **labels(TASK_ROLE)}}
        if options.get("ports"):
            options["ports"] = {port: _on_loopback(binding) for port, binding in options["ports"].items()}
        if is_task:
            options["name"] = _task_container_name(own)
            options["init"] = True  # without it a process that ignores SIGTERM takes seconds to stop
        if not options.get("network") and not options.get("network_mode"):
            try:
                options["network"] = self._relay.ensure()
            except RelayUnavailableError as problem:
                log.warning("a container starts without a way to the local AWS: %s", problem)
                return options
            if is_task:
                options["environment"] = _task_environment(options.get("environment") or {})
                options.pop("extra_hosts", None)
        return options


def sweep() -> int:
    """Removes every container of this local AWS whose process is gone, and its relay.

    Returns:
        How many containers were removed.
    """
    client = docker.from_env()
    found = client.containers.list(all=True, sparse=True, filters={"label": [settings.LABEL, f"{OWNER_KEY}={owner()}"]})
    for container in found:
        try:
            container.remove(force=True, v=True)
        except NotFound:
            continue
        except APIError as problem:
            if problem.status_code != 409:  # being removed already
                raise
    return len(found)


def local_reference(image: str) -> str:
    """An image's name as this machine can pull it: ECR's name becomes the gateway's own registry.

    Raises:
        RealAwsRefused: the name is in an ECR registry of an account that is not the local one.
    """
    match = _ECR.match(image)
    if match and match[1] == settings.ACCOUNT:
        return f"{settings.GATEWAY_HOST}:{settings.gateway_port()}/{match[2]}"
    host = image.split("/", 1)[0]
    if guard.is_real_aws(host.split(":", 1)[0]):
        raise guard.RealAwsRefused(f"{host} is a registry in a real AWS account, and the course sends nothing there.")
    return image


def _pull(call: Callable, self_: ImageCollection, repository: str, *args: Any, **options: Any) -> Image | list[Image]:
    repository = local_reference(repository)
    _require_remote(self_, repository)
    return call(self_, repository, *args, **options)


def _registry_data(call: Callable, self_: ImageCollection, name: str, *args: Any, **options: Any) -> RegistryData:
    name = local_reference(name)
    _require_remote(self_, name)
    return call(self_, name, *args, **options)


def _require_remote(images: ImageCollection, name: str) -> None:
    """Raises ImageNotFound for an image that was built here and is in no registry: asking Docker Hub for it takes
    seconds, fails, and tells others the name."""
    if name.split("/", 1)[0].split(":", 1)[0] in _LOCAL:
        return
    try:
        built_here = images.get(name).labels.get(settings.LABEL_KEY) == settings.LABEL_VALUE
    except ImageNotFound:
        return
    if built_here:
        raise ImageNotFound(f"{name} was built on this machine and is in no registry.")


def _labelled(call: Callable, self_: Any, name: str | None = None, **options: Any) -> Any:
    own = options.get("labels") or {}
    if settings.LABEL_KEY not in own:
        options["labels"] = {**own, **labels(TASK_ROLE)}
    return call(self_, name, **options)


def _task_container_name(own: dict[str, str]) -> str:
    """The name as the ECS agent makes it: family, revision, container and something unique.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-introspection.html
    """
    prefix = "com.amazonaws.ecs."
    parts = [own[prefix + key] for key in ("task-definition-family", "task-definition-version", "container-name")]
    return "-".join(["ecs", *parts, own[TASK_LABEL].rpartition("/")[2][:12]])


def _on_loopback(binding: Any) -> Any:
    """A port binding of the Docker SDK, kept to 127.0.0.1."""
    if binding is None:
        return (settings.GATEWAY_HOST,)
    if isinstance(binding, list):
        return [_on_loopback(one) for one in binding]
    if isinstance(binding, tuple):
        return (settings.GATEWAY_HOST, *(part for part in binding if isinstance(part, int)))
    return (settings.GATEWAY_HOST, binding)


def _task_environment(environment: dict[str, str]) -> dict[str, str]:
    """A task container's variables as ECS gives them, with the gateway behind the relay.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
    """
    gateway = f"http://host.docker.internal:{settings.gateway_port()}"
    task = {name: str(value).replace(gateway, RELAY_URL) for name, value in environment.items()}
    credentials = task.pop("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
    if credentials.startswith(RELAY_URL):
        task["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = credentials.removeprefix(RELAY_URL)
        task.pop("AWS_CONTAINER_AUTHORIZATION_TOKEN", None)
    task["AWS_ENDPOINT_URL"] = RELAY_URL
    task.setdefault("AWS_REGION", settings.REGION)
    task.setdefault("AWS_DEFAULT_REGION", task["AWS_REGION"])
    return task


def _wrap(owner_class: type, name: str, rule: Callable) -> None:
    """Replaces a method by `rule(method, self, ...)`."""
    method = getattr(owner_class, name)

    @functools.wraps(method)
    def wrapped(self_: Any, *args: Any, **options: Any) -> Any:
        return rule(method, self_, *args, **options)

    setattr(owner_class, name, wrapped)


def sweep_quietly(seconds: float = 20.0) -> None:
    """`sweep()` until nothing is left, for the end of a process; an engine that is gone has nothing to sweep."""
    deadline = time.monotonic() + seconds
    try:
        while sweep() and time.monotonic() < deadline:
            time.sleep(0.1)
    except DockerException as problem:
        log.warning("containers of tasks may be left: %s", problem)
