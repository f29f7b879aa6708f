"""The image that every lab builds from, `debian:bookworm-slim`: kept, pulled, or made here without any registry."""

import os
import re
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import getaddrinfo
from typing import TYPE_CHECKING

from labs import settings
from labs.machine import console, engine, files, packages, privilege, processes

if TYPE_CHECKING:
    from docker import APIClient

# Public copies of Docker's official images, in the order they are asked. The first does not count pulls by address.
SOURCES = ("public.ecr.aws/docker/library/debian", "docker.io/library/debian")
REGISTRIES = {"public.ecr.aws": SOURCES[0], "registry-1.docker.io": SOURCES[1]}
SUITE, TAG = "bookworm", "bookworm-slim"
DEBOOTSTRAP = Path("/usr/sbin/debootstrap")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # root's on Debian, and the official image's
LOOK_UP_SECONDS = 3.0
SILENCE_SECONDS = 10.0  # a pull that says nothing for so long is given up

# Not the course's label, on purpose: containers and images inherit labels from what they are built from, and what
# somebody else builds from debian:bookworm-slim on this machine must never look like ours.
BASE_LABEL = "course.base=debootstrap"

# What the official slim images leave out as well (https://github.com/debuerreotype/debuerreotype, .slimify-excludes).
SLIM_AWAY = tuple(f"usr/share/{name}" for name in ("doc", "groff", "info", "linda", "lintian", "locale", "man"))
# What is there only while the folder is made, or belongs to the running container.
EMPTY_AWAY = ("dev", "proc", "run", "sys", "tmp", "var/cache/apt", "var/cache/ldconfig", "var/lib/apt/lists", "var/log")
LEFT_OVER = ("etc/apt/sources.list", "etc/hostname", "etc/resolv.conf", "var/cache/debconf/config.dat-old")
LEFT_OVER += ("var/cache/debconf/templates.dat-old", "var/lib/dpkg/status-old", "var/lib/dpkg/diversions-old")
CONFIGURATION = {
    "etc/dpkg/dpkg.cfg.d/docker": "".join(
        [
            *(f"path-exclude /{folder}/*\n" for folder in SLIM_AWAY),
            "path-include /usr/share/doc/*/copyright\n",
            "force-unsafe-io\n",
        ]
    ),
    "etc/apt/apt.conf.d/docker-clean": (
        'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };\n'
        'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
    ),
    "etc/apt/apt.conf.d/docker-no-languages": 'Acquire::Languages "none";\n',
    "usr/sbin/policy-rc.d": (
        "#!/bin/sh\n# Installing a package starts no service: a container runs one program.\nexit 101\n"
    ),
}


@dataclass(frozen=True)
class Outcome:
    """How the base image is there, or that it is not.

    Args:
        how: `present`, `pulled`, `built`, or None when there is none.
        message: a sentence for the reader.
    """

    how: str | None
    message: str


def ensure(tag: str = settings.BASE_IMAGE) -> Outcome:
    """Makes sure that the base image is there, by the first way that works.

    Args:
        tag: its name and tag in the engine.

    Returns:
        Which way was taken; or, with `how` None, why none worked.
    """
    with files.lock(settings.data_dir() / "locks" / "base-image", _say_waiting) as held:
        _remove_leftovers()
        with engine.client() as api:
            if _present(api, tag):
                return Outcome("present", f"{tag} is here already.")
        pulled, trouble = pull(tag)
        if pulled:
            return Outcome("pulled", f"{tag} was pulled from {pulled}.")
        try:
            reason = build(tag, held)
        except processes.Failed as failed:
            reason = f"debootstrap did not get through: {failed}"
        if reason is None:
            return Outcome("built", f"{tag} was built here from Debian's packages with debootstrap ({trouble}).")
        return Outcome(None, f"There is no base image {tag}: {trouble}; {reason} {_cure(tag)}")


def _cure(tag: str) -> str:
    return (
        f"Connect to a network once and run `python3 -m labs` again, or load it from a file that somebody made with "
        f"`docker save {tag}`: `docker load -i FILE`."
    )


def _present(api: "APIClient", tag: str) -> bool:
    from docker.errors import ImageNotFound

    try:
        return bool(api.inspect_image(tag))
    except ImageNotFound:
        return False


