"""Services: the scheduler, rolling updates, the circuit breaker, events in AWS's words.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html
"""

import itertools
import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import docker
import pytest
from botocore.exceptions import ClientError
from cloud_lab import ASLEEP, CLUSTER, container_of, network, ours, register, service, task, wait_until

from labs import settings
from labs.cloud import server
from labs.cloud.frame import clock

pytestmark = pytest.mark.usefixtures("local_aws")
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


@pytest.fixture
def name() -> Iterator[str]:
    """A name for a service and its family; the service is deleted afterwards."""
    chosen = f"svc-{uuid.uuid4().hex[:8]}"
    yield chosen
    ecs = boto3.client("ecs")
    if any(one["status"] == "ACTIVE" for one in describe(chosen)):
        ecs.delete_service(cluster=CLUSTER, service=chosen, force=True)
    waiter = ecs.get_waiter("services_inactive")
    if describe(chosen):
        waiter.wait(cluster=CLUSTER, services=[chosen], WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def describe(name: str) -> list[dict[str, Any]]:
    return boto3.client("ecs").describe_services(cluster=CLUSTER, services=[name])["services"]


def create(name: str, count: int = 2, command: list[str] | None = None, **more: Any) -> dict[str, Any]:
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    register(name, settings.BASE_IMAGE, command=command or ASLEEP)
    answer = ecs.create_service(
        cluster=CLUSTER,
        serviceName=name,
        taskDefinition=name,
        desiredCount=count,
        launchType="FARGATE",
        networkConfiguration=network(),
        **more,
    )
    return answer["service"]


def update(name: str, **more: Any) -> dict[str, Any]:
    return boto3.client("ecs").update_service(cluster=CLUSTER, service=name, **more)["service"]


def is_steady(name: str) -> bool:
    found = service(name)
    primary = found["deployments"][0]
    return primary["rolloutState"] == "COMPLETED" and found["runningCount"] == found["desiredCount"]


def running(name: str) -> list[dict[str, Any]]:
    arns = boto3.client("ecs").list_tasks(cluster=CLUSTER, serviceName=name)["taskArns"]
    return [task(arn) for arn in arns]


def stopped(name: str) -> list[dict[str, Any]]:
    ecs = boto3.client("ecs")
    arns = ecs.list_tasks(cluster=CLUSTER, serviceName=name, desiredStatus="STOPPED")["taskArns"]
    return [task(arn) for arn in arns]


def messages(name: str) -> list[str]:
    """The service's events, oldest first, without its name in front."""
    return [event["message"].removeprefix(f"(service {name}) ") for event in reversed(service(name)["events"])]


def test_the_first_deployment_is_in_progress_until_its_tasks_are_healthy(name: str) -> None:
    """The emulator calls it completed when it is born."""
    made = create(name)
    assert made["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert made["runningCount"] == 0
    wait_until(lambda: service(name)["runningCount"] == 2)
    assert service(name)["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    wait_until(lambda: is_steady(name))
    oldest = max(one["startedAt"].timestamp() for one in running(name))
    done = next(one for one in reversed(service(name)["events"]) if "deployment completed" in one["message"])
    assert done["createdAt"].timestamp() - oldest >= clock.lesson(40) - 0.1


def test_events_tell_the_story_in_aws_words(name: str) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html"""
    create(name, 1)
    wait_until(lambda: is_steady(name))
    [one] = running(name)
    task_id = one["taskArn"].rpartition("/")[2]
    deployment = service(name)["deployments"][0]["id"]
    assert messages(name) == [
        f"has started 1 tasks: (task {task_id}).",
        f"(deployment {deployment}) deployment completed.",
        "has reached a steady state.",
    ]


def test_a_task_stopped_by_hand_is_replaced_at_once(name: str) -> None:
    """The emulator waits for the next UpdateService."""
    create(name)
    wait_until(lambda: is_steady(name))
    before = {one["taskArn"] for one in running(name)}
    victim = min(before)
    boto3.client("ecs").stop_task(cluster=CLUSTER, task=victim, reason="a try")
    wait_until(lambda: service(name)["runningCount"] == 2 and victim not in {one["taskArn"] for one in running(name)})
    assert len({one["taskArn"] for one in running(name)} & before) == 1
    wait_until(lambda: task(victim)["lastStatus"] == "STOPPED")
    assert (task(victim)["stopCode"], task(victim)["stoppedReason"]) == ("UserInitiated", "a try")
    wait_until(lambda: messages(name)[-1] == "has reached a steady state.")
    assert messages(name).count("has reached a steady state.") == 2


def test_a_container_removed_behind_its_back_is_replaced(name: str) -> None:
    create(name)
    wait_until(lambda: is_steady(name))
    victim = running(name)[0]["taskArn"]
    begin = time.monotonic()
    container_of(victim).remove(force=True)
    wait_until(lambda: service(name)["runningCount"] == 2 and victim not in {one["taskArn"] for one in running(name)})
    assert time.monotonic() - begin < 10
    assert task(victim)["stopCode"] == "EssentialContainerExited"
    assert task(victim)["stoppedReason"] == "Essential container in task exited"
    assert task(victim)["containers"][0]["exitCode"] == 137


def test_tasks_are_spread_over_the_zones(name: str) -> None:
    create(name, 4)
    wait_until(lambda: service(name)["runningCount"] == 4)
    assert sorted(Counter(one["availabilityZone"] for one in running(name)).values()) == [2, 2]
    update(name, desiredCount=2)
    wait_until(lambda: len(running(name)) == 2)
    assert len({one["availabilityZone"] for one in running(name)}) == 2


@pytest.mark.parametrize(
    ("least", "most", "fewest", "greatest"),
    [(100, 200, 4, 8), (50, 100, 2, 4), (100, 150, 4, 6), (0, 100, 0, 4)],
)
def test_a_rolling_update_keeps_to_its_percentages(
    name: str, least: int, most: int, fewest: int, greatest: int
) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html"""
    create(name, 4, deploymentConfiguration={"minimumHealthyPercent": least, "maximumPercent": most})
    wait_until(lambda: is_steady(name))
    register(name, settings.BASE_IMAGE, command=ASLEEP)
    update(name, taskDefinition=name)
    seen = []

    def is_over() -> bool:
        found = running(name)
        seen.append((sum(one["lastStatus"] == "RUNNING" for one in found), len(found)))
        return is_steady(name) and len(service(name)["deployments"]) == 1

    wait_until(is_over, 60)
    assert min(count for count, _ in seen) >= fewest
    assert max(count for _, count in seen) <= greatest
    assert {one["taskDefinitionArn"].rpartition(":")[2] for one in running(name)} == {"2"}
    reasons = {one["stoppedReason"].partition("(")[0] for one in stopped(name)}
    assert reasons == {"Scaling activity initiated by "}
    assert {one["stopCode"] for one in stopped(name)} == {"ServiceSchedulerInitiated"}


def test_an_update_right_after_the_start_stops_no_task_before_its_successor_runs(name: str) -> None:
    """Tasks that run and are not healthy yet count: the minimum "must remain in the RUNNING state".

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
    """
    create(name, 2)
    wait_until(lambda: service(name)["runningCount"] == 2)
    register(name, settings.BASE_IMAGE, command=ASLEEP)
    assert update(name, taskDefinition=name)["deployments"][1]["rolloutState"] == "IN_PROGRESS"
    wait_until(lambda: is_steady(name) and len(service(name)["deployments"]) == 1)
    wait_until(lambda: len(stopped(name)) == 2)
    ends = sorted(one["stoppingAt"] for one in stopped(name))
    starts = sorted(one["startedAt"] for one in running(name))
    assert all(end >= start for end, start in zip(ends, starts, strict=True)), "fewer than two tasks were running"


def test_desired_count_and_task_definition_in_one_update(name: str) -> None:
    """This can make the emulator stick."""
    create(name, 1)
    wait_until(lambda: is_steady(name))
    register(name, settings.BASE_IMAGE, command=ASLEEP)
    update(name, taskDefinition=name, desiredCount=3)
    wait_until(lambda: is_steady(name) and len(service(name)["deployments"]) == 1)
    assert [one["taskDefinitionArn"].rpartition(":")[2] for one in running(name)] == ["2"] * 3


def test_the_breaker_goes_back_to_the_last_good_deployment(name: str) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html"""
    create(name, 2, deploymentConfiguration=BREAKER)
    wait_until(lambda: is_steady(name))
    good = service(name)["deployments"][0]["id"]
    kept = {one["taskArn"] for one in running(name)}
    register(name, settings.BASE_IMAGE, command=["sh", "-c", "exit 7"])
    bad = update(name, taskDefinition=name)["deployments"][0]["id"]
    wait_until(lambda: service(name)["deployments"][0]["id"] == good)
    wait_until(lambda: is_steady(name) and len(service(name)["deployments"]) == 1)
    assert service(name)["taskDefinition"].endswith(":1")
    assert {one["taskArn"] for one in running(name)} == kept
    failed = [one for one in stopped(name) if one["startedBy"] == bad]
    assert [one["containers"][0]["exitCode"] for one in failed if one["stopCode"] == "EssentialContainerExited"]
    said = messages(name)
    assert f"(deployment {bad}) deployment failed: tasks failed to start." in said
    assert f"rolling back to deployment {good}." in said
    history = boto3.client("ecs").list_service_deployments(cluster=CLUSTER, service=name)["serviceDeployments"]
    assert [one["status"] for one in history] == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]


def test_the_breaker_opens_in_the_first_deployment_too(name: str) -> None:
    """There is nothing to go back to, so it stalls. In the emulator it never opens."""
    create(name, 1, ["sh", "-c", "exit 1"], deploymentConfiguration=BREAKER)
    wait_until(lambda: service(name)["deployments"][0]["rolloutState"] == "FAILED")
    primary = service(name)["deployments"][0]
    assert primary["failedTasks"] == 3  # half of the desired count, but 3 at least
    assert primary["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    wait_until(lambda: not running(name))
    assert len(stopped(name)) == 3


def test_a_task_that_keeps_failing_is_tried_more_and_more_rarely(name: str) -> None:
    """The emulator starts 20 tasks in 10 seconds. AWS waits longer each time.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
    """
    create(name, 1, ["false"])
    wait_until(lambda: len(stopped(name)) >= 5)
    starts = sorted(one["createdAt"].timestamp() for one in [*stopped(name), *running(name)])
    waits = [after - before for before, after in itertools.pairwise(starts)]
    assert waits[3] > waits[2] > waits[1]
    assert any("is unable to consistently start tasks successfully" in one for one in messages(name))
    assert service(name)["deployments"][0]["failedTasks"] >= 5


def test_unhealthy_tasks_are_replaced(name: str) -> None:
    check = {"command": ["CMD-SHELL", "test ! -e /sick"], "interval": 5, "timeout": 2, "retries": 1}
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    register(name, settings.BASE_IMAGE, command=ASLEEP, healthCheck=check)
    ecs.create_service(
        cluster=CLUSTER, serviceName=name, taskDefinition=name, desiredCount=1, launchType="FARGATE",
        networkConfiguration=network(),
    )  # fmt: skip
    wait_until(lambda: is_steady(name))
    [one] = running(name)
    assert one["healthStatus"] == "HEALTHY"
    container_of(one["taskArn"]).exec_run(["touch", "/sick"])
    wait_until(lambda: task(one["taskArn"])["lastStatus"] == "STOPPED", 60)
    gone = task(one["taskArn"])
    assert (gone["stopCode"], gone["stoppedReason"]) == (
        "ServiceSchedulerInitiated",
        "Task failed container health checks",
    )
    wait_until(lambda: is_steady(name))


def test_a_service_of_ten_is_deleted_in_seconds(name: str) -> None:
    """The emulator stops one after another: 52 s where PID 1 ignores SIGTERM."""
    create(name, 10, ["sleep", "600"])
    wait_until(lambda: service(name)["runningCount"] == 10, 60)
    container = running(name)[0]["taskArn"]
    assert container_of(container).status == "running"
    ecs, begin = boto3.client("ecs"), time.monotonic()
    with pytest.raises(ClientError, match="cannot be stopped while it is scaled above 0") as refused:
        ecs.delete_service(cluster=CLUSTER, service=name)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    assert ecs.delete_service(cluster=CLUSTER, service=name, force=True)["service"]["status"] == "DRAINING"
    assert time.monotonic() - begin < 1
    with pytest.raises(ClientError, match="still Draining"):
        create(name)
    wait_until(lambda: service(name)["status"] == "INACTIVE", 60)
    assert time.monotonic() - begin < 36  # stopTimeout is 30 s, all at the same time
    assert not [one for one in ours("task") if name in one]


def test_killed_in_the_middle_of_a_deployment_it_goes_on(name: str) -> None:
    create(name, 3)
    wait_until(lambda: is_steady(name))
    register(name, settings.BASE_IMAGE, command=ASLEEP)
    update(name, taskDefinition=name)
    wait_until(lambda: len(running(name)) > 3)
    os.kill(server.health()["pid"], signal.SIGKILL)
    assert server.ensure_running().how == "recovered"
    wait_until(lambda: is_steady(name) and len(service(name)["deployments"]) == 1)
    assert [one["taskDefinitionArn"].rpartition(":")[2] for one in running(name)] == ["2"] * 3
    labelled = {"label": [settings.LABEL, "com.amazonaws.ecs.task-definition-family=" + name]}
    wait_until(lambda: len(docker.from_env().containers.list(all=True, filters=labelled)) == 3)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"taskDefinition": "no-such-family"}, "ClientException", "TaskDefinition not found"),
        ({"cluster": "no-such-cluster"}, "ClusterNotFoundException", "Cluster not found"),
        ({"networkConfiguration": None}, "InvalidParameterException", "Network Configuration must be provided"),
        ({"launchType": "EXTERNAL"}, "InvalidParameterException", "does not support launch_type EXTERNAL"),
        ({"schedulingStrategy": "DAEMON"}, "InvalidParameterException", "daemon scheduling strategy"),
        ({"deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 100}},
         "InvalidParameterException", "block deployments"),
        ({"loadBalancers": [{"targetGroupArn": "arn:aws:x", "containerName": "no", "containerPort": 1}]},
         "InvalidParameterException", "does not exist in the task definition"),
        ({"serviceName": "not a name"}, "InvalidParameterException", "Service name"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(name: str, change: dict, code: str, words: str) -> None:
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    register(name, settings.BASE_IMAGE, command=ASLEEP)
    wanted = {
        "cluster": CLUSTER, "serviceName": name, "taskDefinition": name, "desiredCount": 1, "launchType": "FARGATE",
        "networkConfiguration": network(), **change,
    }  # fmt: skip
    before = ecs.list_services(cluster=CLUSTER)["serviceArns"]
    with pytest.raises(ClientError, match=words) as refused:
        ecs.create_service(**{key: value for key, value in wanted.items() if value is not None})
    assert refused.value.response["Error"]["Code"] == code
    assert ecs.list_services(cluster=CLUSTER)["serviceArns"] == before


def test_a_deployment_can_be_stopped_and_rolled_back_by_hand(name: str) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html"""
    ecs = boto3.client("ecs")
    create(name, 1)
    wait_until(lambda: is_steady(name))
    [first] = ecs.list_service_deployments(cluster=CLUSTER, service=name)["serviceDeployments"]
    with pytest.raises(ecs.exceptions.ConflictException):
        ecs.stop_service_deployment(serviceDeploymentArn=first["serviceDeploymentArn"])
    register(name, settings.BASE_IMAGE, command=["false"])
    update(name, taskDefinition=name)
    arn = ecs.list_service_deployments(cluster=CLUSTER, service=name)["serviceDeployments"][0]["serviceDeploymentArn"]
    assert ecs.stop_service_deployment(serviceDeploymentArn=arn)["serviceDeploymentArn"] == arn
    wait_until(lambda: is_steady(name) and len(service(name)["deployments"]) == 1)
    assert service(name)["taskDefinition"].endswith(":1")
    described = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]
    assert described["status"] == "ROLLBACK_SUCCESSFUL"
    assert described["sourceServiceRevisions"][0]["arn"] == first["targetServiceRevisionArn"]
    with pytest.raises(ecs.exceptions.ServiceDeploymentNotFoundException):
        ecs.stop_service_deployment(serviceDeploymentArn=f"{arn}x")


def test_a_protected_task_is_not_scaled_in(name: str) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html"""
    ecs = boto3.client("ecs")
    create(name, 3)
    wait_until(lambda: is_steady(name))
    kept = running(name)[-1]["taskArn"]
    answer = ecs.update_task_protection(cluster=CLUSTER, tasks=[kept], protectionEnabled=True, expiresInMinutes=5)
    assert [(one["taskArn"], one["protectionEnabled"]) for one in answer["protectedTasks"]] == [(kept, True)]
    update(name, desiredCount=1)
    wait_until(lambda: service(name)["runningCount"] == 1)
    assert [one["taskArn"] for one in running(name)] == [kept]
    update(name, desiredCount=0)
    wait_until(lambda: service(name)["desiredCount"] == 0)
    assert [one["taskArn"] for one in running(name)] == [kept]
    ecs.update_task_protection(cluster=CLUSTER, tasks=[kept], protectionEnabled=False)
    wait_until(lambda: service(name)["runningCount"] == 0)
    lone = ecs.get_task_protection(cluster=CLUSTER, tasks=[kept])
    assert lone["protectedTasks"][0]["protectionEnabled"] is False
