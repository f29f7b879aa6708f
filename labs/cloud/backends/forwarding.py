"""Passes a request on to a server somewhere else, and its answer back. Both bodies are streamed."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx

from labs.cloud.gateway import Receive, Scope, Send

CONNECT_SECONDS = 10.0
# What belongs to one connection (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1) and is made anew for the next.
HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect"}
)

Change = Callable[[int, bytes], bytes]


class UnreachableError(Exception):
    """The server gave no answer. The text says why."""


def client(*, proxied: bool = False) -> httpx.AsyncClient:
    """A client that keeps connections, adds no headers of its own, and follows nothing.

    Args:
        proxied: through the proxy of the standard environment variables, where there is one.
    """
    made = httpx.AsyncClient(
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=200, keepalive_expiry=3.0),
        trust_env=proxied,
        follow_redirects=False,
    )
    made.headers.clear()
    return made


async def content(receive: Receive) -> AsyncIterator[bytes]:
    """The body of a request, as it comes.

    Raises:
        UnreachableError: the client went away before its end.
    """
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise UnreachableError("The client has gone.")
        if body := message.get("body"):
            yield body
        if not message.get("more_body"):
            return


def target(scope: Scope) -> bytes:
    """The path and query of a request, as it was sent."""
    path = scope.get("raw_path") or scope["path"].encode()
    return path.partition(b"?")[0] + (b"?" + scope["query_string"] if scope["query_string"] else b"")


def passed_on(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers that go on to the next server."""
    return [(name, value) for name, value in headers if name.lower() not in HOP]


def has_body(scope: Scope) -> bool:
    """Whether a request says that it has a body."""
    names = {name.lower() for name, _ in scope["headers"]}
    return bool(names & {b"content-length", b"transfer-encoding"})


async def exchange(using: httpx.AsyncClient, request: httpx.Request, send: Send, change: Change | None = None) -> int:
    """One request and its answer.

    Args:
        using: what sends it.
        request: what is sent.
        send: takes the answer.
        change: given the status and the whole body of the answer, returns the body to send on; without it the answer
            is streamed.

    Returns:
        The status.

    Raises:
        UnreachableError: there is no answer. If some of it was sent on already, the connection to the client ends.
    """
    started = False
    try:
        response = await using.send(request, stream=True)
        try:
            headers = passed_on(list(response.headers.raw))
            if change:
                body = await response.aread()
                names = (b"content-length", b"content-encoding")
                headers = [pair for pair in headers if pair[0].lower() not in names]
                body = change(response.status_code, body)
                headers.append((b"content-length", str(len(body)).encode()))
                started = True
                await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
                await send({"type": "http.response.body", "body": body})
                return response.status_code
            started = True
            await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            return response.status_code
        finally:
            await response.aclose()
    except httpx.HTTPError as problem:
        if started:
            raise
        raise UnreachableError(f"{type(problem).__name__}: {problem}") from problem


async def lifespan(
    receive: Receive, send: Send, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]
) -> None:
    """ASGI's lifespan, with what is done at both ends. A start that fails ends the process with its sentence."""
    await receive()
    try:
        await start()
    except Exception as problem:
        await send({"type": "lifespan.startup.failed", "message": str(problem)})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    with contextlib.suppress(Exception):
        await stop()
    await send({"type": "lifespan.shutdown.complete"})


async def close_websocket(send: Send) -> None:
    """Answers a WebSocket that nobody has."""
    await send({"type": "websocket.close", "code": 1008, "reason": "no such session"})
