"""One watcher: looks whenever Docker has news of the course's containers, and a little more than once a second besides.

It watches only while it is asked to: between `start` and `stop` there are two threads, otherwise none.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from labs import settings
from labs.kit.world import docker_client

CALM_SECONDS = 0.7  # between looks: what Docker does not tell (a target's health, a message in a queue) is seen then
BUSY_SECONDS = 0.25  # while something is on its way
RETRY_SECONDS = 2.0  # while no engine answers
EVENTS = {
    "type": ["container"],
    "label": [settings.LABEL],
    "event": ["create", "start", "die", "destroy", "health_status", "oom"],
}


class Watcher:
    """Calls `look` again and again in a thread of its own.

    Args:
        look: called with whether Docker has had news since the last look; answers whether to look again soon.
    """

    def __init__(self, look: Callable[[bool], bool]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._round: _Round | None = None

    @property
    def watching(self) -> bool:
        """Whether it watches."""
        return self._round is not None

    def start(self) -> None:
        """Begin to watch; nothing where it already does."""
        with self._lock:
            if self._round is None:
                self._round = _Round(self._look)

    def stop(self, wait: float = 0.0) -> None:
        """Cease to watch: the threads end with the look at hand.

        Args:
            wait: seconds to wait for that.
        """
        with self._lock:
            ended, self._round = self._round, None
        if ended:
            ended.end(wait)


class _Round:
    """The two threads between a start and a stop."""

    def __init__(self, look: Callable[[bool], bool]) -> None:
        self._look = look
        self._ended = threading.Event()
        self._wake = threading.Event()
        self._news = True
        self._stream: Any = None
        # Daemons: a kernel that ends does not wait for them.
        self._threads = [
            threading.Thread(target=target, daemon=True, name=f"live picture, {what}")
            for what, target in (("looks", self._watch), ("listens", self._listen))
        ]
        for thread in self._threads:
            thread.start()

    def end(self, wait: float) -> None:
        self._ended.set()
        self._wake.set()
        self._close()
        for thread in self._threads:
            if wait and thread is not threading.current_thread():
                thread.join(wait)

    def _watch(self) -> None:
        while not self._ended.is_set():
            self._wake.clear()
            news, self._news = self._news, False
            busy = self._look(news)
            self._wake.wait(BUSY_SECONDS if busy or news else CALM_SECONDS)

    def _listen(self) -> None:
        import requests
        from docker.errors import DockerException
        from urllib3.exceptions import HTTPError

        while not self._ended.is_set():
            try:
                self._stream = docker_client().events(decode=True, filters=EVENTS)
                if self._ended.is_set():  # ended while the engine was asked
                    self._close()
                    return
                for _ in self._stream:
                    self._news = True
                    self._wake.set()
            except (DockerException, requests.RequestException, HTTPError, OSError, ValueError, AttributeError):
                pass  # no engine, or one that stopped: `look` says so; ask again
            finally:
                self._release()
            self._news = True
            self._ended.wait(RETRY_SECONDS)

    def _close(self) -> None:
        stream = self._stream
        if stream is not None:
            with contextlib.suppress(Exception):  # it may be gone already; what that raises differs by version
                stream.close()

    def _release(self) -> None:
        """Give the stream's socket back; its own `close`, which another thread may call, only wakes its reader."""
        stream, self._stream = self._stream, None
        response = getattr(stream, "_response", None)
        if response is not None:
            response.close()
