"""The Docker engine: found and asked. Standard library only, but for `client`.

The engine is asked over its own HTTP interface (https://docs.docker.com/reference/api/engine/), never by running
`docker --version`, which does not reach it.
"""

import hashlib
import http.client
import io
import json
import os
import shutil
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from labs.machine import processes

if TYPE_CHECKING:
    from docker import APIClient

DEFAULT_HOST = "npipe:////./pipe/docker_engine" if processes.WINDOWS else "unix:///var/run/docker.sock"
ANSWER_SECONDS = 4.0
OLDEST_API = (1, 40)  # Docker 19.03, 2019: the oldest that the course's calls were written against


@dataclass(frozen=True)
class Engine:
    """An engine that has answered.

    Args:
        host: where it was reached, in the form of DOCKER_HOST.
        name: what it calls itself, e.g. `Docker Engine - Community`, `Docker Desktop`, `Podman Engine`.
        version: its version, e.g. `20.10.24`.
        api: the newest version of the interface that it speaks, e.g. `1.41`.
        system: `linux` or `windows`: what its containers run.
        arch: the processor in Docker's words, e.g. `amd64`.
    """

    host: str
    name: str
    version: str
    api: str
    system: str
    arch: str

    def describe(self) -> str:
        """One line for the reader."""
        return f"{self.name} {self.version} ({self.system}/{self.arch}, API {self.api}) at {self.host}"


def find() -> Engine | None:
    """The engine that answers first, in the order of `candidates()`; None if none does."""
    for host in candidates():
        try:
            return ask(host)
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            continue
    return None


def use() -> Engine | None:
    """Finds the engine, and sets DOCKER_HOST for this process and its children where the Docker SDK would miss it."""
    engine = find()
    if engine and engine.host != DEFAULT_HOST:
        os.environ["DOCKER_HOST"] = engine.host
    return engine


def client(seconds: float = 60) -> "APIClient":
    """The Docker SDK's client of the engine in use; close it, or use it in a `with`.

    Args:
        seconds: how long it waits for a sign of life.

    Raises:
        docker.errors.DockerException: no engine answers.
    """
    import docker

    return docker.APIClient(**docker.utils.kwargs_from_env(), timeout=seconds)


def candidates() -> list[str]:
    """Where an engine may listen, the reader's own choice first.

    DOCKER_HOST, if set, is the only one. Then the chosen docker context, the usual socket, and those of Docker Desktop,
    rootless Docker, Colima, Rancher Desktop and Podman.
    """
    if chosen := os.environ.get("DOCKER_HOST"):
        return [chosen]
    hosts = [_context_host(), DEFAULT_HOST]
    if processes.WINDOWS:
        hosts += ["npipe:////./pipe/dockerDesktopLinuxEngine", "npipe:////./pipe/podman-machine-default"]
    else:
        home, runtime = Path.home(), Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
        sockets = [
            home / ".docker/run/docker.sock",
            home / ".docker/desktop/docker.sock",
            runtime / "docker.sock",
            home / ".colima/default/docker.sock",
            home / ".rd/docker.sock",
            runtime / "podman/podman.sock",
            home / ".local/share/containers/podman/machine/podman.sock",
            Path("/run/podman/podman.sock"),
        ]
        hosts += [f"unix://{path}" for path in sockets if _exists(path)]
    return list(dict.fromkeys(host for host in hosts if host))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that we may not look into
        return False


def _context_host() -> str | None:
    """The endpoint of the docker context in use (files below ~/.docker, as the docker CLI keeps them)."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        name = os.environ.get("DOCKER_CONTEXT") or config.get("currentContext")
        if not name or name == "default":
            return None
        meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
        return json.loads(meta.read_text(encoding="utf-8"))["Endpoints"]["docker"]["Host"]
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


def ask(host: str, seconds: float = ANSWER_SECONDS) -> Engine:
    """Asks an engine who it is.

    Args:
        host: as DOCKER_HOST: `unix://`, `npipe://` or `tcp://`.
        seconds: how long to wait.

    Raises:
        OSError: nobody listens there, no answer in time, or we may not.
        ValueError: what answers is no engine, or this kind of address cannot be asked.
    """
    said = get(host, "/version", seconds)
    names = {part.get("Name") for part in said.get("Components") or []}
    platform = (said.get("Platform") or {}).get("Name") or ("Podman" if "Podman Engine" in names else "Docker Engine")
    return Engine(
        host=host,
        name=platform,
        version=said["Version"],
        api=said["ApiVersion"],
        system=said["Os"],
        arch=said["Arch"],
    )


def get(host: str, path: str, seconds: float = ANSWER_SECONDS) -> Any:
    """The JSON answer of an engine to one GET request. Errors as of `ask`."""
    return processes.within(seconds + 1, lambda: _get(host, path, seconds))


def _get(host: str, path: str, seconds: float) -> Any:
    with _open(host, seconds) as stream:
        # HTTP/1.0: the answer ends with the connection, so a named pipe can be read like a socket.
        stream.write(f"GET {path} HTTP/1.0\r\nHost: docker\r\nAccept: application/json\r\n\r\n".encode())
        stream.flush()
        answer = stream.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(b" ")
    if len(words) < 2 or words[1] != b"200":
        raise ValueError(f"{host} answered {head[:60]!r} to {path}")
    return json.loads(body)


def _open(host: str, seconds: float) -> BinaryIO:
    address = urlsplit(host)
    if address.scheme == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(seconds)
        try:
            connection.connect(address.path)
        except OSError:
            connection.close()
            raise
        return _stream(connection)
    if address.scheme == "npipe":
        return io.BufferedRWPair(
            *(Path(address.path.replace("/", "\\")).open(mode, buffering=0) for mode in ("rb", "wb"))
        )
    if address.scheme == "tcp":
        tls = bool(os.environ.get("DOCKER_TLS_VERIFY"))
        connection = socket.create_connection((address.hostname, address.port or (2376 if tls else 2375)), seconds)
        return _stream(_secure(connection, address.hostname or "") if tls else connection)
    raise ValueError(f"{host}: the course reaches engines at unix://, npipe:// and tcp:// only")


def _stream(connection: socket.socket) -> BinaryIO:
    stream = connection.makefile("rwb")
    connection.close()  # the stream keeps it open until it is closed itself
    return stream


def _secure(connection: socket.socket, name: str) -> ssl.SSLSocket:
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context.wrap_socket(connection, server_hostname=name)


def check(engine: Engine) -> tuple[Engine | None, str]:
    """Whether the course can use this engine: the engine or None, and a sentence."""
    if engine.system != "linux":
        return None, (
            f"{engine.describe()} runs Windows containers, and the course's are Linux ones. "
            "Right-click Docker Desktop's icon, choose 'Switch to Linux containers', and run this again."
        )
    if version_tuple(engine.api) < OLDEST_API:
        return (
            None,
            f"{engine.describe()} is too old: the course needs Docker 19.03 or newer. Update it and run this again.",
        )
    return engine, engine.describe()


def version_tuple(text: str) -> tuple[int, ...]:
    """`1.41` as `(1, 41)`, to compare versions."""
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


def refused(host: str = DEFAULT_HOST) -> bool:
    """Whether an engine listens there but this user may not use it."""
    try:
        ask(host, 1)
    except PermissionError:
        return True
    except (OSError, ValueError, KeyError):
        return False
    return False


def installed() -> str | None:
    """The path of the daemon's program, if Docker is installed here; it lies outside an ordinary user's PATH."""
    return shutil.which("dockerd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
