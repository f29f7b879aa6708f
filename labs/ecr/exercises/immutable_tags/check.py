"""Are releases protected in the repository, while the tag dev has moved?"""

import fnmatch

from labs.ecr import look
from labs.kit import remove_aws, remove_docker
from labs.kit.verdict import Verdict, done, lost, not_yet

NAME = "ecr-release"
FIRST, SECOND, MOVING = "1.0", "1.1", "dev"
RESET = "Begin again with `chapter.reset('immutable_tags')`."


def check() -> Verdict:
    """Look at the repository's setting, then at which image each tag stands for."""
    repository = look.repository(NAME)
    if repository is None:
        return not_yet("no_repository", f"There is no repository {NAME!r} yet.")
    return (
        _images(look.tags(NAME))
        or _setting(repository)
        or done(f"{FIRST!r} is the first image, {SECOND!r} and {MOVING!r} are the second, and releases cannot move.")
    )


def reset() -> None:
    """Remove the repository and the images."""
    remove_aws.everything(NAME)
    remove_docker.everything(NAME)


def _images(tags: dict[str, str]) -> Verdict | None:
    missing = [tag for tag in (FIRST, SECOND, MOVING) if tag not in tags]
    if missing:
        return not_yet("missing_tag", f"The repository has no tag {', '.join(missing)} yet.")
    if tags[FIRST] == tags[SECOND]:
        return lost("release_moved", f"{FIRST!r} and {SECOND!r} are one and the same image. {RESET}")
    if tags[MOVING] != tags[SECOND]:
        return not_yet("dev_stays", f"{MOVING!r} does not stand for the image of {SECOND!r}. Is it allowed to move?")
    return None


def _setting(repository: dict) -> Verdict | None:
    mode = repository["imageTagMutability"]
    filters = [one["filter"] for one in repository.get("imageTagMutabilityExclusionFilters", [])]
    if mode == "MUTABLE":
        return not_yet("mutable", "Every tag of the repository can be overwritten, the releases too.")
    if mode == "MUTABLE_WITH_EXCLUSION":
        return not_yet(
            "wrong_way_round", f"Tags can be overwritten, except {', '.join(filters)}. It is meant otherwise."
        )
    if mode == "IMMUTABLE":
        return not_yet("too_strict", f"No tag can move any more, {MOVING!r} neither.")
    if any(fnmatch.fnmatchcase(tag, pattern) for tag in (FIRST, SECOND, "2.0") for pattern in filters):
        return not_yet("too_wide", f"The exclusion {', '.join(filters)} fits release tags too, so they can move.")
    if not any(fnmatch.fnmatchcase(tag, pattern) for tag in (MOVING, "dev-2") for pattern in filters):
        return not_yet("too_strict", f"The exclusion {', '.join(filters)} does not fit {MOVING!r}.")
    return None
