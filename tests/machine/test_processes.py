"""Programs started, found again and ended; nothing else is ever ended."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from labs.machine import files, processes

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


def test_a_detached_program_is_found_again_and_ended(tmp_path: Path) -> None:
    running = processes.start_detached(SLEEPER, log=tmp_path / "log", notes={"port": 1})
    processes.remember(tmp_path / "record", running)
    assert processes.recall(tmp_path / "record") == running
    assert os.getsid(running.pid) == running.pid, "it does not belong to our terminal"
    assert processes.end(running)
    assert processes.recall(tmp_path / "record") is None
    assert not (tmp_path / "record").exists()


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    running = processes.start_detached(STUBBORN, log=tmp_path / "log")
    assert processes.holds(lambda: "up" in (tmp_path / "log").read_text(), 10)
    assert processes.end(running, grace=0.2)
    assert not processes.alive(running)


def test_a_number_that_another_program_has_now_is_never_touched(tmp_path: Path) -> None:
    other = processes.start_detached(SLEEPER, log=tmp_path / "log")
    stale = processes.Running(other.pid, "another boot:1")
    try:
        assert not processes.alive(stale)
        assert processes.end(stale)
        assert processes.alive(other), "ending the stale one must not end the one that has its number"
    finally:
        processes.end(other)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x", "started": "y"}', '{"pid": 1}', "null"])
def test_a_broken_record_is_no_process(tmp_path: Path, content: str) -> None:
    (tmp_path / "record").write_text(content, encoding="utf-8")
    assert processes.recall(tmp_path / "record") is None


def test_logs_and_records_are_for_their_owner(tmp_path: Path) -> None:
    running = processes.start_detached([sys.executable, "-c", "print(1)"], log=tmp_path / "log")
    processes.remember(tmp_path / "record", running)
    assert {oct((tmp_path / name).stat().st_mode & 0o777) for name in ("log", "record")} == {"0o600"}


def test_an_interrupted_run_takes_its_children_along(tmp_path: Path) -> None:
    """As apt-get or debootstrap: a program that has started another one, interrupted by Ctrl+C or SIGTERM."""
    pid_file = tmp_path / "pid"
    child = f"import os, pathlib, time; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    code = (
        "import signal, sys\n"
        "from labs.machine import processes\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        f"processes.run([sys.executable, '-c', {parent!r}])\n"
    )
    runner = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2])
    try:
        assert processes.holds(lambda: pid_file.exists() and pid_file.read_text(), 20)
        grandchild = int(pid_file.read_text())
        runner.terminate()
        assert runner.wait(20) == 143
        assert processes.holds(lambda: processes.start_time(grandchild) is None, 10)
    finally:
        runner.kill()
        runner.wait()


def test_run_tells_code_and_last_lines(tmp_path: Path) -> None:
    assert processes.run([sys.executable, "-c", "print('all well')"]) == "all well\n"
    with pytest.raises(processes.Failed, match="the reason") as caught:
        processes.run([sys.executable, "-c", "import sys; print('the reason'); sys.exit(3)"], log=tmp_path / "log")
    assert caught.value.code == 3
    assert "the reason" in (tmp_path / "log").read_text()


def test_within_gives_up_on_what_hangs() -> None:
    never = threading.Event()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        processes.within(0.2, never.wait)
    assert time.monotonic() - began < 5
    never.set()
    assert processes.within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        processes.within(5, lambda: 1 / 0)


def test_an_atomic_write_that_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_atomic(tmp_path / "f", "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomic(tmp_path / "f", "new")
    assert (tmp_path / "f").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_lock_lives_on_in_a_child_that_inherited_it(tmp_path: Path) -> None:
    """When a start is killed, its pip goes on for a while: the next start has to wait for that."""
    code = (
        "import subprocess, sys\nfrom pathlib import Path\nfrom labs.machine import files\n"
        "with files.lock(Path(sys.argv[1]), print) as held:\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], pass_fds=[held])\n"
        "    print(child.pid, flush=True)\n    child.wait()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "lock"], cwd=Path(__file__).resolve().parents[2], stdout=subprocess.PIPE
    )
    child = processes.Running(number := int(holder.stdout.readline()), processes.start_time(number))
    holder.kill()
    holder.wait()
    holder.stdout.close()
    waited = threading.Event()

    def waiting() -> None:
        waited.set()
        processes.end(child)

    with files.lock(tmp_path / "lock", waiting):
        assert waited.is_set(), "the lock was free although the child still runs"


def test_json_of_a_record_holds_what_was_noted(tmp_path: Path) -> None:
    processes.remember(tmp_path / "r", processes.Running(1, "t", {"token": "x"}))
    assert json.loads((tmp_path / "r").read_text()) == {"pid": 1, "started": "t", "notes": {"token": "x"}}
