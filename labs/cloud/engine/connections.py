"""Connections from the gateway to load balancers, kept for the next request.

A connection for each request would leave a closed one behind for a minute, and after some 28,000 of them this machine
has no port left to open another one (net.ipv4.ip_local_port_range; TIME_WAIT).
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import h11

from labs import settings

KEEP_SECONDS = 1.0  # shorter than any timeout of a load balancer
MOST = 64  # for each load balancer's port


@dataclass
class Connection:
    """A connection, and how far its protocol is.

    Args:
        reader: from the load balancer.
        writer: to the load balancer.
        opened: when, of `time.monotonic`; before it was asked for.
        http: the protocol's state.
        used: whether a request has been on it before.
        since: when it was given back, of `time.monotonic`.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    opened: float
    http: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20))
    used: bool = False
    since: float = 0.0

    @property
    def is_free(self) -> bool:
        """Whether it was given back a moment ago and nobody has closed it."""
        return time.monotonic() - self.since < KEEP_SECONDS and not self.reader.at_eof()


_idle: dict[int, list[Connection]] = defaultdict(list)
_renewed: dict[int, float] = {}


async def take(door: int, *, fresh: bool) -> Connection:
    """A connection to a port on this machine.

    Args:
        door: the port.
        fresh: one that nobody has used.

    Raises:
        OSError: nobody listens.
    """
    while not fresh and _idle[door]:
        found = _idle[door].pop()
        if found.is_free and _is_current(door, found):
            return found
        found.writer.close()
    opened = time.monotonic()
    return Connection(*await asyncio.open_connection(settings.GATEWAY_HOST, door), opened)


@contextlib.contextmanager
def renewed(doors: Iterable[int]) -> Iterator[None]:
    """For the time of a reload: no connection opened before its end gets a second request.

    The worker that a reload replaces answers one more request, by the old rules, on each connection that it has.
    https://docs.haproxy.org/2.6/configuration.html#4.2-option%20idle-close-on-response
    """
    doors = list(doors)
    _renewed.update(dict.fromkeys(doors, float("inf")))
    try:
        yield
    finally:
        _renewed.update(dict.fromkeys(doors, time.monotonic()))


def give_back(door: int, connection: Connection) -> None:
    """Keeps a connection for another request if it is fit for one, and closes it if not."""
    state = connection.http
    fit = state.our_state is h11.DONE and state.their_state is h11.DONE and not state.trailing_data[0]
    if not fit or not _is_current(door, connection):
        connection.writer.close()
        return
    state.start_next_cycle()
    connection.used, connection.since = True, time.monotonic()
    kept = _idle[door]
    while kept and (len(kept) >= MOST or not kept[0].is_free):
        kept.pop(0).writer.close()
    kept.append(connection)


def _is_current(door: int, connection: Connection) -> bool:
    return connection.opened > _renewed.get(door, float("-inf"))
