"""Reading this chapter's world: clusters, tasks, services, instances, repositories. Changes nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from labs.kit.world import aws_client, docker_client

if TYPE_CHECKING:
    from docker.models.containers import Container

TASK_LABEL = "com.amazonaws.ecs.task-arn"  # the ECS agent puts it on every container of a task
LOOK_SECONDS = 0.2
OVER = ("terminated", "shutting-down")


def cluster(name: str) -> dict[str, Any] | None:
    """The ECS cluster of this name where it is ACTIVE."""
    found = aws_client("ecs").describe_clusters(clusters=[name])["clusters"]
    return next((one for one in found if one["status"] == "ACTIVE"), None)


def service(cluster_name: str, name: str) -> dict[str, Any] | None:
    """The ECS service of this name where it is ACTIVE; None where it, or its cluster, is not there."""
    if cluster(cluster_name) is None:
        return None
    found = aws_client("ecs").describe_services(cluster=cluster_name, services=[name])["services"]
    return next((one for one in found if one["status"] == "ACTIVE"), None)


def task_definition(arn: str) -> dict[str, Any]:
    """One revision of a task definition, ACTIVE or not."""
    return aws_client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]


def revisions(family: str) -> list[dict[str, Any]]:
    """The ACTIVE revisions of exactly this family, oldest first."""
    pages = aws_client("ecs").get_paginator("list_task_definitions").paginate(familyPrefix=family, status="ACTIVE")
    arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
    found = [task_definition(arn) for arn in arns if arn.rsplit("/", 1)[-1].rsplit(":", 1)[0] == family]
    return sorted(found, key=lambda one: one["revision"])


def tasks(cluster_name: str, *, stopped: bool = True) -> list[dict[str, Any]]:
    """The tasks of a cluster with their tags, oldest first; with `stopped`, those that have ended too.

    ECS keeps the record of a stopped task for a while. One whose task definition is not ACTIVE any more belongs to a
    try before a reset, and is left out.
    """
    if cluster(cluster_name) is None:
        return []
    ecs, found = aws_client("ecs"), []
    for status in ("RUNNING", "STOPPED") if stopped else ("RUNNING",):
        for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster_name, desiredStatus=status):
            if page["taskArns"]:
                found += ecs.describe_tasks(cluster=cluster_name, tasks=page["taskArns"], include=["TAGS"])["tasks"]
    ended = {task["taskDefinitionArn"] for task in found if task["desiredStatus"] == "STOPPED"}
    earlier = {arn for arn in ended if not _active(arn)}
    mine = [task for task in found if task["taskDefinitionArn"] not in earlier]
    return sorted(mine, key=lambda task: task["createdAt"])


def running(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those tasks that run, with a container that runs in Docker too."""
    return [task for task in found if task["lastStatus"] == "RUNNING" and containers(task)]


def settled(cluster_name: str, patience: float = 8.0) -> list[dict[str, Any]]:
    """The tasks of a cluster once none of them is on its way any more, or when patience ends.

    Args:
        cluster_name: the cluster.
        patience: seconds to wait.
    """
    end = time.monotonic() + patience
    while True:
        found = tasks(cluster_name)
        if all(task["lastStatus"] in ("RUNNING", "STOPPED") for task in found) or time.monotonic() > end:
            return found
        time.sleep(LOOK_SECONDS)


def containers(task: dict[str, Any]) -> list[Container]:
    """The running containers of a task."""
    labelled = {"label": f"{TASK_LABEL}={task['taskArn']}"}
    return docker_client().containers.list(filters=labelled, ignore_removed=True)


def container_instances(cluster_name: str) -> list[dict[str, Any]]:
    """The EC2 instances that have joined a cluster."""
    ecs = aws_client("ecs")
    arns = ecs.list_container_instances(cluster=cluster_name)["containerInstanceArns"]
    if not arns:
        return []
    return ecs.describe_container_instances(cluster=cluster_name, containerInstances=arns)["containerInstances"]


def instances(prefix: str) -> list[dict[str, Any]]:
    """The EC2 instances that are not terminated and whose Name tag or instance profile begins with the prefix."""
    pages = aws_client("ec2").get_paginator("describe_instances").paginate()
    every = [one for page in pages for group in page["Reservations"] for one in group["Instances"]]
    return [one for one in every if one["State"]["Name"] not in OVER and _named(one, prefix)]


def repository(name: str) -> dict[str, Any] | None:
    """The ECR repository of this name."""
    ecr = aws_client("ecr")
    try:
        return ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    except ecr.exceptions.RepositoryNotFoundException:
        return None


def images(name: str) -> list[dict[str, Any]]:
    """The images in an ECR repository, each with its digest and tags."""
    return aws_client("ecr").describe_images(repositoryName=name)["imageDetails"]


def repository_of(image: str) -> str | None:
    """The ECR repository that an image's name points to, as far as there is one; None for an image of the engine.

    Args:
        image: as a task names it, e.g. `127.0.0.1:4566/map-shop:1`.
    """
    host, _, rest = image.partition("/")
    if not rest or not (":" in host or "." in host):
        return None
    name = rest.split("@")[0].rsplit(":", 1)[0] if ":" in rest or "@" in rest else rest
    return name if repository(name) else None


def role(name: str) -> dict[str, Any] | None:
    """The IAM role of this name."""
    iam = aws_client("iam")
    try:
        return iam.get_role(RoleName=name)["Role"]
    except ClientError:
        return None


def _active(arn: str) -> bool:
    try:
        return bool(task_definition(arn)["status"] == "ACTIVE")
    except ClientError:  # deleted, and its record gone
        return False


def _named(instance: dict[str, Any], prefix: str) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    profile = instance.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2]
    return tags.get("Name", "").startswith(prefix) or profile.startswith(prefix)
