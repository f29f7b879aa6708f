"""Removing what this chapter and its exercises make, by the beginning of its name, and saying what is left of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from docker.errors import APIError, ImageNotFound, NotFound

from labs.kit.world import aws_client, docker_client, ours

LONGEST_SECONDS = 60.0  # for the tasks of a cluster to stop


def everything(prefix: str) -> None:
    """Remove all that begins with the prefix, in the local AWS and in Docker. Safe to repeat.

    Args:
        prefix: `ecr-` for the whole chapter, `ecr-first` for one exercise.
    """
    ecs, ecr, iam, logs = (aws_client(service) for service in ("ecs", "ecr", "iam", "logs"))
    for cluster in _clusters(prefix):
        for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster):
            for arn in page["taskArns"]:
                ecs.stop_task(cluster=cluster, task=arn, reason="Clean up")
        _delete_cluster(cluster)
    for container in _task_containers(prefix):
        with suppress(NotFound):
            container.remove(force=True, v=True)
    for arn in list(_definitions(prefix, "ACTIVE")):
        ecs.deregister_task_definition(taskDefinition=arn)
    inactive = list(_definitions(prefix, "INACTIVE"))
    for start in range(0, len(inactive), 10):  # DeleteTaskDefinitions takes at most 10
        ecs.delete_task_definitions(taskDefinitions=inactive[start : start + 10])
    for name in _repositories(prefix):
        ecr.delete_repository(repositoryName=name, force=True)
    for name in _log_groups(prefix):
        logs.delete_log_group(logGroupName=name)
    for name in _roles(prefix):
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        iam.delete_role(RoleName=name)
    for name in _images(prefix):
        with suppress(ImageNotFound):  # it went with another name of the same image
            docker_client().images.remove(name, force=True)


def left(prefix: str) -> list[str]:
    """What is still there, one sentence each; empty means clean.

    Args:
        prefix: the beginning of the names, e.g. `ecr-`.
    """
    found = [f"The repository {name} is still there." for name in _repositories(prefix)]
    found += [f"The cluster {name} is still there." for name in _clusters(prefix)]
    found += [f"The container {container.name} still runs." for container in _task_containers(prefix)]
    found += [
        f"The task definition {arn.rsplit('/', 1)[-1]} is still active." for arn in _definitions(prefix, "ACTIVE")
    ]
    found += [f"The log group {name} is still there." for name in _log_groups(prefix)]
    found += [f"The role {name} is still there." for name in _roles(prefix)]
    found += [f"The image {name} is still there." for name in _images(prefix)]
    return found


def _delete_cluster(name: str) -> None:
    """Delete a cluster as soon as ECS lets it go: when its last task has stopped.

    Args:
        name: the cluster; nothing in it is to run any more.
    """
    ecs = aws_client("ecs")
    end = time.monotonic() + LONGEST_SECONDS
    while True:
        try:
            ecs.delete_cluster(cluster=name)
        except ecs.exceptions.ClusterContainsTasksException:
            if time.monotonic() > end:
                raise
        else:
            return
        for container in _task_containers(name):
            with suppress(APIError):  # it has ended meanwhile
                container.kill()  # a reset does not wait for a stop timeout
        time.sleep(0.2)


def _clusters(prefix: str) -> list[str]:
    pages = aws_client("ecs").get_paginator("list_clusters").paginate()
    names = [arn.rsplit("/", 1)[-1] for page in pages for arn in page["clusterArns"]]
    return [name for name in names if name.startswith(prefix)]


def _definitions(prefix: str, status: str) -> Iterator[str]:
    for page in aws_client("ecs").get_paginator("list_task_definitions").paginate(status=status):
        yield from (arn for arn in page["taskDefinitionArns"] if arn.rsplit("/", 1)[-1].startswith(prefix))


def _task_containers(prefix: str) -> list[Any]:
    """Containers of tasks in clusters of ours, also where the cluster itself is gone."""
    labelled = {"label": "com.amazonaws.ecs.cluster"}
    found = docker_client().containers.list(all=True, filters=labelled, ignore_removed=True)
    mine = [c for c in found if c.labels["com.amazonaws.ecs.cluster"].rsplit("/", 1)[-1].startswith(prefix)]
    return [container for container in mine if ours(container)]


def _repositories(prefix: str) -> list[str]:
    pages = aws_client("ecr").get_paginator("describe_repositories").paginate()
    names = [one["repositoryName"] for page in pages for one in page["repositories"]]
    return [name for name in names if name.startswith(prefix)]


def _log_groups(prefix: str) -> list[str]:
    pages = aws_client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"/ecs/{prefix}")
    return [group["logGroupName"] for page in pages for group in page["logGroups"]]


def _roles(prefix: str) -> list[str]:
    pages = aws_client("iam").get_paginator("list_roles").paginate()
    return [role["RoleName"] for page in pages for role in page["Roles"] if role["RoleName"].startswith(prefix)]


def _images(prefix: str) -> list[str]:
    """The names of images in the engine, of ours or in the local registry, tags before digests."""
    tagged, digests = [], []
    for image in docker_client().images.list():
        tagged += [tag for tag in image.tags if _is_mine(tag, prefix, image)]
        digests += [name for name in image.attrs.get("RepoDigests") or [] if _is_mine(name, prefix, image)]
    return sorted(tagged) + sorted(digests)


def _is_mine(name: str, prefix: str, image: Any) -> bool:
    host, _, rest = name.rpartition("/")
    return rest.startswith(prefix) and (host.startswith("127.0.0.1:") or ".dkr.ecr." in host or ours(image))
