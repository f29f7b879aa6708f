"""A cluster with a thousand stopped tasks: lists come in pages, filters and waiters work, and nothing becomes slow."""

import secrets
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cloud_lab import ASLEEP, CLUSTER, network, register, run_task, service, task, wait_until

from labs import settings
from labs.cloud import server
from labs.cloud.frame import clock
from labs.cloud.frame.store import Store

STOPPED = 1000
ODD, EVEN = "odd-job", "even-job"
SECONDS = 0.2  # for any one call


@pytest.fixture(scope="module")
def crowd(local_aws: Path) -> list[str]:
    """A thousand stopped tasks, oldest first: one that ran, and its record again and again under other names."""
    ecs = boto3.client("ecs")
    register("many", settings.BASE_IMAGE, command=ASLEEP)
    first = run_task("many")
    ecs.stop_task(cluster=CLUSTER, task=first)
    wait_until(lambda: task(first)["lastStatus"] == "STOPPED")
    server.stop()
    store = Store(settings.cloud_dir() / "state.sqlite")
    tasks = store.table("ecs.tasks")
    arns = [first]
    for number in range(1, STOPPED):
        arn = f"{first.rpartition('/')[0]}/{secrets.token_hex(16)}"
        starter = ODD if number % 2 else EVEN
        tasks.put(arn, {**tasks[first], "taskArn": arn, "startedBy": starter, "stoppedAt": clock.now()})
        arns.append(arn)
    store.close()
    server.ensure_running()
    return arns


def quickly(call: Callable[..., dict[str, Any]], **parameters: Any) -> dict[str, Any]:
    """A call's answer. Fails if the middle one of five took `SECONDS` or more."""
    taken = []
    for _ in range(5):
        begin = time.perf_counter()
        answer = call(**parameters)
        taken.append(time.perf_counter() - begin)
    assert statistics.median(taken) < SECONDS, taken
    return answer


def test_ten_pages_of_a_hundred_are_all_tasks_once(crowd: list[str]) -> None:
    ecs = boto3.client("ecs")
    first = quickly(ecs.list_tasks, cluster=CLUSTER, desiredStatus="STOPPED")
    assert len(first["taskArns"]) == 100
    second = quickly(ecs.list_tasks, cluster=CLUSTER, desiredStatus="STOPPED", nextToken=first["nextToken"])
    assert second["taskArns"] == crowd[100:200]
    pages = list(ecs.get_paginator("list_tasks").paginate(cluster=CLUSTER, desiredStatus="STOPPED"))
    assert [len(page["taskArns"]) for page in pages] == [100] * 10
    assert [arn for page in pages for arn in page["taskArns"]] == crowd
    assert quickly(ecs.list_tasks, cluster=CLUSTER)["taskArns"] == []


def test_a_hundred_are_described_at_once_and_no_more(crowd: list[str]) -> None:
    ecs = boto3.client("ecs")
    found = quickly(ecs.describe_tasks, cluster=CLUSTER, tasks=crowd[-100:])["tasks"]
    assert [one["taskArn"] for one in found] == crowd[-100:]
    assert {one["lastStatus"] for one in found} == {"STOPPED"}
    with pytest.raises(ClientError, match="between 1 and 100") as refused:
        ecs.describe_tasks(cluster=CLUSTER, tasks=crowd[:101])
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"


def test_filters_find_theirs_only(crowd: list[str]) -> None:
    ecs = boto3.client("ecs")

    def listed(**wanted: str) -> list[str]:
        quickly(ecs.list_tasks, cluster=CLUSTER, desiredStatus="STOPPED", **wanted)
        pages = ecs.get_paginator("list_tasks").paginate(cluster=CLUSTER, desiredStatus="STOPPED", **wanted)
        return [arn for page in pages for arn in page["taskArns"]]

    assert listed(startedBy=ODD) == crowd[1::2]
    assert listed(startedBy=EVEN) == crowd[2::2]
    assert listed(family="many") == crowd
    assert listed(family="none-of-them") == []
    assert listed(launchType="EC2") == []


def test_a_cluster_counts_none_of_them(crowd: list[str]) -> None:
    ecs = boto3.client("ecs")
    [cluster] = quickly(ecs.describe_clusters, clusters=[CLUSTER])["clusters"]
    assert (cluster["runningTasksCount"], cluster["pendingTasksCount"]) == (0, 0)


def test_a_task_starts_among_them_and_waiters_return(crowd: list[str]) -> None:
    ecs, taken = boto3.client("ecs"), []
    fast = {"Delay": 1, "MaxAttempts": 30}
    ecs.get_waiter("tasks_stopped").wait(cluster=CLUSTER, tasks=crowd[:100], WaiterConfig=fast)
    for _ in range(3):
        begin = time.perf_counter()
        arn = run_task("many")
        taken.append(time.perf_counter() - begin)
        ecs.get_waiter("tasks_running").wait(cluster=CLUSTER, tasks=[arn], WaiterConfig=fast)
        ecs.stop_task(cluster=CLUSTER, task=arn)
        ecs.get_waiter("tasks_stopped").wait(cluster=CLUSTER, tasks=[arn], WaiterConfig=fast)
    assert min(taken) < 2


def test_a_service_among_them_becomes_steady_and_is_listed_alone(crowd: list[str]) -> None:
    ecs = boto3.client("ecs")
    ecs.create_service(
        cluster=CLUSTER,
        serviceName="among-many",
        taskDefinition="many",
        desiredCount=5,
        launchType="FARGATE",
        networkConfiguration=network(),
    )
    fast = {"Delay": 1, "MaxAttempts": 60}
    ecs.get_waiter("services_stable").wait(cluster=CLUSTER, services=["among-many"], WaiterConfig=fast)
    assert service("among-many")["runningCount"] == 5
    arns = quickly(ecs.list_tasks, cluster=CLUSTER, serviceName="among-many")["taskArns"]
    assert len(arns) == 5
    assert not set(arns) & set(crowd)
    quickly(ecs.describe_services, cluster=CLUSTER, services=["among-many"])
    ecs.delete_service(cluster=CLUSTER, service="among-many", force=True)
    ecs.get_waiter("services_inactive").wait(cluster=CLUSTER, services=["among-many"], WaiterConfig=fast)
