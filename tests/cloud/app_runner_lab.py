"""What the tests of App Runner share: images in ECR, roles, services, and a look at their URLs."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import docker
from cloud_lab import ecr_login, role, wait_until

from labs import settings
from labs.cloud.app_runner import front

INSTANT = {"Protocol": "TCP", "Interval": 1, "Timeout": 1, "UnhealthyThreshold": 1}


def client():
    return boto3.client("apprunner")


def access_role() -> str:
    """A role with which App Runner may pull from ECR; its ARN."""
    return role(
        "apprunner-access", "service-role/AWSAppRunnerServicePolicyForECRAccess", trust="build.apprunner.amazonaws.com"
    )


def push(image: str, repository: str, tag: str) -> str:
    """Puts an image of this machine into our ECR; the name by which App Runner finds it."""
    ecr = boto3.client("ecr")
    try:
        uri = ecr.create_repository(repositoryName=repository)["repository"]["repositoryUri"]
    except ecr.exceptions.RepositoryAlreadyExistsException:
        uri = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryUri"]
    engine = docker.from_env()
    assert engine.images.get(image).tag(uri, tag)
    said = engine.images.push(uri, tag=tag, auth_config=ecr_login())
    assert "error" not in said, said
    engine.images.remove(f"{uri}:{tag}")
    return f"{uri}:{tag}"


def web(version: str) -> str:
    """Builds the web program of the tests and puts it into our ECR; the name by which App Runner finds it.

    Args:
        version: what it answers with. `broken` ends at once, `deaf` listens nowhere.
    """
    engine, folder = docker.from_env(), str(Path(__file__).parent / "app_runner_web")
    built, _ = engine.images.build(path=folder, tag=f"apprunner-{version}", buildargs={"VERSION": version}, rm=True)
    try:
        return push(f"apprunner-{version}", "web", version)
    finally:
        engine.images.remove(built.id, force=True)


def from_image(image: str, **configuration: object) -> dict[str, object]:
    """A source configuration."""
    return {
        "ImageRepository": {
            "ImageIdentifier": image,
            "ImageRepositoryType": "ECR",
            "ImageConfiguration": {"Port": "8080", **configuration},
        },
        "AuthenticationConfiguration": {"AccessRoleArn": access_role()},
        "AutoDeploymentsEnabled": False,
    }


def create(name: str, image: str, **members: object) -> dict:
    """Creates a service; what CreateService says of it."""
    source = members.pop("SourceConfiguration", None) or from_image(image)
    asked = {"HealthCheckConfiguration": INSTANT, "InstanceConfiguration": {"Cpu": "256", "Memory": "512"}, **members}
    return client().create_service(ServiceName=name, SourceConfiguration=source, **asked)["Service"]


@contextmanager
def service(name: str, image: str, **members: object) -> Iterator[dict]:
    """A running service, deleted afterwards."""
    made = create(name, image, **members)
    try:
        settled(made["ServiceArn"])
        assert status(made["ServiceArn"]) == "RUNNING", last_operation(made["ServiceArn"])
        yield made
    finally:
        arn = made["ServiceArn"]
        settled(arn)
        if status(arn) != "DELETED":
            client().delete_service(ServiceArn=arn)
            settled(arn)


def status(arn: str) -> str:
    return client().describe_service(ServiceArn=arn)["Service"]["Status"]


def settled(arn: str, seconds: float = 120.0) -> str:
    """Waits until no operation is under way; the service's status."""
    wait_until(lambda: status(arn) != "OPERATION_IN_PROGRESS", seconds)
    return status(arn)


def last_operation(arn: str) -> dict:
    return client().list_operations(ServiceArn=arn)["OperationSummaryList"][0]


def get(url: str, path: str = "/", seconds: float = 30.0) -> tuple[int, str]:
    """A request to a service's URL through the gateway's port: status and text."""
    connection = http.client.HTTPConnection(settings.GATEWAY_HOST, settings.gateway_port(), timeout=seconds)
    try:
        connection.request("GET", path, headers={"Host": url})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def containers_of(arn: str) -> list:
    """The instances of a service that run."""
    wanted = {"label": [f"{front.SERVICE_KEY}={arn}", f"{settings.ROLE_KEY}=app-runner-instance"]}
    return docker.from_env().containers.list(filters=wanted, ignore_removed=True)


def answers(url: str, path: str = "/") -> dict:
    """The JSON at a service's URL."""
    code, text = get(url, path)
    assert code == 200, text
    return json.loads(text)
