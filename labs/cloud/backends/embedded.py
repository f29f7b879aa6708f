"""The default backend: MiniStack, in this process. Every name of MiniStack that the course uses is in this file.

MiniStack changes daily, so one version is pinned, another one is refused, and `tests/cloud/test_embedded.py` holds
each of its names to what is expected of it here.
"""

import asyncio
import importlib.metadata
import json
import logging
import os
import re
import sys
import threading
from collections.abc import MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from docker.errors import DockerException

from labs import settings
from labs.cloud import protocol, server
from labs.cloud.backends import containers
from labs.cloud.backends.blobs import Blobs
from labs.cloud.backends.snapshots import Snapshots
from labs.cloud.gateway import Receive, Scope, Send
from labs.cloud.relay.relay import Relay

VERSION = "1.5.33"
# SigV4 names under which MiniStack's router takes requests besides its services' own names.
OTHER_SIGNING_NAMES = frozenset({"aoss", "es", "execute-api", "geo", "iotdata", "iotdevicegateway", "kinesisanalytics"})
# Names of its handlers that no request is signed with.
INTERNAL_NAMES = frozenset({"bedrock-agent", "bedrock-agent-runtime", "ecs-metadata", "imds"})
STOPPED_TASK_SECONDS = 3600
NEVER = "1970-01-01T00:00:00+00:00"
# X-Amz-Target operations that change nothing; every other POST may.
_READING = re.compile(r"\.(Describe|List|Get|BatchGet|Query|Scan|Filter|Search|Lookup)\w*$")
_REGION_OF_BALANCER = re.compile(r"\.([a-z0-9-]+)\.elb\.amazonaws\.com$")

log = logging.getLogger(__name__)


class WrongVersionError(Exception):
    """MiniStack is missing or is not the version that the course was made with."""


