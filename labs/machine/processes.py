"""Starting, finding again and ending other programs, alike on Linux, macOS and Windows. Standard library only."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from labs.machine.files import read_json, write_atomic

T = TypeVar("T")
WINDOWS = sys.platform == "win32"
TAIL_LINES = 12


class Failed(Exception):  # noqa: N818
    """A program ended with an error.

    Args:
        program: its name.
        code: its exit code.
        tail: the last lines that it printed.
    """

    def __init__(self, program: str, code: int, tail: str) -> None:
        super().__init__(f"{program} ended with code {code}:\n{tail}")
        self.program, self.code, self.tail = program, code, tail


@dataclass(frozen=True)
class Running:
    """A process that can be recognised again, also after its number was given to another one.

    Args:
        pid: its number.
        started: what the system says about when it started; compared, never read.
        notes: what its starter wants to remember (ports, a token).
    """

    pid: int
    started: str
    notes: dict[str, Any] = field(default_factory=dict)


def run(
    arguments: Sequence[str | Path],
    *,
    log: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    sudo: Sequence[str] = (),
    keep: Sequence[int] = (),
) -> str:
    """Runs a program to its end. If we are interrupted, it and what it started are ended first.

    Args:
        arguments: program and arguments; no shell is involved.
        log: a file that everything it prints is added to.
        cwd, env: as of `subprocess.Popen`.
        sudo: what makes it run as root, see `labs.machine.privilege`.
        keep: file descriptors that it inherits (a lock, see `files.lock`).

    Returns:
        What it printed, standard error included.

    Raises:
        Failed: it ended with another code than 0.
        FileNotFoundError: there is no such program.
    """
    command = [*sudo, *(str(argument) for argument in arguments)]
    with _sink(log) as sink:
        begin = sink.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            **({} if WINDOWS else {"start_new_session": True, "pass_fds": tuple(keep)}),
        )
        try:
            process.wait()
        except BaseException:
            _end_family(process, sudo)
            raise
        sink.seek(begin)
        output = sink.read().decode("utf-8", "replace")
    if process.returncode:
        raise Failed(str(arguments[0]), process.returncode, _last_lines(output))
    return output


def tail(log: Path) -> str:
    """The last lines of a log."""
    return _last_lines(log.read_text(encoding="utf-8", errors="replace"))


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-TAIL_LINES:])


def _sink(log: Path | None) -> Any:
    if log is None:
        return tempfile.TemporaryFile()
    log.parent.mkdir(parents=True, exist_ok=True)
    return log.open("ab+")


def _end_family(process: subprocess.Popen, sudo: Sequence[str]) -> None:
    """Ends a program and its children: they share a process group, because `run` gave them one of their own."""
    if WINDOWS:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
        process.wait()
        return
    for name in ("TERM", "KILL"):
        # As root where the program is root's: a user may not end it otherwise.
        kill = shutil.which("kill") or "/bin/kill"
        subprocess.run([*sudo, kill, f"-{name}", "--", f"-{process.pid}"], capture_output=True, check=False)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
        return


def start_detached(
    arguments: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    notes: dict[str, Any] | None = None,
) -> Running:
    """Starts a program that goes on when we and our terminal are gone.

    Args:
        arguments: program and arguments.
        log: a file, readable by its owner only, that everything it prints goes to; begun anew.
        cwd, env: as of `subprocess.Popen`.
        notes: kept in the result.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as sink:
        process = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            **(
                {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
                if WINDOWS
                else {"start_new_session": True}
            ),
        )
    # Nobody waits for it, and that is meant: without this Python would warn about a process still running.
    process.returncode = 0
    return Running(process.pid, start_time(process.pid) or "", notes or {})


def remember(path: Path, running: Running) -> None:
    """Writes a process down, readable by its owner only."""
    import json

    write_atomic(path, json.dumps(asdict(running)))


