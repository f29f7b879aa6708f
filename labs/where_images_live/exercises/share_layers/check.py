"""Do two images share every layer of a base of the learner's own?"""

from docker.models.images import Image

from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet

NAME = "reg-share"
BASE, APPS = "reg-share-base:1", ("reg-share-a:1", "reg-share-b:1")
DEBIAN = "debian:bookworm-slim"
BIG = 4_500_000  # bytes


def check() -> Verdict:
    """Look at the base, then at what the two others have in common with it and with each other."""
    base = world.image(BASE)
    if base is None:
        return not_yet("no_base", f"There is no image {BASE!r} yet.")
    if problem := look_docker.unlabelled(base, f"The image {BASE}"):
        return not_yet("unlabelled", problem)
    if problem := _adds_too_little(base):
        return not_yet("base_adds_nothing", problem)
    missing = [name for name in APPS if world.image(name) is None]
    if missing:
        return not_yet("missing_app", f"The base is there. There is no image {', '.join(missing)} yet.")
    return _apps(_layers(base), *(_layers(world.image(name)) for name in APPS))


def reset() -> None:
    """Remove the three images."""
    remove_docker.everything(NAME)


def _layers(image: Image | None) -> list[str]:
    return image.attrs["RootFS"].get("Layers") or [] if image else []


def _adds_too_little(base: Image) -> str:
    debian = world.image(DEBIAN)
    if debian is None:
        return f"{DEBIAN!r} is not in the engine, so nothing can stand on it."
    below = len(_layers(debian))
    if _layers(base)[:below] != _layers(debian) or len(_layers(base)) == below:
        return f"{BASE!r} adds no layer to {DEBIAN!r}."
    if base.attrs["Size"] - debian.attrs["Size"] < BIG:
        return f"{BASE!r} adds less than the 5 MB of the file that both apps need."
    return ""


def _apps(base: list[str], first: list[str], second: list[str]) -> Verdict:
    apart = [name for name, layers in zip(APPS, (first, second), strict=True) if layers[: len(base)] != base]
    if apart:
        return not_yet(
            "not_shared", f"{' and '.join(apart)} {'do' if len(apart) > 1 else 'does'} not stand on {BASE!r}."
        )
    own = set(first[len(base) :]), set(second[len(base) :])
    if not all(own) or own[0] & own[1]:
        return not_yet("nothing_own", f"{' and '.join(APPS)} do not each have a layer of their own above the base.")
    return done(f"Both stand on the {len(base)} layers of {BASE!r}, stored once, and differ only above them.")
