"""What a chapter's reset removes in Docker: what begins with its prefix and is the learner's; nothing else."""

import contextlib
from collections.abc import Iterator

import docker
import pytest
from docker.errors import NotFound

from labs import settings
from labs.kit import remove_docker

OURS = {settings.LABEL_KEY: settings.LABEL_VALUE}
MADE = {
    "kitten-mine": OURS,
    "kitten-registry": OURS | {settings.ROLE_KEY: "registry"},  # of the local AWS, as `ecr-registry-...` is
    "kitten-foreign": {},
    "kit-other": OURS,
}


@pytest.fixture
def made() -> Iterator[docker.DockerClient]:
    """A container, a network and a volume of each name, and images under two names."""
    client = docker.from_env()
    for name, labels in MADE.items():
        client.containers.create(settings.BASE_IMAGE, ["true"], name=name, labels=labels)
        client.networks.create(name, labels=labels)
        client.volumes.create(name, labels=labels)
    base = client.images.get(settings.BASE_IMAGE)
    base.tag("kitten-unlabelled", "1")
    base.tag(f"{settings.GATEWAY_HOST}:4566/kitten-pushed", "1")
    yield client
    for name in MADE:
        for things in (client.containers, client.networks, client.volumes):
            with contextlib.suppress(NotFound):
                things.get(name).remove()
    for tag in ("kitten-unlabelled:1", f"{settings.GATEWAY_HOST}:4566/kitten-pushed:1"):
        with contextlib.suppress(NotFound):
            client.images.remove(tag)


def test_only_what_is_the_learners_goes(made: docker.DockerClient) -> None:
    assert len(remove_docker.left("kitten-")) == 4  # a container, a network, a volume, and the name that a push needed
    remove_docker.everything("kitten-")
    assert remove_docker.left("kitten-") == []
    rest = set(MADE) - {"kitten-mine"}
    assert {one.name for one in made.containers.list(all=True)} >= rest
    assert {one.name for one in made.networks.list()} >= rest
    assert {one.name for one in made.volumes.list()} >= rest
    assert "kitten-mine" not in {one.name for one in made.containers.list(all=True)}
    tags = made.images.get(settings.BASE_IMAGE).tags
    assert "kitten-unlabelled:1" in tags
    assert not [tag for tag in tags if "kitten-pushed" in tag]
    remove_docker.everything("kitten-")  # a second time does no harm
