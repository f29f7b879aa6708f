"""A task is a real container: labelled, on the task network, on loopback, quick to stop, with a way to the gateway."""

import http.client
import json
import threading
import time
from collections import Counter
from ipaddress import ip_address, ip_network
from pathlib import Path

import boto3
import docker
import pytest
from cloud_lab import (
    ASLEEP,
    CLUSTER,
    container_of,
    ecr_login,
    network,
    ours,
    register,
    role,
    run_task,
    service,
    task,
    wait_until,
)
from docker.errors import ImageNotFound

from labs import settings
from labs.cloud import guard, server
from labs.cloud.backends import containers
from labs.cloud.engine import images
from labs.cloud.relay import relay

pytestmark = pytest.mark.usefixtures("local_aws")

VPC = "172.31.0.0/16"
# Prints what the gateway answers to a GET of the path in $1, by the way the SDKs in a task use.
GET = 'exec 3<>/dev/tcp/169.254.170.2/80; printf "GET $1 HTTP/1.0\\r\\nHost: 169.254.170.2\\r\\n\\r\\n" >&3; cat <&3'


@pytest.fixture(scope="module")
def sleeper(local_aws: Path) -> str:
    """The ARN of a running task with a role."""
    variables = [{"name": "OWN", "value": "1"}]
    register("cloud-sleeper", settings.BASE_IMAGE, role("cloud-sleeper"), command=ASLEEP, environment=variables)
    return run_task("cloud-sleeper")


def test_the_container_is_labelled_and_named_like_one_of_ecs(sleeper: str) -> None:
    container = container_of(sleeper)
    assert container.labels[settings.LABEL_KEY] == settings.LABEL_VALUE
    assert container.labels[settings.ROLE_KEY] == "task"
    assert container.labels["com.amazonaws.ecs.container-name"] == "main"
    assert container.name.startswith("ecs-cloud-sleeper-1-main-")


def test_it_has_an_address_of_its_subnet_and_a_way_to_the_gateway(sleeper: str) -> None:
    networks = container_of(sleeper).attrs["NetworkSettings"]["Networks"]
    details = {detail["name"]: detail["value"] for detail in task(sleeper)["attachments"][0]["details"]}
    [vpc] = set(networks) - {relay.NETWORK}
    assert len(networks) == 2
    assert networks[vpc]["IPAddress"] == details["privateIPv4Address"]
    assert networks[vpc]["MacAddress"] == details["macAddress"]
    subnet = boto3.client("ec2").describe_subnets(SubnetIds=[details["subnetId"]])["Subnets"][0]
    assert task(sleeper)["availabilityZone"] == subnet["AvailabilityZone"]
    if docker.from_env().networks.get(vpc).attrs["IPAM"]["Config"][0]["Subnet"] == VPC:  # free on this machine
        assert ip_address(details["privateIPv4Address"]) in ip_network(subnet["CidrBlock"])


def test_its_environment_is_that_of_ecs(sleeper: str) -> None:
    environment = dict(line.split("=", 1) for line in container_of(sleeper).attrs["Config"]["Env"])
    assert environment["AWS_ENDPOINT_URL"] == "http://169.254.170.2"
    assert environment["AWS_REGION"] == settings.REGION
    assert environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"].startswith("/v2/credentials/")
    assert environment["ECS_CONTAINER_METADATA_URI_V4"].startswith("http://169.254.170.2/v4/")
    assert environment["OWN"] == "1"
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" not in environment


