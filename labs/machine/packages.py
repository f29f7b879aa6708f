"""Installing packages of Debian and Ubuntu. Standard library only."""

from collections.abc import Callable, Sequence
from pathlib import Path

from labs import settings
from labs.machine import processes

Run = Callable[..., str]


def install(names: Sequence[str], sudo: Sequence[str], run: Run = processes.run, keep: Sequence[int] = ()) -> None:
    """Installs packages with `apt-get`, after finishing what an interrupted run may have left half-done.

    Args:
        names: package names.
        sudo: what makes a command run as root (`privilege.sudo()`).
        run: what runs a command; `processes.run`, or a recorder in a test.
        keep: file descriptors that the commands inherit.

    Raises:
        Failed: a command ended with an error; `tail` holds its last lines.
    """
    # `env` because sudo drops our environment. NEEDRESTART_MODE: Ubuntu would ask which services to restart.
    env = ["env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=a"]
    wait = ["-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=2"]
    log = log_file()
    run([*env, "dpkg", "--configure", "-a"], sudo=sudo, log=log, keep=keep)
    run([*env, "apt-get", *wait, "update"], sudo=sudo, log=log, keep=keep)
    run(
        [*env, "apt-get", *wait, "install", "-y", "--no-install-recommends", *names],
        sudo=sudo,
        log=log,
        keep=keep,
    )


def known(name: str, run: Run = processes.run) -> bool:
    """Whether the package lists have an installable package of this name."""
    try:
        answer = run(["apt-cache", "policy", name])
    except (processes.Failed, OSError):
        return False
    return "Candidate:" in answer and "Candidate: (none)" not in answer


def log_file() -> Path:
    """Where the output of apt-get goes."""
    return settings.data_dir() / "logs" / "packages.log"
