"""Reading this chapter's world: repositories, their images and tags, the tasks that run them. Changes nothing."""

from __future__ import annotations

import time
from typing import Any

from labs.kit.world import aws_client

PATIENCE_SECONDS = 15.0  # for a task that is on its way
LOOK_SECONDS = 0.3


def repository(name: str) -> dict[str, Any] | None:
    """The repository of this name; None when there is none."""
    ecr = aws_client("ecr")
    try:
        return ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    except ecr.exceptions.RepositoryNotFoundException:
        return None


def tags(name: str) -> dict[str, str]:
    """The digest that each tag of a repository stands for."""
    pages = aws_client("ecr").get_paginator("describe_images").paginate(repositoryName=name)
    images = [image for page in pages for image in page["imageDetails"]]
    return {tag: image["imageDigest"] for image in images for tag in image.get("imageTags", [])}


def tasks(cluster: str, since: Any) -> list[dict[str, Any]]:
    """The tasks of a cluster created since a time, running and stopped, the newest first.

    Args:
        cluster: its name; one that is not there has no tasks.
        since: tasks of an earlier cluster of the same name are left out.
    """
    ecs = aws_client("ecs")
    try:
        arns = [
            arn
            for status in ("RUNNING", "STOPPED")
            for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus=status)
            for arn in page["taskArns"]
        ]
    except ecs.exceptions.ClusterNotFoundException:
        return []
    if not arns:
        return []
    found = ecs.describe_tasks(cluster=cluster, tasks=arns[:100])["tasks"]
    found = [task for task in found if task["createdAt"] >= since]
    return sorted(found, key=lambda task: task["createdAt"], reverse=True)


def newest_task(cluster: str, since: Any) -> dict[str, Any] | None:
    """The task to judge: one that runs, before one that has stopped; a task on its way is waited for."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = tasks(cluster, since)
        running = [task for task in found if task["lastStatus"] == "RUNNING"]
        on_its_way = [task for task in found if task["lastStatus"] not in ("RUNNING", "STOPPED")]
        if running or not on_its_way or time.monotonic() > end:
            return (running or found or [None])[0]
        time.sleep(LOOK_SECONDS)


def image_of(task: dict[str, Any]) -> str:
    """The image that a task's definition names for its first container."""
    found = aws_client("ecs").describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    return found["containerDefinitions"][0]["image"]
