"""LocalStack as the backend: one that runs already, by its address, or its image with the learner's token.

Only public things of it are used: AWS's APIs, and `/_localstack/health`, which lists the services that its plan and
version have (https://github.com/localstack/lstk reads it too). Its own container services,
where it has them, stay unused: those are ours.
"""

import json
import os
import re
import time
import urllib.error
import urllib.request
from functools import partial
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx

from labs import settings
from labs.cloud import guard, protocol
from labs.cloud.backends import forwarding, localstack_container
from labs.cloud.backends.errors import BackendUnavailableError
from labs.cloud.frame import http
from labs.cloud.gateway import Receive, Scope, Send

URL_VARIABLE = "COURSE_LOCALSTACK_URL"
HEALTH = "/_localstack/health"
# LocalStack's names of services that sign their requests with another name, from botocore's models (a test compares).
SIGNED_AS = {
    "cloudwatch": "monitoring",
    "dynamodbstreams": "dynamodb",
    "opensearch": "es",
    "resourcegroupstaggingapi": "tagging",
    "s3control": "s3",
    "stepfunctions": "states",
}
_QUEUE_ADDRESS = re.compile(rb"https?://[a-z0-9.-]*localhost\.localstack\.cloud(?::\d+)?(?=[/\"<])")


class LocalStack:
    """A LocalStack behind the gateway's `Backend` interface.

    Args:
        url: of a running one; without it the image is started.

    Raises:
        BackendUnavailableError: there is none; the text says what to do.
    """

    name = "localstack"

    def __init__(self, url: str | None) -> None:
        self._container = None if url else localstack_container.start()
        self._url = read_url(url or self._container.url)
        found = self._container.wait(partial(health, self._url)) if self._container else health(self._url)
        if found is None:
            raise BackendUnavailableError(
                f"No LocalStack answers at {self._url.geturl()}. Start it, or choose another backend: "
                "`python3 -m labs start --backend embedded`."
            )
        self.version = f"LocalStack {found.get('version', '?')}"
        self.services = signing_names(found["services"])
        self._client = forwarding.client()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await forwarding.lifespan(receive, send, self._start, self._stop)
        elif scope["type"] == "websocket":
            await forwarding.close_websocket(send)
        else:
            await self._pass_on(scope, receive, send)

    def condition(self) -> dict[str, Any]:
        return {"unsaved": [], "backend_url": self._url.geturl(), "services": sorted(self.services)}

    async def _start(self) -> None:
        """There is nothing to do: it runs."""

    async def _stop(self) -> None:
        await self._client.aclose()
        if self._container:
            self._container.stop()

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        where = httpx.URL(scheme=self._url.scheme, host=self._url.hostname, port=self._url.port, path="/")
        request = httpx.Request(
            scope["method"],
            where.copy_with(raw_path=forwarding.target(scope)),
            headers=forwarding.passed_on(scope["headers"]),
            content=forwarding.content(receive) if forwarding.has_body(scope) else None,
        )
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        service = protocol.signing_name(headers, scope["query_string"].decode("latin-1"))
        try:
            await forwarding.exchange(self._client, request, send, _our_queues if service == "sqs" else None)
        except forwarding.UnreachableError as problem:
            message = f"LocalStack at {self._url.geturl()} gave no answer ({problem}). Is it running?"
            await http.answer(send, protocol.error(service, headers, 503, "ServiceUnavailable", message))


def read_url(text: str) -> SplitResult:
    """The address of a LocalStack, checked.

    Raises:
        BackendUnavailableError: it is no address, or one of AWS.
    """
    try:
        url = urlsplit(text.rstrip("/"))
        good = url.scheme in ("http", "https") and url.hostname and url.path == "" and not url.query and url.port != 0
    except ValueError:
        good = False
    if not good or url.username or url.password:
        raise BackendUnavailableError(f"{text!r} is no address of a LocalStack; one looks like http://127.0.0.1:4566.")
    if guard.is_real_aws(url.hostname):
        raise BackendUnavailableError(f"{url.hostname} is a real AWS host, and no LocalStack.")
    own = ("127.0.0.1", "localhost", "::1")
    if url.hostname in own and (url.port or 80) == settings.gateway_port():
        raise BackendUnavailableError(
            f"{text} is the course's own port. Let LocalStack listen on another one (GATEWAY_LISTEN=127.0.0.1:4567), "
            f"or the course: COURSE_PORT={settings.gateway_port() + 1}."
        )
    return url


def chosen_url() -> str | None:
    """The address that was chosen, by the environment or by `start --backend localstack --url`."""
    if settings.chosen_backend().get("backend") == LocalStack.name:
        return os.environ.get(URL_VARIABLE) or settings.chosen_backend().get("url")
    return os.environ.get(URL_VARIABLE)


def health(url: SplitResult, seconds: float = 5.0) -> dict[str, Any] | None:
    """What a LocalStack says about itself: version, edition, services; None if none answers there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url.geturl() + HEALTH, timeout=seconds) as answer:  # http or https: `read_url`
            found = json.load(answer)
    except (OSError, ValueError, urllib.error.URLError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("services"), dict) else None


def signing_names(services: dict[str, str]) -> frozenset[str]:
    """The SigV4 names of the services that a health answer calls usable."""
    return frozenset(
        SIGNED_AS.get(name, name) for name, state in services.items() if state not in ("disabled", "error")
    )


def wait_for(url: SplitResult, seconds: float, goes_on: Any = lambda: True) -> dict[str, Any] | None:
    """The health of a LocalStack that is starting; None if it does not answer in time or `goes_on` says no."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := health(url, 2.0):
            return found
        if not goes_on():
            return None
        time.sleep(0.1)
    return None


def _our_queues(_status: int, body: bytes) -> bytes:
    """LocalStack names its queues by its own host; tasks and notebooks reach them at the gateway."""
    return _QUEUE_ADDRESS.sub(settings.gateway_url().encode(), body)
