"""Reading this chapter's world: services, targets and their health, rules, what comes back. Changes nothing."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from labs import settings
from labs.kit.world import aws_client

PATIENCE_SECONDS = 10.0  # for what is still on its way
LOOK_SECONDS = 0.2

# Loopback only: a proxy that the learner's environment names must not see these requests.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """What came back for one request. Status 0: no HTTP answer at all. `service` and `host` are said by our app."""

    status: int
    service: str = ""
    host: str = ""


def cluster(name: str) -> dict[str, Any] | None:
    """The ECS cluster of this name where it is ACTIVE."""
    found = aws_client("ecs").describe_clusters(clusters=[name])["clusters"]
    return next((one for one in found if one["status"] == "ACTIVE"), None)


def service(cluster_name: str, name: str) -> dict[str, Any] | None:
    """The ECS service of this name where it is ACTIVE; None where it, or its cluster, is not there."""
    if cluster(cluster_name) is None:
        return None
    found = aws_client("ecs").describe_services(cluster=cluster_name, services=[name])["services"]
    return next((one for one in found if one["status"] == "ACTIVE"), None)


def tasks(of: dict[str, Any]) -> list[dict[str, Any]]:
    """The tasks of this service since it was created, running and stopped, oldest first."""
    ecs = aws_client("ecs")
    arns = []
    for status in ("RUNNING", "STOPPED"):
        pages = ecs.get_paginator("list_tasks").paginate(
            cluster=of["clusterArn"], serviceName=of["serviceName"], desiredStatus=status
        )
        arns += [arn for page in pages for arn in page["taskArns"]]
    found = []
    for start in range(0, len(arns), 100):  # DescribeTasks takes at most 100
        found += ecs.describe_tasks(cluster=of["clusterArn"], tasks=arns[start : start + 100])["tasks"]
    return sorted((one for one in found if one["createdAt"] >= of["createdAt"]), key=lambda task: task["createdAt"])


def steady(of: dict[str, Any], wanted: int, patience: float = PATIENCE_SECONDS) -> bool:
    """Whether a service has one deployment, which is completed, and exactly `wanted` running tasks.

    Args:
        of: the service, as `service()` gave it.
        wanted: how many tasks there should be.
        patience: seconds to wait for a service that is still on its way.
    """
    end = time.monotonic() + patience
    while True:
        now = service(of["clusterArn"], of["serviceName"])
        if now is None:
            return False
        states = [deployment["rolloutState"] for deployment in now["deployments"]]
        if states == ["COMPLETED"] and now["runningCount"] == wanted and not now["pendingCount"]:
            return True
        if time.monotonic() > end:
            return False
        time.sleep(LOOK_SECONDS)


def load_balancer(name: str) -> dict[str, Any] | None:
    """The load balancer of this name."""
    found = aws_client("elbv2").describe_load_balancers()["LoadBalancers"]
    return next((one for one in found if one["LoadBalancerName"] == name), None)


def target_group(name_or_arn: str) -> dict[str, Any] | None:
    """The target group of this name or ARN."""
    found = aws_client("elbv2").describe_target_groups()["TargetGroups"]
    return next((one for one in found if name_or_arn in (one["TargetGroupName"], one["TargetGroupArn"])), None)


def attribute(group: str, key: str) -> str:
    """One attribute of a target group."""
    found = aws_client("elbv2").describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
    return next(one["Value"] for one in found if one["Key"] == key)


def listeners(balancer: dict[str, Any]) -> list[dict[str, Any]]:
    """The listeners of a load balancer."""
    return aws_client("elbv2").describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]


def rules(balancer: dict[str, Any]) -> list[dict[str, Any]]:
    """All rules of all its listeners that have conditions, in the order in which they are tried."""
    elb = aws_client("elbv2")
    found = []
    for listener in listeners(balancer):
        found += elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    return sorted((one for one in found if not one["IsDefault"]), key=lambda rule: int(rule["Priority"]))


def targets(group: str) -> list[dict[str, Any]]:
    """The targets of a group with their health; none where the group has gone."""
    try:
        return aws_client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    except ClientError:
        return []


def healthy(group: str, wanted: int, patience: float = PATIENCE_SECONDS) -> list[dict[str, Any]]:
    """The healthy targets of a group, as soon as there are `wanted` of them.

    Args:
        group: the target group's ARN.
        wanted: how many there should be.
        patience: seconds to wait for so many.
    """
    end = time.monotonic() + patience
    while True:
        found = [one["Target"] for one in targets(group) if one["TargetHealth"]["State"] == "healthy"]
        if len(found) == wanted or time.monotonic() > end:
            return found
        time.sleep(LOOK_SECONDS)


def troubles(group: str) -> str:
    """What is said of the targets that are not healthy, each sentence once."""
    said = {
        f"{one['TargetHealth']['State']}, {one['TargetHealth'].get('Reason', 'no reason given')}"
        for one in targets(group)
        if one["TargetHealth"]["State"] != "healthy"
    }
    return "; ".join(sorted(said)) or "no target is registered"


def ask(dns_name: str, path: str = "/") -> Answer:
    """One GET through a load balancer: the local AWS picks it by the Host header, as DNS would on AWS.

    Args:
        dns_name: the load balancer's DNSName.
        path: the path to ask for.
    """
    request = urllib.request.Request(settings.gateway_url() + path, headers={"Host": dns_name})  # noqa: S310
    try:
        with _direct.open(request, timeout=15) as response:
            body = json.load(response)
            return Answer(response.status, str(body["service"]), str(body["host"]))
    except urllib.error.HTTPError as error:
        return Answer(error.code)
    except (OSError, ValueError, KeyError, TypeError):
        return Answer(0)


def log_events(group: str) -> list[dict[str, Any]]:
    """The events of a log group; none where there is no such group."""
    logs = aws_client("logs")
    known = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    if group not in {entry["logGroupName"] for entry in known}:
        return []
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event for page in pages for event in page["events"]]
