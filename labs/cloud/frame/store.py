"""State that survives a kill: tables of records in memory, written to one SQLite file.

Memory answers; the file remembers. `flush()` writes what was put or removed since the last one, in one transaction.
With the write-ahead log and `synchronous=NORMAL` a killed process loses nothing that was flushed.
https://www.sqlite.org/wal.html
"""

import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Record = dict[str, Any]

_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

log = logging.getLogger(__name__)


class StateNotSavedError(Exception):
    """The state could not be written. It is kept in memory and written with the next flush that succeeds."""


class Table(Mapping[str, Record]):
    """Records by key, oldest first. A record that was changed in place has to be `put` again."""

    def __init__(self, name: str, records: dict[str, Record], changed: dict[tuple[str, str], Record | None]) -> None:
        self.name = name
        self._records = records
        self._changed = changed

    def __getitem__(self, key: str) -> Record:
        return self._records[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._records))

    def __len__(self) -> int:
        return len(self._records)

    def put(self, key: str, record: Record) -> Record:
        """Keeps a record, new or changed."""
        self._records[key] = record
        self._changed[self.name, key] = record
        return record

    def drop(self, key: str) -> None:
        """Forgets a record, if it is there."""
        if self._records.pop(key, None) is not None:
            self._changed[self.name, key] = None


class Store:
    """The tables of all services of ours.

    Args:
        path: the SQLite file; made if missing. A file that is no database, or a broken one, is put aside with a
            warning in the log.

    Raises:
        StateNotSavedError: the file is sound, as far as known, but cannot be opened now.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = _open(path)
        except sqlite3.DatabaseError as problem:
            if problem.sqlite_errorcode & 0xFF not in _BROKEN:
                raise StateNotSavedError(
                    f"The state of the local AWS in {path} cannot be opened ({problem}). "
                    "Make the folder writable, free some disk space, and start again."
                ) from problem
            aside = path.with_name(f"{path.name}.broken")
            path.replace(aside)
            for rest in ("-wal", "-shm"):
                path.with_name(path.name + rest).unlink(missing_ok=True)
            log.warning("the saved state cannot be read (%s) and was put aside as %s", problem, aside)
            self._file = _open(path)
        self._changed: dict[tuple[str, str], Record | None] = {}
        self._tables: dict[str, Table] = {}
        self.failed = False

    def table(self, name: str) -> Table:
        """The table of this name, with what was saved in it."""
        if name not in self._tables:
            rows = self._file.execute("SELECT key, record FROM records WHERE kind = ? ORDER BY rowid", (name,))
            self._tables[name] = Table(name, {key: json.loads(record) for key, record in rows}, self._changed)
        return self._tables[name]

    def flush(self) -> None:
        """Writes what changed.

        Raises:
            StateNotSavedError: the disk is full or broken.
        """
        if not self._changed:
            return
        gone = [key for key, record in self._changed.items() if record is None]
        kept = [(*key, json.dumps(record)) for key, record in self._changed.items() if record is not None]
        try:
            with self._file:
                self._file.executemany("DELETE FROM records WHERE kind = ? AND key = ?", gone)
                self._file.executemany(
                    "INSERT INTO records (kind, key, record) VALUES (?, ?, ?) "
                    "ON CONFLICT (kind, key) DO UPDATE SET record = excluded.record",
                    kept,
                )
        except sqlite3.Error as problem:
            self.failed = True
            raise StateNotSavedError(
                f"The state of the local AWS could not be saved ({problem}). "
                "Free some disk space; nothing is lost so far."
            ) from problem
        self.failed = False
        self._changed.clear()

    def flush_quietly(self) -> None:
        """`flush()` for background work: a failure is logged and tried again with the next one."""
        try:
            self.flush()
        except StateNotSavedError as problem:
            log.warning("%s", problem)

    def close(self) -> None:
        """Writes the rest and closes the file."""
        self.flush_quietly()
        self._file.close()


def _open(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, check_same_thread=False)
    try:
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("PRAGMA synchronous=NORMAL")
        file.execute(
            "CREATE TABLE IF NOT EXISTS records (kind TEXT NOT NULL, key TEXT NOT NULL, record TEXT NOT NULL, "
            "PRIMARY KEY (kind, key))"
        )
        file.execute("SELECT count(*) FROM records").fetchone()
        file.commit()
    except sqlite3.Error:
        file.close()
        raise
    return file
