"""Looking at the real world: the Docker engine and the local AWS. Used by checks and labs; changes nothing itself."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from labs import settings

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container
    from docker.models.images import Image


def docker_client() -> docker.DockerClient:
    """A client of the engine that the course uses.

    Raises:
        docker.errors.DockerException: no engine answers.
    """
    return _docker_client(os.environ.get("DOCKER_HOST"))


def aws_client(service: str) -> Any:
    """A boto3 client of the local AWS, whatever the environment says.

    Args:
        service: boto3's name of the service, e.g. `ecs`.
    """
    return _aws_client(service, settings.gateway_url())


def container(name: str) -> Container | None:
    """The container of this exact name, running or not; None when there is none."""
    from docker.errors import NotFound

    try:
        return docker_client().containers.get(name)
    except NotFound:
        return None


def image(tag: str) -> Image | None:
    """The image of this name and tag; None when there is none."""
    from docker.errors import ImageNotFound

    try:
        return docker_client().images.get(tag)
    except ImageNotFound:
        return None


def ours(thing: Any) -> bool:
    """Whether a container, image, volume or network (of the Docker SDK) carries the course's label."""
    attrs = thing.attrs
    labels = attrs.get("Labels") or (attrs.get("Config") or {}).get("Labels") or {}
    return labels.get(settings.LABEL_KEY) == settings.LABEL_VALUE


@functools.cache
def _docker_client(host: str | None) -> docker.DockerClient:
    import docker

    return docker.DockerClient(base_url=host, timeout=30) if host else docker.from_env(timeout=30)


@functools.cache
def _aws_client(service: str, endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client(
        service,
        endpoint_url=endpoint,
        region_name=settings.REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the local AWS asks for a key and checks none
        config=Config(connect_timeout=3, read_timeout=60, retries={"total_max_attempts": 1}),
    )
