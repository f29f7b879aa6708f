"""The packages in an image, read from its layers: dpkg's and apk's lists. For a thread.

https://manpages.debian.org/bookworm/dpkg-dev/deb-src-control.5.en.html, https://wiki.alpinelinux.org/wiki/Apk_spec
"""

import re
import tarfile
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

BYTES = 64_000_000  # the longest list that is read
_WANTED = re.compile(r"(usr/lib|etc)/os-release|var/lib/dpkg/status(\.d/[^/]+)?|lib/apk/db/installed")
_WHITEOUT = ".wh."


class UnsupportedImageError(Exception):
    """The image has no list of packages that can be read."""


class Package(NamedTuple):
    """An installed package: its name, its version, the source package that it was built from."""

    name: str
    version: str
    source: str


class System(NamedTuple):
    """What is installed in an image: the distribution as in os-release, e.g. `debian` and `12`, and its packages."""

    distribution: str
    release: str
    packages: list[Package]


def read(layers: Iterable[IO[bytes]]) -> System:
    """What is installed in an image.

    Args:
        layers: its layers, the lowest first, as compressed or plain tar files.

    Raises:
        UnsupportedImageError: it has no such list, or a layer cannot be read.
    """
    files: dict[str, bytes] = {}
    for layer in layers:
        _overlay(files, layer)
    release = _variables(files.get("etc/os-release") or files.get("usr/lib/os-release") or b"")
    packages = [
        package
        for path, content in files.items()
        for package in (_dpkg(content) if path.startswith("var/lib/dpkg/") else ())
    ] + list(_apk(files.get("lib/apk/db/installed", b"")))
    if not packages or "ID" not in release:
        raise UnsupportedImageError("The operating system and/or package manager are not supported.")
    return System(release["ID"], release.get("VERSION_ID", ""), packages)


def _overlay(files: dict[str, bytes], layer: IO[bytes]) -> None:
    """Changes `files` as a layer does. https://github.com/opencontainers/image-spec/blob/main/layer.md"""
    try:
        with tarfile.open(fileobj=layer, mode="r|*") as archive:
            for member in archive:
                path = member.name.removeprefix("./").lstrip("/")
                folder, _, name = path.rpartition("/")
                if name == f"{_WHITEOUT}{_WHITEOUT}.opq":
                    _forget(files, folder)
                elif name.startswith(_WHITEOUT):
                    _forget(files, f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
                elif _WANTED.fullmatch(path) and member.isfile() and member.size <= BYTES:
                    content = archive.extractfile(member)
                    files[path] = content.read() if content else b""
    except (tarfile.TarError, EOFError, OSError) as problem:
        raise UnsupportedImageError(f"A layer of the image cannot be read: {problem}.") from problem


def _forget(files: dict[str, bytes], path: str) -> None:
    for found in [one for one in files if one == path or one.startswith(f"{path}/")]:
        del files[found]


def _variables(content: bytes) -> dict[str, str]:
    lines = content.decode("utf-8", "replace").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}


def _dpkg(content: bytes) -> Iterator[Package]:
    for fields in _paragraphs(content, ": "):
        status = fields.get("Status", "install ok installed")  # an image without a shell lists no status
        if status.endswith(" installed") and "Package" in fields and "Version" in fields:
            source, _, version = fields.get("Source", fields["Package"]).partition(" (")
            yield Package(fields["Package"], version.rstrip(")") or fields["Version"], source)


def _apk(content: bytes) -> Iterator[Package]:
    for fields in _paragraphs(content, ":"):
        if "P" in fields and "V" in fields:
            yield Package(fields["P"], fields["V"], fields.get("o", fields["P"]))


def _paragraphs(content: bytes, colon: str) -> Iterator[dict[str, str]]:
    for paragraph in content.decode("utf-8", "replace").split("\n\n"):
        lines = (line.split(colon, 1) for line in paragraph.splitlines() if not line.startswith((" ", "\t")))
        yield {parts[0]: parts[1].strip() for parts in lines if len(parts) == 2}
