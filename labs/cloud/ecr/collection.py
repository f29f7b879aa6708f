"""Garbage: manifests of images that were deleted, layers that no manifest names any more. Removed when it is quiet."""

import asyncio
import logging

from docker.errors import DockerException
from requests.exceptions import RequestException

from labs.cloud.ecr import addresses, container
from labs.cloud.ecr.state import Ecr
from labs.cloud.engine import docker
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError

LOOK_SECONDS = 5.0
IDLE_SECONDS = 10.0
PENDING_SECONDS = 600.0  # how long a layer waits for its manifest

_LAYERS = "layers"  # garbage that is no image's

log = logging.getLogger(__name__)


async def run(ecr: Ecr) -> None:
    """Collects after deletions, once it is quiet."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        _forget_abandoned(ecr)
        if is_due(ecr):
            await collect(ecr)


def is_due(ecr: Ecr) -> bool:
    """Whether there may be garbage, and nobody is pushing: no write for a while, no layer that waits for a manifest."""
    if not ecr.garbage or ecr.writes.idle_seconds < IDLE_SECONDS:
        return False
    named = {digest for image in ecr.images.values() for digest in image["_blobs"]}  # those stay in any case
    return all(key.rpartition("@")[2] in named for key in ecr.pending)


async def collect(ecr: Ecr) -> None:
    """Removes the garbage; who wants to write waits meanwhile. A failure is logged, and tried again with the next."""
    async with ecr.writes.none():
        collected = list(ecr.garbage)
        try:
            for key in set(collected) - {_LAYERS} - set(ecr.images):
                repository, _, digest = key.rpartition("@")
                name = arns.resource(repository).partition("/")[2]
                await ecr.bytes.delete_manifest(addresses.kept(arns.region(repository), name), digest)
            await ecr.bytes.port()
            await docker.run(container.collect_garbage)
        except (AwsError, DockerException, RequestException, container.RegistryError) as problem:
            log.warning("garbage is left in the registry: %s", problem)
            return
        for key in collected:
            ecr.garbage.drop(key)
        ecr.store.flush_quietly()


def _forget_abandoned(ecr: Ecr) -> None:
    """Gives up on layers whose manifest never came."""
    now = clock.now()
    for key in [key for key, one in ecr.pending.items() if one["since"] < now - PENDING_SECONDS]:
        ecr.pending.drop(key)
        ecr.garbage.put(_LAYERS, {"since": now})
