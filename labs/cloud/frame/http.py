"""An HTTP request as a whole, read from ASGI, and the answer to it."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

from labs import settings
from labs.cloud import protocol
from labs.cloud.frame.errors import AwsError

BODY_BYTES = 2_000_000
_REGION = re.compile(r"Credential=[^/]+/[^/]+/([^/]+)/")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Incoming(NamedTuple):
    """A request: method, path (still percent-encoded), query (undecoded), headers by names in lower case, body."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def region(self) -> str:
        """The region that the request is signed for; ours where it is not signed."""
        found = _REGION.search(self.headers.get("authorization", "")) or _REGION.search(self.query.replace("%2F", "/"))
        return found[1] if found else settings.REGION


def head(scope: Scope) -> Incoming:
    """A request without its body."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    return Incoming(scope["method"], path, scope["query_string"].decode("latin-1"), headers)


async def body(receive: Receive, most: int = BODY_BYTES) -> bytes:
    """The body of a request, of so many bytes at most.

    Raises:
        AwsError: it is longer than any request to a service of ours.
    """
    chunks, size = [], 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise AwsError("RequestEntityTooLargeException", "The request is too large.", 413)
        chunks.append(chunk)
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(chunks)


async def answer(send: Send, content: protocol.Answer) -> None:
    """Sends an answer."""
    headers = [(name.encode(), value.encode()) for name, value in content.headers.items()]
    headers.append((b"content-length", str(len(content.body)).encode()))
    await send({"type": "http.response.start", "status": content.status, "headers": headers})
    await send({"type": "http.response.body", "body": content.body})


async def ask(app: App, scope: Scope, content: bytes) -> protocol.Answer:
    """What another ASGI app answers to a request whose body was read, and perhaps changed, here."""
    headers = [pair for pair in scope["headers"] if pair[0].lower() not in (b"content-length", b"transfer-encoding")]
    headers.append((b"content-length", str(len(content)).encode()))
    sent: list[MutableMapping[str, Any]] = []
    given = False

    async def receive() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app({**scope, "headers": headers}, receive, send)
    found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in sent[0].get("headers", [])}
    found.pop("content-length", None)
    return protocol.Answer(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))
