"""The container dock-run: published on loopback only, version 2.0 from its environment, and it stays up."""

from docker.models.containers import Container

from labs.getting_started_with_docker import look
from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet

NAME = "dock-run"
VERSION = "2.0"


def check() -> Verdict:
    container = world.container(NAME)
    if container is None:
        return not_yet("no_container", f"There is no container {NAME} yet, running or stopped.")
    if complaint := look_docker.unlabelled(container, f"The container {NAME}"):
        return not_yet("label_missing", f"{complaint} A container inherits the labels of its image.")
    if container.status == "created":
        why = look_docker.start_error(container)
        return not_yet(
            "never_started",
            f"{NAME} was made but never started. "
            + (f"The engine says: {why}." if why else "To create a container does not start it."),
        )
    if container.status != "running":
        return _ended(container)
    return _ports(container) or _answer(container)


def reset() -> None:
    remove_docker.everything("dock-run")


def _ended(container: Container) -> Verdict:
    return not_yet("exited", f"{NAME} does not run ({container.status}). {look_docker.how_it_ended(container)}")


def _ports(container: Container) -> Verdict | None:
    published = look_docker.bindings(container)
    if not published:
        return not_yet(
            "not_published", f"{NAME} runs, but no port of it is published: from outside, nobody can reach it."
        )
    if look.INSIDE not in published:
        inside, outside = next(iter(published.items()))
        return not_yet(
            "port_reversed",
            f"Port {outside[0][1]} of the host leads to port {inside} of {NAME}, and the server listens on port 8000 "
            "in there. Which of the two numbers belongs to the container?",
        )
    if exposed := look_docker.exposed(container, look.INSIDE):
        address, port = exposed[0]
        return not_yet(
            "open_to_all",
            f"Port {port} is open on {address}, so the whole network of this machine can reach {NAME}. "
            "The task asks for 127.0.0.1 only.",
        )
    return None


def _answer(container: Container) -> Verdict:
    port = look_docker.bindings(container)[look.INSIDE][0][1]
    answer = look.wait_for_answer(container, port)
    if look_docker.state(container) != "running":
        return _ended(container)
    if not look.says_it_is(container, answer):
        return _no_answer(container, port)
    return _version(container, answer["version"]) or _staying(container, port)


def _version(container: Container, version: str) -> Verdict | None:
    if version != VERSION:
        return not_yet(
            "version_not_set", f"The server answers and says that its version is {version}; it should say {VERSION}."
        )
    image = world.image(container.attrs["Image"])
    if image is not None and look_docker.environment(image).get("APP_VERSION") == VERSION:
        return not_yet(
            "version_in_image",
            f"The server says {VERSION}, but that is built into the image. "
            "One image should serve under any version label: set the variable when the container starts.",
        )
    return None


def _staying(container: Container, port: int) -> Verdict:
    if not look_docker.stays_up(container):
        return _ended(container)
    return done(f"{NAME} answers at 127.0.0.1:{port}, says version {VERSION}, and stays up.")


def _no_answer(container: Container, port: int) -> Verdict:
    if not look.listens(container):
        return not_yet("other_program", f"{NAME} runs, but what runs in it is not the chapter's server.py.")
    if look.answers_inside(container):
        return not_yet(
            "loopback_inside",
            f"Port {port} leads to the container and the server runs, but it listens only on the container's own "
            "127.0.0.1, where nothing from outside arrives. Its log tells on which address it listens.",
        )
    return not_yet(
        "wrong_port_inside",
        f"Port {port} leads to port 8000 of the container, and nothing listens there. "
        "Its log tells on which port the server listens.",
    )
