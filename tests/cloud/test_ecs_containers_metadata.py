"""What a task finds at 169.254.170.2: its metadata, its statistics, its role's credentials, the local AWS."""

import http.client
import json
from typing import Any

import boto3
import docker
import pytest
from docker.models.containers import Container
from test_ecs_containers import ROLE, await_status, container, container_of, start, stop, subnets, task

from labs import settings
from labs.cloud.engine import labels
from labs.cloud.relay import relay

pytestmark = pytest.mark.usefixtures("local_aws")

# Prints what is answered to a GET of the path in $1, by the way the SDKs in a task use.
GET = 'exec 3<>/dev/tcp/169.254.170.2/80; printf "GET $1 HTTP/1.0\\r\\nHost: 169.254.170.2\\r\\n\\r\\n" >&3; cat <&3'


@pytest.fixture(scope="module")
def running(local_aws: object) -> str:
    """The ARN of a running task with a role, of two containers."""
    main = container(
        "while :; do :; done", cpu=128, memory=64, portMappings=[{"containerPort": 8080}], stopTimeout=2, essential=True
    )
    arn = start(main, container("sleep 600", name="side", stopTimeout=2), taskRoleArn=ROLE)
    await_status(arn, "RUNNING")
    # An engine has one relay: a second local AWS with running tasks keeps it from this one.
    assert docker.from_env().containers.get(relay.CONTAINER).labels[labels.OWNER_KEY] == labels.owner()
    return arn


def environment(made: Container) -> dict[str, str]:
    return dict(line.split("=", 1) for line in made.attrs["Config"]["Env"])


def ask(made: Container, path: str) -> tuple[int, Any]:
    """What the endpoint answers a container: the HTTP status, and what it says."""
    said = made.exec_run(["timeout", "20", "bash", "-c", GET, "get", path]).output.decode()
    head, _, body = said.partition("\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_the_variables_are_those_of_ecs(running: str) -> None:
    found = environment(container_of(running))
    assert found["AWS_EXECUTION_ENV"] == "AWS_ECS_FARGATE"
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == settings.REGION
    assert found["AWS_ENDPOINT_URL"] == f"http://{settings.RELAY_ADDRESS}"
    assert found["ECS_CONTAINER_METADATA_URI_V4"].startswith(f"http://{settings.RELAY_ADDRESS}/v4/")
    assert found["ECS_CONTAINER_METADATA_URI"].startswith(f"http://{settings.RELAY_ADDRESS}/v3/")


def test_the_metadata_of_the_task_and_of_the_container(running: str) -> None:
    made = container_of(running)
    path = environment(made)["ECS_CONTAINER_METADATA_URI_V4"].removeprefix(f"http://{settings.RELAY_ADDRESS}")
    status, found = ask(made, f"{path}/task")
    known = task(running)
    family, _, revision = known["taskDefinitionArn"].rpartition("/")[2].partition(":")
    assert status == 200
    assert found["TaskARN"] == running
    assert found["Cluster"] == known["clusterArn"]
    assert (found["Family"], found["Revision"]) == (family, revision)
    assert found["LaunchType"] == "FARGATE"
    assert found["AvailabilityZone"] == known["availabilityZone"] == subnets()[0]["AvailabilityZone"]
    assert found["Limits"] == {"CPU": 0.25, "Memory": 512}
    assert found["KnownStatus"] == found["DesiredStatus"] == "RUNNING"
    assert {one["Name"] for one in found["Containers"]} == {"main", "side"}

    status, own = ask(made, path)
    assert status == 200
    assert own in found["Containers"]
    assert (own["Name"], own["DockerName"], own["DockerId"]) == ("main", made.name, made.id)
    assert own["Limits"] == {"CPU": 128, "Memory": 64}
    assert own["LogDriver"] == "awslogs"
    assert own["LogOptions"]["awslogs-stream"] == f"test/main/{running.rpartition('/')[2]}"
    address = {one["name"]: one["value"] for one in known["attachments"][0]["details"]}["privateIPv4Address"]
    assert own["Networks"][0]["NetworkMode"] == "awsvpc"
    assert own["Networks"][0]["IPv4Addresses"] == [address]
    assert own["Networks"][0]["IPv4SubnetCIDRBlock"] == subnets()[0]["CidrBlock"]
    assert ask(made, path.replace("/v4/", "/v3/"))[1]["Name"] == "main"


def test_statistics_tell_how_busy_a_container_is(running: str) -> None:
    made = container_of(running)
    path = environment(made)["ECS_CONTAINER_METADATA_URI_V4"].removeprefix(f"http://{settings.RELAY_ADDRESS}")
    for _ in range(2):  # the first answer has a sample of its own before it, later ones the answer before
        status, now = ask(made, f"{path}/stats")
        assert status == 200
        used = now["cpu_stats"]["cpu_usage"]["total_usage"] - now["precpu_stats"]["cpu_usage"]["total_usage"]
        passed = now["cpu_stats"]["system_cpu_usage"] - now["precpu_stats"]["system_cpu_usage"]
        assert used / passed * now["cpu_stats"]["online_cpus"] == pytest.approx(0.25, abs=0.15)
        assert now["memory_stats"]["limit"] == 64 * 1024 * 1024
        assert any(one["rx_bytes"] for one in now["networks"].values())
    status, both = ask(made, f"{path}/task/stats")
    assert set(both) == {made.id, container_of(running, "side").id}


def test_ids_that_nobody_has_are_answered_as_the_agent_does(running: str) -> None:
    made = container_of(running)
    status, said = ask(made, "/v4/guess/task")
    assert status == 404
    assert said.startswith("V4 task metadata handler: unable to get task arn from request")
    status, said = ask(made, "/v2/credentials/guess")
    assert status == 400
    assert said["code"] == "InvalidIdInRequest"


def test_the_credentials_are_those_of_the_tasks_role(running: str) -> None:
    made = container_of(running)
    status, given = ask(made, environment(made)["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])
    assert status == 200
    assert given["RoleArn"] == ROLE
    assert given["Expiration"].endswith("Z")
    sts = boto3.client(
        "sts",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["Token"],
    )
    session = running.rpartition("/")[2]
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:sts::{settings.ACCOUNT}:assumed-role/containers/{session}"
    assert ask(made, environment(made)["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])[1] == given


def test_a_region_and_an_endpoint_of_the_definition_stay_and_without_a_role_there_are_no_credentials() -> None:
    own = {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    pairs = [{"name": name, "value": value} for name, value in own.items()]
    arn = start(container("sleep 600", environment=pairs, stopTimeout=2))
    await_status(arn, "RUNNING")
    found = environment(container_of(arn))
    assert {name: found.get(name) for name in own} == own
    assert "AWS_DEFAULT_REGION" not in found
    assert "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" not in found
    stop(arn)


def test_the_credentials_of_a_stopped_task_are_gone() -> None:
    arn = start(container("sleep 600", stopTimeout=2), taskRoleArn=ROLE)
    await_status(arn, "RUNNING")
    path = environment(container_of(arn))["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    assert _from_the_relay(path)[0] == 200
    stop(arn)
    assert _from_the_relay(path)[0] == 400


def _from_the_relay(path: str) -> tuple[int, Any]:
    """A request as the relay passes it on."""
    connection = http.client.HTTPConnection("127.0.0.1", settings.gateway_port(), timeout=10)
    connection.request("GET", path, headers={"Host": settings.RELAY_ADDRESS})
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer
