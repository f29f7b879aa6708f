"""The way from the gateway to a load balancer: a request with a load balancer's name is passed on to its HAProxy.

Both bodies are streamed, over connections that are kept. The Host that HAProxy and the targets see is the load
balancer's own name.
"""

from collections.abc import Callable

from labs import settings
from labs.cloud.engine.exchange import Receive, Scope, Send, pass_on, say
from labs.cloud.frame.store import Record
from labs.cloud.load_balancing import load_balancers, tls
from labs.cloud.load_balancing.state import LoadBalancing

OWN_NAMES = ".on.localhost"  # names that rules give to services, as AWS's Express Mode does under on.aws


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
        await say(send, 404, f"There is no load balancer with the name {host}.")
        return
    if wanted is None and port not in (None, settings.gateway_port()):
        wanted = port
    name = host if host.endswith(OWN_NAMES) else record["DNSName"]
    open_ports = [one["Port"] for one in lb.listeners_of(record["LoadBalancerArn"])]
    chosen = wanted or (80 if 80 in open_ports else next(iter(open_ports), 80))
    if chosen not in open_ports:
        listens = f"listens on {', '.join(map(str, open_ports))}" if open_ports else "has no listener"
        await say(send, 503, f"The load balancer {record['LoadBalancerName']} {listens}; nothing answers on {chosen}.")
        return
    door = record["_doors"].get(str(chosen))
    secure = _secure_doors(lb, record)
    if door and chosen in secure:
        await _lead(send, scope, record["Type"], f"{name}:{door}")
        return
    if door is None or not await pass_on(scope, receive, send, door, name, _leading(name, secure)):
        await say(send, 503, f"The load balancer {record['LoadBalancerName']} is being set up. Try again in a moment.")


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
        await say(send, 421, f"This listener speaks TLS. It answers on this machine at {place}.")
        return
    query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    headers = [(b"location", f"https://{place}{path}{query}".encode("latin-1")), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _leading(name: str, secure: dict[int, int]) -> Callable[[bytes], bytes]:
    """What is told as the `Location` of an answer: a redirect to an HTTPS listener of the same load balancer leads to
    its port on this machine."""

    def here(value: bytes) -> bytes:
        own, _, rest = value.partition(b"://")[2].partition(b"/")
        host, _, port = own.partition(b":")
        if not value.startswith(b"https://") or host != name.encode():
            return value
        door = secure.get(int(port or b"443")) if not port or port.isdigit() else None
        return b"https://%b:%d/%b" % (host, door, rest) if door else value

    return here