def test_from_inside_it_reaches_the_gateway_and_gets_credentials(sleeper: str) -> None:
    container = container_of(sleeper)
    health = container.exec_run(["bash", "-c", GET, "get", "/_course/health"]).output.decode()
    assert json.loads(health.rpartition("\r\n\r\n")[2])["pid"] == server.health()["pid"]
    script = f'set -- "$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"; {GET}'
    credentials = json.loads(container.exec_run(["bash", "-c", script]).output.decode().rpartition("\r\n\r\n")[2])
    assert {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"} <= credentials.keys()


def test_the_relay_listens_nowhere_else(sleeper: str) -> None:
    container = docker.from_env().containers.get(relay.CONTAINER)
    assert container.labels[settings.ROLE_KEY] == "relay"
    assert container.labels[settings.LABEL_KEY] == settings.LABEL_VALUE
    assert not container.attrs["NetworkSettings"]["Ports"]
    networks = container.attrs["NetworkSettings"]["Networks"]
    assert {name: network["IPAddress"] for name, network in networks.items()} == {relay.NETWORK: settings.RELAY_ADDRESS}
    listening = container.exec_run(["cat", "/proc/net/tcp"]).output.decode().splitlines()[1:]
    open_at = {line.split()[1] for line in listening if line.split()[3] == "0A"}
    engines_dns = {at for at in open_at if at.startswith("0B00007F:")}  # Docker's own, at 127.0.0.11
    assert open_at - engines_dns == {"02AAFEA9:0050"}


def test_a_task_that_ignores_sigterm_is_killed_after_its_stop_timeout() -> None:
    register("cloud-stubborn", settings.BASE_IMAGE, command=["sleep", "600"], stopTimeout=2)
    arn = run_task("cloud-stubborn")
    begin = time.monotonic()
    boto3.client("ecs").stop_task(cluster=CLUSTER, task=arn)
    assert time.monotonic() - begin < 1
    wait_until(lambda: task(arn)["lastStatus"] == "STOPPED")
    assert 2 <= time.monotonic() - begin < 5
    assert task(arn)["containers"][0]["exitCode"] == 137


def test_a_service_behind_a_load_balancer(web_image: str) -> None:
    """Three tasks share the requests; the balancer passes every path on, those of the gateway's own too."""
    ecs, elb = boto3.client("ecs"), boto3.client("elbv2")
    register("cloud-web", web_image, portMappings=[{"containerPort": 8080}], stopTimeout=2)
    vpc = boto3.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    balancer = elb.create_load_balancer(Name="cloud-lb", Subnets=network()["awsvpcConfiguration"]["subnets"])[
        "LoadBalancers"
    ][0]
    group = elb.create_target_group(Name="cloud-tg", Protocol="HTTP", Port=8080, TargetType="ip", VpcId=vpc)
    group_arn = group["TargetGroups"][0]["TargetGroupArn"]
    fixed = {"StatusCode": "203", "MessageBody": "nine", "ContentType": "text/plain"}
    for port, action in (  # the one that is not 80 first
        (9000, {"Type": "fixed-response", "FixedResponseConfig": fixed}),
        (80, {"Type": "forward", "TargetGroupArn": group_arn}),
    ):
        elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=port, DefaultActions=[action]
        )
    ecs.create_cluster(clusterName=CLUSTER)
    ecs.create_service(
        cluster=CLUSTER,
        serviceName="cloud-web",
        taskDefinition="cloud-web",
        desiredCount=3,
        launchType="FARGATE",
        networkConfiguration=network(),
        loadBalancers=[{"targetGroupArn": group_arn, "containerName": "main", "containerPort": 8080}],
    )
    wait_until(lambda: service("cloud-web")["runningCount"] == 3)
    name = balancer["DNSName"]

    def healthy() -> bool:
        found = elb.describe_target_health(TargetGroupArn=group_arn)["TargetHealthDescriptions"]
        return [one["TargetHealth"]["State"] for one in found] == ["healthy"] * 3

    wait_until(healthy, 60)

    answers = Counter(_get(name)[1].split()[0] for _ in range(60))
    assert len(answers) == 3
    assert min(answers.values()) >= 5
    gateway = f":{settings.gateway_port()}"
    for path in ("/health", "/_course/health", "/_course/stop", "/_ministack/reset", "/a%20b?c=d"):
        assert _get(name, path)[1].split(maxsplit=1)[1] == f"{path}\n"
    assert _get(name.replace(".elb.localhost", ".elb.amazonaws.com"))[0] == 200
    assert _get(f"{name}{gateway}")[0] == 200
    assert _get(f"{name}:9000") == (203, "nine")
    assert _get(f"{name}:9001")[0] == 503
    assert _get(f"other.elb.localhost{gateway}")[0] == 404

    begin = time.monotonic()
    ecs.delete_service(cluster=CLUSTER, service="cloud-web", force=True)
    wait_until(lambda: not [one for one in ours("task") if "cloud-web" in one])
    assert time.monotonic() - begin < 5


def _get(host: str, path: str = "/") -> tuple[int, str]:
    """A request to the gateway's port with a load balancer's name, as curl -H 'Host: ...' sends it."""
    connection = http.client.HTTPConnection("127.0.0.1", settings.gateway_port(), timeout=10)
    connection.request("GET", path, headers={"Host": host})
    response = connection.getresponse()
    answer = response.status, response.read().decode()
    connection.close()
    return answer


def test_an_image_of_ecr_is_pulled_from_the_gateway(web_image: str) -> None:
    """docker push to the gateway, then a task whose image is named as ECR names it."""
    client = docker.from_env()
    boto3.client("ecr").create_repository(repositoryName="cloud-repo")
    registry = f"127.0.0.1:{settings.gateway_port()}"
    name = f"{settings.ACCOUNT}.dkr.ecr.{settings.REGION}.amazonaws.com/cloud-repo:1"
    client.images.get(web_image).tag(f"{registry}/cloud-repo", "1")
    try:
        pushed = client.images.push(f"{registry}/cloud-repo", "1", auth_config=ecr_login())
        assert "errorDetail" not in pushed, pushed
        client.images.remove(f"{registry}/cloud-repo:1")
        register("cloud-ecr", name)
        assert container_of(run_task("cloud-ecr")).image.labels == client.images.get(web_image).labels
    finally:
        client.images.remove(f"{registry}/cloud-repo:1", force=True)


def test_no_registry_is_asked_for_an_image_that_was_built_here(web_image: str) -> None:
    images = docker.from_env().images
    with pytest.raises(ImageNotFound, match="built on this machine"):
        containers._require_remote(images, web_image)
    containers._require_remote(images, f"127.0.0.1:{settings.gateway_port()}/{web_image}")
    containers._require_remote(images, "no-such-image-anywhere:1")


def test_nothing_is_created_once_it_stops() -> None:
    """The backend's scheduler replaces swept tasks: those calls wait for the end, and then fail."""
    wrapping = containers.Wrapping(relay.Relay("nobody", server.socket_path(), 1))
    wrapping.close()
    created = []
    waiting = threading.Thread(target=lambda: _attempt(wrapping, created))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    wrapping.end()
    waiting.join(5)
    assert created == ["refused"]


def _attempt(wrapping: containers.Wrapping, created: list[str]) -> None:
    try:
        wrapping._create(lambda *_, **__: created.append("created"), None, "image")
    except containers.StoppingError:
        created.append("refused")


def test_a_registry_of_another_account_is_refused() -> None:
    assert images.local_reference("debian:bookworm-slim") == "debian:bookworm-slim"
    with pytest.raises(guard.RealAwsRefused, match="real AWS account"):
        images.local_reference("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1")
