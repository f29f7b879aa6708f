"""What ECR knows: its tables, and those it talks to. Handed to every operation as its first argument."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from labs import settings
from labs.cloud.ecr.writes import Writes
from labs.cloud.frame import arns
from labs.cloud.frame.background import Background
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.signals import Signals
from labs.cloud.frame.store import Record, Store, Table

SOURCE = "aws.ecr"

Publish = Callable[[str, str, list[str], dict[str, Any], str], None]


class Bytes(Protocol):
    """Who keeps layers and manifests: `registry.Registry`."""

    async def port(self) -> int:
        """The port on 127.0.0.1 at which the registry answers; waits until it does."""

    def lost(self) -> None:
        """Told that the registry did not answer."""

    async def put_manifest(self, kept: str, digest: str, content: bytes, media_type: str) -> None:
        """Keeps a manifest."""

    async def delete_manifest(self, kept: str, digest: str) -> None:
        """Forgets a manifest."""

    async def mount(self, kept: str, digest: str, source: str) -> bool:
        """Makes a layer of one repository a layer of another one."""

    async def size(self, kept: str, digest: str) -> int | None:
        """The size of a layer; None if the repository has none such."""


@dataclass
class Ecr:
    """The state of ECR. Tables are keyed by ARN, which holds the region; an image's key is its repository's ARN and
    its digest. Records have the shape that the API returns.

    Members of ours: a repository's `_tags`, `_policy`, `_lifecycle`, `_preview`; an image's `_repository` (ARN),
    `_manifest` (its text), `_blobs` and `_children` (digests that it names), `_scan`, `_replication`.

    Args:
        store: where the tables are kept.
        publish: sends an event to EventBridge: (region, detail type, resource ARNs, detail, source). Returns at once.
        signals: hints to other services of ours.
    """

    store: Store
    publish: Publish
    signals: Signals
    background: Background = field(default_factory=Background)
    writes: Writes = field(default_factory=Writes)
    bytes: Bytes = field(init=False)  # set by the service
    pushed: Callable[[str, bool], None] = lambda *_: None  # told of each push: the image's key, whether it is a copy

    def __post_init__(self) -> None:
        self.repositories: Table = self.store.table("ecr.repositories")
        self.images: Table = self.store.table("ecr.images")
        self.registries: Table = self.store.table("ecr.registries")  # settings of a region's registry, by region
        self.templates: Table = self.store.table("ecr.creation-templates")
        self.cache_rules: Table = self.store.table("ecr.pull-through-cache-rules")
        self.keys: Table = self.store.table("ecr.keys")
        self.pending: Table = self.store.table("ecr.pending")  # layers that no manifest names yet, and since when
        self.garbage: Table = self.store.table("ecr.garbage")  # keys of deleted images whose bytes are left

    def repository(self, request: Mapping[str, Any], region: str) -> Record:
        """The repository that a request names.

        Raises:
            AwsError: RepositoryNotFoundException.
        """
        registry = request.get("registryId", settings.ACCOUNT)
        arn = repository_arn(region, request["repositoryName"])
        if registry != settings.ACCOUNT or arn not in self.repositories:
            raise repository_not_found(request["repositoryName"], registry)
        return self.repositories[arn]

    def images_of(self, repository: str) -> list[Record]:
        """The images of a repository, by its ARN; the oldest first."""
        return [image for image in self.images.values() if image["_repository"] == repository]

    def image(self, repository: str, digest: str) -> Record | None:
        """The image with this digest."""
        return self.images.get(image_key(repository, digest))

    def tagged(self, repository: str, tag: str) -> Record | None:
        """The image with this tag."""
        return next((image for image in self.images_of(repository) if tag in image["imageTags"]), None)

    def keep(self, image: Record) -> None:
        """Puts an image, new or changed."""
        self.images.put(image_key(image["_repository"], image["imageDigest"]), image)

    def settings_of(self, region: str) -> Record:
        """The settings of a region's registry."""
        return self.registries.get(region) or {}

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """While bytes are written: no garbage is collected meanwhile."""
        async with self.writes.one():
            yield


def repository_arn(region: str, name: str) -> str:
    """The ARN of a repository."""
    return arns.make("ecr", region, f"repository/{name}")


def image_key(repository: str, digest: str) -> str:
    """The key of an image in its table."""
    return f"{repository}@{digest}"


def repository_not_found(name: str, registry: str = settings.ACCOUNT) -> AwsError:
    """The error for a repository that is not there, in AWS's words."""
    return AwsError(
        "RepositoryNotFoundException",
        f"The repository with name '{name}' does not exist in the registry with id '{registry}'",
    )
