"""The process of the local AWS: `ensure_running()`, `stop()`, `health()`; `python -m labs.cloud.server` is the process.

One process per data folder. It holds a file lock for as long as it lives, so that 'is it alive' never depends on a
process number that another program may have by now. A second lock makes sure that of two starters only one starts.
"""

import contextlib
import hashlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from labs import settings
from labs.cloud import environment
from labs.cloud.gateway import HEALTH, STOP
from labs.cloud.locks import BusyError, FileLock

START_SECONDS = 60.0  # a first start may sweep containers of a crashed one
STOP_SECONDS = 60.0
HUNG_SECONDS = 10.0
LOG_BYTES = 5_000_000
SOCKET_PATH_BYTES = 100  # the kernel's limit is 108 on Linux, 104 on macOS

_children: list[subprocess.Popen] = []  # started here; kept, so that Python does not call them forgotten


class CloudError(Exception):
    """The local AWS could not be started or stopped. The text says why and what to do."""


class Started(NamedTuple):
    """What `ensure_running` found or did: how, seconds it took, a sentence for the learner."""

    how: Literal["running", "started", "recovered"]
    seconds: float
    message: str


def health(timeout: float = 1.0, port: int | None = None) -> dict[str, Any] | None:
    """What the local AWS on our port, or on another, says about itself; None if none answers within `timeout` seconds.

    Returns:
        course, version, backend, pid, state_dir, and what the backend adds.
    """
    try:
        status, answer = _request("GET", HEALTH, port=port, timeout=timeout)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    return answer if status == 200 and answer.get("course") == settings.COURSE else None


def ensure_running() -> Started:
    """Makes sure that the local AWS of this data folder answers; starts or mends it if it does not.

    Safe from several processes at once: one starts it, the others wait.

    Raises:
        CloudError: it cannot run; the text names the cause and the cure.
    """
    begin = time.monotonic()
    if _is_ours(health()):
        return Started("running", time.monotonic() - begin, "The local AWS is running.")
    try:
        lock = FileLock(_run_dir() / "cloud-start.lock").acquire(START_SECONDS + HUNG_SECONDS)
    except BusyError:
        raise CloudError("Another program has been starting the local AWS for over a minute. Try again.") from None
    except OSError as problem:
        raise CloudError(
            f"The folder {_run_dir()} cannot be written ({problem}). Free space or set COURSE_DATA."
        ) from None
    with lock:
        return _start(begin)


def stop() -> str:
    """Stops the local AWS of this data folder, with every container it started; what the learner made is kept.

    Returns:
        A sentence on what was done.

    Raises:
        CloudError: it did not stop.
    """
    alive = _alive_lock()
    record = _read_record()
    if alive.held_elsewhere():
        clean = _ask_to_stop(record, alive)
        if not clean:
            _kill(record, alive)
    elif not record:
        return "The local AWS was not running."
    else:
        clean = False
    if not clean:
        _sweep()
    _record_file().unlink(missing_ok=True)
    return "The local AWS has stopped." if clean else "The local AWS had crashed or hung; what it had left is removed."


def socket_path() -> Path:
    """The unix socket on which the relay reaches the gateway, alone in its folder (the folder is mounted).

    A path too long for the kernel is replaced by a short one in a private folder among the temporary files.
    """
    path = _run_dir() / "relay" / "gateway.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"{settings.COURSE}-{digest}" / "gateway.sock"


# --- starting ---------------------------------------------------------------------------------------------------------


def _start(begin: float) -> Started:
    """Starts the process; called with the start lock held."""
    if _has_other_backend(health()):
        stop()
    alive = _alive_lock()
    killed = alive.held_elsewhere() and _end_hung(alive)
    answer = health()
    if _is_ours(answer):
        return Started("running", time.monotonic() - begin, "The local AWS is running.")
    crashed = killed or bool(_read_record())
    _require_port(answer)
    _launch()
    seconds = time.monotonic() - begin
    if crashed:
        message = "The local AWS had ended unexpectedly. It was started again, with what you had made in it."
        return Started("recovered", seconds, message)
    return Started("started", seconds, f"The local AWS was started in {seconds:.1f} s.")


