"""Whether we may change the system, and how. Standard library only."""

import getpass
import os
import shutil
import subprocess
import sys
from pathlib import Path


def sudo() -> list[str] | None:
    """What goes before a command to run it as root.

    Returns:
        An empty list as root; `["sudo", "-n"]` where sudo asks for no password; None where we may not.
    """
    if sys.platform == "win32":
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    # In a session of its own, as `processes.run` does it: a password typed earlier on this terminal does not count.
    asked = subprocess.run(
        ["sudo", "-n", "true"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        start_new_session=True,
    )
    return ["sudo", "-n"] if asked.returncode == 0 else None


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """The fields of os-release(5); empty where there is none (macOS, Windows)."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def debian_like() -> bool:
    """Whether this is Debian, Ubuntu or a relative with `apt-get`."""
    release = os_release()
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    return bool(family & {"debian", "ubuntu"}) and shutil.which("apt-get") is not None


def user() -> str:
    """This user's login name."""
    return getpass.getuser()