def pull(tag: str) -> tuple[str | None, str]:
    """Pulls the image from the first registry that gives it.

    Args:
        tag: the name that it gets.

    Returns:
        The registry's name of it, or None; and in few words what went wrong with the ones before.
    """
    troubles = []
    repository, _, version = tag.rpartition(":")
    for host, source in REGISTRIES.items():
        if reason := _unreachable(host):
            troubles.append(f"{host} {reason}")
            continue
        with engine.client(SILENCE_SECONDS) as api, console.step(f"Pulling {source}:{TAG}"):
            there = _present(api, f"{source}:{TAG}")
            reason = None if there else _pull(api, source)
            if reason is None:
                api.tag(f"{source}:{TAG}", repository, version, force=True)
                if not there and f"{source}:{TAG}" != f"docker.io/library/{tag}":
                    api.remove_image(f"{source}:{TAG}")  # only this second name; the image stays
                return f"{source}:{TAG}", "; ".join(troubles)
        troubles.append(f"{host} {reason}")
    return None, "; ".join(troubles)


def _pull(api: "APIClient", source: str) -> str | None:
    """One pull. Returns None when it worked, else why not."""
    import requests
    from docker.errors import DockerException

    try:
        for event in api.pull(source, tag=TAG, stream=True, decode=True):
            if "error" in event:
                return f"says: {event['error']}"
    except requests.exceptions.RequestException:
        return f"says nothing for {SILENCE_SECONDS:g} s"  # the engine ends the pull when we hang up
    except DockerException as error:
        return f"says: {getattr(error, 'explanation', None) or error}"
    return None


def _unreachable(host: str) -> str | None:
    """Why a registry cannot be reached, known within seconds; None if it may be worth a try."""
    if any(name.lower() in ("http_proxy", "https_proxy") for name in os.environ):
        return None  # then names are looked up by the proxy
    try:
        processes.within(LOOK_UP_SECONDS, lambda: getaddrinfo(host, 443))
    except TimeoutError:
        return "is not found: no answer from the name server"
    except OSError:
        return "is not found"
    return None


def build(tag: str, held: int | None = None) -> str | None:
    """Builds the image from Debian's packages with debootstrap, as root.

    Args:
        tag: the name that it gets.
        held: a lock's file descriptor that the commands inherit.

    Returns:
        None when it worked; otherwise why this way is closed.

    Raises:
        Failed: a command ended with an error.
    """
    sudo = privilege.sudo()
    if sys.platform != "linux" or not privilege.debian_like():
        return "debootstrap needs Debian, Ubuntu or a relative."
    if sudo is None:
        return "building it here with debootstrap needs root or password-less sudo."
    keep = [] if held is None else [held]
    with console.step(f"Building {tag} from Debian's packages"):
        if missing := _missing_packages():
            packages.install(missing, sudo, keep=keep)
        if not _reachable("/debian", SUITE):
            return "Debian's packages cannot be reached either."
        with tempfile.TemporaryDirectory(prefix=_prefix(), dir=_space()) as folder:
            root = Path(folder) / "root"
            archive = Path(folder) / "root.tar"
            try:
                _bootstrap(root, sudo, keep)
                _slim(root, sudo, keep)
                _pack(root, archive, sudo, keep)
            finally:
                processes.run(["rm", "-rf", "--one-file-system", "--", root], sudo=sudo)
            _import(archive, tag)
    return None


def mirror() -> str | None:
    """Where Debian's packages come from, e.g. `http://mirror.example`: debootstrap's own default; None without it.

    Plain http, as in the official image: the packages are signed, and the image has no certificates.
    """
    with suppress(OSError):
        if found := re.search(r'^DEF_MIRROR="(http://[^"]+)/debian"$', DEBOOTSTRAP.read_text(encoding="utf-8"), re.M):
            return found[1]
    return None


def _missing_packages() -> list[str]:
    wanted = {"debootstrap": DEBOOTSTRAP, "debian-archive-keyring": _keyring()}
    return [name for name, file in wanted.items() if not file.exists()]


def _keyring() -> Path:
    return Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def _prefix() -> str:
    """The start of our temporary folders' names: whose they are, and which process made them."""
    return f"{settings.COURSE}-base-{os.getuid()}-{os.getpid()}-"


def _space() -> Path:
    """Where the files of an image fit: not /tmp, which may live in memory."""
    return Path("/var/tmp")  # noqa: S108 - the folder in it is made by tempfile, for us only


def _remove_leftovers() -> None:
    """Removes the folders of runs of ours that were killed."""
    start = f"{settings.COURSE}-base-{os.getuid()}-" if hasattr(os, "getuid") else ""
    for folder in _space().glob(f"{start}*") if start else ():
        pid = folder.name.removeprefix(start).partition("-")[0]
        dead = pid.isdecimal() and processes.start_time(int(pid)) is None
        if dead and folder.is_dir() and not folder.is_symlink() and folder.lstat().st_uid == os.getuid():
            with suppress(processes.Failed):
                processes.run(["rm", "-rf", "--one-file-system", "--", folder], sudo=privilege.sudo() or [])


