"""ECR as a whole: its operations, the registry that keeps the bytes, and what goes on by itself."""

import logging

from docker.errors import DockerException

from labs.cloud.ecr import (
    collection,
    container,
    door,
    images,
    lifecycle_policies,
    policies,
    pull_through_cache,
    referrers,
    registry_settings,
    replication,
    repositories,
    scanning,
    storage_classes,
    templates,
    tokens,
)
from labs.cloud.ecr.registry import Registry
from labs.cloud.ecr.state import Ecr
from labs.cloud.engine import docker
from labs.cloud.frame.service import Operation, Service

SIGNING_NAME = "ecr"
TARGET = "AmazonEC2ContainerRegistry_V20150921"
ROOMS = (
    images, lifecycle_policies, policies, pull_through_cache, referrers, registry_settings, replication, repositories,
    scanning, storage_classes, templates,
)  # fmt: skip
OPERATIONS: dict[str, Operation] = {
    "GetAuthorizationToken": tokens.get_authorization_token,
    **{name: one for room in ROOMS for name, one in room.OPERATIONS.items()},
}

log = logging.getLogger(__name__)


class ElasticContainerRegistry:
    """ECR.

    Args:
        ecr: its state.
    """

    def __init__(self, ecr: Ecr) -> None:
        self._ecr = ecr
        self._registry = Registry(lambda: bool(ecr.repositories))
        ecr.bytes = self._registry
        ecr.pushed = self._pushed
        self.service = Service("ecr", ecr, OPERATIONS, ecr.store, invalid="InvalidParameterException")

    async def start(self) -> None:
        """Takes up what was under way."""
        background = self._ecr.background
        background.spawn(self._registry.run(), "registry")
        background.spawn(lifecycle_policies.run(self._ecr), "lifecycle policies")
        background.spawn(storage_classes.run(self._ecr), "storage classes")
        background.spawn(collection.run(self._ecr), "garbage of the registry")
        replication.resume(self._ecr)
        scanning.resume(self._ecr)

    async def stop(self) -> None:
        """Removes the registry's container. Its volume keeps all images."""
        await self._ecr.background.end()
        try:
            await docker.run(container.remove)
        except DockerException as problem:
            log.warning("the registry's container may be left: %s", problem)

    async def answer(self, scope: door.Scope, receive: door.Receive, send: door.Send) -> None:
        """ASGI: a request of the registry's protocol, see `door.answer`."""
        await door.answer(self._ecr, scope, receive, send)

    def _pushed(self, key: str, copied: bool) -> None:
        if not copied:
            replication.begin(self._ecr, key)
        scanning.scan_on_push(self._ecr, key)
