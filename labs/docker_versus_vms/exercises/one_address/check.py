"""The containers wall-web and wall-helper: one network namespace, two process namespaces."""

import time

from docker.errors import APIError
from docker.models.containers import Container

from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet

WEB, HELPER = "wall-web", "wall-helper"
IMAGE = "wall-web:1"
PATIENCE = 5.0  # seconds: a server that was just started does not listen yet
ASK = "exec 3<>/dev/tcp/127.0.0.1/8000 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && timeout 2 cat <&3"


def check() -> Verdict:
    web, helper = world.container(WEB), world.container(HELPER)
    if web is None or helper is None:
        lacks = WEB if web is None else HELPER
        return not_yet("no_container", f"There is no container {lacks} yet.")
    for container in (web, helper):
        if complaint := look_docker.unlabelled(container, f"The container {container.name}"):
            return not_yet("label_missing", complaint)
        if look_docker.state(container) != "running":
            return not_yet("not_running", f"{container.name} does not run. {look_docker.how_it_ended(container)}")
    try:
        return _walls(web, helper) or _answers(web, helper)
    except APIError:  # it ended between two looks
        return not_yet("not_running", "One of the two has just ended. Look at its log.")


def reset() -> None:
    remove_docker.everything(WEB, HELPER)


def _walls(web: Container, helper: Container) -> Verdict | None:
    if "host" in (_mode(web), _mode(helper)):
        return not_yet(
            "host_network", "One of the two lives in the network of the host, where everything can reach it."
        )
    if _namespace(web, "net") != _namespace(helper, "net"):
        return not_yet(
            "two_addresses",
            f"{HELPER} has a network namespace of its own: its 127.0.0.1 is not that of {WEB}. On a shared network "
            "each of the two still has its own address.",
        )
    if _namespace(web, "pid") == _namespace(helper, "pid"):
        return not_yet("shared_processes", "They share the network, but the processes too; that wall was to stay.")
    if look_docker.bindings(web) or look_docker.bindings(helper):
        return not_yet("published", "A port is published on this machine. Inside one network namespace none is needed.")
    return None


def _answers(web: Container, helper: Container) -> Verdict:
    image = world.image(IMAGE)
    if image is None or web.attrs["Image"] != image.id:
        return not_yet("other_image", f"{WEB} was not started from the image {IMAGE} as it is now.")
    end = time.monotonic() + PATIENCE
    while True:
        code, output = helper.exec_run(["bash", "-c", ASK])
        if code == 0 and b"200 OK" in output:
            return done(f"{HELPER} reaches {WEB} at 127.0.0.1:8000, and sees none of its processes.")
        if time.monotonic() > end:
            last = look_docker.last_line(web)
            return not_yet("no_answer", f"One network, but nothing answers at port 8000. The log of {WEB} ends: {last}")
        time.sleep(0.2)


def _mode(container: Container) -> str:
    return container.attrs["HostConfig"]["NetworkMode"]


def _namespace(container: Container, kind: str) -> str:
    """What names the namespace of a container's processes, e.g. `net:[4026532323]`."""
    return container.exec_run(["readlink", f"/proc/self/ns/{kind}"]).output.decode().strip()
