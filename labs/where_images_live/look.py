"""Reading this chapter's world: a registry that the learner runs, and what it holds. Changes nothing."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from http.client import HTTPException
from urllib.request import Request, urlopen

from labs.kit import look_docker, world

PORT = "5000/tcp"
PATIENCE_SECONDS = 10.0  # for a registry that was just started
LOOK_SECONDS = 0.3
MANIFESTS = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    )
)


@dataclass(frozen=True)
class Registry:
    """A registry that answers at a port of this machine."""

    address: str  # host:port

    def digests(self, repository: str) -> dict[str, str]:
        """The digest that each tag of a repository stands for; none when it is not there."""
        answer = _get(f"http://{self.address}/v2/{repository}/tags/list")
        try:
            tags = json.loads(answer[1]).get("tags") or [] if answer else []
        except ValueError:  # no registry after all
            return {}
        found = {tag: self.digest(repository, tag) for tag in tags}
        return {tag: digest for tag, digest in found.items() if digest}

    def digest(self, repository: str, reference: str) -> str:
        """The digest of a manifest, asked for by tag or digest; empty when there is none."""
        answer = _get(f"http://{self.address}/v2/{repository}/manifests/{reference}")
        return answer[0] if answer else ""


def registry(name: str) -> Registry | str:
    """The registry in the container of this name, or a sentence about what keeps it from being used.

    Args:
        name: of the container.
    """
    container = world.container(name)
    if container is None:
        return f"There is no container {name!r} yet, so there is no registry to push to."
    if problem := look_docker.unlabelled(container, f"The container {name}"):
        return problem
    if look_docker.state(container) != "running":
        return f"The registry {name!r} does not run. {look_docker.how_it_ended(container)}"
    if look_docker.exposed(container, PORT):
        return "The registry answers on every address of this machine, without a log-in."
    bound = look_docker.bindings(container).get(PORT)
    if not bound:
        return f"The registry runs, and its port {PORT} leads nowhere on this machine."
    host = f"[{bound[0][0]}]" if ":" in bound[0][0] else bound[0][0]
    found = Registry(f"{host}:{bound[0][1]}")
    return found if _answers(found.address) else f"Nothing at {found.address} answers as a registry."


def _answers(address: str) -> bool:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        if _get(f"http://{address}/v2/"):
            return True
        if time.monotonic() > end:
            return False
        time.sleep(LOOK_SECONDS)


def _get(url: str) -> tuple[str, bytes] | None:
    """The digest header and the body of an answer; None when there is none."""
    try:
        with urlopen(Request(url, headers={"Accept": MANIFESTS}), timeout=10) as answer:  # noqa: S310 - http, loopback
            return answer.headers.get("Docker-Content-Digest", ""), answer.read()
    except (OSError, HTTPException):  # refused, or nobody there: a registry may be stopped while we look
        return None