def recall(path: Path) -> Running | None:
    """The process that was written down, if it still runs; a file that speaks of a dead one is removed."""
    found = read_json(path)
    try:
        running = Running(int(found["pid"]), str(found["started"]), dict(found.get("notes") or {}))
    except (TypeError, KeyError, ValueError):
        return None
    if alive(running):
        return running
    path.unlink(missing_ok=True)
    return None


def alive(running: Running) -> bool:
    """Whether this very process still runs, not another one that got its number."""
    return bool(running.started) and start_time(running.pid) == running.started


def end(running: Running, grace: float = 10.0, sudo: Sequence[str] = ()) -> bool:
    """Ends a process: asks it first, and kills it when it has not gone in time.

    Args:
        running: the process. If it is gone already, nothing happens.
        grace: seconds between asking and killing.
        sudo: what makes the request root's, for a process that runs as root.

    Returns:
        Whether it is gone.
    """
    for name in ("TERM", "KILL"):
        if not alive(running):
            return True
        _signal(running.pid, name, sudo)
        if holds(lambda: not alive(running), grace):
            return True
    return not alive(running)


def _signal(pid: int, name: str, sudo: Sequence[str]) -> None:
    if WINDOWS:
        force = ["/F"] if name == "KILL" else []
        subprocess.run(["taskkill", *force, "/T", "/PID", str(pid)], capture_output=True, check=False)
    elif sudo:
        subprocess.run([*sudo, "kill", f"-{name}", str(pid)], capture_output=True, check=False)
    else:
        try:
            os.kill(pid, getattr(signal, f"SIG{name}"))
        except ProcessLookupError:
            return


@contextmanager
def undisturbed() -> Iterator[None]:
    """Lets no second Ctrl+C cut a clean-up short."""
    names = [number for name in ("SIGINT", "SIGTERM") if (number := getattr(signal, name, None))]
    saved = {number: signal.signal(number, signal.SIG_IGN) for number in names}
    try:
        yield
    finally:
        for number, handler in saved.items():
            signal.signal(number, handler)


def holds(condition: Callable[[], Any], seconds: float, every: float = 0.05) -> bool:
    """Waits until a condition holds. Returns whether it does, after `seconds` at most."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def within(seconds: float, function: Callable[[], T]) -> T:
    """The result of a function that may hang (a name look-up, a stuck pipe).

    Raises:
        TimeoutError: it did not answer in time. It is left to itself.
        Exception: what the function raised.
    """
    box: list[Any] = []

    def work() -> None:
        try:
            box.append((function(), None))
        except Exception as error:
            box.append((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not box:
        raise TimeoutError(f"no answer within {seconds:g} s")
    result, error = box[0]
    if error is not None:
        raise error
    return result


def port_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on this TCP port."""
    with socket.socket() as probe:
        if not WINDOWS:  # there the option means: steal the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def start_time(pid: int) -> str | None:
    """When a process started, as a text that fits only this very process; None if it has ended."""
    if sys.platform == "linux":
        return _start_time_linux(pid)
    if WINDOWS:
        return _start_time_windows(pid)
    done = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    words = done.stdout.split()
    return None if not words or words[0].startswith("Z") else " ".join(words[1:])


def _start_time_linux(pid: int) -> str | None:
    """Clock ticks after boot (field 22 of /proc/PID/stat, see proc(5)), with the boot they count from."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name in brackets may itself hold spaces and brackets
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _start_time_windows(pid: int) -> str | None:  # pragma: no cover - proven on Windows only
    """The creation time in units of 100 ns (GetProcessTimes); None if it has exited."""
    import ctypes
    from ctypes import wintypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = wintypes.HANDLE
    handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return None
    try:
        times = [wintypes.FILETIME() for _ in range(4)]
        if not kernel.GetProcessTimes(wintypes.HANDLE(handle), *(ctypes.byref(moment) for moment in times)):
            return None
        created, exited = ((moment.dwHighDateTime << 32) + moment.dwLowDateTime for moment in times[:2])
        return None if exited else str(created)
    finally:
        kernel.CloseHandle(wintypes.HANDLE(handle))
