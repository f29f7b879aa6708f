"""Saves the backend's state soon after it changed, so that a kill loses at most about a second.

A thread of its own reads each service's state, compares a fingerprint, and writes only what changed. Big blobs (image
layers) are immutable, so that their fingerprint is computed once and costs nothing again.
"""

import hashlib
import json
import logging
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any

DEBOUNCE = 0.2  # seconds from a change to the save; more changes meanwhile are saved with it
FOLLOW_UP = 30.0  # seconds for which tasks started by a request may still change state by themselves
SHORT_TICK = 1.0
LONG_TICK = 15.0
SHARE = (
    4  # a save that took 1 s is followed by 4 s without one, so that saving never takes more than a fifth of the time
)

log = logging.getLogger(__name__)

States = Mapping[str, Callable[[], Any]]


class Snapshots:
    """Saves changed services in the background.

    Args:
        states: gives, by service name, the function that returns the service's state (None: nothing to say).
        save: writes one service's state; False if it could not.
        encode: turns what JSON cannot write into what it can.
    """

    def __init__(
        self,
        states: Callable[[], States],
        save: Callable[[str, Any], bool],
        encode: Callable[[Any], Any],
    ) -> None:
        self._states = states
        self._save = save
        self._encode = encode
        self._saved: dict[str, str] = {}
        self._touched = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.failed: tuple[str, ...] = ()  # services whose last change could not be written

    def start(self) -> None:
        """Starts the thread. What was loaded from disk counts as saved."""
        self._saved = {name: _fingerprint(state, self._encode) for name, state in self._read()}
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)
        self._thread.start()

    def touch(self) -> None:
        """Something may have changed. Costs nothing."""
        self._touched.set()

    def end(self) -> None:
        """Ends the thread after a last save."""
        if self._thread:
            self._ended.set()
            self._touched.set()
            self._thread.join()
            self._thread = None
            self.save()

    def save(self) -> None:
        """Writes every service that changed since it was last written."""
        failed = []
        for name, state in self._read():
            fingerprint = _fingerprint(state, self._encode)
            if fingerprint == self._saved.get(name):
                continue
            if self._save(name, state):
                self._saved[name] = fingerprint
            else:
                failed.append(name)
        if failed and not self.failed:
            log.error("the state of %s could not be saved: is the disk full?", ", ".join(failed))
        self.failed = tuple(failed)

    def _run(self) -> None:
        busy_until = 0.0
        while not self._ended.is_set():
            tick = SHORT_TICK if time.monotonic() < busy_until else LONG_TICK
            if self._touched.wait(tick):
                busy_until = time.monotonic() + FOLLOW_UP
                if self._ended.wait(DEBOUNCE):
                    return
                self._touched.clear()
            begin = time.monotonic()
            try:
                self.save()
            except Exception:
                log.exception("a snapshot failed; the next one is tried as usual")
            self._ended.wait(SHARE * (time.monotonic() - begin))

    def _read(self) -> list[tuple[str, Any]]:
        found = []
        for name, read in self._states().items():
            state = _patiently(read)
            if state is not None:
                found.append((name, state))
        return found


def _patiently(read: Callable[[], Any]) -> Any:
    """Reads a state that other threads change meanwhile: 'changed size during iteration' is tried again."""
    for _ in range(5):
        try:
            return read()
        except RuntimeError:
            time.sleep(0.01)
    return read()


def _fingerprint(state: Any, encode: Callable[[Any], Any]) -> str:
    def short(value: Any) -> Any:
        if isinstance(value, bytes):
            return f"{len(value)}:{hash(value)}"  # Python keeps a bytes object's hash
        if isinstance(value, bytearray):
            return f"{len(value)}:{zlib.crc32(value)}"
        return encode(value)

    return hashlib.blake2b(json.dumps(state, default=short).encode(), digest_size=16).hexdigest()
