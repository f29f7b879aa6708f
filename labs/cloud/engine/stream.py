"""The stream of the engine's events about our containers, handed to the event loop.

Events are hints: whoever hears one looks at the container itself. After a gap (the engine was restarted) everybody
is told to look again.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

from docker.errors import DockerException
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from labs.cloud.engine import docker, labels

RETRY_SECONDS = 1.0
# Not all: every run of a health check is three events.
EVENTS = ["start", "die", "oom", "destroy", "pause", "unpause", "health_status"]

Listener = Callable[[dict[str, Any] | None], None]

log = logging.getLogger(__name__)


class Stream:
    """Calls its listeners on the event loop with each event of one of our containers, and with None after a gap."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._ended = threading.Event()
        self._source: Any = None
        self.connected = False

    def listen(self, listener: Listener) -> None:
        """Adds a listener. An event has `status` (`die`, `oom`, `health_status: healthy`, ...), `id` and `Actor`."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begins to listen, in a thread. Call it on the event loop."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, args=(loop,), name="docker-events", daemon=True).start()

    def end(self) -> None:
        """Stops listening."""
        self._ended.set()
        if self._source is not None:
            self._source.close()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._ended.is_set():
            try:
                wanted = {"type": "container", "label": labels.ours(), "event": EVENTS}
                self._source = docker.client().events(decode=True, filters=wanted)
                self.connected = True
                self._tell(loop, None)
                for event in self._source:
                    self._tell(loop, event)
            except (DockerException, RequestException, HTTPError, OSError, ValueError) as problem:
                log.debug("the engine's events ended: %s", problem)
            self.connected = False
            self._ended.wait(RETRY_SECONDS)

    def _tell(self, loop: asyncio.AbstractEventLoop, event: dict[str, Any] | None) -> None:
        if self._ended.is_set() or loop.is_closed():
            return
        for listener in self._listeners:
            loop.call_soon_threadsafe(listener, event)
