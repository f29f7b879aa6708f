"""JupyterLab for the learner: on this machine only, with a token, quiet when there is no network."""

import http.client
import json
import os
import secrets
import sys
import urllib.parse
import webbrowser
from pathlib import Path
from typing import Any

from labs import settings
from labs.cloud import environment as aws
from labs.machine import console, files, processes

FIRST_PORT = 8888
HOST = "127.0.0.1"
START_SECONDS = 60.0
SILENT_SECONDS = 10.0
FIRST_NOTEBOOK = "00_start_here.ipynb"


def ensure_running(port: int | None = None) -> tuple[str, str]:
    """Finds the course's JupyterLab, or starts it.

    Args:
        port: the port it is to listen on; the first free one from 8888 if left out.

    Returns:
        The address that opens the first notebook, token included; and a sentence about what was done.

    Raises:
        Trouble: it could not be started; the message says why and what to do.
    """
    running = find() or _wait_for_silent()
    if running and running.notes.get("world") != _world():
        # Its kernels would look for the engine or the local AWS in the wrong place.
        if _kernels(running):
            return address(running), (
                "JupyterLab runs already, but Docker or the local AWS are reached another way now than when it was "
                "started. Save your notebooks, then run `python3 -m labs stop` and `python3 -m labs`."
            )
        stop()
        running = None
    if running:
        here = running.notes["port"]
        other = f" (not on port {port}: run `python3 -m labs stop` first to move it)" if port and port != here else ""
        return address(running), f"JupyterLab runs already{other}."
    with console.step("Starting JupyterLab"):
        running = _start(_choose(port))
    return address(running), "JupyterLab was started."


def find() -> processes.Running | None:
    """The course's JupyterLab, if it runs and answers."""
    running = processes.recall(record())
    return running if running and _call(running, "GET", "/api/status") is not None else None


def _wait_for_silent() -> processes.Running | None:
    """Our JupyterLab that runs but does not answer yet: it gets a while, it may be busy. Else it is ended."""
    silent = processes.recall(record())
    if silent is None:
        return None
    if processes.holds(lambda: find() is not None, SILENT_SECONDS, 0.2):
        return silent
    processes.end(silent)
    return None


def stop() -> str | None:
    """Ends JupyterLab and its kernels. Saved notebooks stay as they are.

    Returns:
        A sentence, or None if it was not running.
    """
    running = processes.recall(record())
    if running is None:
        return None
    _call(running, "POST", "/api/shutdown")
    if not processes.holds(lambda: not processes.alive(running), 10):
        processes.end(running)
    record().unlink(missing_ok=True)
    redirect().unlink(missing_ok=True)
    return "JupyterLab is stopped."


def address(running: processes.Running) -> str:
    """Where a browser opens the first notebook. Holds the token: for the reader's own eyes."""
    path = urllib.parse.quote((_work_path() / FIRST_NOTEBOOK).as_posix())
    return f"http://{HOST}:{running.notes['port']}/lab/tree/{path}?token={running.notes['token']}"


def open_browser(url: str) -> bool:
    """Opens the address in the reader's browser. Returns whether a browser was found.

    The token does not appear among the browser's arguments, which other users can list: it gets a file, readable by
    this user only, that leads on. The file is in the work folder because packaged browsers may not look into hidden
    folders of the home directory.
    """
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Containers on AWS</title>'
        f'<meta http-equiv="refresh" content="0; url={url}"><p><a href="{url}">Open the course</a></p></html>\n'
    )
    files.write_atomic(redirect(), page)
    try:
        return webbrowser.open(redirect().absolute().as_uri())
    except webbrowser.Error:
        return False


def redirect() -> Path:
    """The page that leads the browser on; hidden in JupyterLab's list of files by its dot."""
    return settings.work_dir() / ".open.html"


def record() -> Path:
    """The file about the running JupyterLab: process, port, token; readable by its owner only."""
    return settings.data_dir() / "run" / "jupyter.json"


def log_file() -> Path:
    """Where JupyterLab's own messages go."""
    return settings.data_dir() / "logs" / "jupyter.log"


