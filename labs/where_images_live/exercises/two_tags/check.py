"""Does the learner's registry hold two images, one of them under two names?"""

from labs.kit import remove_docker
from labs.kit.verdict import Verdict, done, not_yet
from labs.where_images_live import look

NAME = "reg-tags"
REPOSITORY = "reg-tags-app"
FIRST, SECOND, MOVING = "1.0", "1.1", "latest"


def check() -> Verdict:
    """Look at the registry, then at the digests behind its tags."""
    registry = look.registry(NAME)
    if isinstance(registry, str):
        return not_yet("no_registry", registry)
    tags = registry.digests(REPOSITORY)
    if not tags:
        return not_yet("nothing_pushed", f"The registry answers, and holds no repository {REPOSITORY!r} with a tag.")
    missing = [tag for tag in (FIRST, SECOND, MOVING) if tag not in tags]
    if missing:
        return not_yet(
            "missing_tag", f"The registry has no tag {', '.join(missing)}. It has: {', '.join(sorted(tags))}."
        )
    if tags[FIRST] == tags[SECOND]:
        return not_yet(
            "same_image", f"{FIRST!r} and {SECOND!r} have one and the same digest: that is one version only."
        )
    if tags[MOVING] != tags[SECOND]:
        return not_yet("latest_elsewhere", f"{MOVING!r} does not lead to the image of {SECOND!r}.")
    return done(f"Three tags, two digests: {SECOND!r} and {MOVING!r} are two names of one image.")


def reset() -> None:
    """Remove the registry and the images."""
    remove_docker.everything(NAME)