def _end_hung(alive: FileLock) -> bool:
    """Deals with a process that lives but did not answer: on another port, starting, ending, or hung.

    Returns:
        Whether it was hung, and was ended by force.
    """
    record = _read_record()
    port = record.get("port", settings.gateway_port())
    deadline = time.monotonic() + HUNG_SECONDS
    while time.monotonic() < deadline and alive.held_elsewhere():
        if _is_ours(health(port=port)):
            if port == settings.gateway_port():
                return False
            raise CloudError(
                f"The local AWS of this data folder runs on port {port}, not on {settings.gateway_port()}. "
                f"Set COURSE_PORT={port}, or stop it first with `python3 -m labs stop`."
            )
        time.sleep(0.1)
    if not alive.held_elsewhere():
        return False
    _kill(record, alive)
    return True


def _require_port(answer: dict[str, Any] | None) -> None:
    """Raises CloudError if the port is not free."""
    port = settings.gateway_port()
    cure = f"End that program, or choose another port for the course: COURSE_PORT={port + 1 if port < 65535 else 4566}."
    if answer:
        raise CloudError(f"Port {port} is used by the local AWS of another data folder ({answer['state_dir']}). {cure}")
    with socket.socket() as probe:
        if os.name != "nt":  # there it would let two programs share the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.GATEWAY_HOST, port))
        except PermissionError:
            raise CloudError(f"Port {port} may not be opened by this user. Set COURSE_PORT to one over 1024.") from None
        except OSError:
            raise CloudError(f"Port {port} of the local AWS is used by {_port_owner(port)}. {cure}") from None


def _port_owner(port: int) -> str:
    """The program that listens on a port, as far as this user may know it."""
    try:
        import psutil
    except ImportError:
        return "another program"
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                process = psutil.Process(connection.pid)
                return f"'{process.name()}' (process {process.pid})"
    return "another program"


def _launch() -> None:
    """Starts a detached process and waits until it is healthy."""
    log = settings.data_dir() / "logs" / "cloud.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".old.log"))
    python = settings.venv_python()
    env = dict(os.environ)
    _apply_environment(env)
    env.pop("PYTHONSAFEPATH", None)  # `labs` is found in the working folder
    with log.open("ab") as output:
        child = subprocess.Popen(
            [python if python.is_file() else sys.executable, "-m", "labs.cloud.server"],
            cwd=settings.ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **_detached(),
        )
    _children.append(child)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if _is_ours(health(timeout=5.0)):
            return
        if child.poll() is not None:
            raise CloudError(f"The local AWS could not start: {_last_line(log)} The log is {log}.")
        time.sleep(0.03)
    raise CloudError(f"The local AWS did not answer within {START_SECONDS:.0f} s. The log is {log}.")


