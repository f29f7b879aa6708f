"""Looking at ECS and at Docker: clusters, services, tasks with their containers, instances. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from labs import settings
from labs.kit.live.look_around import around, load_balancing
from labs.kit.live.scene import AT_REST, Edge, Node, Scene
from labs.kit.world import aws_client, docker_client

LINGER_SECONDS = 6.0  # a stopped task stays in the picture that long, so that one sees it go
DETAIL_SECONDS = 5.0  # tasks at rest are described again at least that often
TASK_ARN, CONTAINER = "com.amazonaws.ecs.task-arn", "com.amazonaws.ecs.container-name"
Described = dict[str, dict[str, Any]]  # what DescribeTasks said of each task, by ARN


class Looker:
    """Reads a scene again and again. It remembers tasks, to say how one that is listed no more has ended.

    Args:
        prefix: what the names begin with, e.g. `svc-`.
        watch: what to look for beside ECS: `load_balancing`, `queues`, `rules`, `file_systems`.
        clock: seconds that only go forward.
    """

    def __init__(self, prefix: str, watch: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.prefix, self.watch, self._clock = prefix, tuple(watch), clock
        self._tasks: dict[str, Described] = {}  # by cluster
        self._ended: dict[str, float] = {}  # when a task was first seen STOPPED
        self._seen: dict[str, tuple[Any, float]] = {}  # of each cluster: what its lists said, and when it was looked at
        self._containers: dict[str, list[dict[str, str]]] | None = None
        self._definitions: dict[str, list[str]] = {}  # file systems of a task definition

    def look(self, *, engine: bool = True) -> Scene:
        """What exists now.

        Args:
            engine: whether Docker may have news; else what it said last is taken.

        Raises:
            botocore.exceptions.BotoCoreError: the local AWS does not answer.
            botocore.exceptions.ClientError: something went away between two calls; look again.
        """
        missing: list[str] = []
        if engine or self._containers is None:
            self._containers, trouble = _containers()
            missing += trouble
        nodes: list[Node] = []
        for cluster in self._clusters():
            nodes += self._cluster(cluster, engine)
        edges: list[Edge] = []
        if "load_balancing" in self.watch:
            extra, lines = load_balancing(self.prefix, nodes)
            nodes, edges = nodes + extra, edges + lines
        extra, lines, trouble = around(self.prefix, self.watch, nodes, self._mounts)
        return Scene({node.id: node for node in nodes + extra}, tuple(edges + lines), tuple(missing + trouble))

    def _clusters(self) -> list[dict[str, Any]]:
        ecs = aws_client("ecs")
        arns = [arn for page in ecs.get_paginator("list_clusters").paginate() for arn in page["clusterArns"]]
        mine = sorted(arn for arn in arns if arn.rsplit("/", 1)[-1].startswith(self.prefix))
        for gone in set(self._tasks) - set(mine):
            del self._tasks[gone]
        found: list[dict[str, Any]] = ecs.describe_clusters(clusters=mine)["clusters"] if mine else []
        return [cluster for cluster in found if cluster["status"] != "INACTIVE"]

    def _cluster(self, cluster: dict[str, Any], engine: bool) -> Iterator[Node]:
        arn = cluster["clusterArn"]
        yield Node("cluster", arn, cluster["clusterName"], cluster["status"])
        services = _services(arn)
        tasks = self._described(cluster, services, engine)
        instances = _instances(arn) if cluster["registeredContainerInstancesCount"] else []
        by_name = {service["serviceName"]: service["serviceArn"] for service in services}
        yield from map(_service, services)
        ids = {one["containerInstanceArn"]: one["ec2InstanceId"] for one in instances}
        for task in sorted(tasks.values(), key=lambda task: (task["createdAt"], task["taskArn"])):
            parent = by_name.get(task["group"].removeprefix("service:"), arn)
            yield _task(task, parent, (self._containers or {}).get(task["taskArn"], []), ids)
        yield from (_instance(one, arn) for one in instances)

    def _described(self, cluster: dict[str, Any], services: list[dict[str, Any]], engine: bool) -> Described:
        """The tasks of a cluster. Those at rest are described only when a list or a count differs from last time."""
        ecs, arn, now = aws_client("ecs"), cluster["clusterArn"], self._clock()
        pages = ecs.get_paginator("list_tasks").paginate(cluster=arn)
        listed = [task for page in pages for task in page["taskArns"]]
        counts = [(one["runningCount"], one["pendingCount"], one["taskDefinition"]) for one in services]
        says = (listed, cluster["runningTasksCount"], cluster["pendingTasksCount"], counts)
        known = self._tasks.setdefault(arn, {})
        before, when = self._seen.get(arn, (None, 0.0))
        calm = says == before and now - when < DETAIL_SECONDS and not engine
        if not calm or any(task["lastStatus"] not in AT_REST for task in known.values()):
            finished = {one for one, task in known.items() if task["lastStatus"] == "STOPPED"}
            asked = [*listed, *(one for one in known if one not in listed and one not in finished)]
            for start in range(0, len(asked), 100):  # DescribeTasks takes at most 100
                some = ecs.describe_tasks(cluster=arn, tasks=asked[start : start + 100])["tasks"]
                known.update({task["taskArn"]: task for task in some})
            for lost in set(asked) - set(known):
                known.pop(lost, None)
            self._seen[arn] = (says, now)
        for one, task in list(known.items()):
            if task["lastStatus"] == "STOPPED" and now - self._ended.setdefault(one, now) >= LINGER_SECONDS:
                del known[one], self._ended[one]
        return known

    def _mounts(self, definition: str) -> list[str]:
        """The file systems that a task definition mounts; a revision never changes, so it is asked for once."""
        if definition not in self._definitions:
            recipe = aws_client("ecs").describe_task_definition(taskDefinition=definition)["taskDefinition"]
            volumes = (volume.get("efsVolumeConfiguration", {}) for volume in recipe.get("volumes", []))
            self._definitions[definition] = [one["fileSystemId"] for one in volumes if one]
        return self._definitions[definition]


def _services(cluster: str) -> list[dict[str, Any]]:
    ecs = aws_client("ecs")
    arns = [arn for page in ecs.get_paginator("list_services").paginate(cluster=cluster) for arn in page["serviceArns"]]
    found: list[dict[str, Any]] = []
    for start in range(0, len(arns), 10):  # DescribeServices takes at most 10
        found += ecs.describe_services(cluster=cluster, services=arns[start : start + 10])["services"]
    return sorted(found, key=lambda service: service["serviceName"])


def _service(service: dict[str, Any]) -> Node:
    rollouts = [
        (_last(one["taskDefinition"]), one.get("rolloutState", one["status"]), one["runningCount"])
        for one in service.get("deployments", [])
    ]
    facts = {
        "desired": service["desiredCount"],
        "running": service["runningCount"],
        "pending": service["pendingCount"],
        "rollouts": rollouts,
        "definition": service.get("taskDefinition", ""),
    }
    return Node(
        "service", service["serviceArn"], service["serviceName"], service["status"], service["clusterArn"], facts
    )


def _task(task: dict[str, Any], parent: str, containers: list[dict[str, str]], instances: dict[str, str]) -> Node:
    interfaces = [one for container in task["containers"] for one in container.get("networkInterfaces", [])]
    codes = [container["exitCode"] for container in task["containers"] if "exitCode" in container]
    ports = [
        binding["hostPort"] for container in task["containers"] for binding in container.get("networkBindings", [])
    ]
    facts = {
        "zone": task.get("availabilityZone", ""),
        "revision": _last(task["taskDefinitionArn"]),
        "launch": task.get("capacityProviderName") or task.get("launchType", ""),
        "address": next((one["privateIpv4Address"] for one in interfaces), ""),
        "ports": ports,
        "instance": instances.get(task.get("containerInstanceArn", ""), ""),
        "health": task.get("healthStatus", "UNKNOWN"),
        "containers": containers,
        "exit": codes[0] if codes else None,
        "why": task.get("stoppedReason", ""),
    }
    arn = task["taskArn"]
    return Node("task", arn, _last(arn)[:8], task["lastStatus"], parent, facts)


def _instances(cluster: str) -> list[dict[str, Any]]:
    ecs = aws_client("ecs")
    pages = ecs.get_paginator("list_container_instances").paginate(cluster=cluster)
    arns = [arn for page in pages for arn in page["containerInstanceArns"]]
    if not arns:
        return []
    found = ecs.describe_container_instances(cluster=cluster, containerInstances=arns[:100])["containerInstances"]
    return sorted(found, key=lambda one: (one["registeredAt"], one["containerInstanceArn"]))


def _instance(one: dict[str, Any], cluster: str) -> Node:
    attributes = {attribute["name"]: attribute.get("value", "") for attribute in one["attributes"]}
    facts = {
        "zone": attributes.get("ecs.availability-zone", ""),
        "type": attributes.get("ecs.instance-type", ""),
        "tasks": one["runningTasksCount"] + one["pendingTasksCount"],
    }
    state = one["status"] if one["agentConnected"] else "DISCONNECTED"
    return Node("instance", one["containerInstanceArn"], one["ec2InstanceId"], state, cluster, facts)


def _containers() -> tuple[dict[str, list[dict[str, str]]] | None, list[str]]:
    """The containers behind the tasks, by the task's ARN; where no engine answers, a sentence that says so."""
    import requests
    from docker.errors import DockerException

    found: dict[str, list[dict[str, str]]] = {}
    labels = [settings.LABEL, TASK_ARN]
    try:
        listed = docker_client().api.containers(all=True, filters={"label": labels})
    except (DockerException, requests.RequestException):
        return None, ["No Docker engine answers, so the containers behind the tasks are not shown."]
    for one in listed:
        container = {"name": one["Labels"].get(CONTAINER, ""), "id": one["Id"][:12], "state": one["State"]}
        found.setdefault(one["Labels"][TASK_ARN], []).append(container)
    return {arn: sorted(some, key=lambda one: one["name"]) for arn, some in found.items()}, []


def _last(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
