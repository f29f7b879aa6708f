"""The default backend: MiniStack, in this process. Every name of MiniStack that the course uses is in this file.

MiniStack changes daily, so one version is pinned, another one is refused, and `tests/cloud/test_embedded.py` holds
each of its names to what is expected of it here.
"""

import asyncio
import importlib.metadata
import logging
import os
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path
from types import ModuleType
from typing import Any

from labs import settings
from labs.cloud.backends import containers
from labs.cloud.backends.blobs import Blobs
from labs.cloud.backends.snapshots import Snapshots
from labs.cloud.engine import labels, sweep
from labs.cloud.gateway import Receive, Scope, Send
from labs.cloud.relay.relay import Relay

VERSION = "1.5.33"
# SigV4 names under which MiniStack's router takes requests besides its services' own names.
OTHER_SIGNING_NAMES = frozenset({"aoss", "es", "execute-api", "geo", "iotdata", "iotdevicegateway", "kinesisanalytics"})
# Names of its handlers that no request is signed with.
INTERNAL_NAMES = frozenset({"bedrock-agent", "bedrock-agent-runtime", "ecs-metadata", "imds"})
OURS = ("ecs", "alb", "ecr", "autoscaling")  # what it calls its state of them
# X-Amz-Target operations that change nothing; every other POST may.
_READING = re.compile(r"\.(Describe|List|Get|BatchGet|Query|Scan|Filter|Search|Lookup)\w*$")

log = logging.getLogger(__name__)


class WrongVersionError(Exception):
    """MiniStack is missing or is not the version that the course was made with."""


class Embedded:
    """MiniStack behind the gateway's `Backend` interface. One a process.

    Args:
        relay: the way from its containers to the gateway.

    Raises:
        WrongVersionError: another version of MiniStack is installed.
    """

    name = "embedded"

    def __init__(self, relay: Relay) -> None:
        self.version = _require_version()
        self._services = settings.cloud_dir() / "services"
        _prepare_environment(self._services)

        from ministack import app
        from ministack.core import container_reaper, persistence, responses

        self._app = app
        self._persistence = persistence
        container_reaper.SERVICE_LABELS = ()  # it would remove containers of other MiniStacks on this engine
        responses.install_docker_hub_fallback()  # at import, so that our wrapper lies outside of it
        self.services = (frozenset(app.SERVICE_HANDLERS) | OTHER_SIGNING_NAMES) - INTERNAL_NAMES
        self._containers = containers.Wrapping(relay)
        self._containers.install()
        self._snapshots = Snapshots(app._build_persistence_save_dict, self._save, persistence._json_default)
        self._blobs = Blobs(self._services.parent / "blobs")
        _keep_blobs_apart(persistence, self._blobs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        await self._app.app(scope, receive, _without_cors(send))
        if scope["type"] != "http" or _may_change(scope):
            self._snapshots.touch()

    def condition(self) -> dict[str, Any]:
        return {"unsaved": list(self._snapshots.failed)}

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """MiniStack's own start and stop, with ours around them."""

        async def receive_ours() -> MutableMapping[str, Any]:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await asyncio.to_thread(self._before_start)
            elif message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(self._before_stop)
            return message

        async def send_ours(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._blobs.sweep()
                await asyncio.to_thread(self._snapshots.start)
            elif message["type"] == "lifespan.shutdown.complete":
                await asyncio.to_thread(self._after_stop)
            await send(message)

        await self._app.app(scope, receive_ours, send_ours)

    def _before_start(self) -> None:
        sweep.sweep_quietly(containers.ROLE)  # of a process that was killed
        _forget(self._services)

    def _before_stop(self) -> None:
        self._snapshots.end()
        self._app.PERSIST_STATE = bool(self._snapshots.failed)  # what is saved it would save again
        self._containers.close()  # its service scheduler would replace tasks as fast as they are swept

    def _after_stop(self) -> None:
        sweep.sweep_quietly(containers.ROLE)
        self._containers.end()

    def _save(self, name: str, state: Any) -> bool:
        """Writes one service's state. MiniStack logs a failure instead of raising it, so the file tells."""
        path = self._services / f"{name}.json"
        before = path.stat().st_mtime_ns if path.exists() else None
        self._persistence.save_state(name, state)
        return path.exists() and path.stat().st_mtime_ns != before


def _require_version() -> str:
    try:
        found = importlib.metadata.version("ministack")
    except importlib.metadata.PackageNotFoundError:
        found = "none"
    if found != VERSION:
        raise WrongVersionError(
            f"The local AWS needs MiniStack {VERSION}, and {found} is installed. `python3 -m labs start` mends it."
        )
    return found


def _prepare_environment(services: Path) -> None:
    """MiniStack reads its settings from the environment when it is imported."""
    if "ministack.app" in sys.modules:
        raise RuntimeError("MiniStack was imported before its settings were made.")
    os.environ.update(
        GATEWAY_PORT=str(settings.gateway_port()),
        HOSTNAME="",  # it would look for a container of that name, to find its own network
        IOT_MTLS_ENABLED="0",
        LOG_LEVEL="WARNING",
        MINISTACK_ACCOUNT_ID=settings.ACCOUNT,
        MINISTACK_HOSTNAME=labels.owner(),
        MINISTACK_REGION=settings.REGION,
        PERSIST_STATE="1",
        S3_DATA_DIR=str(services.parent / "s3"),
        S3_PERSIST="1",
        SFTP_ENABLED="0",
        STATE_DIR=str(services),
    )


def _keep_blobs_apart(persistence: ModuleType, blobs: Blobs) -> None:
    """MiniStack writes image layers into its JSON file, all of them at every change."""
    encode, decode = persistence._json_default, persistence._json_object_hook
    persistence._json_default = lambda value: blobs.put(value) or encode(value)

    def decode_blobs(value: dict[str, Any]) -> Any:
        content = blobs.get(value)
        return decode(value) if content is None else content

    persistence._json_object_hook = decode_blobs


def _forget(services: Path) -> None:
    """Removes what MiniStack once saved of services that are ours now: it would bring their containers back."""
    for name in OURS:
        (services / f"{name}.json").unlink(missing_ok=True)


def _may_change(scope: Scope) -> bool:
    """Whether a request may have changed something, as far as its first lines tell."""
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return b"Action=" in scope["query_string"]  # the Query protocol may also be spoken with GET
    target = next((value for name, value in scope["headers"] if name.lower() == b"x-amz-target"), b"")
    return not _READING.search(target.decode("latin-1"))


def _without_cors(send: Send) -> Send:
    """MiniStack allows every web page everything; the gateway allows none."""

    async def send_plain(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", []) if not pair[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return send_plain
