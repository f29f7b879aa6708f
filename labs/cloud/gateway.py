"""The one door of the local AWS: an ASGI app that lets in only local clients and finds who answers a request.

In order: the `Host` and `Origin` are checked; a load balancer's name goes to that load balancer and nowhere else; the
rest goes to the service of ours or to the backend, by SigV4 scope and `X-Amz-Target`. What nobody has is a 501 at once.
"""

import json
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from labs import settings
from labs.cloud import protocol

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEALTH = "/_course/health"
STOP = "/_course/stop"
SPOT = "/_course/spot-interruption"
SESSION = "/_course/session/"
# From the machine itself; through the relay; through the relay on Docker Desktop.
HOSTS = frozenset({"127.0.0.1", "localhost", "::1", settings.RELAY_ADDRESS, "host.docker.internal"})
BALANCER_DOMAINS = (".elb.amazonaws.com", ".elb.localhost", ".on.localhost", ".awsapprunner.localhost")
PRIVATE_PATHS = ("/_ministack/", "/_localstack/", "/_alb/")  # a backend's own doors stay shut
REGISTRY_PATH = "/v2"  # https://distribution.github.io/distribution/spec/api/
TASK_PATHS = (
    "/v2/credentials/",
    "/v3/",
    "/v4/",
    "/ecs-agent/",
)  # what the ECS agent answers to tasks, and ECS to agents

log = logging.getLogger(__name__)


class Backend(Protocol):
    """What answers for every service that is not ours."""

    name: str
    version: str
    services: frozenset[str]  # SigV4 signing names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: AWS requests, and the lifespan of the whole gateway."""

    def condition(self) -> dict[str, Any]:
        """What `/_course/health` says about it."""


