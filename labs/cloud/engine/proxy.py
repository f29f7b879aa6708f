"""HAProxy's image, folders and doors, for the services that pass requests to containers. For threads."""

import os
import platform
import socket
import tempfile
from pathlib import Path
from typing import Any

from labs import settings
from labs.cloud.engine import docker, labels, own_image

FOLDER = Path(__file__).resolve().parent / "haproxy"
CONFIGURATION = "haproxy.cfg"
SOCKET_PATH_BYTES = 100  # the kernel's limit is 108 on Linux, 104 on macOS


def image() -> str:
    """The tag of HAProxy's image, built if it is missing.

    Raises:
        docker.errors.DockerException: it could not be built.
    """
    return own_image.ensure("load-balancer", FOLDER, ("Dockerfile", "entry.sh"))


def free_door(taken: set[int]) -> int:
    """A port on 127.0.0.1 that nobody uses now, and that is none of `taken`."""
    while True:
        with socket.socket() as probe:
            probe.bind((settings.GATEWAY_HOST, 0))
            if (door := probe.getsockname()[1]) not in taken:
                return door


def folder(kind: str, own: str) -> Path:
    """The folder of a proxy's configuration and sockets. Only this user can enter it.

    A path too long for the kernel is replaced by a short one among the temporary files.

    Args:
        kind: whose proxies they are, e.g. `lb`.
        own: the proxy's name among them.
    """
    path = settings.data_dir().absolute() / "run" / kind / own
    if len(os.fsencode(path / "master.sock")) > SOCKET_PATH_BYTES:
        path = Path(tempfile.gettempdir()) / f"{settings.COURSE}-{kind}-{labels.owner()}" / own
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write(place: Path, name: str, content: str) -> None:
    """Puts a file into a folder, whole or not at all. Only this user can read it."""
    fresh = place / f"{name}.new"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    fresh.replace(place / name)


def shares_our_files() -> bool:
    """Whether the engine runs on this very machine, so that a folder of ours with sockets can be mounted."""
    info: dict[str, Any] = docker.client().info()
    return info.get("OperatingSystem") != "Docker Desktop" and info.get("KernelVersion") == platform.release()
