"""The two local AWS that are compared: ours, and the emulator alone. Both are spoken to in the same way."""

import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import docker
import emulator

from labs import settings
from labs.cloud import server

START_SECONDS = 60.0


class Side(NamedTuple):
    """A running local AWS.

    Args:
        url: its address.
        pid: its process.
        seconds: what it took from the start of the process until it answered.
    """

    url: str
    pid: int
    seconds: float

    def client(self, service: str) -> Any:
        """A boto3 client of it, that never sends a request twice."""
        config = boto3.session.Config(retries={"total_max_attempts": 1}, read_timeout=120)
        return boto3.client(service, endpoint_url=self.url, region_name=settings.REGION, config=config)


Maker = Callable[[], contextlib.AbstractContextManager[Side]]


@contextlib.contextmanager
def ours() -> Iterator[Side]:
    """Ours, in the data folder and on the port of the environment."""
    seconds = server.ensure_running().seconds
    health = server.health(timeout=10.0)
    assert health
    try:
        yield Side(settings.gateway_url(), health["pid"], seconds)
    finally:
        server.stop()


@contextlib.contextmanager
def alone(folder: Path, port: int) -> Iterator[Side]:
    """The emulator alone."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    command = [sys.executable, str(Path(emulator.__file__)), str(port), str(folder)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=dict(os.environ), stdout=log, stderr=log)
    try:
        while not _answers(port):
            if process.poll() is not None or time.perf_counter() - begun > START_SECONDS:
                raise RuntimeError(f"MiniStack did not start: {(folder / 'log').read_text()[-500:]}")
            time.sleep(0.01)
        yield Side(f"http://127.0.0.1:{port}", process.pid, time.perf_counter() - begun)
    finally:
        process.kill()
        process.wait()
        label = f"ministack.instance={emulator.instance(folder)}:{port}"
        for container in docker.from_env().containers.list(all=True, sparse=True, filters={"label": label}):
            container.remove(force=True, v=True)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == 200
    return False