def _bootstrap(root: Path, sudo: Sequence[str], keep: Sequence[int]) -> None:
    log = packages.log_file().with_name("debootstrap.log")
    # A mount namespace of its own: what debootstrap mounts below `root` is gone with it, however it ends.
    command = ["unshare", "--mount", "--propagation", "private"] if shutil.which("unshare") else []
    # `env` because sudo drops our environment; debootstrap's downloads honour http_proxy.
    command += ["env", *(f"{name}={value}" for name, value in os.environ.items() if name.lower() == "http_proxy")]
    command += ["LC_ALL=C", f"PATH={PATH}", "debootstrap"]
    options = ["--variant=minbase", f"--keyring={_keyring()}", "--force-check-gpg"]
    processes.run([*command, *options, SUITE, root, f"{mirror()}/debian"], sudo=sudo, log=log, keep=keep)


def _slim(root: Path, sudo: Sequence[str], keep: Sequence[int]) -> None:
    """Brings the folder to what the official slim image has."""
    with tempfile.TemporaryDirectory() as folder:
        configuration = {**CONFIGURATION, "etc/apt/sources.list.d/debian.sources": _sources()}
        for name, text in configuration.items():
            file = Path(folder) / "file"
            file.write_text(text, encoding="utf-8")
            mode = "755" if text.startswith("#!") else "644"
            processes.run(["install", "-D", "-o", "root", "-g", "root", "-m", mode, file, root / name], sudo=sudo)
    processes.run(["rm", "-f", *(root / name for name in LEFT_OVER)], sudo=sudo)
    folders = [root / name for name in (*SLIM_AWAY, *EMPTY_AWAY)]
    find = ["find", "-H", *(folder for folder in folders if _is_dir(folder))]
    # Licences stay: they are owed to the authors.
    processes.run(
        [*find, "-xdev", "-mindepth", "1", "!", "-type", "d", "!", "-name", "copyright", "-delete"], sudo=sudo
    )
    processes.run([*find, "-xdev", "-mindepth", "1", "-depth", "-type", "d", "-empty", "-delete"], sudo=sudo, keep=keep)


def _is_dir(path: Path) -> bool:
    with suppress(OSError):
        return path.is_dir() and not path.is_symlink()
    return False


def _sources() -> str:
    """The sources of packages, in the official image's form; updates and security only where the mirror has them."""
    suites = [SUITE, *([f"{SUITE}-updates"] if _reachable("/debian", f"{SUITE}-updates") else [])]
    entries = [("/debian", " ".join(suites))]
    if _reachable("/debian-security", f"{SUITE}-security"):
        entries.append(("/debian-security", f"{SUITE}-security"))
    return "\n".join(
        f"Types: deb\nURIs: {mirror()}{path}\nSuites: {names}\nComponents: main\nSigned-By: {_keyring()}\n"
        for path, names in entries
    )


def _reachable(path: str, suite: str) -> bool:
    if (base := mirror()) is None:
        return False
    request = urllib.request.Request(f"{base}{path}/dists/{suite}/InRelease", method="HEAD")  # noqa: S310 - http

    def look() -> bool:
        with urllib.request.urlopen(request, timeout=LOOK_UP_SECONDS) as answer:  # noqa: S310 - debootstrap's own address
            return answer.status == 200

    try:
        return processes.within(LOOK_UP_SECONDS * 2, look)
    except OSError:
        return False


def _pack(root: Path, archive: Path, sudo: Sequence[str], keep: Sequence[int]) -> None:
    processes.run(
        ["tar", "-C", root, "--numeric-owner", "--one-file-system", "-cf", archive, "."], sudo=sudo, keep=keep
    )


def _import(archive: Path, tag: str) -> None:
    """Hands the whole archive to the engine, which gives the tag when it has all of it."""
    repository, _, version = tag.rpartition(":")
    changes = ['CMD ["bash"]', f"ENV PATH={PATH}", f"LABEL {BASE_LABEL}"]
    with engine.client() as api:
        answer = api.import_image_from_file(str(archive), repository=repository, tag=version, changes=changes)
        if not _present(api, tag):  # an error in mid-way is only told in the answer's body
            raise processes.Failed("the engine's import", 1, str(answer).strip())


def made_here(tag: str = settings.BASE_IMAGE) -> bool:
    """Whether the base image in the engine was built by us (and not pulled)."""
    with engine.client() as api:
        if not _present(api, tag):
            return False
        labels = api.inspect_image(tag)["Config"].get("Labels") or {}
    key, _, value = BASE_LABEL.partition("=")
    return labels.get(key) == value


def _say_waiting() -> None:
    console.say("Another start of the course is still at work on the base image: waiting for it.")
