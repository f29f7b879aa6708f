"""A request that the gateway passes on to a proxy in a container.

Both bodies are streamed, over connections that are kept.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import h11

from labs.cloud.engine import connections
from labs.cloud.engine.connections import Connection

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Location = Callable[[bytes], bytes]

CHUNK = 65536
_SAFE = ("GET", "HEAD", "OPTIONS")  # to send again: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade", b"host", b"expect"}


async def pass_on(  # noqa: PLR0917 - ASGI's three, and where it goes
    scope: Scope, receive: Receive, send: Send, door: int, name: str, location: Location = bytes
) -> bool:
    """Passes a request on, and its answer back.

    Args:
        scope: of a request of type `http`.
        receive: the request's body.
        send: takes the answer.
        door: the proxy's port on this machine.
        name: the Host that the proxy sees.
        location: makes the `Location` that the client is told of the one in the answer.

    Returns:
        Whether there is an answer; if not, nobody listens at the door.
    """
    try:
        connection = await connections.take(door, fresh=not _is_bodiless(scope))
        if await _Exchange(scope, receive, send, connection, location).run(name, door):
            return True
        connection = await connections.take(door, fresh=True)  # it was closed just before it was used
    except OSError:
        return False
    await _Exchange(scope, receive, send, connection, location).run(name, door)
    return True


def _is_bodiless(scope: Scope) -> bool:
    """Whether a request is over with its headers and can be sent again."""
    names = {name.lower() for name, _ in scope["headers"]}
    return scope["method"] in _SAFE and not names & {b"content-length", b"transfer-encoding"}


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, connection: Connection, location: Location) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._connection = connection
        self._reader, self._writer, self._http = connection.reader, connection.writer, connection.http
        self._started = False
        self._location = location

    async def run(self, name: str, door: int) -> bool:
        """Returns whether the client has an answer; if not, the connection was a used one and has been closed."""
        asking = asyncio.get_running_loop().create_task(self._ask(name))
        answering = asyncio.get_running_loop().create_task(self._answer())
        try:
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done() and not asking.exception():  # the client has gone
                return True
            await answering
        except (OSError, h11.ProtocolError):
            if not self._started and self._connection.used:
                return False
            if not self._started:
                await say(self._send, 502, "The proxy closed the connection.")
        finally:
            for task in (asking, answering):
                task.cancel()
            await asyncio.gather(asking, answering, return_exceptions=True)
            connections.give_back(door, self._connection)
        return True

    async def _ask(self, name: str) -> None:
        """Sends the request, then waits until the client goes away."""
        headers = [(key, value) for key, value in self._scope["headers"] if key.lower() not in _HOP]
        target = self._scope.get("raw_path") or self._scope["path"].encode()
        target = target.partition(b"?")[0]
        if self._scope["query_string"]:
            target += b"?" + self._scope["query_string"]
        method = self._scope["method"].encode()
        await self._write(h11.Request(method=method, target=target, headers=[(b"host", name.encode()), *headers]))
        if _is_bodiless(self._scope):
            await self._write(h11.EndOfMessage())
        while self._http.our_state is h11.SEND_BODY:
            message = await self._receive()
            if message["type"] != "http.request":
                return
            if message.get("body"):
                await self._write(h11.Data(data=message["body"]))
            if not message.get("more_body"):
                await self._write(h11.EndOfMessage())
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _write(self, event: h11.Event) -> None:
        self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()

    async def _answer(self) -> None:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(CHUNK))
            elif isinstance(event, h11.Response):
                self._started = True
                headers = [
                    (key, self._location(value) if key == b"location" else value)
                    for key, value in event.headers
                    if key not in _HOP and key != b"transfer-encoding"
                ]
                await self._send({"type": "http.response.start", "status": event.status_code, "headers": headers})
            elif isinstance(event, h11.Data):
                await self._send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
            elif isinstance(event, h11.InformationalResponse):
                continue
            else:
                await self._send({"type": "http.response.body", "body": b""})
                return


async def say(send: Send, status: int, message: str) -> None:
    """Answers with a sentence."""
    body = f"{message}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
