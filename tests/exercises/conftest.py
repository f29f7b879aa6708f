"""The layers of the images that the exercises build, kept for as long as these tests last.

A reset removes the image that a learner's code has built, and with it the layers, from which the next build could
have gone on. So each of the wrong states would spend most of its time on the very build of the one before. A second
name, under which neither the chapters nor their resets look for anything, keeps the layers. What is built, what a reset
removes and what a check sees stay the same; only a build is found in the engine's cache.
"""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress

import pytest
from docker import DockerClient
from docker.errors import APIError, NotFound

from labs import settings
from labs.kit import world

KEPT = f"{settings.COURSE}-test-layers"  # no chapter's names begin with it


@pytest.fixture(scope="session")
def keep_layers(course: dict[str, str]) -> Iterator[Callable[[], None]]:
    """To be called after a build: keeps the layers of the images with the course's label until the tests end."""
    client = world.docker_client()
    before = {row["Id"] for row in client.api.images(all=True)}
    kept: dict[str, str] = {}  # image id to the tag that keeps it

    def keep() -> None:
        for row in client.api.images(filters={"label": settings.LABEL}):
            image, tags = row["Id"], row["RepoTags"] or []
            made_by_the_course = settings.ROLE_KEY in (row["Labels"] or {})
            if made_by_the_course or settings.BASE_IMAGE in tags or tags in ([], ["<none>:<none>"]):
                continue
            if image not in kept:
                tag = f"{os.getpid()}-{len(kept)}"
                with suppress(NotFound):  # another's, gone meanwhile
                    client.api.tag(image, KEPT, tag)
                    kept[image] = f"{KEPT}:{tag}"

    yield keep
    built = kept.keys() - before
    while kept:
        _, tag = kept.popitem()
        _let_go(client, tag, before | kept.keys())
    assert not built & {row["Id"] for row in client.api.images(all=True)}, "kept images are left after the tests"


def _let_go(client: DockerClient, tag: str, stay: Collection[str]) -> None:
    """Removes a tag, and the layers below it, down to the first that is to stay or that something else stands on."""
    try:
        layers = [row["Id"] for row in client.images.get(tag).history()][1:]
    except NotFound:  # another test's reset has removed all that carries the course's label
        return
    client.images.remove(tag, noprune=True)
    with suppress(APIError):  # another image stands on the rest
        for layer in layers:
            if layer in stay or not layer.startswith("sha256:"):  # `<missing>`: of an image from elsewhere
                break
            client.images.remove(layer, noprune=True)
