"""The lab of the chapter 'Where images live': taking away what it makes, and saying what is left of it."""

from labs.kit import remove_aws, remove_docker

PREFIX = "reg-"  # every name of this chapter begins with it, in the local AWS and in Docker


def reset() -> None:
    """Remove everything that the chapter and its exercises make, and only that."""
    remove_aws.everything(PREFIX)
    remove_docker.everything(PREFIX)


def leftovers() -> list[str]:
    """What of it is still there, one sentence each; empty means clean."""
    return [*remove_aws.left(PREFIX), *remove_docker.left(PREFIX)]
