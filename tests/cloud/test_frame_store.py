"""The state on disk: what was flushed survives a kill, a full disk loses nothing, a broken file is put aside.

https://www.sqlite.org/wal.html
"""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from labs import settings
from labs.cloud.frame.store import StateNotSavedError, Store

WRITER = """
import sys
from pathlib import Path
from labs.cloud.frame.store import Store
table = (store := Store(Path(sys.argv[1]))).table("numbers")
for number in range(10**9):
    table.put(str(number), {"number": number, "text": "x" * 500})
    store.flush()
    print(number, flush=True)
"""
# Files of this process may not grow beyond 256 KiB, as on a full disk; then they may again.
FULL_DISK = """
import resource, sys
from pathlib import Path
from labs.cloud.frame.store import StateNotSavedError, Store
store = Store(Path(sys.argv[1]))
table = store.table("things")
table.put("first", {"is": "kept"})
store.flush()
most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, most[1]))
table.put("big", {"text": "x" * 1_000_000})
table.drop("first")
try:
    store.flush()
except StateNotSavedError as problem:
    print(problem)
assert store.failed and "big" in table and "first" not in table
resource.setrlimit(resource.RLIMIT_FSIZE, most)
table.put("last", {"is": "kept"})
store.flush()
assert not store.failed
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cloud" / "state.sqlite"


def python(code: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=settings.ROOT,
        env={**os.environ, "PYTHONPATH": str(settings.ROOT)},
    )


def reopened(path: Path, table: str) -> dict[str, dict]:
    store = Store(path)
    found = dict(store.table(table))
    store.close()
    return found


def test_what_was_flushed_before_a_kill_is_there_after_it(path: Path) -> None:
    with python(WRITER, path) as writer:
        assert writer.stdout
        told = [int(writer.stdout.readline()) for _ in range(300)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout if line.endswith("\n")]
    found = reopened(path, "numbers")
    assert [found[str(number)]["number"] for number in told] == told
    assert len(found) - len(told) in (0, 1)  # one may have been written and not yet told


def test_a_full_disk_is_told_and_nothing_is_lost(path: Path) -> None:
    with python(FULL_DISK, path) as writer:
        said, _ = writer.communicate(timeout=60)
    assert writer.returncode == 0, said
    assert "could not be saved" in said
    found = reopened(path, "things")
    assert list(found) == ["big", "last"]
    assert len(found["big"]["text"]) == 1_000_000


@pytest.mark.parametrize("garbage", [b"this is no database" * 500, b"SQLite format 3\x00" + b"\xaa" * 8000])
def test_a_file_that_is_no_database_is_put_aside(path: Path, garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(garbage)
    store = Store(path)
    store.table("things").put("a", {"n": 1})
    store.close()
    assert path.with_name("state.sqlite.broken").read_bytes() == garbage
    assert "put aside" in caplog.text
    assert reopened(path, "things") == {"a": {"n": 1}}


def test_a_sound_file_that_cannot_be_opened_now_is_left_alone(path: Path) -> None:
    store = Store(path)
    store.table("things").put("a", {"n": 1})
    store.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StateNotSavedError, match="cannot be opened"):
            Store(path)
    finally:
        other.close()
    assert not path.with_name("state.sqlite.broken").exists()
    assert reopened(path, "things") == {"a": {"n": 1}}


def test_records_come_back_in_the_order_in_which_they_were_made(path: Path) -> None:
    store = Store(path)
    table = store.table("things")
    for key in "cab":
        table.put(key, {"key": key})
        store.flush()
    table.put("a", {"key": "a", "changed": True})
    table.drop("c")
    store.close()
    assert reopened(path, "things") == {"a": {"key": "a", "changed": True}, "b": {"key": "b"}}
    assert list(reopened(path, "things")) == ["a", "b"]


def test_a_table_can_be_changed_while_it_is_walked(path: Path) -> None:
    store = Store(path)
    table = store.table("things")
    for key in "abc":
        table.put(key, {})
    for key in table:
        table.drop(key)
        table.put(f"{key}2", {})
    assert list(table) == ["a2", "b2", "c2"]
    store.close()
    assert list(reopened(path, "things")) == ["a2", "b2", "c2"]


def test_tables_do_not_mix(path: Path) -> None:
    store = Store(path)
    store.table("one").put("key", {"of": "one"})
    store.table("two").put("key", {"of": "two"})
    store.table("one").drop("key")
    store.close()
    assert reopened(path, "one") == {}
    assert reopened(path, "two") == {"key": {"of": "two"}}
