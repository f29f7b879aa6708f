"""The chapter's lab: everything that it makes has a name starting with `dock-` and carries the course's label."""

from collections.abc import Iterator
from contextlib import closing, suppress
from http import HTTPStatus

from docker import DockerClient
from docker.errors import APIError, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.models.images import Image

from labs import settings
from labs.kit import world

PREFIX = "dock-"
# The layer that installs Python takes long, and later chapters start from it: it stays in the engine's build cache
# until `python3 -m labs reset`, which removes by label.
SHARED_LAYER = "apt-get install -y --no-install-recommends python3 &&"


def reset() -> None:
    """Remove every container, network, volume and image of this chapter. Safe to call at any time."""
    remove(PREFIX)
    with closing(world.docker_client()) as client:
        for container in _containers(client):
            if _is_build_step(container):
                _remove_container(container)


def leftovers() -> list[str]:
    """What of this chapter is still there, one sentence each; empty means clean."""
    with closing(world.docker_client()) as client:
        return [
            *(f"The container {it.name} is still there ({it.status})." for it in _containers(client, PREFIX)),
            *(f"The network {it.name} is still there." for it in _networks(client, PREFIX)),
            *(f"The volume {it.name} is still there." for it in _volumes(client, PREFIX)),
            *(f"The image {tag} is still there." for tag in _tags(client, PREFIX)),
        ]


def remove(*prefixes: str) -> None:
    """Remove what carries the course's label and has a name that starts with one of these.

    Args:
        prefixes: starts of names, e.g. `dock-run`. What lacks the label stays, whatever its name.
    """
    with closing(world.docker_client()) as client:
        used = set()
        for container in _containers(client, *prefixes):
            used.add(container.attrs["Image"])
            _remove_container(container)
        for network in _networks(client, *prefixes):
            with suppress(NotFound):
                network.remove()
        for volume in _volumes(client, *prefixes):
            with suppress(NotFound):
                volume.remove()
        for tag in _tags(client, *prefixes):
            _remove_image(client, tag)
        for image in client.images.list(filters=_ours()):
            if image.id in used and not image.tags:  # its tag went to a newer build
                _remove_image(client, image.id)


def _ours(*names: str) -> dict:
    return {"label": settings.LABEL} | ({"name": [*names]} if names else {})


def _containers(client: DockerClient, *prefixes: str) -> list[Container]:
    # ignore_removed: one that goes away between the list and the look is no error.
    found = client.containers.list(all=True, filters=_ours(), ignore_removed=True)
    return [it for it in found if it.name.startswith(prefixes or ("",))]


def _networks(client: DockerClient, *prefixes: str) -> list:
    return [it for it in client.networks.list(filters=_ours()) if it.name.startswith(prefixes)]


def _volumes(client: DockerClient, *prefixes: str) -> list:
    return [it for it in client.volumes.list(filters=_ours()) if it.name.startswith(prefixes)]


def _tags(client: DockerClient, *prefixes: str) -> Iterator[str]:
    for image in client.images.list(filters=_ours()):
        yield from (tag for tag in image.tags if tag.startswith(prefixes))


def _is_build_step(container: Container) -> bool:
    """Whether the classic builder left it: it does when a build is asked for without `rm=True`."""
    return container.status in ("created", "exited") and "#(nop)" in " ".join(container.attrs["Config"]["Cmd"] or [])


def _remove_container(container: Container) -> None:
    with suppress(NotFound):
        container.remove(force=True, v=True)  # v: its anonymous volumes go with it


def _remove_image(client: DockerClient, tag: str) -> None:
    """Remove a tag, and with the last tag the image and its own layers, down to the layer that chapters share."""
    layers = list(_own_layers(client, client.images.get(tag)))
    for name in [tag, *layers]:
        try:
            client.images.remove(name, noprune=True)
        except ImageNotFound:
            continue
        except APIError as problem:
            if problem.status_code != HTTPStatus.CONFLICT:
                raise
            return  # another image or a container stands on it


def _own_layers(client: DockerClient, image: Image) -> Iterator[str]:
    """Ids of the nameless images below an image; there are none where the engine keeps its cache elsewhere."""
    while parent := image.attrs.get("Parent"):
        image = client.images.get(parent)
        if image.tags or SHARED_LAYER in image.history()[0]["CreatedBy"]:
            return
        yield image.id
