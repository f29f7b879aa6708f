"""Container instances for tests: an instance profile, launches, and plain looks at what became of them."""

import json

import boto3
import docker
from cloud_lab import CLUSTER, wait_until
from docker.models.containers import Container

from labs.cloud.engine import labels

PROFILE = "ecsInstanceRole"
POLICY = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
PARAMETER = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def profile(name: str = PROFILE, policy: str | None = POLICY) -> str:
    """An instance profile with a role that has this policy."""
    iam = boto3.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    if policy:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return name


def ami() -> str:
    return boto3.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"]


def launch(
    count: int = 1, kind: str = "t3.small", cluster: str = CLUSTER, config: str = "", **more: object
) -> list[str]:
    """Launches EC2 instances that are to join a cluster; their ids."""
    script = f"#!/bin/bash\ncat <<'EOF' >> /etc/ecs/ecs.config\nECS_CLUSTER={cluster}\n{config}\nEOF\n"
    asked = {"IamInstanceProfile": {"Name": PROFILE}, "UserData": script, **more}
    answer = boto3.client("ec2").run_instances(
        ImageId=ami(), InstanceType=kind, MinCount=count, MaxCount=count,
        **{key: value for key, value in asked.items() if value is not None},
    )  # fmt: skip
    return [one["InstanceId"] for one in answer["Instances"]]


def registered(cluster: str = CLUSTER, status: str | None = None) -> list[dict]:
    """The container instances of a cluster, ACTIVE and DRAINING ones."""
    ecs = boto3.client("ecs")
    arns = ecs.list_container_instances(cluster=cluster, **({"status": status} if status else {}))
    found = arns["containerInstanceArns"]
    return (
        ecs.describe_container_instances(cluster=cluster, containerInstances=found)["containerInstances"]
        if found
        else []
    )


def joined(ids: list[str], cluster: str = CLUSTER) -> list[dict]:
    """Waits until these EC2 instances are container instances with an agent; in the order of the ids."""

    def ready() -> list[dict]:
        found = {one["ec2InstanceId"]: one for one in registered(cluster) if one["agentConnected"]}
        return [found[one] for one in ids] if set(ids) <= found.keys() else []

    wait_until(ready, 120)  # the image may have to be built first
    return ready()


def machine(instance: str) -> Container:
    """The container that is an instance."""
    return docker.from_env().containers.get(labels.instance_container(instance))


def terminate(*ids: str) -> None:
    """Terminates instances; nothing of them stays in the engine."""
    boto3.client("ec2").terminate_instances(InstanceIds=list(ids))
    client = docker.from_env()
    marks = [[*labels.ours(), f"{labels.INSTANCE}={one}"] for one in ids]
    wait_until(
        lambda: (
            not any(
                client.containers.list(all=True, sparse=True, filters={"label": mark})
                or client.volumes.list(filters={"label": mark})
                for mark in marks
            )
        ),
        60,
    )


def address(instance: str) -> str:
    """Where an instance is reached: at its private address, or where its tag says."""
    answer = boto3.client("ec2").describe_instances(InstanceIds=[instance])
    found = answer["Reservations"][0]["Instances"][0]
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
    return tags.get("course:private-ip", found["PrivateIpAddress"])


def left(instance: dict, name: str) -> object:
    """What a container instance has left of a resource, or which ports are taken."""
    found = next(one for one in instance["remainingResources"] if one["name"] == name)
    return found["integerValue"] if found["type"] == "INTEGER" else found["stringSetValue"]


def define(family: str, image: str, container: dict | None = None, **more: object) -> str:
    """A task definition for EC2 of one container, `main`; its ARN."""
    sizes = {"memory": 64, "cpu": 128, "stopTimeout": 2}
    main = {"name": "main", "image": image, "essential": True, **sizes, **(container or {})}
    main = {key: value for key, value in main.items() if value is not None}
    answer = boto3.client("ecs").register_task_definition(
        family=family, requiresCompatibilities=["EC2"], containerDefinitions=[main], **more
    )
    return answer["taskDefinition"]["taskDefinitionArn"]


def run(definition: str, count: int = 1, cluster: str = CLUSTER, **more: object) -> dict:
    return boto3.client("ecs").run_task(
        cluster=cluster, taskDefinition=definition, launchType="EC2", count=count, **more
    )


def task(arn: str, cluster: str = CLUSTER) -> dict:
    return boto3.client("ecs").describe_tasks(cluster=cluster, tasks=[arn])["tasks"][0]


def runs(arn: str, cluster: str = CLUSTER) -> dict:
    """Waits until a task is RUNNING."""
    wait_until(lambda: task(arn, cluster)["lastStatus"] in ("RUNNING", "STOPPED"), 60)
    found = task(arn, cluster)
    assert found["lastStatus"] == "RUNNING", found.get("stoppedReason")
    return found


def stop_all(cluster: str = CLUSTER) -> None:
    """Stops every task of a cluster."""
    ecs = boto3.client("ecs")
    found = ecs.list_tasks(cluster=cluster)["taskArns"]
    for arn in found:
        ecs.stop_task(cluster=cluster, task=arn)
    wait_until(lambda: all(task(arn, cluster)["lastStatus"] == "STOPPED" for arn in found), 60)
