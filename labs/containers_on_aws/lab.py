"""The lab of the chapter 'The container services of AWS': taking away what it makes, and saying what is left of it."""

from labs.containers_on_aws import remove

PREFIX = "map-"  # every name of this chapter begins with it, in the local AWS and in Docker


def reset() -> None:
    """Remove everything that the chapter and its exercises make, and only that."""
    remove.everything(PREFIX)
    remove.images(PREFIX)


def leftovers() -> list[str]:
    """What of it is still there, one sentence each; empty means clean."""
    return [*remove.left(PREFIX), *remove.left_images(PREFIX)]