def _start(port: int) -> processes.Running:
    token = secrets.token_urlsafe(24)
    notes = {"port": port, "token": token, "world": _world()}
    running = processes.start_detached(
        _arguments(port), log=log_file(), cwd=settings.ROOT, env=_environment(token), notes=notes
    )
    try:
        processes.remember(record(), running)
        answers = processes.holds(
            lambda: _call(running, "GET", "/api/status") is not None or not processes.alive(running), START_SECONDS, 0.1
        )
        if not answers or not processes.alive(running):
            raise console.Trouble(  # noqa: TRY301 - what is below cleans up after every way out
                f"JupyterLab did not come up. Its last words:\n{processes.tail(log_file())}\nAll of them: {log_file()}"
            )
    except BaseException:
        processes.end(running)
        record().unlink(missing_ok=True)
        raise
    return running


def _choose(port: int | None) -> int:
    if port is not None:
        if not processes.port_free(port):
            raise console.Trouble(
                f"Port {port} is used by another program. Choose another one with --port, "
                "or leave --port out: then a free one is taken."
            )
        return port
    free = next((number for number in range(FIRST_PORT, FIRST_PORT + 100) if processes.port_free(number)), None)
    if free is None:
        raise console.Trouble("No port from 8888 to 8987 is free. Name a free one with --port.")
    return free


def _arguments(port: int) -> list[str]:
    options = {
        "ServerApp.ip": HOST,
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": _root(),
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "ServerApp.terminals_enabled": True,
        # Nothing is fetched from the network: no news, no look for updates, no list of extensions.
        "LabApp.news_url": "",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
    }
    return [str(settings.venv_python()), "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]


def _environment(token: str) -> dict[str, str]:
    """The environment of JupyterLab and its kernels: the local AWS, and no setting of another Jupyter."""
    home = settings.data_dir() / "jupyter"
    _write_settings(home / "config")
    env = dict(os.environ)
    for name, value in aws.variables().items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    env |= {
        # The shell of a terminal, and `!aws` in a cell, find the environment's programs first.
        "PATH": os.pathsep.join([str(settings.venv_python().parent), env.get("PATH", os.defpath)]),
        "VIRTUAL_ENV": str(settings.VENV),
        "JUPYTER_TOKEN": token,  # not an argument: those are public on a shared machine
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "IPYTHONDIR": str(home / "ipython"),
    }
    for name in ("PYTHONHOME", "PYTHONSAFEPATH", "JUPYTER_CONFIG_PATH", "JUPYTER_PATH"):
        env.pop(name, None)
    return env


def _write_settings(config: Path) -> None:
    page = {
        "disabledExtensions": {
            "@jupyterlab/apputils-extension:announcements": True,
            "@jupyterlab/extensionmanager-extension": True,
        }
    }
    files.write_atomic(config / "labconfig" / "page_config.json", json.dumps(page, indent=1) + "\n")


def _root() -> Path:
    """The folder that JupyterLab shows: the repository, or the work folder where that lies elsewhere."""
    work = settings.work_dir().absolute()
    return settings.ROOT if work.is_relative_to(settings.ROOT) else work


def _work_path() -> Path:
    """The work folder as JupyterLab names it."""
    return settings.work_dir().absolute().relative_to(_root())


def _world() -> dict[str, Any]:
    """What a running JupyterLab has to share with us to be of use."""
    return {
        "gateway": settings.gateway_url(),
        "backend": settings.backend(),
        "docker": os.environ.get("DOCKER_HOST", ""),
        "root": str(_root()),
        "python": str(settings.venv_python()),
        "version": f"{sys.version_info.major}.{sys.version_info.minor}",
    }


def _kernels(running: processes.Running) -> list:
    return _call(running, "GET", "/api/kernels") or []


def _call(running: processes.Running, method: str, path: str) -> Any:
    """The answer of JupyterLab's own interface; None if there is no good one."""
    connection = http.client.HTTPConnection(HOST, running.notes["port"], timeout=3)
    try:
        connection.request(method, path, headers={"Authorization": f"token {running.notes['token']}"})
        answer = connection.getresponse()
        body = answer.read()
        return (json.loads(body) if body else {}) if answer.status < 300 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