class Embedded:
    """MiniStack behind the gateway's `Backend` interface. One a process.

    Raises:
        WrongVersionError: another version of MiniStack is installed.
    """

    name = "embedded"

    def __init__(self) -> None:
        self.version = _require_version()
        self._services = settings.data_dir() / "cloud" / "services"
        _prepare_environment(self._services)

        from ministack import app
        from ministack.core import container_reaper, persistence, responses
        from ministack.services import alb

        self._app = app
        self._alb = alb
        self._persistence = persistence
        self._responses = responses
        container_reaper.SERVICE_LABELS = ()  # it would remove containers of other MiniStacks on this engine
        responses.install_docker_hub_fallback()  # at import, so that our wrapper lies outside of it
        self.services = (frozenset(app.SERVICE_HANDLERS) | OTHER_SIGNING_NAMES) - INTERNAL_NAMES
        self._relay = Relay(containers.owner(), server.socket_path(), settings.gateway_port())
        self._containers = containers.Wrapping(self._relay)
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

    async def balance(self, scope: Scope, receive: Receive, send: Send, host: str, port: int | None) -> None:
        """Hands the request to MiniStack's load balancer directly: on the way through its front door, paths such as
        `/health` would be answered by itself."""
        region = match[1] if (match := _REGION_OF_BALANCER.search(host)) else settings.REGION
        with self._responses.request_scope(settings.ACCOUNT, region):
            balancer = self._alb.find_lb_for_host(host)
            if balancer is None:
                await self._say(send, 404, f"There is no load balancer with the name {host}.")
                return
            open_ports = sorted(
                listener.get("Port", 80)
                for listener in self._alb._listeners.values()
                if listener["LoadBalancerArn"] == balancer["LoadBalancerArn"]
            )
            if port in (None, settings.gateway_port()):
                port = 80 if 80 in open_ports else next(iter(open_ports), 80)
            if port not in open_ports:
                listening = f"listens on {', '.join(map(str, open_ports))}" if open_ports else "has no listener"
                await self._say(send, 503, f"The load balancer {host} {listening}; nothing answers on port {port}.")
                return
            response = await self._alb.dispatch_request(
                balancer,
                scope["method"],
                scope["path"],
                {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
                await _body(receive),
                self._app.parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True),
                port,
                client_ip=(scope.get("client") or ("127.0.0.1",))[0],
                raw_query_string=scope["query_string"].decode("latin-1"),
                raw_path=scope.get("raw_path", scope["path"].encode()).decode("latin-1"),
            )
            await self._app._send_if_handled(send, response, receive, head=scope["method"] == "HEAD")

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
                threading.Thread(target=self._relay.prepare, name="relay-image", daemon=True).start()
            elif message["type"] == "lifespan.shutdown.complete":
                await asyncio.to_thread(self._after_stop)
            await send(message)

        await self._app.app(scope, receive_ours, send_ours)

    def _before_start(self) -> None:
        containers.sweep_quietly()  # of a process that was killed
        _settle_restored_tasks(self._services / "ecs.json")

    def _before_stop(self) -> None:
        self._snapshots.end()
        self._app.PERSIST_STATE = bool(self._snapshots.failed)  # what is saved it would save again
        self._containers.close()  # its service scheduler would replace tasks as fast as they are swept

    def _after_stop(self) -> None:
        containers.sweep_quietly()
        try:
            self._relay.remove()
        except DockerException as problem:
            log.warning("the relay may be left: %s", problem)
        self._containers.end()

    def _save(self, name: str, state: Any) -> bool:
        """Writes one service's state. MiniStack logs a failure instead of raising it, so the file tells."""
        path = self._services / f"{name}.json"
        before = path.stat().st_mtime_ns if path.exists() else None
        self._persistence.save_state(name, state)
        return path.exists() and path.stat().st_mtime_ns != before

    async def _say(self, send: Send, status: int, message: str) -> None:
        answer = protocol.Answer(status, {"content-type": "text/plain; charset=utf-8"}, f"{message}\n".encode())
        await self._app._send_response(send, *answer)


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
        ECS_RESTORE_RECONCILE_DELAY_SECONDS="0.2",
        GATEWAY_PORT=str(settings.gateway_port()),
        HOSTNAME="",  # it would look for a container of that name, to find its own network
        IOT_MTLS_ENABLED="0",
        LOG_LEVEL="WARNING",
        MINISTACK_ACCOUNT_ID=settings.ACCOUNT,
        MINISTACK_HOSTNAME=containers.owner(),
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


def _settle_restored_tasks(path: Path) -> None:
    """Tasks in saved state have no container any more: they are STOPPED, say since when and why, and count nowhere.

    MiniStack would show them as STOPPED with the desired status RUNNING. Those that stopped over an hour before are
    forgotten, as ECS does (DescribeTasks: "stopped tasks appear in the returned results for at least one hour").
    """
    try:
        saved = json.loads(path.read_text("utf-8"))
        tasks, services, clusters = (saved["payload"][kind]["data"] for kind in ("tasks", "services", "clusters"))
        when = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError) as problem:
        broken = path.with_name(f"{path.name}.broken")
        path.replace(broken)
        log.warning("what was saved of ECS cannot be read (%s) and was put aside as %s", problem, broken)
        return
    for key, task in list(tasks.items()):
        if task.get("lastStatus") == "STOPPED":
            if (when - datetime.fromisoformat(task.get("stoppedAt") or NEVER)).total_seconds() > STOPPED_TASK_SECONDS:
                del tasks[key]
        else:
            task.update(
                lastStatus="STOPPED",
                desiredStatus="STOPPED",
                stopCode="TerminationNotice",
                stoppedReason="The local AWS was stopped.",
                stoppingAt=when.isoformat(),
                executionStoppedAt=when.isoformat(),
                stoppedAt=when.isoformat(),
            )
            for container in task.get("containers", []):
                container["lastStatus"] = "STOPPED"
    for service in services.values():
        for counted in (service, *service.get("deployments", [])):
            counted.update(runningCount=0, pendingCount=0)
    for cluster in clusters.values():
        cluster.update(runningTasksCount=0, pendingTasksCount=0)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(saved), "utf-8")
    fresh.replace(path)


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


async def _body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(chunks)
