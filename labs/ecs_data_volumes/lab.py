"""The lab of the chapter 'ECS: data that outlives a task': taking away what it makes, and saying what is left of it."""

from labs.ecs_data_volumes import remove
from labs.kit import remove_aws, remove_docker

PREFIX = "vol-"  # every name of this chapter begins with it, in the local AWS and in Docker


def reset() -> None:
    """Remove everything that the chapter and its exercises make, and only that."""
    remove.everything(PREFIX)


def leftovers() -> list[str]:
    """What of it is still there, one sentence each; empty means clean."""
    return [*remove.left(PREFIX), *remove_aws.left(PREFIX), *remove_docker.left(PREFIX)]
