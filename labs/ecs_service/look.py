"""Reading this chapter's world: services, tasks, their containers, what the load balancer answers. Changes nothing."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from labs import settings
from labs.kit.world import aws_client, docker_client

if TYPE_CHECKING:
    from docker.models.containers import Container

APP_PORT = 8080  # the port that app/server.py listens on
PATIENCE_SECONDS = 10.0  # for what is still on its way: a task without a health check is healthy after two
LOOK_SECONDS = 0.2
TASK_LABEL = "com.amazonaws.ecs.task-arn"  # the ECS agent puts it on every container of a task

# Loopback only: a proxy that the learner's environment names must not see these requests.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """What came back for one request. Status 0: no HTTP answer at all."""

    status: int
    version: str = ""
    host: str = ""


def cluster(name: str) -> dict[str, Any] | None:
    """The ECS cluster of this name where it is ACTIVE."""
    found = aws_client("ecs").describe_clusters(clusters=[name])["clusters"]
    return next((c for c in found if c["status"] == "ACTIVE"), None)


def service(cluster_name: str, name: str) -> dict[str, Any] | None:
    """The ECS service of this name where it is ACTIVE; None where it, or its cluster, is not there."""
    if cluster(cluster_name) is None:
        return None
    found = aws_client("ecs").describe_services(cluster=cluster_name, services=[name])["services"]
    return next((s for s in found if s["status"] == "ACTIVE"), None)


def task_definition(arn: str) -> dict[str, Any]:
    """One revision of a task definition, ACTIVE or not."""
    return aws_client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]


def revisions(family: str) -> list[dict[str, Any]]:
    """The ACTIVE revisions of a family, oldest first; other families that begin with the same letters are left out."""
    pages = aws_client("ecs").get_paginator("list_task_definitions").paginate(familyPrefix=family, status="ACTIVE")
    arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
    found = [task_definition(arn) for arn in arns if arn.rsplit("/", 1)[-1].rsplit(":", 1)[0] == family]
    return sorted(found, key=lambda definition: definition["revision"])


def tasks(cluster_name: str, *, since: Any = None, **which: str) -> list[dict[str, Any]]:
    """Tasks of a cluster, running and stopped, oldest first.

    Args:
        cluster_name: the cluster.
        since: leave out tasks created before this time (those of an earlier service of the same name).
        which: a filter of ListTasks: `serviceName` or `family`.
    """
    ecs = aws_client("ecs")
    arns = []
    for status in ("RUNNING", "STOPPED"):
        pages = ecs.get_paginator("list_tasks").paginate(cluster=cluster_name, desiredStatus=status, **which)
        arns += [arn for page in pages for arn in page["taskArns"]]
    found = []
    for start in range(0, len(arns), 100):  # DescribeTasks takes at most 100
        found += ecs.describe_tasks(cluster=cluster_name, tasks=arns[start : start + 100])["tasks"]
    wanted = [task for task in found if since is None or task["createdAt"] >= since]
    return sorted(wanted, key=lambda task: task["createdAt"])


def service_tasks(of: dict[str, Any]) -> list[dict[str, Any]]:
    """The tasks of this service since it was created, running and stopped, oldest first."""
    return tasks(of["clusterArn"].rsplit("/", 1)[-1], since=of["createdAt"], serviceName=of["serviceName"])


def running(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those tasks that run, with a container that runs in Docker too."""
    return [task for task in found if task["lastStatus"] == "RUNNING" and containers(task)]


def containers(task: dict[str, Any]) -> list[Container]:
    """The running containers of a task."""
    labelled = {"label": f"{TASK_LABEL}={task['taskArn']}"}
    return docker_client().containers.list(filters=labelled, ignore_removed=True)


def steady(of: dict[str, Any], wanted: int, patience: float = PATIENCE_SECONDS) -> bool:
    """Whether a service has one deployment, which is completed, and exactly `wanted` tasks that run.

    Args:
        of: the service, as `service()` gave it.
        wanted: how many tasks there should be.
        patience: seconds to wait for a service that is still on its way. One whose tasks fail is not waited for.
    """
    end = time.monotonic() + patience
    while True:
        now = service(of["clusterArn"].rsplit("/", 1)[-1], of["serviceName"])
        if now is None:
            return False
        states = [deployment["rolloutState"] for deployment in now["deployments"]]
        at_rest = states == ["COMPLETED"] and now["runningCount"] == wanted and not now["pendingCount"]
        if at_rest and len(running(service_tasks(now))) == wanted:
            return True
        if time.monotonic() > end or any(deployment["failedTasks"] for deployment in now["deployments"]):
            return False
        time.sleep(LOOK_SECONDS)


def counts(record: list[dict[str, Any]]) -> list[int]:
    """How many of these tasks ran after each start and each stop, in order of time.

    Args:
        record: tasks with `startedAt`, and `stoppingAt` where they were to end. A start and a stop in the same
            millisecond count in this order.
    """
    moments = [(task["startedAt"], 1) for task in record]
    moments += [(task["stoppingAt"], -1) for task in record if task.get("stoppingAt")]
    return list(accumulate(step for _, step in sorted(moments, key=lambda moment: (moment[0], -moment[1]))))


def load_balancer(name: str) -> dict[str, Any] | None:
    """The load balancer of this name."""
    found = aws_client("elbv2").describe_load_balancers()["LoadBalancers"]
    return next((balancer for balancer in found if balancer["LoadBalancerName"] == name), None)


def target_groups() -> list[dict[str, Any]]:
    """All target groups."""
    return aws_client("elbv2").describe_target_groups()["TargetGroups"]


def healthy_targets(arn: str, wanted: int, patience: float = 4.0) -> tuple[int, str]:
    """How many targets of a target group are healthy, and what is said of one that is not.

    Args:
        arn: the target group's ARN.
        wanted: how many there should be.
        patience: seconds to wait for so many.
    """
    end = time.monotonic() + patience
    while True:
        found = aws_client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        health = [target["TargetHealth"] for target in found]
        ill = [f"{one['State']}, {one.get('Reason', '')}" for one in health if one["State"] != "healthy"]
        if len(health) - len(ill) == wanted or time.monotonic() > end:
            return len(health) - len(ill), ill[0] if ill else ""
        time.sleep(LOOK_SECONDS)


def ask(dns_name: str, path: str = "/") -> Answer:
    """One GET through a load balancer: the local AWS picks it by the Host header, as DNS would on AWS.

    Args:
        dns_name: the load balancer's DNSName.
        path: the path, which the app writes into its log.
    """
    request = urllib.request.Request(settings.gateway_url() + path, headers={"Host": dns_name})  # noqa: S310
    try:
        with _direct.open(request, timeout=15) as response:
            body = json.load(response)
            return Answer(response.status, str(body["version"]), str(body["host"]))
    except urllib.error.HTTPError as error:
        return Answer(error.code)
    except (OSError, ValueError, KeyError, TypeError):
        return Answer(0)


def log_group(name: str) -> bool:
    """Whether there is a log group of this name."""
    known = aws_client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return name in {entry["logGroupName"] for entry in known}


def log_lines(group: str, text: str) -> list[tuple[str, str]]:
    """The lines of a log group that hold a text, each with its stream; empty where there is no such group.

    Args:
        group: the log group's name.
        text: what a line must hold.
    """
    if not log_group(group):
        return []
    found = []
    logs = aws_client("logs")
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
        found += [(event["logStreamName"], event["message"]) for event in page["events"] if text in event["message"]]
    return found
