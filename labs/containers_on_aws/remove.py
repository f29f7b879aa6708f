"""Removing what this chapter and its exercises make, by the beginning of its name, and saying what is left of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from docker.errors import APIError, NotFound

from labs.containers_on_aws import look
from labs.kit.world import aws_client, docker_client, ours

LONGEST_SECONDS = 60.0  # for tasks to stop and for instances to go


def everything(prefix: str) -> None:
    """Remove all that begins with the prefix in the local AWS, and its containers. Safe to repeat.

    Args:
        prefix: `map-` for the whole chapter, `map-own` for one exercise.
    """
    names = _clusters(prefix)
    for name in names:
        _empty_cluster(name)
    _terminate(prefix)
    for name in names:
        _delete_cluster(name)
    for container in _task_containers(prefix):
        with suppress(NotFound):
            container.remove(force=True, v=True)
    _remove_task_definitions(prefix)
    for name in _repositories(prefix):
        aws_client("ecr").delete_repository(repositoryName=name, force=True)
    _remove_identities(prefix)
    for tag in _repository_tags(prefix):
        with suppress(NotFound):
            docker_client().images.remove(tag, noprune=True)


def images(prefix: str) -> None:
    """Remove the images whose name begins with the prefix and that carry the course's label."""
    for tag in _image_tags(prefix):
        docker_client().images.remove(tag)


def left(prefix: str) -> list[str]:
    """What is still there, one sentence each; empty means clean.

    Args:
        prefix: the beginning of the names, e.g. `map-`.
    """
    found = [f"The cluster {name} is still there." for name in _clusters(prefix)]
    found += [f"The EC2 instance {one['InstanceId']} is still there." for one in look.instances(prefix)]
    found += [f"The container {container.name} still runs." for container in _task_containers(prefix)]
    found += [f"The task definition {_last(arn)} is still active." for arn in _definitions(prefix, "ACTIVE")]
    found += [f"The ECR repository {name} is still there." for name in _repositories(prefix)]
    found += [f"The instance profile {name} is still there." for name in _profiles(prefix)]
    found += [f"The role {name} is still there." for name in _roles(prefix)]
    return found


def left_images(prefix: str) -> list[str]:
    """The images that are still there, one sentence each."""
    return [f"The image {tag} is still there." for tag in [*_image_tags(prefix), *_repository_tags(prefix)]]


def _empty_cluster(name: str) -> None:
    ecs = aws_client("ecs")
    for page in ecs.get_paginator("list_services").paginate(cluster=name):
        for arn in page["serviceArns"]:
            ecs.delete_service(cluster=name, service=arn, force=True)
    for page in ecs.get_paginator("list_tasks").paginate(cluster=name):
        for arn in page["taskArns"]:
            ecs.stop_task(cluster=name, task=arn, reason="Clean up")
    for arn in ecs.list_container_instances(cluster=name)["containerInstanceArns"]:
        ecs.deregister_container_instance(cluster=name, containerInstance=arn, force=True)


def _terminate(prefix: str) -> None:
    """Terminate the instances, and wait until Docker has let go of the containers that they are here."""
    ids = [one["InstanceId"] for one in look.instances(prefix)]
    if not ids:
        return
    aws_client("ec2").terminate_instances(InstanceIds=ids)
    end = time.monotonic() + LONGEST_SECONDS
    while any(_machines(one) for one in ids) and time.monotonic() < end:
        time.sleep(look.LOOK_SECONDS)


def _machines(instance: str) -> list[Any]:
    filters = {"name": f"ec2-{instance}"}
    return docker_client().containers.list(all=True, sparse=True, filters=filters)


def _delete_cluster(name: str) -> None:
    """Delete a cluster as soon as ECS lets it go: when its last task has stopped."""
    ecs = aws_client("ecs")
    refusals = (
        ecs.exceptions.ClusterContainsServicesException,
        ecs.exceptions.ClusterContainsTasksException,
        ecs.exceptions.ClusterContainsContainerInstancesException,
    )
    end = time.monotonic() + LONGEST_SECONDS
    while True:
        try:
            ecs.delete_cluster(cluster=name)
        except refusals:
            if time.monotonic() > end:
                raise
        else:
            return
        for container in _task_containers(name):
            with suppress(APIError):  # it has ended meanwhile
                container.kill()  # a reset does not wait for a stop timeout
        time.sleep(look.LOOK_SECONDS)


def _remove_task_definitions(prefix: str) -> None:
    ecs = aws_client("ecs")
    for arn in list(_definitions(prefix, "ACTIVE")):
        ecs.deregister_task_definition(taskDefinition=arn)
    inactive = list(_definitions(prefix, "INACTIVE"))
    for start in range(0, len(inactive), 10):  # DeleteTaskDefinitions takes at most 10
        ecs.delete_task_definitions(taskDefinitions=inactive[start : start + 10])


def _remove_identities(prefix: str) -> None:
    iam = aws_client("iam")
    for name in _profiles(prefix):
        for role in iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
            iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])
        iam.delete_instance_profile(InstanceProfileName=name)
    for name in _roles(prefix):
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        iam.delete_role(RoleName=name)


def _last(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def _clusters(prefix: str) -> list[str]:
    pages = aws_client("ecs").get_paginator("list_clusters").paginate()
    return [name for page in pages for arn in page["clusterArns"] if (name := _last(arn)).startswith(prefix)]


def _definitions(prefix: str, status: str) -> Iterator[str]:
    for page in aws_client("ecs").get_paginator("list_task_definitions").paginate(status=status):
        yield from (arn for arn in page["taskDefinitionArns"] if _last(arn).startswith(prefix))


def _repositories(prefix: str) -> list[str]:
    pages = aws_client("ecr").get_paginator("describe_repositories").paginate()
    names = [one["repositoryName"] for page in pages for one in page["repositories"]]
    return [name for name in names if name.startswith(prefix)]


def _profiles(prefix: str) -> list[str]:
    pages = aws_client("iam").get_paginator("list_instance_profiles").paginate()
    names = [one["InstanceProfileName"] for page in pages for one in page["InstanceProfiles"]]
    return [name for name in names if name.startswith(prefix)]


def _roles(prefix: str) -> list[str]:
    pages = aws_client("iam").get_paginator("list_roles").paginate()
    return [one["RoleName"] for page in pages for one in page["Roles"] if one["RoleName"].startswith(prefix)]


def _task_containers(prefix: str) -> list[Any]:
    """Containers of tasks in clusters of ours, also where the cluster itself is gone."""
    labelled = {"label": "com.amazonaws.ecs.cluster"}
    found = docker_client().containers.list(all=True, filters=labelled, ignore_removed=True)
    mine = [one for one in found if _last(one.labels["com.amazonaws.ecs.cluster"]).startswith(prefix)]
    return [container for container in mine if ours(container)]


def _tags() -> list[str]:
    """The names of all images in the engine that carry the course's label."""
    rows = docker_client().api.images(filters={"label": "course=containers-on-aws"})
    return [tag for row in rows for tag in row["RepoTags"] or ()]


def _image_tags(prefix: str) -> list[str]:
    return [tag for tag in _tags() if tag.startswith(prefix)]


def _repository_tags(prefix: str) -> list[str]:
    """Names like `127.0.0.1:4566/map-shop:1`, which a push has needed."""
    return [tag for tag in _tags() if "/" in tag and _last(tag).startswith(prefix)]
