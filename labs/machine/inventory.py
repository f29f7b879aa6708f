"""Everything of the course in the Docker engine, found by its label; and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from labs import settings
from labs.machine import engine

if TYPE_CHECKING:
    from docker import APIClient

Kind = Literal["container", "network", "volume", "image"]
KINDS: tuple[Kind, ...] = ("container", "network", "volume", "image")  # the order in which they can be removed


@dataclass(frozen=True)
class Thing:
    """Something in the engine that carries the course's label.

    Args:
        kind: what it is.
        id: the engine's name of it (the name itself for a volume).
        name: what a reader knows it by.
        role: what made it (`task`, `relay`, ...); empty for what a learner made.
        running: of a container, whether it runs.
    """

    kind: Kind
    id: str
    name: str
    role: str
    running: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def nameless(self) -> bool:
        """Whether it is an image without a tag: a layer kept for later builds, in nobody's way."""
        return self.kind == "image" and self.name == _short(self.id)


def find(kinds: Iterable[Kind] = KINDS) -> list[Thing]:
    """What carries the course's label, in the order in which it can be removed.

    Raises:
        docker.errors.DockerException: no engine answers.
    """
    with engine.client() as api:
        return [thing for kind in KINDS if kind in kinds for thing in _find(api, kind)]


def _find(api: APIClient, kind: Kind) -> list[Thing]:
    ours = {"label": settings.LABEL}
    if kind == "container":
        return [
            Thing(kind, row["Id"], row["Names"][0].lstrip("/"), _role(row), row.get("State") == "running")
            for row in api.containers(all=True, filters=ours)
            if row.get("Names")
        ]
    if kind == "network":
        return [Thing(kind, row["Id"], row["Name"], _role(row)) for row in api.networks(filters=ours)]
    if kind == "volume":
        return [Thing(kind, row["Name"], row["Name"], _role(row)) for row in api.volumes(filters=ours)["Volumes"] or []]
    return [
        Thing(kind, row["Id"], ", ".join(_tags(row)) or _short(row["Id"]), _role(row))
        for row in api.images(filters=ours)
        if settings.BASE_IMAGE not in _tags(row)
    ]


def _short(id: str) -> str:
    return id.removeprefix("sha256:")[:12]


def _tags(row: dict[str, Any]) -> list[str]:
    return [tag for tag in row.get("RepoTags") or [] if tag != "<none>:<none>"]


def _role(row: dict[str, Any]) -> str:
    return (row.get("Labels") or {}).get(settings.ROLE_KEY, "")


def remove(things: Iterable[Thing]) -> tuple[list[Thing], list[str]]:
    """Removes things, containers first.

    Args:
        things: of `find()`. What is gone already is no error.

    Returns:
        What is gone now; and a sentence for each that could not be removed.
    """
    from docker.errors import APIError, NotFound

    waiting = sorted(things, key=lambda thing: KINDS.index(thing.kind))
    gone: list[Thing] = []
    with engine.client() as api:
        while True:
            troubles: dict[Thing, str] = {}
            for thing in waiting:
                try:
                    with suppress(NotFound):
                        _remove(api, thing)
                except APIError as error:
                    troubles[thing] = f"The {thing} could not be removed: {error.explanation or error}"
                else:
                    gone.append(thing)
            # An image goes only after the images built from it: go round for as long as that helps.
            if not troubles or len(troubles) == len(waiting):
                return gone, list(troubles.values())
            waiting = list(troubles)


def _remove(api: APIClient, thing: Thing) -> None:
    if thing.kind == "container":
        api.remove_container(thing.id, force=True, v=True)
    elif thing.kind == "network":
        for container in api.inspect_network(thing.id).get("Containers") or {}:
            api.disconnect_container_from_network(container, thing.id, force=True)
        api.remove_network(thing.id)
    elif thing.kind == "volume":
        api.remove_volume(thing.id, force=True)
    else:
        api.remove_image(thing.id, force=True)


def summary(things: Iterable[Thing]) -> str:
    """How many of each kind, e.g. `2 containers, 1 network`; `nothing` for none."""
    kinds = [thing.kind for thing in things]
    counts = [(kinds.count(kind), kind) for kind in KINDS]
    return ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for count, kind in counts if count) or "nothing"
