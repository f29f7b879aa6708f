"""Which of two package versions is the newer one, as dpkg and apk tell it. Pure functions."""

import re

_APK_SUFFIXES = {"alpha": -4, "beta": -3, "pre": -2, "rc": -1, "": 0, "cvs": 1, "svn": 2, "git": 3, "hg": 4, "p": 5}


def dpkg_less(first: str, second: str) -> bool:
    """Whether a version of a Debian package is older than another one.

    https://manpages.debian.org/bookworm/dpkg-dev/deb-version.7.en.html
    """
    return _dpkg_key(first) < _dpkg_key(second)


def apk_less(first: str, second: str) -> bool:
    """Whether a version of an Alpine package is older than another one, e.g. `3.1.2-r1` and `3.1.4-r0`.

    https://wiki.alpinelinux.org/wiki/Package_policies
    """
    return _apk_key(first) < _apk_key(second)


def _dpkg_key(version: str) -> tuple[int, tuple, tuple]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    return int(epoch) if epoch.isdecimal() else 0, _parts(upstream), _parts(revision)


def _parts(text: str) -> tuple:
    """Runs of other characters and of digits by turns, so that tuples compare as dpkg compares."""
    found = re.findall(r"(\D*)(\d*)", text)
    return tuple(((*(_order(one) for one in letters), 0), int(digits or 0)) for letters, digits in found)


def _order(character: str) -> int:
    """`~` comes before the end of a part, letters come before everything else."""
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


def _apk_key(version: str) -> tuple:
    text, _, release = version.partition("-r")
    numbers, _, suffix = text.partition("_")
    parts = tuple((int(digits or 0), letters) for digits, letters in re.findall(r"(\d+)([a-z]?)", numbers))
    name = re.match(r"[a-z]*", suffix)
    number = re.search(r"\d+", suffix)
    rank = (_APK_SUFFIXES.get(name[0] if name else "", 0), int(number[0]) if number else 0)
    return parts, rank, int(release) if release.isdecimal() else 0
