"""Faults of the emulator that ours must not have, where no other test shows it (README of `labs/cloud` lists all)."""

import http.client
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import docker
import pytest
from botocore.exceptions import ClientError
from cloud_lab import ASLEEP, CLUSTER, network, ours, register, run_task, service, task, wait_until
from docker.models.containers import Container

from labs import settings
from labs.cloud.ecs import task_state
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import clock
from labs.cloud.frame.service import Services
from labs.cloud.frame.signals import Signals
from labs.cloud.frame.store import Store

pytestmark = pytest.mark.usefixtures("local_aws")

SIZE = {"cpu": "256", "memory": "512", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"]}


def one(name: str, command: str, **more: Any) -> dict[str, Any]:
    """A container that runs a shell command."""
    return {"name": name, "image": settings.BASE_IMAGE, "command": ["bash", "-c", command], **more}


def start(*containers: dict[str, Any], overrides: dict[str, Any] | None = None, **more: Any) -> str:
    """Runs a task of these containers; its ARN."""
    ecs, family = boto3.client("ecs"), f"fault-{uuid.uuid4().hex[:8]}"
    ecs.create_cluster(clusterName=CLUSTER)
    ecs.register_task_definition(family=family, containerDefinitions=list(containers), **SIZE, **more)
    answer = ecs.run_task(
        cluster=CLUSTER,
        taskDefinition=family,
        launchType="FARGATE",
        networkConfiguration=network(),
        overrides=overrides or {},
    )
    return answer["tasks"][0]["taskArn"]


def ended(arn: str) -> dict[str, Any]:
    """A task's description when it is over."""
    wait_until(lambda: task(arn)["lastStatus"] == "STOPPED", 120)
    return task(arn)


def container_of(arn: str) -> Container:
    """The container `main` of a task."""
    wanted = [f"com.amazonaws.ecs.task-arn={arn}", "com.amazonaws.ecs.container-name=main"]
    return docker.from_env().containers.list(all=True, filters={"label": wanted})[0]


def of(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The containers of a task by name."""
    return {container["name"]: container for container in found["containers"]}


def refusal(operation: str, **parameters: Any) -> str:
    with pytest.raises(ClientError) as refused:
        getattr(boto3.client("ecs"), operation)(**parameters)
    return refused.value.response["Error"]["Code"]


# --- the containers of a task -----------------------------------------------------------------------------------------


def test_containers_wait_for_those_they_depend_on_and_meet_on_localhost() -> None:
    """The emulator starts them in the order of the definition, each with an address of its own."""
    serve = "perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(LocalAddr=>q(127.0.0.1),LocalPort=>9,Listen=>5);while($c=$s->accept){close $c}'"  # noqa: E501
    arn = start(
        one(
            "main",
            "test -e /shared/made || exit 2; exec 3<>/dev/tcp/127.0.0.1/9 || exit 3; exit 0",
            mountPoints=[{"sourceVolume": "shared", "containerPath": "/shared"}],
            dependsOn=[
                {"containerName": "first", "condition": "SUCCESS"},
                {"containerName": "server", "condition": "HEALTHY"},
            ],
        ),
        one(
            "server",
            f"sleep 2; exec {serve}",
            stopTimeout=2,
            healthCheck={"command": ["CMD", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9"], "interval": 5, "retries": 5},
        ),
        one(
            "first",
            "sleep 1; touch /shared/made",
            essential=False,
            mountPoints=[{"sourceVolume": "shared", "containerPath": "/shared"}],
        ),
        volumes=[{"name": "shared"}],
    )
    found = ended(arn)
    assert (found["stopCode"], of(found)["main"]["exitCode"]) == ("EssentialContainerExited", 0)
    assert of(found)["first"]["exitCode"] == 0


def test_a_dependency_that_fails_stops_the_task() -> None:
    arn = start(
        one("main", "echo never", dependsOn=[{"containerName": "first", "condition": "SUCCESS"}]),
        one("first", "exit 7", essential=False),
    )
    found = ended(arn)
    assert found["stopCode"] == "TaskFailedToStart"
    assert of(found)["first"]["exitCode"] == 7
    assert "exitCode" not in of(found)["main"]


def test_one_essential_container_ends_all_and_each_keeps_its_exit_code() -> None:
    """B5: in the emulator the others run on. It also gives the one exit code to all."""
    arn = start(
        one("main", "trap 'exit 5' TERM; sleep 600 & wait"),
        one("side", "sleep 2; exit 3"),
    )
    found = ended(arn)
    codes = {name: container["exitCode"] for name, container in of(found).items()}
    assert codes == {"main": 5, "side": 3}
    assert (found["stopCode"], found["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    label = {"label": f"com.amazonaws.ecs.task-arn={arn}"}
    assert docker.from_env().containers.list(all=True, filters=label) == []


def test_a_program_that_is_not_there_is_said_to_be_it() -> None:
    """In the emulator every failed start is a failed pull."""
    found = ended(start({"name": "main", "image": settings.BASE_IMAGE, "command": ["no-such-program"]}))
    assert found["stopCode"] == "TaskFailedToStart"
    assert found["stoppedReason"].startswith("CannotStartContainerError: ")
    assert "no-such-program" in of(found)["main"]["reason"]


@pytest.mark.needs("elasticfilesystem")
def test_a_file_system_that_is_not_there_stops_the_task() -> None:
    """The emulator runs the task without it."""
    volume = {"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0"}}
    mount = [{"sourceVolume": "data", "containerPath": "/data"}]
    found = ended(start(one("main", "echo never", mountPoints=mount), volumes=[volume]))
    assert found["stopCode"] == "TaskFailedToStart"
    assert "fs-0123456789abcdef0" in found["stoppedReason"]
    assert "exitCode" not in of(found)["main"]


def test_overrides_of_size_and_role_reach_the_container() -> None:
    """The emulator keeps them and does nothing."""
    role = f"arn:aws:iam::{settings.ACCOUNT}:role/other"
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    boto3.client("iam").create_role(RoleName="other", AssumeRolePolicyDocument=policy)
    arn = start(
        one("main", "trap 'exit 0' TERM; sleep 600 & wait"),
        overrides={
            "cpu": "512",
            "memory": "1024",
            "taskRoleArn": role,
            "containerOverrides": [{"name": "main", "memory": 96}],
        },
    )
    wait_until(lambda: task(arn)["lastStatus"] == "RUNNING", 60)
    found = task(arn)
    assert (found["cpu"], found["memory"]) == ("512", "1024")
    made = container_of(arn)
    assert made.attrs["HostConfig"]["Memory"] == 96 * 1024 * 1024
    ask = (
        "exec 3<>/dev/tcp/169.254.170.2/80; printf 'GET %s HTTP/1.0\\r\\nHost: 169.254.170.2\\r\\n\\r\\n' "
        "$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI >&3; cat <&3"
    )
    answer = made.exec_run(["bash", "-c", ask]).output.decode()
    assert json.loads(answer.partition("\r\n\r\n")[2])["RoleArn"] == role
    boto3.client("ecs").stop_task(cluster=CLUSTER, task=arn)
    ended(arn)


# --- what cannot be ---------------------------------------------------------------------------------------------------


def test_nothing_is_made_of_a_request_that_cannot_be() -> None:
    """B8: the emulator makes an unknown cluster, runs eleven, and needs no network."""
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    register("cannot-be", settings.BASE_IMAGE, command=ASLEEP)
    before = ecs.list_clusters()["clusterArns"], ours("task")
    right = {
        "cluster": CLUSTER, "taskDefinition": "cannot-be", "launchType": "FARGATE", "networkConfiguration": network(),
    }  # fmt: skip
    assert refusal("run_task", **right | {"cluster": "nowhere"}) == "ClusterNotFoundException"
    assert refusal("run_task", **right | {"taskDefinition": "nothing"}) == "ClientException"
    assert refusal("run_task", **right | {"count": 11}) == "InvalidParameterException"
    assert refusal("run_task", **right | {"count": 0}) == "InvalidParameterException"
    assert refusal("run_task", **right | {"launchType": "EC2"}) == "InvalidParameterException"
    assert refusal("run_task", **{k: v for k, v in right.items() if k != "networkConfiguration"}) == (
        "InvalidParameterException"
    )
    assert refusal("update_service", cluster="nowhere", service="any") == "ClusterNotFoundException"
    assert refusal("update_service", cluster=CLUSTER, service="nothing") == "ServiceNotFoundException"
    assert (ecs.list_clusters()["clusterArns"], ours("task")) == before


def test_a_service_is_not_updated_to_a_revision_that_was_deregistered() -> None:
    """B8."""
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    for _ in range(2):
        register("retired", settings.BASE_IMAGE, command=ASLEEP)
    ecs.create_service(
        cluster=CLUSTER,
        serviceName="retired",
        taskDefinition="retired:1",
        desiredCount=0,
        launchType="FARGATE",
        networkConfiguration=network(),
    )
    ecs.deregister_task_definition(taskDefinition="retired:2")
    assert refusal("update_service", cluster=CLUSTER, service="retired", taskDefinition="retired:2") == (
        "InvalidParameterException"
    )
    found = service("retired")
    assert (found["taskDefinition"].rpartition(":")[2], len(found["deployments"])) == ("1", 1)
    ecs.delete_service(cluster=CLUSTER, service="retired", force=True)


# --- what is over -----------------------------------------------------------------------------------------------------


def test_a_stopped_task_is_told_for_an_hour_and_then_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """B3: the emulator never forgets one."""
    store = Store(tmp_path / "state.sqlite")
    ecs = Ecs(store, Services(), Signals(), lambda *_: None)
    now = clock.now()
    ecs.tasks.put("old", {"lastStatus": "STOPPED", "stoppedAt": now - 1800})
    ecs.tasks.put("running", {"lastStatus": "RUNNING"})
    task_state.forget_old(ecs)
    assert set(ecs.tasks) == {"old", "running"}
    monkeypatch.setattr(clock, "now", lambda: now + 1801)
    task_state.forget_old(ecs)
    assert set(ecs.tasks) == {"running"}
    store.close()


def test_a_stopped_task_stays_stopped_whatever_is_asked() -> None:
    """StopTask again changes nothing; the emulator writes another exit code."""
    register("over", settings.BASE_IMAGE, command=["sh", "-c", "trap 'exit 9' TERM; sleep 600 & wait"])
    arn = run_task("over")
    boto3.client("ecs").stop_task(cluster=CLUSTER, task=arn, reason="first")
    before = ended(arn)
    assert before["containers"][0]["exitCode"] == 9
    boto3.client("ecs").stop_task(cluster=CLUSTER, task=arn, reason="second")
    assert task(arn) == before
    assert before["stoppedReason"] == "first"


# --- requests in a rolling update -------------------------------------------------------------------------------------


@pytest.fixture
def balanced(web_image: str) -> Iterator[tuple[str, str]]:
    """A service of two servers that need 3 s to begin, behind a load balancer; its name, and that of the balancer."""
    ecs, elb = boto3.client("ecs"), boto3.client("elbv2")
    ecs.create_cluster(clusterName=CLUSTER)
    vpc = boto3.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    subnets = network()["awsvpcConfiguration"]["subnets"]
    balancer = elb.create_load_balancer(Name="faults", Subnets=subnets)["LoadBalancers"][0]
    group = elb.create_target_group(
        Name="faults",
        Protocol="HTTP",
        Port=8080,
        TargetType="ip",
        VpcId=vpc,
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}]
    )
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    _register_slow(web_image)
    ecs.create_service(
        cluster=CLUSTER,
        serviceName="faults",
        taskDefinition="faults",
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration=network(),
        healthCheckGracePeriodSeconds=60,
        loadBalancers=[{"targetGroupArn": group, "containerName": "main", "containerPort": 8080}],
    )
    yield "faults", balancer["DNSName"]
    ecs.delete_service(cluster=CLUSTER, service="faults", force=True)
    wait_until(lambda: service("faults")["status"] == "INACTIVE", 60)
    elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    elb.delete_target_group(TargetGroupArn=group)


def test_a_rolling_update_of_slow_starters_loses_no_request(balanced: tuple[str, str], web_image: str) -> None:
    """The emulator calls every target healthy: 193 requests failed with 502 in one such update."""
    name, host = balanced
    wait_until(lambda: _is_done(name), 120)
    seen: Counter[int] = Counter()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            seen[_status(host)] += 1
            time.sleep(0.01)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        _register_slow(web_image)
        boto3.client("ecs").update_service(cluster=CLUSTER, service=name, taskDefinition="faults")
        wait_until(lambda: _is_done(name) and len(service(name)["deployments"]) == 1, 120)
    finally:
        over.set()
        asking.join()
    assert service(name)["taskDefinition"].endswith(":2")
    assert seen[200] > 100
    assert set(seen) == {200}, seen


def _register_slow(image: str) -> None:
    slow = ["sh", "-c", "sleep 3; exec perl /server.pl"]
    register("faults", image, command=slow, portMappings=[{"containerPort": 8080}], stopTimeout=2)


def _is_done(name: str) -> bool:
    found = service(name)
    return found["deployments"][0]["rolloutState"] == "COMPLETED" and found["runningCount"] == found["desiredCount"]


def _status(host: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", settings.gateway_port(), timeout=10)
    connection.request("GET", "/", headers={"Host": host})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status
