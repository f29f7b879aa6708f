"""The learner's progress: one append-only file of JSON lines in the user's data folder, readable by its owner only.

A line is one event: `{"v": 1, "time": "2026-11-22T19:00:00+00:00", "chapter": "ecs_service", "event": "check", ...}`.
A crash in mid-write can leave half a line. It costs that one line: reading passes over it, and the next event
starts on a line of its own.
"""

import json
import os
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labs import settings

VERSION = 1
_writing = threading.Lock()


class ProgressError(OSError):
    """The progress file could not be written; the message says why and what to do."""


def path() -> Path:
    """Where this learner's progress lives: in the data folder, or where COURSE_PROGRESS says."""
    return Path(os.environ.get("COURSE_PROGRESS") or settings.data_dir() / "progress.jsonl")


def record(chapter: str, event: str, **fields: Any) -> None:
    """Append one event.

    Args:
        chapter: the slug of the chapter.
        event: `opened`, `check`, `hint`, `solution`, `reset`, `answer`, `cleaned` or `seed`.
        fields: what else belongs to the event; values that JSON can hold.

    Raises:
        ProgressError: the file cannot be written. What was recorded before is untouched.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"v": VERSION, "time": now, "chapter": chapter, "event": event, **fields}, ensure_ascii=False)
    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _writing:
            _append(file, line.encode() + b"\n")
    except OSError as error:
        raise ProgressError(
            f"Your progress could not be saved to {file}: {error.strerror or error}. "
            "Free some space or make the folder writable; what was saved before is safe, and you can go on."
        ) from error


def events(chapter: str | None = None) -> list[dict[str, Any]]:
    """All events in the order they happened, of one chapter or of all. Cut or foreign lines are passed over."""
    return [event for event in _read() if chapter is None or event["chapter"] == chapter]


def shuffle_seed() -> str:
    """The seed that orders the options of questions for this learner: made once, the same after every reload."""
    for event in _read():
        if event["event"] == "seed" and isinstance(event.get("seed"), str):
            return event["seed"]
    seed = secrets.token_hex(8)
    record("course", "seed", seed=seed)
    return seed


def _append(file: Path, line: bytes) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    descriptor = os.open(file, flags, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and not _ends_with_newline(descriptor, size):
            line = b"\n" + line
        while line:
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _ends_with_newline(descriptor: int, size: int) -> bool:
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return os.read(descriptor, 1) == b"\n"


def _read() -> Iterator[dict[str, Any]]:
    try:
        content = path().read_bytes()
    except FileNotFoundError:
        return
    for line in content.split(b"\n"):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("v") == VERSION and {"chapter", "event"} <= event.keys():
            yield event
