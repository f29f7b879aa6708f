"""What the tests of the local AWS share: a place of their own for one, and plain calls to look at it."""

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import docker
import pytest
from docker.models.containers import Container

from labs import settings
from labs.cloud import environment, server
from labs.cloud.engine import labels
from labs.machine import localstack_release

CLUSTER = "cloud-test"
ASLEEP = ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"]  # a command that ends at once when it is told to
# What the course's environment runs at the start of every Python: `labs` is found, and the guard is on.
SITE = f"import sys\nsys.path.insert(0, {str(settings.ROOT)!r})\nfrom labs.cloud import guard\nguard.install()\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def own_place(folder: Path) -> Iterator[Path]:
    """A data folder and a port of one's own, with the course's environment over them. Nothing of it is left after."""
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("COURSE_DATA", str(folder / "data"))
        patch.setenv("COURSE_PORT", str(free_port()))
        if python_of_localstack := os.environ.get(localstack_release.VARIABLE):
            url = stack.enter_context(localstack_release.running(python_of_localstack, free_port()))
            patch.setenv("COURSE_LOCALSTACK_URL", url)
        for name, value in environment.variables().items():
            if value is None:
                patch.delenv(name, raising=False)
            else:
                patch.setenv(name, value)
        try:
            yield folder
        finally:
            server.stop()
        assert ours() == []
        assert docker.from_env().networks.list(filters={"label": labels.ours()}) == []


def ours(role: str | None = None) -> list[str]:
    """The names of all containers of this data folder's local AWS, or of those with one role."""
    found = docker.from_env().containers.list(all=True, sparse=True, filters={"label": labels.ours(role)})
    return sorted(container.attrs["Names"][0].lstrip("/") for container in found)


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Waits for a condition; fails with its last value after some seconds."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {value!r}"
        time.sleep(0.05)


def network() -> dict[str, object]:
    """A network configuration: the subnets of the default VPC."""
    subnets = boto3.client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    return {"awsvpcConfiguration": {"subnets": [one["SubnetId"] for one in subnets[:2]], "assignPublicIp": "ENABLED"}}


def role(
    name: str, *policies: str, trust: str = "ecs-tasks.amazonaws.com", statements: list[dict[str, object]] | None = None
) -> str:
    """A role; its ARN.

    Args:
        name: the role's. One that exists gets these policies too.
        policies: names of AWS's managed policies.
        trust: the service that may assume it.
        statements: of an inline policy.
    """
    iam = boto3.client("iam")
    assumes = {"Effect": "Allow", "Principal": {"Service": trust}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [assumes]})
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    if statements is not None:
        inline = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=inline)
    return f"arn:aws:iam::{settings.ACCOUNT}:role/{name}"


def execution_role() -> str:
    """The usual task execution role; its ARN."""
    return role("ecsTaskExecutionRole", "service-role/AmazonECSTaskExecutionRolePolicy")


def ecr_login() -> dict[str, str]:
    """What `docker login` would keep for our ECR."""
    token = boto3.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    username, _, password = base64.b64decode(token).decode().partition(":")
    return {"username": username, "password": password}


def register(family: str, image: str, role: str | None = None, **container: object) -> None:
    """A Fargate task definition of one container, `main`, with or without a task role."""
    boto3.client("ecs").register_task_definition(
        **({"taskRoleArn": role} if role else {}),
        executionRoleArn=execution_role(),
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "main", "image": image, "essential": True, **container}],
    )


def run_task(family: str) -> str:
    """Runs a task and waits for RUNNING; its ARN."""
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    answer = ecs.run_task(cluster=CLUSTER, taskDefinition=family, launchType="FARGATE", networkConfiguration=network())
    arn = answer["tasks"][0]["taskArn"]
    # The relay's image may have to be built first.
    wait_until(lambda: task(arn)["lastStatus"] in ("RUNNING", "STOPPED"), 120)
    assert task(arn)["lastStatus"] == "RUNNING", task(arn).get("stoppedReason")
    return arn


def task(arn: str) -> dict:
    return boto3.client("ecs").describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"][0]


def container_of(arn: str) -> Container:
    return docker.from_env().containers.list(all=True, filters={"label": f"com.amazonaws.ecs.task-arn={arn}"})[0]


def service(name: str) -> dict:
    return boto3.client("ecs").describe_services(cluster=CLUSTER, services=[name])["services"][0]


def python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a Python as the course's environment starts it, with this environment plus `env`."""
    return subprocess.run(
        [sys.executable, "-c", SITE + code],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
