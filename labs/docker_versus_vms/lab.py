"""The chapter's lab: everything that it makes has a name starting with `wall-` and carries the course's label."""

from labs.kit import remove_docker

PREFIX = "wall-"


def reset() -> None:
    """Remove every container, network, volume and image of this chapter. Safe to call at any time."""
    remove_docker.everything(PREFIX)


def leftovers() -> list[str]:
    """What of this chapter is still there, one sentence each; empty means clean."""
    return remove_docker.left(PREFIX)
