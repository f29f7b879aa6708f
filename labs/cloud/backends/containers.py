"""What every container that the backend starts has to be like, whoever writes the call: labelled, on the task network,
published on loopback only, quick to stop. Done at the Docker SDK, so that it needs no name of the backend's.
"""

import functools
import logging
import threading
from collections.abc import Callable
from typing import Any

from docker.errors import ImageNotFound
from docker.models.containers import Container, ContainerCollection
from docker.models.images import Image, ImageCollection, RegistryData
from docker.models.networks import NetworkCollection
from docker.models.volumes import VolumeCollection

from labs import settings
from labs.cloud.engine import images, labels
from labs.cloud.relay.relay import Relay, RelayUnavailableError

ROLE = "backend"
_LOCAL = ("localhost", "127.0.0.1")
CLOSING_SECONDS = 30.0

log = logging.getLogger(__name__)


class StoppingError(Exception):
    """The local AWS stops and starts no container any more."""


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
        _wrap(ImageCollection, "get", lambda call, self_, name: call(self_, images.local_reference(name)))
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
                image = images.local_reference(image) if isinstance(image, str) else image
            return call(self_, image, command, **options)
        finally:
            with self._changed:
                self._creating -= 1
                self._changed.notify_all()

    def _rules(self, options: dict[str, Any], own: dict[str, str]) -> dict[str, Any]:
        """The options of a container, changed to the rules above."""
        options = {**options, "labels": {**own, **labels.labels(ROLE)}}
        options.setdefault("init", True)  # without it a process that ignores SIGTERM takes seconds to stop
        if options.get("ports"):
            options["ports"] = {port: _on_loopback(binding) for port, binding in options["ports"].items()}
        if not options.get("network") and not options.get("network_mode"):
            try:
                options["network"] = self._relay.ensure()
            except RelayUnavailableError as problem:
                log.warning("a container starts without a way to the local AWS: %s", problem)
        return options


def _pull(call: Callable, self_: ImageCollection, repository: str, *args: Any, **options: Any) -> Image | list[Image]:
    repository = images.local_reference(repository)
    _require_remote(self_, repository)
    return call(self_, repository, *args, **options)


def _registry_data(call: Callable, self_: ImageCollection, name: str, *args: Any, **options: Any) -> RegistryData:
    name = images.local_reference(name)
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
        options["labels"] = {**own, **labels.labels(ROLE)}
    return call(self_, name, **options)


def _on_loopback(binding: Any) -> Any:
    """A port binding of the Docker SDK, kept to 127.0.0.1."""
    if binding is None:
        return (settings.GATEWAY_HOST,)
    if isinstance(binding, list):
        return [_on_loopback(one) for one in binding]
    if isinstance(binding, tuple):
        return (settings.GATEWAY_HOST, *(part for part in binding if isinstance(part, int)))
    return (settings.GATEWAY_HOST, binding)


def _wrap(owner_class: type, name: str, rule: Callable) -> None:
    """Replaces a method by `rule(method, self, ...)`."""
    method = getattr(owner_class, name)

    @functools.wraps(method)
    def wrapped(self_: Any, *args: Any, **options: Any) -> Any:
        return rule(method, self_, *args, **options)

    setattr(owner_class, name, wrapped)
