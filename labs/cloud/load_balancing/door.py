"""The way from the gateway to a load balancer: a request with a load balancer's name is passed on to its HAProxy.

Both bodies are streamed, over connections that are kept. The Host that HAProxy and the targets see is the load
balancer's own name.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import h11

from labs import settings
from labs.cloud.frame.store import Record
from labs.cloud.load_balancing import connections, load_balancers, tls
from labs.cloud.load_balancing.connections import Connection
from labs.cloud.load_balancing.state import LoadBalancing

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CHUNK = 65536
_SAFE = ("GET", "HEAD", "OPTIONS")  # to send again: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
OWN_NAMES = ".on.localhost"  # names that rules give to services, as AWS's Express Mode does under on.aws
_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade", b"host", b"expect"}


async def balance(  # noqa: PLR0917 - ASGI's three, and the two of `Ours.balance`
    lb: LoadBalancing, scope: Scope, receive: Receive, send: Send, host: str, port: int | None
) -> None:
    """ASGI: an HTTP request to the load balancer with this host name.

    Args:
        lb: the state.
        scope: of a request of type `http`.
        receive: the request's body.
        send: takes the answer.
        host: the name in the request's Host header, in lower case. A number before the load balancer's own name
            chooses the listener: `8080.<DNSName>`.
        port: the port in the Host header; chooses the listener unless it is the gateway's.
    """
    record, wanted = find(lb, host)
    if record is None:
        await _say(send, 404, f"There is no load balancer with the name {host}.")
        return
    if wanted is None and port not in (None, settings.gateway_port()):
        wanted = port
    name = host if host.endswith(OWN_NAMES) else record["DNSName"]
    open_ports = [one["Port"] for one in lb.listeners_of(record["LoadBalancerArn"])]
    chosen = wanted or (80 if 80 in open_ports else next(iter(open_ports), 80))
    if chosen not in open_ports:
        listens = f"listens on {', '.join(map(str, open_ports))}" if open_ports else "has no listener"
        await _say(send, 503, f"The load balancer {record['LoadBalancerName']} {listens}; nothing answers on {chosen}.")
        return
    door = record["_doors"].get(str(chosen))
    secure = _secure_doors(lb, record)
    if door and chosen in secure:
        await _lead(send, scope, record["Type"], f"{name}:{door}")
        return
    try:
        if door is None:
            raise ConnectionRefusedError
        connection = await connections.take(door, fresh=not _is_bodiless(scope))
        if await _Exchange(scope, receive, send, connection, secure).run(name, door):
            return
        connection = await connections.take(door, fresh=True)  # it was closed just before it was used
    except OSError:
        await _say(send, 503, f"The load balancer {record['LoadBalancerName']} is being set up. Try again in a moment.")
        return
    await _Exchange(scope, receive, send, connection, secure).run(name, door)


def find(lb: LoadBalancing, host: str) -> tuple[Record | None, int | None]:
    """The load balancer that a host name means, and the listener's port if the name begins with one."""
    name = host.removesuffix(".elb.amazonaws.com")
    name = name if name == host else f"{name}.{load_balancers.DOMAIN}"
    first, _, rest = name.partition(".")
    by_name = {record["DNSName"]: record for record in lb.load_balancers.values()}
    if name in by_name:
        return by_name[name], None
    if first.isdecimal() and rest in by_name and 0 < int(first) < 65536:
        return by_name[rest], int(first)
    if host.endswith(OWN_NAMES):
        return _named_by_rule(lb, host), 443
    return None, None


def _named_by_rule(lb: LoadBalancing, host: str) -> Record | None:
    """The load balancer that has a rule for exactly this host name."""
    for rule in lb.rules.values():
        names = [name for one in rule["Conditions"] if one["Field"] == "host-header" for name in one["Values"]]
        if host in names and rule["_listener"] in lb.listeners:
            return lb.load_balancers.get(lb.listeners[rule["_listener"]]["LoadBalancerArn"])
    return None


def _secure_doors(lb: LoadBalancing, record: Record) -> dict[int, int]:
    """The ports of a load balancer's listeners that speak TLS, each with its port on this machine."""
    ports = [one["Port"] for one in lb.listeners_of(record["LoadBalancerArn"]) if one["Protocol"] in tls.PROTOCOLS]
    return {port: record["_doors"][str(port)] for port in ports if str(port) in record["_doors"]}


async def _lead(send: Send, scope: Scope, kind: str, place: str) -> None:
    """The gateway speaks no TLS: the client is sent to the port on this machine where the listener does."""
    if kind == "network":
        await _say(send, 421, f"This listener speaks TLS. It answers on this machine at {place}.")
        return
    query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    headers = [(b"location", f"https://{place}{path}{query}".encode("latin-1")), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _is_bodiless(scope: Scope) -> bool:
    """Whether a request is over with its headers and can be sent again."""
    names = {name.lower() for name, _ in scope["headers"]}
    return scope["method"] in _SAFE and not names & {b"content-length", b"transfer-encoding"}


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, connection: Connection, secure: dict[int, int]
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._connection = connection
        self._reader, self._writer, self._http = connection.reader, connection.writer, connection.http
        self._started = False
        self._secure = secure  # ports of HTTPS listeners to ports on this machine
        self._name = ""

    async def run(self, name: str, door: int) -> bool:
        """Returns whether the client has an answer; if not, the connection was a used one and has been closed."""
        self._name = name
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
                await _say(self._send, 502, "The load balancer closed the connection.")
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

    def _here(self, key: bytes, value: bytes) -> bytes:
        """A redirect to an HTTPS listener of the same load balancer leads to its port on this machine."""
        own, _, rest = value.partition(b"://")[2].partition(b"/")
        name, _, port = own.partition(b":")
        if key != b"location" or not value.startswith(b"https://") or name != self._name.encode():
            return value
        door = self._secure.get(int(port or b"443")) if not port or port.isdigit() else None
        return b"https://%b:%d/%b" % (name, door, rest) if door else value

    async def _answer(self) -> None:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(CHUNK))
            elif isinstance(event, h11.Response):
                self._started = True
                headers = [
                    (key, self._here(key, value))
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


async def _say(send: Send, status: int, message: str) -> None:
    body = f"{message}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
