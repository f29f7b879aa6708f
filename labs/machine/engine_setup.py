"""Setting up a Docker engine where there is none and we may: the distribution's package, and its daemon."""

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from labs import settings
from labs.machine import console, engine, packages, privilege, processes
from labs.machine.engine_advice import advice, missing_sentence

START_SECONDS = 60.0
STOP_SECONDS = 30.0

Run = Callable[..., str]


def ensure() -> tuple[engine.Engine | None, str]:
    """Finds an engine; where there is none and we may, installs and starts one.

    Returns:
        The engine or None, and a sentence: which one it is and how it came, or what is missing and the exact step.
    """
    if found := engine.use():
        return engine.check(found)
    _join_group()
    sudo = privilege.sudo()
    if os.environ.get("DOCKER_HOST") or sudo is None or not _can_serve():
        return None, missing_sentence()
    try:
        how = install_and_start(sudo)
    except processes.Failed as failed:
        return None, f"Docker could not be set up here: {failed}\n{advice()}"
    found = engine.use()
    if found is None:
        _join_group()
        return None, f"{how} But it does not answer us. {advice()}"
    return found, f"{how} {found.describe()}"


def _can_serve() -> bool:
    return sys.platform == "linux" and (privilege.debian_like() or engine.installed() is not None)


def install_and_start(sudo: Sequence[str], run: Run = processes.run) -> str:
    """Installs the distribution's Docker if it is not there, and starts its daemon.

    Args:
        sudo: what makes a command run as root.
        run: what runs a command; a recorder in a test.

    Returns:
        A sentence about what was done.

    Raises:
        Failed: a step went wrong.
    """
    done = []
    if engine.installed() is None:
        with console.step("No Docker engine found: installing the distribution's package docker.io"):
            install(sudo, run)
        done.append("Installed docker.io.")
    if sudo:
        # Not root: the engine's socket belongs to the group docker.
        run(["usermod", "-aG", "docker", privilege.user()], sudo=sudo)
        done.append(f"Added {privilege.user()} to the group docker.")
    with console.step("Starting the Docker daemon"):
        done.append(start(sudo, run))
    return " ".join(done)


def install(sudo: Sequence[str], run: Run = processes.run) -> None:
    """Installs docker.io with apt-get; with the CLI too where the distribution packs it separately (Debian 13)."""
    packages.install(["docker.io", "iptables", "ca-certificates"], sudo, run)
    if packages.known("docker-cli", run):
        packages.install(["docker-cli"], sudo, run)


def start(sudo: Sequence[str], run: Run = processes.run) -> str:
    """Starts the daemon: through systemd where that runs, else directly, detached.

    Returns:
        A sentence saying how.

    Raises:
        Failed: it did not come up.
    """
    if systemd_runs():
        run(["systemctl", "enable", "--now", "docker"], sudo=sudo)
        if not processes.holds(_listens, START_SECONDS, 0.2):
            raise processes.Failed(
                "docker.service", 1, "It was started but does not listen: see `journalctl -u docker`."
            )
        return "Started its daemon through systemd."
    return _start_directly([*sudo, engine.installed() or "dockerd"], sudo)


def _start_directly(command: Sequence[str], sudo: Sequence[str]) -> str:
    log = settings.data_dir() / "logs" / "dockerd.log"
    running = processes.start_detached(command, log=log)
    try:
        processes.remember(daemon_record(), running)
        processes.holds(lambda: _listens() or not processes.alive(running), START_SECONDS, 0.2)
        if not _listens() or not processes.alive(running):
            raise processes.Failed("dockerd", 1, processes.tail(log))  # noqa: TRY301 - cleaned up below
    except BaseException:
        processes.end(running, sudo=sudo)
        daemon_record().unlink(missing_ok=True)
        raise
    return f"Started its daemon directly (no systemd here; its log is {log})."


def systemd_runs() -> bool:
    """Whether systemd looks after this machine's services, see sd_booted(3)."""
    return Path("/run/systemd/system").is_dir()


def _listens() -> bool:
    """Whether the usual socket takes connections, ours or only root's."""
    try:
        engine.ask(engine.DEFAULT_HOST, 1)
    except PermissionError:
        return True
    except (OSError, ValueError, KeyError):
        return False
    return True


def daemon_record() -> Path:
    """The file about a daemon that we have started directly; see `processes.recall`."""
    return settings.data_dir() / "run" / "dockerd.json"


def stop_own_daemon() -> str | None:
    """Stops a daemon that we have started directly, unless containers that are not the course's run on it.

    Returns:
        A sentence, or None if there is no such daemon.
    """
    running = processes.recall(daemon_record())
    if running is None:
        return None
    if foreign := _foreign_containers():
        names = ", ".join(foreign)
        return f"The Docker daemon that the course started goes on: {names} runs on it and is not the course's."
    if not processes.end(running, grace=STOP_SECONDS, sudo=privilege.sudo() or []):
        return f"The Docker daemon that the course started (process {running.pid}) could not be ended. End it by hand."
    daemon_record().unlink(missing_ok=True)
    return "The Docker daemon that the course had started is stopped."


def _foreign_containers() -> list[str]:
    """Names of the running containers that are not the course's; none if the daemon does not answer any more."""
    try:
        rows = engine.get(engine.DEFAULT_HOST, "/containers/json")
    except (OSError, ValueError):
        return []
    foreign = [row for row in rows if (row.get("Labels") or {}).get(settings.LABEL_KEY) != settings.LABEL_VALUE]
    return [row["Names"][0].lstrip("/") for row in foreign]


def _join_group() -> None:
    """Runs us again as a member of the group docker, if we belong to it but this login does not know yet.

    Where that would not help it does nothing; where it helps it does not return.
    """
    if sys.platform in ("win32", "darwin") or os.environ.get("COURSE_REGROUPED") or shutil.which("sg") is None:
        return
    import grp

    try:
        group = grp.getgrnam("docker")
    except KeyError:
        return
    if privilege.user() not in group.gr_mem or group.gr_gid in os.getgroups():
        return
    command = [sys.executable, "-m", "labs", *sys.argv[1:]]
    sys.stdout.flush()
    # sg(1) takes one line for the shell; every word is quoted.
    os.execvpe("sg", ["sg", "docker", "-c", shlex.join(command)], {**os.environ, "COURSE_REGROUPED": "1"})  # noqa: S606
