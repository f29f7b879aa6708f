"""Three containers from one image on one network: each plays its part, and the front has heard of the two others."""

import json
import time
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import urlopen

from docker.errors import NotFound
from docker.models.containers import Container

from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet

IMAGE = "box-shop:1"
NETWORK = "box-shop"
INSIDE = "8000/tcp"
PARTS = ("front", "prices", "stock")
PATIENCE = 5.0  # seconds until a part that was just started must answer


def check() -> Verdict:
    image = world.image(IMAGE)
    if image is None:
        return not_yet("no_image", f"There is no image {IMAGE} yet.")
    if complaint := look_docker.unlabelled(image, f"The image {IMAGE}"):
        return not_yet("label_missing", complaint)
    found = {part: world.container(f"box-{part}") for part in PARTS}
    missing = [f"box-{part}" for part, container in found.items() if container is None]
    if missing:
        return not_yet("container_missing", f"The image is there; not there yet: {', '.join(missing)}.")
    parts = {part: container for part, container in found.items() if container is not None}
    for container in parts.values():
        if verdict := _alive(container) or _origin(container, image.id):
            return verdict
    return _roles(parts) or _network(parts) or _doors(parts) or _answer(parts)


def reset() -> None:
    remove_docker.everything("box-front", "box-prices", "box-stock", NETWORK)


def _alive(container: Container) -> Verdict | None:
    if complaint := look_docker.unlabelled(container, f"The container {container.name}"):
        return not_yet("label_missing", complaint)
    if container.status == "running":
        return None
    ended = look_docker.how_it_ended(container) if container.status == "exited" else ""
    return not_yet("not_running", f"{container.name} does not run ({container.status}). {ended}".strip())


def _origin(container: Container, image: str) -> Verdict | None:
    if container.attrs["Image"] == image:
        return None
    return not_yet(
        "other_image",
        f"{container.name} was started from another image, {container.attrs['Config']['Image']}. All three come from "
        f"{IMAGE} as it is now; what differs is their environment.",
    )


def _roles(parts: dict[str, Container]) -> Verdict | None:
    for part, container in parts.items():
        plays = look_docker.environment(container).get("SERVICE")
        if plays != part:
            return not_yet("wrong_part", f"{container.name} plays the part {plays or '(none)'}, not {part}.")
    return None


def _network(parts: dict[str, Container]) -> Verdict | None:
    try:
        network = world.docker_client().networks.get(NETWORK)
    except NotFound:
        return not_yet("no_network", f"There is no network {NETWORK}; the containers cannot find each other by name.")
    if complaint := look_docker.unlabelled(network, f"The network {NETWORK}"):
        return not_yet("label_missing", complaint)
    for container in parts.values():
        joined = container.attrs["NetworkSettings"]["Networks"]
        if NETWORK not in joined:
            where = ", ".join(joined) or "none"
            return not_yet("not_on_network", f"{container.name} is on the network {where}, not on {NETWORK}.")
    return None


def _doors(parts: dict[str, Container]) -> Verdict | None:
    for part in ("prices", "stock"):
        if look_docker.bindings(parts[part]):
            return not_yet(
                "part_published",
                f"box-{part} is published on the host. Only the front is meant to be reached from outside; the others "
                "meet it on their network, without any published port.",
            )
    front = parts["front"]
    if INSIDE not in look_docker.bindings(front):
        return not_yet("not_published", "Port 8000 of box-front is not published, so nobody outside can ask it.")
    if exposed := look_docker.exposed(front, INSIDE):
        return not_yet("open_to_all", f"box-front is open on {exposed[0][0]}, to the whole network of this machine.")
    return None


def _answer(parts: dict[str, Container]) -> Verdict:
    port = look_docker.bindings(parts["front"])[INSIDE][0][1]
    answer = _ask(port)
    if answer.get("service") != "front":
        return not_yet("no_answer", f"At port {port} of 127.0.0.1 nobody answers who is the shop's front.")
    for part in ("prices", "stock"):
        heard = answer.get(part) or {}
        if "error" in heard:
            told = look_docker.environment(parts["front"]).get(part.upper()) or "(nothing)"
            return not_yet(
                "part_not_found",
                f"The front answers, but of {part} it knows only: {heard['error']}. It was told {told} in "
                f"{part.upper()}. Compare that with the name of the container.",
            )
        if heard.get("service") != part or heard.get("host") != parts[part].attrs["Config"]["Hostname"]:
            return not_yet("parts_crossed", f"Where the front asks for {part}, {heard.get('service')} answers.")
    return done(f"One image plays three parts: the front at port {port} has a price and a number in stock.")


def _ask(port: int) -> dict:
    """The front's answer; empty when it gives none in time."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/", timeout=10) as reply:
                found = json.load(reply)
        except (HTTPError, ValueError):
            return {}
        except (OSError, HTTPException):
            if time.monotonic() > end:
                return {}
            time.sleep(0.2)
        else:
            return found if isinstance(found, dict) else {}
