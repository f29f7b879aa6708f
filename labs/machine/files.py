"""Files that survive a crash in the middle: atomic writes, and a lock that the system frees when its holder dies."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labs.cloud.locks import BusyError, FileLock


def write_atomic(path: Path, text: str, mode: int = 0o600) -> None:
    """Writes a text file so that a reader sees the old or the new content, never a part.

    Args:
        path: the file; its folder is made if needed.
        text: the whole content, written as UTF-8.
        mode: the permissions of the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """The content of a JSON file; None if it is missing or broken (as after a full disk)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


class _Lock(FileLock):
    def fileno(self) -> int:
        if self._descriptor is None:
            raise ValueError("the lock is not held")
        return self._descriptor


@contextmanager
def lock(path: Path, waiting: Callable[[], None]) -> Iterator[int]:
    """Holds a lock between processes of this user, for as long as it takes to get it.

    Args:
        path: the lock's file. It stays behind; that it exists means nothing.
        waiting: called once if somebody else holds the lock and we have to wait.

    Returns:
        The file descriptor that holds the lock. A child process that inherits it keeps the lock, should we be killed.
    """
    held = _Lock(path)
    try:
        held.acquire()
    except BusyError:
        waiting()
        held.acquire(timeout=float("inf"))
    with held:
        yield held.fileno()
