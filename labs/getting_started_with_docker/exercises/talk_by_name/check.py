"""dock-front asks dock-back by its name, over the network dock-names; only the front is published."""

import ipaddress
from contextlib import closing
from urllib.parse import urlsplit

from docker.errors import NotFound
from docker.models.containers import Container

from labs.getting_started_with_docker import look
from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet

NETWORK, FRONT, BACK = "dock-names", "dock-front", "dock-back"


def check() -> Verdict:
    if missing := _network_missing():
        return missing
    front, back = world.container(FRONT), world.container(BACK)
    if front is None or back is None:
        gone = FRONT if front is None else BACK
        return not_yet("container_missing", f"The network is there; the container {gone} is not.")
    if complaint := look_docker.unlabelled(front, f"The container {FRONT}") or look_docker.unlabelled(
        back, f"The container {BACK}"
    ):
        return not_yet("label_missing", complaint)
    return _running(front, back) or _places(front, back) or _address(front) or _conversation(front, back)


def reset() -> None:
    remove_docker.everything(FRONT, BACK, NETWORK)


def _network_missing() -> Verdict | None:
    with closing(world.docker_client()) as client:
        try:
            network = client.networks.get(NETWORK)
        except NotFound:
            return not_yet("no_network", f"There is no network {NETWORK} yet.")
    if complaint := look_docker.unlabelled(network, f"The network {NETWORK}"):
        return not_yet("label_missing", complaint)
    return None


def _running(*containers: Container) -> Verdict | None:
    for container in containers:
        if container.status != "running":
            return not_yet(
                "not_running",
                f"{container.name} does not run ({container.status}). {look_docker.how_it_ended(container)}",
            )
    return None


def _places(front: Container, back: Container) -> Verdict | None:
    for container in (front, back):
        networks = container.attrs["NetworkSettings"]["Networks"]
        if NETWORK not in networks:
            return not_yet(
                "not_on_network",
                f"{container.name} is on the network {', '.join(networks) or 'none'}, not on {NETWORK}. "
                "Names resolve only among the members of a network that somebody made, not on the default bridge.",
            )
    if look_docker.bindings(back):
        return not_yet(
            "back_published", f"{BACK} is published on the host. Only {FRONT} should be reachable from outside."
        )
    return None


def _address(front: Container) -> Verdict | None:
    backend = look_docker.environment(front).get("BACKEND")
    if not backend:
        return not_yet("backend_not_set", f"{FRONT} does not know whom to ask: its variable BACKEND is not set.")
    host = urlsplit(backend).hostname or ""
    if host == "localhost" or _is_address(host, loopback=True):
        return not_yet(
            "asks_itself",
            f"{FRONT} asks {backend}. Inside a container, that is the container itself, not its neighbour.",
        )
    if _is_address(host):
        return not_yet(
            "by_address",
            f"{FRONT} asks {host}, an address that {BACK} may lose when it is made anew. Its name stays.",
        )
    return None


def _is_address(host: str, *, loopback: bool = False) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback if loopback else True


def _conversation(front: Container, back: Container) -> Verdict:
    published = look_docker.bindings(front).get(look.INSIDE)
    if not published:
        return not_yet("front_silent", f"Port 8000 of {FRONT} is not published, so nobody outside can ask it.")
    if look_docker.exposed(front, look.INSIDE):
        return not_yet("open_to_all", f"Port 8000 of {FRONT} is open to the whole network, not only at 127.0.0.1.")
    port = published[0][1]
    if not look.says_it_is(front, look.wait_for_answer(front, port)):
        return not_yet("front_silent", f"At port {port}, the chapter's server.py does not answer from {FRONT}.")
    answer = look.ask(port) or {}
    if not look.says_it_is(back, answer.get("backend")):
        heard = answer.get("backend_error") or f"an answer of {answer.get('backend')}"
        return not_yet(
            "backend_unreached",
            f"{FRONT} asks {look_docker.environment(front)['BACKEND']} and gets: {heard}. "
            f"Compare the name and the port with those of {BACK}; inside a network the container's own port counts.",
        )
    if not (look_docker.stays_up(front) and look_docker.state(back) == "running"):
        return _running(front, back) or not_yet("not_running", f"{FRONT} was restarted while the check looked.")
    return done(f"{FRONT} found {BACK} by its name, and only {FRONT} can be reached from outside.")
