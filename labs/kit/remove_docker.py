"""Removing what a chapter makes in Docker, by the beginning of its name, and saying what is left of it.

Only what carries the course's label is ever touched, and nothing that belongs to the local AWS: its containers have
names such as `ecr-registry-...`, and a role.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.models.images import Image
from docker.models.networks import Network
from docker.models.volumes import Volume

from labs import settings
from labs.kit import world

OURS = {"label": settings.LABEL}
# The layer that installs Python takes long, and other chapters start from it: it stays in the engine's build cache
# until `python3 -m labs reset`, which removes by label.
SHARED_LAYER = "apt-get install -y --no-install-recommends python3 &&"


def everything(*prefixes: str) -> None:
    """Remove what carries the course's label and has a name that starts with one of these. Safe to repeat.

    Args:
        prefixes: starts of names, e.g. `dock-run`. What lacks the label stays, whatever its name.
    """
    with closing(world.docker_client()) as client:
        used = set()
        for container in _containers(client, *prefixes):
            used.add(container.attrs["Image"])
            _remove_container(container)
        for network in _networks(client, *prefixes):
            with _if_it_can_be():
                network.remove()
        for volume in _volumes(client, *prefixes):
            with _if_it_can_be():
                volume.remove()
        for tag in _tags(client, *prefixes):
            _remove_image(client, tag)
        for image, tags in _images(client).items():
            if image in used and not tags:  # its tag went to a newer build
                _remove_image(client, image)


def left(*prefixes: str) -> list[str]:
    """What is still there, one sentence each; empty means clean.

    Args:
        prefixes: as in `everything`.
    """
    with closing(world.docker_client()) as client:
        return [
            *(f"The container {it.name} is still there ({it.status})." for it in _containers(client, *prefixes)),
            *(f"The network {it.name} is still there." for it in _networks(client, *prefixes)),
            *(f"The volume {it.name} is still there." for it in _volumes(client, *prefixes)),
            *(f"The image {tag} is still there." for tag in _tags(client, *prefixes)),
        ]


def build_steps() -> None:
    """Remove the containers that the classic builder leaves when a build is asked for without `rm=True`."""
    with closing(world.docker_client()) as client:
        for container in _containers(client, ""):
            if _is_build_step(container):
                _remove_container(container)


def _containers(client: DockerClient, *prefixes: str) -> list[Container]:
    # ignore_removed: one that goes away between the list and the look is no error.
    found = client.containers.list(all=True, filters=OURS, ignore_removed=True)
    return [it for it in found if it.name.startswith(prefixes) and _is_a_learners(it)]


def _networks(client: DockerClient, *prefixes: str) -> list[Network]:
    return [it for it in client.networks.list(filters=OURS) if it.name.startswith(prefixes) and _is_a_learners(it)]


def _volumes(client: DockerClient, *prefixes: str) -> list[Volume]:
    return [it for it in client.volumes.list(filters=OURS) if it.name.startswith(prefixes) and _is_a_learners(it)]


def _is_a_learners(thing: Container | Network | Volume) -> bool:
    """Whether something is none of the local AWS's own."""
    labels = thing.attrs.get("Labels") or (thing.attrs.get("Config") or {}).get("Labels") or {}
    return settings.ROLE_KEY not in labels


def _tags(client: DockerClient, *prefixes: str) -> list[str]:
    """The names of images, tags before digests, also those that a push or a pull has needed.

    A name such as `127.0.0.1:4566/svc-web:1` can only come from our own registry, whatever the image carries.
    """
    rows = client.api.images()
    found = [
        (name, (row["Labels"] or {}).get(settings.LABEL_KEY) == settings.LABEL_VALUE)
        for kind in ("RepoTags", "RepoDigests")
        for row in rows
        for name in row[kind] or ()
        if "<none>" not in name
    ]
    mine = [name for name, labelled in found if labelled or name.startswith(f"{settings.GATEWAY_HOST}:")]
    return [name for name in mine if name.rpartition("/")[2].startswith(prefixes)]


def _images(client: DockerClient) -> dict[str, list[str]]:
    """Ids and tags. One request: `images.list` asks again for each, and fails when one went away meanwhile."""
    named = {it["Id"]: it["RepoTags"] or [] for it in client.api.images(filters=OURS)}
    return {image: [tag for tag in tags if tag != "<none>:<none>"] for image, tags in named.items()}


@contextmanager
def _if_it_can_be() -> Iterator[None]:
    """Pass over what is gone already, and over what something else still uses: `leftovers` reports that."""
    try:
        yield
    except NotFound:
        return
    except APIError as problem:
        if problem.status_code not in (HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT):
            raise


def _is_build_step(container: Container) -> bool:
    return container.status in ("created", "exited") and "#(nop)" in " ".join(container.attrs["Config"]["Cmd"] or [])


def _remove_container(container: Container) -> None:
    with _if_it_can_be():
        container.remove(force=True, v=True)  # v: its anonymous volumes go with it


def _remove_image(client: DockerClient, name: str) -> None:
    """Remove a tag, and with the last tag the image and its own layers, down to the layer that chapters share."""
    with _if_it_can_be():
        image = client.images.get(name)
        layers = _own_layers(client, image) if world.ours(image) else []
        for one in [name, *layers]:  # ends at the first that another image or a container stands on
            client.images.remove(one, noprune=True)


def _own_layers(client: DockerClient, image: Image) -> list[str]:
    """Ids of the nameless images below an image; there are none where the engine keeps its cache elsewhere."""
    layers = []
    while parent := image.attrs.get("Parent"):
        image = client.images.get(parent)
        if image.tags or SHARED_LAYER in image.history()[0]["CreatedBy"]:
            break
        layers.append(image.id)
    return layers
