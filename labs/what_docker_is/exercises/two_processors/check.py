"""Two images whose note and whose program agree, and a container of the one that fits this engine, ended well."""

import io
import secrets
import struct
import tarfile

from docker.errors import NotFound
from docker.models.containers import Container
from docker.models.images import Image

from labs import settings
from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet
from labs.what_docker_is.tiny import MACHINES

REPOSITORY = "box-hello"
NAME = "box-hello"
PROGRAM = "/hello"
ENGINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def check() -> Verdict:
    found: dict[str, Image] = {}
    for machine in MACHINES:
        tag = f"{REPOSITORY}:{machine}"
        image = world.image(tag)
        if image is None:
            return not_yet("no_image", f"There is no image {tag} yet.")
        if complaint := look_docker.unlabelled(image, f"The image {tag}"):
            return not_yet("label_missing", complaint)
        if verdict := _note(image, machine) or _program(image, machine):
            return verdict
        found[machine] = image
    return _container(found)


def reset() -> None:
    remove_docker.everything(REPOSITORY)


def _note(image: Image, machine: str) -> Verdict | None:
    says = image.attrs["Architecture"]
    if says == machine:
        return None
    return not_yet(
        "wrong_note",
        f"{REPOSITORY}:{machine} says of itself that it is for {says}. A tag is only a name: the note comes from the "
        "platform that the build was asked for.",
    )


def _program(image: Image, machine: str) -> Verdict | None:
    """Reads the file in the image: bytes 18 and 19 of an ELF file name its processor."""
    content = _file(image)
    if content is None:
        return not_yet("no_program", f"{REPOSITORY}:{machine} has no file {PROGRAM}.")
    kinds = {number: name for name, number in MACHINES.items()}
    is_elf = content[:4] == b"\x7fELF" and len(content) > 20
    holds = kinds.get(struct.unpack_from("<H", content, 18)[0]) if is_elf else None
    if holds == machine:
        return None
    return not_yet(
        "other_program",
        f"{REPOSITORY}:{machine} says {machine}, and its {PROGRAM} is a program for {holds or 'no processor at all'}. "
        "The note is a promise that the file has to keep.",
    )


def _file(image: Image) -> bytes | None:
    labels = {settings.LABEL_KEY: settings.LABEL_VALUE}
    client = world.docker_client()
    probe = client.containers.create(image.id, [PROGRAM], name=f"box-probe-{secrets.token_hex(4)}", labels=labels)
    try:
        archive = b"".join(probe.get_archive(PROGRAM)[0])
    except NotFound:
        return None
    finally:
        probe.remove(force=True, v=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        file = found.extractfile(found.getmembers()[0])
        return file.read() if file else None


def _container(images: dict[str, Image]) -> Verdict:
    container = world.container(NAME)
    if container is None:
        return not_yet("no_container", f"Both images are as they should be. There is no container {NAME} yet.")
    if complaint := look_docker.unlabelled(container, f"The container {NAME}"):
        return not_yet("label_missing", complaint)
    return _choice(container, images) or _work(container)


def _choice(container: Container, images: dict[str, Image]) -> Verdict | None:
    engine = world.docker_client().info()["Architecture"]
    fits = ENGINES.get(engine, engine)
    used = next((machine for machine, image in images.items() if image.id == container.attrs["Image"]), None)
    if used is None:
        return not_yet("other_image", f"{NAME} was started from an image that is none of the two.")
    if used != fits:
        return not_yet(
            "does_not_fit",
            f"{NAME} was started from the image for {used}, and this engine runs on {engine}. {_end(container)}",
        )
    return None


def _work(container: Container) -> Verdict:
    if container.status == "created":
        return not_yet("never_started", f"{NAME} was made and never started.")
    if container.attrs["State"]["ExitCode"] != 0 or not container.logs(stderr=False).strip():
        return not_yet("failed", f"{NAME} has not done its work. {_end(container)}")
    return done(f"Two images, two processors, and {NAME} ran on this one: {look_docker.last_line(container)}.")


def _end(container: Container) -> str:
    return look_docker.how_it_ended(container) if container.status == "exited" else f"It is {container.status}."
