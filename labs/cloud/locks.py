"""A lock on a file that the operating system frees when its holder dies. Standard library only."""

import os
import time
from pathlib import Path

if os.name == "nt":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class BusyError(Exception):
    """Another process holds the lock."""


class FileLock:
    """Held from `acquire` to `release`, or to the end of the process. The file stays: removing it would race."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, timeout: float = 0.0) -> "FileLock":
        """Takes the lock, waiting up to `timeout` seconds for its holder.

        Raises:
            BusyError: it is still held by another process.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + timeout
        while True:
            try:
                _take(descriptor)
            except OSError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    raise BusyError(str(self.path)) from None
                time.sleep(0.05)
            else:
                self._descriptor = descriptor
                return self

    def release(self) -> None:
        """Gives the lock back. Does nothing if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def held_elsewhere(self) -> bool:
        """Whether some process holds the lock now."""
        try:
            self.acquire()
        except BusyError:
            return True
        self.release()
        return False

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
