"""Removing what a chapter makes in the local AWS, by the beginning of its name, and saying what is left of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from docker.errors import APIError, NotFound

from labs.kit.world import aws_client, docker_client, ours

LONGEST_SECONDS = 60.0  # for the tasks of a cluster to stop, and for instances to go
LOOK_SECONDS = 0.2


def everything(prefix: str) -> None:
    """Remove all that begins with the prefix in the local AWS, and its task containers. Safe to repeat.

    Args:
        prefix: `svc-` for the whole chapter, `svc-trio` for one exercise.
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
    _remove_load_balancing(prefix)
    _remove_task_definitions(prefix)
    for name in _repositories(prefix):
        aws_client("ecr").delete_repository(repositoryName=name, force=True)
    for name in _log_groups(prefix):
        aws_client("logs").delete_log_group(logGroupName=name)
    for group in _security_groups(prefix):
        aws_client("ec2").delete_security_group(GroupId=group["GroupId"])
    _remove_identities(prefix)


def left(prefix: str) -> list[str]:
    """What is still there, one sentence each; empty means clean.

    Args:
        prefix: the beginning of the names, e.g. `svc-`.
    """
    found = [f"The cluster {name} is still there." for name in _clusters(prefix)]
    found += [f"The container {container.name} still runs." for container in _task_containers(prefix)]
    found += [f"The load balancer {lb['LoadBalancerName']} is still there." for lb in _load_balancers(prefix)]
    found += [f"The target group {tg['TargetGroupName']} is still there." for tg in _target_groups(prefix)]
    found += [
        f"The task definition {arn.rsplit('/', 1)[-1]} is still active." for arn in _definitions(prefix, "ACTIVE")
    ]
    found += [f"The EC2 instance {one} is still there." for one in _instances(prefix)]
    found += [f"The ECR repository {name} is still there." for name in _repositories(prefix)]
    found += [f"The log group {name} is still there." for name in _log_groups(prefix)]
    found += [f"The security group {group['GroupName']} is still there." for group in _security_groups(prefix)]
    found += [f"The instance profile {name} is still there." for name in _profiles(prefix)]
    found += [f"The role {name} is still there." for name in _roles(prefix)]
    return found


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
    ids = _instances(prefix)
    if not ids:
        return
    aws_client("ec2").terminate_instances(InstanceIds=ids)
    end = time.monotonic() + LONGEST_SECONDS
    while any(_machines(one) for one in ids) and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)


def _machines(instance: str) -> list[Any]:
    filters = {"name": f"ec2-{instance}"}
    return docker_client().containers.list(all=True, sparse=True, filters=filters)


def _delete_cluster(name: str) -> None:
    """Delete a cluster as soon as ECS lets it go: when its last task has stopped.

    Args:
        name: the cluster; nothing in it is to run any more.
    """
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
        time.sleep(LOOK_SECONDS)


def _remove_load_balancing(prefix: str) -> None:
    elb = aws_client("elbv2")
    for balancer in _load_balancers(prefix):
        arn = balancer["LoadBalancerArn"]
        for listener in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
            elb.delete_listener(ListenerArn=listener["ListenerArn"])
        elb.delete_load_balancer(LoadBalancerArn=arn)
    for group in _target_groups(prefix):
        elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])


def _remove_task_definitions(prefix: str) -> None:
    ecs = aws_client("ecs")
    for arn in list(_definitions(prefix, "ACTIVE")):
        ecs.deregister_task_definition(taskDefinition=arn)
    inactive = list(_definitions(prefix, "INACTIVE"))
    for start in range(0, len(inactive), 10):  # DeleteTaskDefinitions takes at most 10
        ecs.delete_task_definitions(taskDefinitions=inactive[start : start + 10])


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


def _load_balancers(prefix: str) -> list[dict[str, Any]]:
    found = aws_client("elbv2").describe_load_balancers()["LoadBalancers"]
    return [balancer for balancer in found if balancer["LoadBalancerName"].startswith(prefix)]


def _target_groups(prefix: str) -> list[dict[str, Any]]:
    found = aws_client("elbv2").describe_target_groups()["TargetGroups"]
    return [group for group in found if group["TargetGroupName"].startswith(prefix)]


def _log_groups(prefix: str) -> list[str]:
    pages = aws_client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"/ecs/{prefix}")
    return [group["logGroupName"] for page in pages for group in page["logGroups"]]


def _security_groups(prefix: str) -> list[dict[str, Any]]:
    found = aws_client("ec2").describe_security_groups()["SecurityGroups"]
    return [group for group in found if group["GroupName"].startswith(prefix)]


def _roles(prefix: str) -> list[str]:
    pages = aws_client("iam").get_paginator("list_roles").paginate()
    return [role["RoleName"] for page in pages for role in page["Roles"] if role["RoleName"].startswith(prefix)]


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


def _instances(prefix: str) -> list[str]:
    """The ids of EC2 instances that are not terminated, and whose Name or instance profile begins with the prefix."""
    pages = aws_client("ec2").get_paginator("describe_instances").paginate()
    found = [one for page in pages for some in page["Reservations"] for one in some["Instances"]]
    alive = [one for one in found if one["State"]["Name"] != "terminated"]
    return [one["InstanceId"] for one in alive if any(name.startswith(prefix) for name in _names(one))]


def _names(instance: dict[str, Any]) -> list[str]:
    names = [tag["Value"] for tag in instance.get("Tags", []) if tag["Key"] == "Name"]
    return [*names, instance.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2]]


def _repositories(prefix: str) -> list[str]:
    pages = aws_client("ecr").get_paginator("describe_repositories").paginate()
    names = [one["repositoryName"] for page in pages for one in page["repositories"]]
    return [name for name in names if name.startswith(prefix)]


def _profiles(prefix: str) -> list[str]:
    pages = aws_client("iam").get_paginator("list_instance_profiles").paginate()
    names = [one["InstanceProfileName"] for page in pages for one in page["InstanceProfiles"]]
    return [name for name in names if name.startswith(prefix)]