def _detached() -> dict[str, Any]:
    """Popen arguments for a process that outlives its parent and its terminal."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing."


# --- stopping ---------------------------------------------------------------------------------------------------------


def _ask_to_stop(record: dict[str, Any], alive: FileLock) -> bool:
    """Asks a live process to stop and waits; False if it does not."""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        _request("POST", STOP, {"x-course-token": record.get("token", "")}, record.get("port"), timeout=5.0)
        return _wait_free(alive, STOP_SECONDS)
    return False


def _kill(record: dict[str, Any], alive: FileLock) -> None:
    """Ends a live process by force. The lock it holds proves that the recorded process number is its own."""
    if "pid" in record and alive.held_elsewhere():
        with contextlib.suppress(OSError):
            os.kill(record["pid"], getattr(signal, "SIGKILL", signal.SIGTERM))
    if not _wait_free(alive, 10.0):
        raise CloudError(
            f"The local AWS (process {record.get('pid', 'unknown')}) hangs and could not be ended. End it by hand."
        )


def _wait_free(lock: FileLock, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while lock.held_elsewhere():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _sweep() -> None:
    """Removes the containers of a process that could not do it itself."""
    python = settings.venv_python()
    command = [python if python.is_file() else sys.executable, "-m", "labs.cloud.server", "--sweep"]
    subprocess.run(command, cwd=settings.ROOT, check=False, stdin=subprocess.DEVNULL, capture_output=True)


# --- shared -----------------------------------------------------------------------------------------------------------


def _request(
    method: str, path: str, headers: dict[str, str] | None = None, port: int | None = None, *, timeout: float
) -> tuple[int, dict[str, Any]]:
    """One request to the gateway itself: status and JSON answer."""
    connection = http.client.HTTPConnection(settings.GATEWAY_HOST, port or settings.gateway_port(), timeout=timeout)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        answer = json.loads(response.read())
    if not isinstance(answer, dict):
        raise ValueError(f"{path} answered with no object")  # noqa: TRY004 - wrong data from outside
    return response.status, answer


def _is_ours(answer: dict[str, Any] | None) -> bool:
    """Whether a health answer comes from the local AWS of this data folder."""
    return bool(answer) and answer["state_dir"] == str(settings.cloud_dir())


def _has_other_backend(answer: dict[str, Any] | None) -> bool:
    """Whether a health answer comes from the local AWS of this data folder, on another backend or another address."""
    if not answer or Path(answer["state_dir"]).parent != settings.data_dir():
        return False
    return not _is_ours(answer)


def _run_dir() -> Path:
    return settings.data_dir() / "run"


def _record_file() -> Path:
    return _run_dir() / "cloud.json"


def _alive_lock() -> FileLock:
    return FileLock(_run_dir() / "cloud.lock")


def _read_record() -> dict[str, Any]:
    """What the last process wrote about itself (pid, port, token); empty if it ended cleanly or wrote nothing."""
    try:
        record = json.loads(_record_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


# --- the process itself -----------------------------------------------------------------------------------------------


def _write_record(token: str) -> None:
    path = _record_file()
    fresh = path.with_suffix(".new")
    content = json.dumps({"pid": os.getpid(), "port": settings.gateway_port(), "token": token})
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    fresh.replace(path)


def _bindings() -> list[str]:
    bindings = [f"{settings.GATEWAY_HOST}:{settings.gateway_port()}"]
    if os.name != "nt":
        path = socket_path()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent.stat().st_uid != os.getuid():
            raise CloudError(f"The folder {path.parent} belongs to another user. Set COURSE_DATA to a shorter path.")
        path.parent.chmod(0o700)
        bindings.append(f"unix:{path}")
    return bindings


def _tidy() -> None:
    """Removes what a clean end leaves on disk besides the state."""
    path = socket_path()
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not there, or something else is in it
        path.parent.rmdir()
    _record_file().unlink(missing_ok=True)


async def _serve(token: str) -> None:
    import asyncio

    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    from labs.cloud import backends
    from labs.cloud.engine import labels
    from labs.cloud.gateway import Gateway
    from labs.cloud.relay.relay import Relay

    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        if number := getattr(signal, name, None):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(ending.set))
    relay = Relay(labels.owner(), socket_path(), settings.gateway_port())
    backend = backends.load(settings.backend(), relay)
    ours = _services_of_ours(relay, backend)
    gateway = Gateway(backend, ours, stop=ending.set, token=token)
    config = Config()
    config.bind = _bindings()
    config.keep_alive_timeout = 75
    config.graceful_timeout = 2
    config.startup_timeout = START_SECONDS
    config.shutdown_timeout = STOP_SECONDS
    config.loglevel = "WARNING"
    config.include_server_header = False
    _write_record(token)
    await serve(gateway, config, shutdown_trigger=ending.wait)


def _services_of_ours(relay: Any, backend: Any) -> Any:
    """The gateway's `Ours`: none where the container services are AWS's own."""
    if backend.name == "aws":
        from labs.cloud.backends.aws.backend import NothingOfOurs

        return NothingOfOurs(backend)
    from labs.cloud.control_plane import ControlPlane

    return ControlPlane(relay, backend)


def _apply_environment(environ: MutableMapping[str, str]) -> None:
    """Makes an environment that of the gateway's process: with no access, or the learner's to a real account."""
    if settings.backend() == "aws":
        from labs.cloud.backends.aws import agreement
        from labs.cloud.backends.errors import BackendUnavailableError

        try:
            agreement.apply(agreement.read(), environ)
        except BackendUnavailableError as problem:
            raise CloudError(str(problem)) from None
    else:
        environment.apply(environ)


def main() -> int:
    """Runs the gateway until it is stopped. Exit code 1, with a sentence in the log, if it cannot."""
    import asyncio

    from labs.cloud import guard

    guard.install()
    if sys.argv[1:] == ["--sweep"]:
        from labs.cloud.engine import sweep

        environment.apply()
        sweep.sweep_quietly()
        return 0
    try:
        _apply_environment(os.environ)
        _alive_lock().acquire()  # never released: it is free when this process has ended
        asyncio.run(_serve(secrets.token_urlsafe(32)))
        _tidy()
    except BusyError:
        print("Another process of the local AWS runs for this data folder.", file=sys.stderr)
        return 1
    except Exception as problem:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
