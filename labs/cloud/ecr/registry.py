"""The registry that keeps the bytes, as the rest of this room sees it: kept running, asked over HTTP."""

import asyncio
import contextlib
import http.client
import logging
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple
from urllib.parse import quote

from docker.errors import DockerException
from requests.exceptions import RequestException

from labs import settings
from labs.cloud.ecr import container
from labs.cloud.engine import docker
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.pulse import Pulse

LOOK_SECONDS = 3.0
READY_SECONDS = 120.0  # its image may have to be built first
ANSWER_SECONDS = 60.0

log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What the registry said: status, headers by names in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Registry:
    """Keeps the container running and speaks to it.

    Args:
        needed: whether there is anything to keep; without, no container is started.
    """

    def __init__(self, needed: Callable[[], bool]) -> None:
        self._needed = needed
        self._port: int | None = None
        self._ready = asyncio.Event()
        self._look = Pulse()

    async def run(self) -> None:
        """Looks at the container again and again, and mends it."""
        while True:
            try:
                if self._needed():
                    self._port = await docker.run(container.ensure)
                    self._ready.set()
            except (DockerException, RequestException, container.RegistryError) as problem:
                self._ready.clear()
                log.warning("the registry does not run: %s", problem)
            await self._look.wait(LOOK_SECONDS)

    async def port(self) -> int:
        """The port on 127.0.0.1 at which the registry answers; waits until it does.

        Raises:
            AwsError: it does not in time.
        """
        if not self._ready.is_set():
            self._look.beat()
        try:
            await asyncio.wait_for(self._ready.wait(), READY_SECONDS)
        except TimeoutError:
            raise AwsError(
                "ServerException", "The registry's container does not run. The log of the local AWS says why.", 500
            ) from None
        return self._port or 0

    def lost(self) -> None:
        """Told that the registry did not answer: nobody uses it before it was looked at."""
        self._ready.clear()
        self._look.beat()

    async def put_manifest(self, kept: str, digest: str, content: bytes, media_type: str) -> None:
        """Keeps a manifest.

        Raises:
            AwsError: the registry refuses it: LayersNotFoundException, or InvalidParameterException.
        """
        answer = await self._ask("PUT", f"/v2/{kept}/manifests/{digest}", content, {"Content-Type": media_type})
        if answer.status == 201:
            return
        if b"BLOB_UNKNOWN" in answer.body:
            raise AwsError("LayersNotFoundException", "The image names layers that are not in the repository.")
        said = answer.body[:300].decode("utf-8", "replace").strip()
        raise AwsError("InvalidParameterException", f"The image manifest is not accepted by the registry: {said}")

    async def delete_manifest(self, kept: str, digest: str) -> None:
        """Forgets a manifest; one that is not there is no error."""
        await self._ask("DELETE", f"/v2/{kept}/manifests/{digest}")

    async def mount(self, kept: str, digest: str, source: str) -> bool:
        """Makes a layer of the repository `source` a layer of another one too; False if there is none such."""
        query = f"mount={quote(digest, safe='')}&from={quote(source, safe='')}"
        answer = await self._ask("POST", f"/v2/{kept}/blobs/uploads/?{query}")
        return answer.status == 201

    async def size(self, kept: str, digest: str) -> int | None:
        """The size of a layer; None if the repository has none such."""
        answer = await self._ask("HEAD", f"/v2/{kept}/blobs/{digest}")
        return int(answer.headers["content-length"]) if answer.status == 200 else None

    async def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        for last in (False, True):
            port = await self.port()
            try:
                return await asyncio.to_thread(_exchange, port, method, path, body, headers or {})
            except (OSError, http.client.HTTPException) as problem:
                self.lost()
                if last:
                    raise AwsError("ServerException", f"The registry did not answer: {problem}", 500) from problem
        raise AssertionError


@contextlib.contextmanager
def layer(port: int, kept: str, digest: str) -> Iterator[IO[bytes]]:
    """A layer's bytes, to be read in order. For a thread.

    Raises:
        OSError: the registry does not give it.
    """
    connection = http.client.HTTPConnection(settings.GATEWAY_HOST, port, timeout=ANSWER_SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", f"/v2/{kept}/blobs/{digest}")
        response = connection.getresponse()
        if response.status != 200:
            raise OSError(f"The registry answered {response.status} for {digest}.")
        yield response


def _exchange(port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
    connection = http.client.HTTPConnection(settings.GATEWAY_HOST, port, timeout=ANSWER_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
