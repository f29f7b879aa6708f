"""Passes a request on to the registry's container, and its answer back. Both bodies are streamed."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import h11

from labs import settings
from labs.cloud.ecr.state import Bytes
from labs.cloud.frame.errors import AwsError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Seen = Callable[[int, dict[str, str]], dict[str, str]]

CHUNK = 262144
# What belongs to one connection, and what is not the registry's to know.
_HOP = {
    b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade", b"host", b"expect", b"authorization",
}  # fmt: skip


async def exchange(  # noqa: PLR0917 - ASGI's three first
    bytes_: Bytes, scope: Scope, receive: Receive, send: Send, target: str, seen: Seen
) -> None:
    """One request and its answer.

    Args:
        bytes_: who knows the registry's port.
        scope: of a request of type `http`.
        receive: the request's body.
        send: takes the answer.
        target: the path and query to ask the registry for.
        seen: given the answer's status and headers (names in lower case); returns the headers to send on.

    Raises:
        AwsError: the registry does not answer.
    """
    port = await bytes_.port()
    try:
        reader, writer = await asyncio.open_connection(settings.GATEWAY_HOST, port, limit=CHUNK)
    except OSError:
        bytes_.lost()
        port = await bytes_.port()
        try:
            reader, writer = await asyncio.open_connection(settings.GATEWAY_HOST, port, limit=CHUNK)
        except OSError as problem:
            raise AwsError("ServerException", f"The registry does not answer: {problem}", 500) from problem
    await _Exchange(scope, receive, send, reader, writer, seen).run(target)


class _Exchange:
    def __init__(  # noqa: PLR0917 - both ends, each with its way in and out
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        seen: Seen,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._reader = reader
        self._writer = writer
        self._seen = seen
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        self._started = False

    async def run(self, target: str) -> None:
        asking = asyncio.get_running_loop().create_task(self._ask(target))
        answering = asyncio.get_running_loop().create_task(self._answer())
        try:
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done() and not asking.exception():  # the client has gone
                return
            await answering
        except (OSError, h11.ProtocolError) as problem:
            if not self._started:
                raise AwsError("ServerException", f"The registry closed the connection: {problem}", 500) from problem
            raise
        finally:
            for task in (asking, answering):
                task.cancel()
            await asyncio.gather(asking, answering, return_exceptions=True)
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()

    async def _ask(self, target: str) -> None:
        """Sends the request, then waits until the client goes away."""
        headers = [(key, value) for key, value in self._scope["headers"] if key.lower() not in _HOP]
        headers.insert(0, (b"host", settings.GATEWAY_HOST.encode()))
        method = self._scope["method"].encode()
        await self._write(h11.Request(method=method, target=target.encode(), headers=headers))
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                return
            if message.get("body"):
                await self._write(h11.Data(data=message["body"]))
            if not message.get("more_body"):
                await self._write(h11.EndOfMessage())
                break
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
                found = {key.decode("latin-1"): value.decode("latin-1") for key, value in event.headers}
                found = self._seen(event.status_code, found)
                headers = [
                    (key.encode("latin-1"), value.encode("latin-1"))
                    for key, value in found.items()
                    if key.encode() not in _HOP and key != "transfer-encoding"
                ]
                await self._send({"type": "http.response.start", "status": event.status_code, "headers": headers})
            elif isinstance(event, h11.Data):
                await self._send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
            elif isinstance(event, h11.InformationalResponse):
                continue
            else:
                await self._send({"type": "http.response.body", "body": b""})
                return
