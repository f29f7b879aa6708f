"""What chapter 00 makes, and how it goes away: containers, queues and parameters whose names start with `start-`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labs import settings
from labs.kit import world

if TYPE_CHECKING:
    from docker.models.containers import Container

PREFIX = "start-"


def containers(*names: str) -> list[Container]:
    """This chapter's containers, running or not: those with the course's label and a name that starts with `start-`.

    Args:
        names: only these; all of the chapter's if none is named.
    """
    # Without ignore_removed, the SDK fails when another container of the course goes away while it lists them.
    found = world.docker_client().containers.list(all=True, filters={"label": settings.LABEL}, ignore_removed=True)
    return [c for c in found if c.name.startswith(PREFIX) and (not names or c.name in names)]


def queues() -> list[str]:
    """The addresses of this chapter's SQS queues."""
    return world.aws_client("sqs").list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", [])


def parameters() -> list[str]:
    """The names of this chapter's parameters in SSM Parameter Store."""
    pages = world.aws_client("ssm").get_paginator("describe_parameters").paginate()
    return [found["Name"] for page in pages for found in page["Parameters"] if found["Name"].startswith(PREFIX)]


def remove_containers(*names: str) -> None:
    """Remove this chapter's containers, or those of them that are named."""
    for found in containers(*names):
        found.remove(force=True)


def remove_queues() -> None:
    """Remove this chapter's queues with what is in them."""
    for url in queues():
        world.aws_client("sqs").delete_queue(QueueUrl=url)


def remove_parameters() -> None:
    """Remove this chapter's parameters."""
    for name in parameters():
        world.aws_client("ssm").delete_parameter(Name=name)


def reset() -> None:
    """Remove everything that the chapter and its exercises make, and only that."""
    remove_containers()
    remove_queues()
    remove_parameters()


def leftovers() -> list[str]:
    """What of it is still there, one sentence each; empty when the chapter is clean."""
    return [
        *(f"The container `{found.name}` is there ({found.status})." for found in containers()),
        *(f"The queue `{url.rsplit('/', 1)[-1]}` is there." for url in queues()),
        *(f"The parameter `{name}` is there." for name in parameters()),
    ]
