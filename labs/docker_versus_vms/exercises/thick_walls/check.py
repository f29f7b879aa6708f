"""The container wall-tight, seen from inside: its user, its capabilities, its disk, its privileges; does it answer?"""

import re
import time
import urllib.request

from docker.errors import APIError
from docker.models.containers import Container

from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet

NAME = "wall-tight"
IMAGE = "wall-web:1"
INSIDE = "8000/tcp"
PATIENCE = 5.0  # seconds: a server that was just started does not listen yet

# Loopback only: a proxy that the learner's environment names must not see this request.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def check() -> Verdict:
    container = world.container(NAME)
    if container is None:
        return not_yet("no_container", f"There is no container {NAME} yet.")
    if complaint := look_docker.unlabelled(container, f"The container {NAME}"):
        return not_yet("label_missing", complaint)
    if look_docker.state(container) != "running":
        why = look_docker.start_error(container) or look_docker.how_it_ended(container)
        return not_yet("not_running", f"{NAME} does not run. {why}")
    image = world.image(IMAGE)
    if image is None or container.attrs["Image"] != image.id:
        return not_yet("other_image", f"{NAME} was not started from the image {IMAGE} as it is now.")
    try:
        return _walls(container) or _answers(container)
    except APIError:  # it ended between two looks
        return not_yet("not_running", f"{NAME} has just ended. Look at its log.")


def reset() -> None:
    remove_docker.everything(NAME)


def _walls(container: Container) -> Verdict | None:
    host = container.attrs["HostConfig"]
    if host["Privileged"]:
        return not_yet("privileged", f"{NAME} is privileged: every device of the machine is open to it; no wall holds.")
    if binds := [mount["Source"] for mount in container.attrs["Mounts"] if mount["Type"] == "bind"]:
        return not_yet("mounted", f"{binds[0]} of this machine is mounted into {NAME}.")
    if rights := _rights(container):
        return rights
    if not host["ReadonlyRootfs"]:
        return not_yet("writable", f"The file system of {NAME} can be written to.")
    return None


def _rights(container: Container) -> Verdict | None:
    own = _status(container)
    if own["Uid"].split()[0] == "0":
        return not_yet("root", f"The program in {NAME} runs as root, user 0, and that is root for the kernel too.")
    kept = int(own["CapBnd"], 16)
    if kept:
        return not_yet("capabilities", f"{NAME} may still gain {kept.bit_count()} capabilities; asked for: none.")
    if own["NoNewPrivs"] != "1":
        return not_yet("new_privileges", f"A program with the setuid bit could still give {NAME} the rights of root.")
    return None


def _status(container: Container) -> dict[str, str]:
    """What the kernel says of the container's first process: the lines of /proc/1/status."""
    text = container.exec_run(["cat", "/proc/1/status"]).output.decode()
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.MULTILINE))


def _answers(container: Container) -> Verdict:
    if outside := look_docker.exposed(container, INSIDE):
        return not_yet("exposed", f"{NAME} is published on {outside[0][0]}: others on your network can reach it.")
    places = look_docker.bindings(container).get(INSIDE)
    if not places:
        return not_yet("not_published", f"{NAME} is well walled, but its port 8000 is published nowhere.")
    end = time.monotonic() + PATIENCE
    while not _asked(places[0][1]):
        if time.monotonic() > end:
            return not_yet("no_answer", f"{NAME} does not answer. Its log ends: {look_docker.last_line(container)}")
        time.sleep(0.2)
    return done(f"{NAME} answers at port {places[0][1]}, as a user without rights on a disk that it cannot change.")


def _asked(port: int) -> bool:
    try:
        with _direct.open(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return answer.status == 200 and b"user" in answer.read()
    except OSError:  # urllib's own errors are of this kind
        return False
