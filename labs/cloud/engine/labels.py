"""The labels by which the local AWS knows what it has made in Docker. Nothing without them is ever touched."""

import hashlib
import os

from labs import settings

OWNER_KEY = "course.gateway"
TASK_ROLE = "task"
INSTANCE_ROLE = "instance"
DISK_ROLE = "instance-disk"
INSTANCE = "course.instance"  # the EC2 instance's id
TASK_ARN = "com.amazonaws.ecs.task-arn"  # the ECS agent's own label


def owner() -> str:
    """The name of this data folder's local AWS on labels; two of them can share an engine."""
    return hashlib.sha256(os.fsencode(settings.data_dir().absolute())).hexdigest()[:12]


def labels(role: str) -> dict[str, str]:
    """The labels of something that this local AWS makes in Docker.

    Args:
        role: what made it: `task`, `relay`, `load-balancer`, `network`, `volume`.
    """
    return {settings.LABEL_KEY: settings.LABEL_VALUE, settings.ROLE_KEY: role, OWNER_KEY: owner()}


def ours(role: str | None = None) -> list[str]:
    """The label filters that find everything of this local AWS, or what has one role."""
    found = [settings.LABEL, f"{OWNER_KEY}={owner()}"]
    return found if role is None else [*found, f"{settings.ROLE_KEY}={role}"]


def instance_container(instance: str) -> str:
    """The name of the container that is an EC2 instance; host mode tasks share its network."""
    return f"ec2-{instance}-{owner()[:6]}"


def instance_disk(instance: str) -> str:
    """The name of the Docker volume that is an EC2 instance's disk."""
    return f"{settings.COURSE}-{instance}-{owner()[:6]}"
