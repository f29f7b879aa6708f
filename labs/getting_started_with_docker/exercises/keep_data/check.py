"""The container dock-keep: does its number of visits live in the volume dock-keep, and did it outlive a container?"""

import re
from contextlib import closing

from docker.errors import NotFound
from docker.models.containers import Container

from labs.getting_started_with_docker import look
from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet

NAME = "dock-keep"  # of the container and of the volume
TARGET = "/data"
ENOUGH = 3  # visits that the first container should have counted


def check() -> Verdict:
    if missing := _volume_missing():
        return missing
    container = world.container(NAME)
    if container is None:
        return not_yet("no_container", f"The volume {NAME} is there; the container {NAME} is not.")
    if complaint := look_docker.unlabelled(container, f"The container {NAME}"):
        return not_yet("label_missing", complaint)
    if container.status != "running":
        return not_yet(
            "not_running",
            f"The container {NAME} does not run ({container.status}). {look_docker.how_it_ended(container)}",
        )
    return _mount(container) or _visits(container)


def reset() -> None:
    remove_docker.everything(NAME)


def _volume_missing() -> Verdict | None:
    with closing(world.docker_client()) as client:
        try:
            volume = client.volumes.get(NAME)
        except NotFound:
            return not_yet("no_volume", f"There is no volume {NAME} yet.")
    if complaint := look_docker.unlabelled(volume, f"The volume {NAME}"):
        return not_yet(
            "label_missing",
            f"{complaint} One that comes into being at a container's start has none.",
        )
    return None


def _mount(container: Container) -> Verdict | None:
    mounts = container.attrs["Mounts"]
    named = [it for it in mounts if it.get("Name") == NAME]
    at_target = next((it for it in mounts if it["Destination"].rstrip("/") == TARGET), None)
    if at_target is None and named:
        return not_yet(
            "wrong_path",
            f"The volume is mounted at {named[0]['Destination']}, and the server writes to {TARGET}: "
            "its data still goes to the container's own layer.",
        )
    if at_target is None:
        return not_yet("not_mounted", f"Nothing is mounted at {TARGET}: the data goes with the container.")
    if at_target["Type"] == "bind":
        return not_yet(
            "host_folder",
            f"A folder of this machine, {at_target['Source']}, is mounted at {TARGET}. It works here and nowhere else; "
            f"the task asks for the volume {NAME}.",
        )
    if not named or at_target not in named:
        return not_yet(
            "another_volume",
            f"What is mounted at {TARGET} is another volume, {at_target.get('Name', '')[:12]}. "
            "One without a name is made anew for each container.",
        )
    if not at_target["RW"]:
        return not_yet("read_only", f"The volume is mounted at {TARGET} for reading only, so no visit can be counted.")
    return None


def _visits(container: Container) -> Verdict:
    published = look_docker.bindings(container).get(look.INSIDE)
    if not published:
        return not_yet("no_answer", f"Port 8000 of {NAME} is not published, so no visit can arrive.")
    if look_docker.exposed(container, look.INSIDE):
        return not_yet("open_to_all", f"Port 8000 of {NAME} is open to the whole network, not only at 127.0.0.1.")
    port = published[0][1]
    if not look.says_it_is(container, look.wait_for_answer(container, port)):
        return not_yet("no_answer", f"At port {port}, the chapter's server.py does not answer from this container.")
    visits = (look.ask(port) or {}).get("visits")
    stored = _in_volume(container)
    if visits is None or stored != str(visits):
        return not_yet(
            "written_elsewhere",
            f"The server has counted {visits} visits, and the volume holds {stored or 'no number'}: "
            "the server writes to another folder.",
        )
    started = re.search(r"visits so far: (\d+)", container.logs().decode(errors="replace"))
    if started is None or int(started[1]) < ENOUGH:
        found = started[1] if started else "no"
        return not_yet(
            "first_container",
            f"The data lies in the volume. But this container found {found} visits when it started, and the task asks "
            f"for {ENOUGH} that an earlier container counted. Is that one removed, and this one new?",
        )
    return done(f"This container began with {started[1]} visits of an earlier one: the volume outlived it.")


def _in_volume(container: Container) -> str:
    """The number of visits as a container of its own sees it that shares nothing but the volume."""
    look_inside = ["python3", "-c", "import pathlib; print(pathlib.Path('/seen/visits').read_text())"]
    volumes = {NAME: {"bind": "/seen", "mode": "ro"}}
    return look_docker.run_to_end("dock-", container.attrs["Image"], 20, command=look_inside, volumes=volumes).output
