"""The images of the local AWS's own containers, each built from a folder here when its files have changed."""

import hashlib
import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from docker.errors import ImageNotFound

from labs import settings
from labs.cloud.engine import docker

log = logging.getLogger(__name__)
_building = threading.Lock()  # one after the other: the second one uses what the first one has fetched


def ensure(name: str, folder: Path, files: Sequence[str]) -> str:
    """The tag of an image, built if it is missing. For a thread.

    Args:
        name: what it is for, e.g. `relay`.
        folder: where its Dockerfile is.
        files: what it is built from, the Dockerfile among them. Other content is another tag.

    Returns:
        e.g. `containers-on-aws/relay:23ad92b4c99a`.

    Raises:
        docker.errors.DockerException: it could not be built.
    """
    content = b"".join((folder / file).read_bytes() for file in files)
    tag = f"{settings.COURSE}/{name}:{hashlib.sha256(content).hexdigest()[:12]}"
    with _building:
        try:
            docker.client().images.get(tag)
        except ImageNotFound:
            log.warning("building the image %s", tag)
            docker.client().images.build(path=str(folder), tag=tag, rm=True, forcerm=True)
    return tag