class Ours(Protocol):
    """The container services of our own: `control_plane.ControlPlane`."""

    apps: Mapping[str, App]  # by SigV4 signing name
    targets: Mapping[str, str]  # X-Amz-Target prefixes to signing names

    async def start(self) -> None:
        """Begins their work. The gateway does not answer requests yet."""

    async def stop(self) -> None:
        """Ends their work and removes their containers. The backend still lives."""

    async def balance(self, scope: Scope, receive: Receive, send: Send, host: str, port: int | None) -> None:
        """ASGI: a request to the load balancer with this host name, at this listener port if the client named one, or
        to the service of App Runner with it."""

    async def answer_task(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: a container of a task asks for its metadata or its role's credentials."""

    async def admit(self, app: App, service: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: `app` answers a request signed for `service`, if its sender may do what it asks for."""

    async def registry(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: a request of Docker to the registry of ECR, at `REGISTRY_PATH`."""

    async def open_session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: a WebSocket at `SESSION`, of a session of ECS Exec."""

    def interrupt(self, task: str) -> tuple[int, dict[str, Any]]:
        """Takes the capacity of a task on Fargate Spot back, as AWS may at any time: a status and what was done."""

    def condition(self) -> dict[str, Any]:
        """What `/_course/health` says about them."""


class Gateway:
    """The ASGI app.

    Args:
        backend: what answers for the services that are not ours.
        ours: the services of our own.
        stop: called when a stop was asked for with the right token.
        token: that token.
    """

    def __init__(self, backend: Backend, ours: Ours, stop: Callable[[], None] = lambda: None, token: str = "") -> None:
        self.backend = backend
        self._ours = ours
        self._stop = stop
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host, port = _split_host(headers.get("host", ""))
        if scope["type"] == "http" and host.endswith(BALANCER_DOMAINS):
            await self._ours.balance(scope, receive, send, host, port)
        elif reason := _refusal(host, headers):
            await _refuse(scope, send, headers, reason)
        elif scope["type"] == "websocket" and scope["path"].startswith(SESSION):
            await self._ours.open_session(scope, receive, send)
        elif scope["type"] == "websocket":
            await self.backend(scope, receive, send)
        elif scope["path"].startswith("/_course/"):
            await self._own(scope, send, headers)
        elif host == settings.RELAY_ADDRESS and scope["path"].startswith(TASK_PATHS):
            await self._ours.answer_task(scope, receive, send)
        elif scope["path"].startswith(PRIVATE_PATHS):
            await _answer(send, protocol.error(None, headers, 404, "NotFound", "This address does not exist here."))
        else:
            await self._route(scope, receive, send, headers)

    async def _route(self, scope: Scope, receive: Receive, send: Send, headers: dict[str, str]) -> None:
        service = protocol.signing_name(headers, scope["query_string"].decode("latin-1"))
        path = scope["path"]
        if service is None and (path == REGISTRY_PATH or path.startswith(f"{REGISTRY_PATH}/")):
            await self._ours.registry(scope, receive, send)
            return
        name = self._ours.targets.get(protocol.target_prefix(headers), service)
        if name in self._ours.apps:
            await self._ours.admit(self._ours.apps[name], service, scope, receive, send)
        elif service is None or service in self.backend.services:
            await self._ours.admit(self.backend, service, scope, receive, send)
        else:
            message = (
                f"The local AWS of this course has no service '{service}', so this call cannot be tried here. "
                "Nothing was sent to AWS."
            )
            await _answer(send, protocol.error(service, headers, 501, "NotImplemented", message))

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The backend's start and stop; ours start after it and stop before it."""

        async def receive_ours() -> MutableMapping[str, Any]:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._ours.stop()
            return message

        async def send_ours(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                await self._ours.start()
            await send(message)

        await self.backend(scope, receive_ours, send_ours)

    async def _own(self, scope: Scope, send: Send, headers: dict[str, str]) -> None:
        if scope["path"] == HEALTH and scope["method"] == "GET":
            await _answer_json(send, 200, self._health())
        elif scope["path"] == STOP and scope["method"] == "POST":
            if self._token and secrets.compare_digest(headers.get("x-course-token", ""), self._token):
                await _answer_json(send, 202, {"message": "The local AWS stops."})
                self._stop()
            else:
                await _answer_json(send, 403, {"message": "Only `python3 -m labs stop` may stop the local AWS."})
        elif scope["path"] == SPOT and scope["method"] == "POST":
            asked = parse_qs(scope["query_string"].decode("latin-1"))
            await _answer_json(send, *self._ours.interrupt(asked.get("task", [""])[0]))
        else:
            await _answer_json(send, 404, {"message": f"There are {HEALTH} and {SPOT} here, and nothing else."})

    def _health(self) -> dict[str, Any]:
        return {
            "course": settings.COURSE,
            "version": self.backend.version,
            "backend": self.backend.name,
            "pid": os.getpid(),
            "state_dir": str(settings.cloud_dir()),
            **self.backend.condition(),
            **self._ours.condition(),
        }


def _split_host(value: str) -> tuple[str, int | None]:
    """A `Host` header as (name in lower case, port or None); ('', None) for one that cannot be read."""
    try:
        parts = urlsplit("//" + value)
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "", None


def _refusal(host: str, headers: dict[str, str]) -> str | None:
    """Why a request may not enter, in a sentence; None if it may."""
    if host not in HOSTS:
        return f"The local AWS answers only to this machine's own names, and not to '{host or 'no Host header'}'."
    origin = headers.get("origin")
    foreign = origin is not None and origin.partition("://")[2] != headers["host"]
    # A page's image or form without an Origin header; 'none' is an address typed by the user.
    if foreign or headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return f"A web page ({origin or 'of another site'}) may not use the local AWS: it could start containers here."
    return None


async def _refuse(scope: Scope, send: Send, headers: dict[str, str], reason: str) -> None:
    log.warning("refused: %s", reason)
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "foreign Host or Origin"})
    else:
        await _answer(send, protocol.error(None, headers, 403, "AccessDenied", reason))


async def _answer(send: Send, answer: protocol.Answer) -> None:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _answer_json(send: Send, status: int, content: dict[str, Any]) -> None:
    body = json.dumps(content).encode()
    await _answer(send, protocol.Answer(status, {"content-type": "application/json"}, body))
