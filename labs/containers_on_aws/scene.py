"""The stage of the exercise `who_owns_what`: three tasks of one family, started in three ways, in an unknown order."""

from __future__ import annotations

import base64
import importlib.resources
import json
import random
import time
from typing import Any

from labs.containers_on_aws import look
from labs.kit.world import aws_client, docker_client

NAME = "map-who"
POLICIES = {
    "map-who-instance": ("ec2.amazonaws.com", "AmazonEC2ContainerServiceforEC2Role"),
    "map-who-execution": ("ecs-tasks.amazonaws.com", "AmazonECSTaskExecutionRolePolicy"),
}
OPTIMIZED = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
PATIENCE_SECONDS = 150.0


def build() -> None:
    """Start the three tasks in the cluster `map-who` and wait until they run.

    Raises:
        RuntimeError: the scene is already there, or a task does not start in time.
    """
    if look.cluster(NAME):
        raise RuntimeError("The scene is already there. For a new one: chapter.reset('who_owns_what').")
    ecs = aws_client("ecs")
    uri = _image()
    roles = {name: _role(name, *policy) for name, policy in POLICIES.items()}
    ecs.create_cluster(clusterName=NAME)
    _instance()
    recipes = [("FARGATE", f"{uri}:1"), ("FARGATE", "map-web:1"), ("EC2", f"{uri}:1")]
    random.shuffle(recipes)
    for launch_type, image in recipes:
        _run(launch_type, image, roles["map-who-execution"])
    _wait(lambda: len(look.running(look.tasks(NAME))) == len(recipes))


def _image() -> str:
    """The chapter's image, built and pushed; the repository's address."""
    app = importlib.resources.files("labs.containers_on_aws") / "app"
    image = docker_client().images.build(path=str(app), tag="map-web:1", rm=True)[0]
    ecr = aws_client("ecr")
    uri: str = ecr.create_repository(repositoryName=NAME)["repository"]["repositoryUri"]
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, password = base64.b64decode(token).decode().split(":", 1)
    image.tag(uri, tag="1")
    docker_client().images.push(uri, tag="1", auth_config={"username": user, "password": password})
    return uri


def _role(name: str, principal: str, policy: str) -> str:
    iam = aws_client("iam")
    statement = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/service-role/{policy}")
    return arn


def _instance() -> None:
    iam, name = aws_client("iam"), "map-who-instance"
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    aws_client("ec2").run_instances(
        ImageId=aws_client("ssm").get_parameter(Name=OPTIMIZED)["Parameter"]["Value"],
        InstanceType="t3.small",
        MinCount=1,
        MaxCount=1,
        IamInstanceProfile={"Name": name},
        UserData=f"#!/bin/bash\necho ECS_CLUSTER={NAME} >> /etc/ecs/ecs.config\n",
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": NAME}]}],
    )
    _wait(lambda: any(one["agentConnected"] for one in look.container_instances(NAME)))


def _run(launch_type: str, image: str, execution_role: str) -> None:
    """One task. Its definition suits both launch types, so that its family and size give nothing away."""
    ecs, ec2 = aws_client("ecs"), aws_client("ec2")
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    definition = ecs.register_task_definition(
        family=NAME,
        requiresCompatibilities=["FARGATE", "EC2"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        executionRoleArn=execution_role,
        containerDefinitions=[{"name": "web", "image": image, "essential": True}],
    )["taskDefinition"]["taskDefinitionArn"]
    network: dict[str, Any] = {"subnets": [subnet["SubnetId"] for subnet in subnets[:2]]}
    if launch_type == "FARGATE":
        network["assignPublicIp"] = "ENABLED"
    ecs.run_task(
        cluster=NAME,
        taskDefinition=definition,
        launchType=launch_type,
        networkConfiguration={"awsvpcConfiguration": network},
    )


def _wait(until: Any) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not until():
        if time.monotonic() > end:
            raise RuntimeError("The scene did not come up in time. Try again after chapter.reset('who_owns_what').")
        time.sleep(0.3)
