"""What a reader does when there is no Docker engine and we may not install one: the exact step for their system."""

import os
import sys
from pathlib import Path

from labs.machine import engine, privilege, processes

DESKTOP = "https://docs.docker.com/desktop/setup/install"
ENABLE = "sudo systemctl enable --now docker"
# os-release(5) families to the command that installs and starts the distribution's own Docker.
COMMANDS = {
    "debian": "sudo apt-get update && sudo apt-get install -y docker.io",
    "ubuntu": "sudo apt-get update && sudo apt-get install -y docker.io",
    "fedora": f"sudo dnf install -y moby-engine docker-cli && {ENABLE}",
    "arch": f"sudo pacman -S docker && {ENABLE}",
    "suse": f"sudo zypper install docker && {ENABLE}",
}


def missing_sentence() -> str:
    """What is the matter with Docker here, and the exact step that mends it on this system."""
    chosen = os.environ.get("DOCKER_HOST")
    if chosen and not engine.refused(chosen):
        return (
            f"No Docker engine answers at {chosen}, which DOCKER_HOST names. "
            "Start that engine or unset DOCKER_HOST, then run this again."
        )
    return f"No Docker engine answers. {advice()}"


def advice() -> str:
    """The exact step for this system."""
    if processes.WINDOWS:
        program = Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"), "Docker", "Docker", "Docker Desktop.exe")
        return _desktop(program, "start it from the Start menu", "windows-install", "python -m labs")
    if sys.platform == "darwin":
        return _desktop(Path("/Applications/Docker.app"), "run `open -a Docker`", "mac-install", "python3 -m labs")
    return f"{_linux_step()} Then run `python3 -m labs` again."


def _desktop(program: Path, start: str, page: str, again: str) -> str:
    if program.exists():
        return f"Docker Desktop is installed but not running: {start}, wait until it says that it runs, then `{again}`."
    return f"Install Docker Desktop ({DESKTOP}/{page}/), {start}, wait until it says that it runs, then `{again}`."


def _linux_step() -> str:
    join = f"sudo usermod -aG docker {privilege.user()}"
    if engine.refused(engine.candidates()[0]):
        return f"There is one, but your user may not use it: run `{join}`, then log out and in."
    if engine.installed():
        start = ENABLE if Path("/run/systemd/system").is_dir() else "sudo dockerd"
        return f"Docker is installed but its daemon does not run: start it with `{start}`."
    release = privilege.os_release()
    family = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    if command := next((COMMANDS[name] for name in family if name in COMMANDS), None):
        return f"Run `{command} && {join}`, then log out and in."
    return "Install Docker Engine for your distribution (https://docs.docker.com/engine/install/)."
