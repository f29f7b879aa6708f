"""HAProxy's runtime API: commands to its admin socket, and to the socket of its master.

https://docs.haproxy.org/2.6/management.html#9.3
"""

import asyncio
import csv
from pathlib import Path
from typing import Any, Protocol

from docker.errors import DockerException

from labs.cloud.engine import docker

SECONDS = 5.0


class NoAnswerError(Exception):
    """HAProxy does not answer. It is not running, or not yet."""


class Channel(Protocol):
    """A way to HAProxy's sockets."""

    async def ask(self, socket: str, commands: list[str]) -> str:
        """What it says to commands, one after another.

        Args:
            socket: `admin` or `master`.
            commands: without line ends.

        Raises:
            NoAnswerError: it says nothing.
        """


class Sockets:
    """The way where the engine shares our files: the sockets in the folder that is mounted."""

    poll_seconds = 0.25

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def ask(self, socket: str, commands: list[str]) -> str:
        try:
            async with asyncio.timeout(SECONDS):
                reader, writer = await asyncio.open_unix_connection(str(self._folder / f"{socket}.sock"))
                try:
                    writer.write((";".join(commands) + "\n").encode())
                    writer.write_eof()
                    return (await reader.read()).decode("utf-8", "replace")
                finally:
                    writer.close()
        except (OSError, TimeoutError) as problem:
            raise NoAnswerError(f"HAProxy's {socket} socket does not answer: {problem}") from problem


class Executed:
    """The way where the engine runs in a machine of its own (Docker Desktop): a command in the container."""

    poll_seconds = 1.0

    def __init__(self, container: str) -> None:
        self._container = container

    async def ask(self, socket: str, commands: list[str]) -> str:
        script = 'printf "%s\\n" "$1" | socat -t 5 - "$2"'
        command = ["sh", "-c", script, "sh", ";".join(commands), f"/lb/{socket}.sock"]
        return await self._run(command)

    async def write(self, name: str, text: str) -> None:
        """Puts a file into the container. Its content is nobody's to see, so it is no argument of a program.

        Raises:
            NoAnswerError: the container does not run.
        """
        script = 'umask 077; printf "%s" "$CONTENT" > "/lb/$1"'
        await self._run(["sh", "-c", script, "sh", name], {"CONTENT": text})

    async def _run(self, command: list[str], environment: dict[str, str] | None = None) -> str:
        def work() -> str:
            result = docker.client().containers.get(self._container).exec_run(command, environment=environment)
            if result.exit_code:
                raise NoAnswerError(f"HAProxy in {self._container} does not answer: {result.output!r}")
            return result.output.decode("utf-8", "replace")

        try:
            return await docker.run(work)
        except DockerException as problem:
            raise NoAnswerError(f"HAProxy in {self._container} does not answer: {problem}") from problem


def rows(answer: str) -> list[dict[str, Any]]:
    """The rows of `show stat`: column name to text."""
    lines = [line for line in answer.lstrip("\n# ").splitlines() if line]
    return list(csv.DictReader(lines))
