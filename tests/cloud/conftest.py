"""A local AWS of the tests' own: its data folder, its port, its containers. Nothing of it is left afterwards."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from cloud_lab import own_place

from labs.cloud import server

WEB_IMAGE = "cloud-test-web:1"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A place for a local AWS, in which nothing runs yet."""
    with own_place(tmp_path_factory.mktemp("cloud")) as folder:
        yield folder


@pytest.fixture(scope="module")
def local_aws(place: Path) -> Path:
    """A running local AWS."""
    assert server.ensure_running().how == "started"
    return place


@pytest.fixture(scope="module")
def web_image() -> Iterator[str]:
    """An image that answers HTTP on port 8080 with its container's name and the path."""
    client = docker.from_env()
    client.images.build(path=str(Path(__file__).parent / "web"), tag=WEB_IMAGE, rm=True, forcerm=True)
    yield WEB_IMAGE
    client.images.remove(WEB_IMAGE, force=True)
