"""What the tasks of services use of their CPU and memory: measured by the engine, kept here, told to CloudWatch.

A service's utilization is what its tasks use, as a share of what they reserve; a task reserves its own size, or what
its containers ask for where it has none. Only services have it: the metrics of a cluster are those of its container
instances, and tasks on Fargate run on none.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_utilization.html
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from labs.cloud.ecs import task_state
from labs.cloud.ecs.state import Ecs
from labs.cloud.engine import docker
from labs.cloud.frame import arns, aws, clock
from labs.cloud.frame.pulse import Pulse

NAMESPACE = "AWS/ECS"
EVERY_SECONDS = clock.lesson(60)
MOST_DATA = 500  # in one PutMetricData
THREADS = 2  # a look at a container takes the engine longer than it takes us
CPU_UNITS = 1024
MIB = 2**20

log = logging.getLogger(__name__)


class Reading(NamedTuple):
    """What the engine says of a container: when, the CPU time used so far in seconds, and the memory in bytes."""

    when: float
    cpu: float
    memory: float


class Usage(NamedTuple):
    """What a service's tasks used in the last lesson minute, in percent of what they reserve: one number a task."""

    when: float
    cpu: tuple[float, ...]
    memory: tuple[float, ...]


@dataclass
class Metrics:
    """Looks at the tasks of services while there are any.

    Args:
        ecs: the state.
    """

    ecs: Ecs
    _before: dict[str, Reading] = field(default_factory=dict)  # by container id
    _latest: dict[str, Usage] = field(default_factory=dict)  # by service ARN
    _changed: Pulse = field(default_factory=Pulse)
    _running: asyncio.Task[Any] | None = None

    def start(self) -> None:
        """Begins to look."""
        self.ecs.signals.listen(task_state.TASK_CHANGED, lambda _: self._changed.beat())
        self._running = self.ecs.background.spawn(self._run(), "metrics of tasks")

    async def stop(self) -> None:
        """Looks no more."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def latest(self, service: str) -> Usage | None:
        """What the tasks of a service use now.

        Args:
            service: its ARN.

        Returns:
            The last measurement; None if there is none of the last two lesson minutes.
        """
        found = self._latest.get(service)
        return found if found and clock.now() - found.when < 2 * EVERY_SECONDS else None

    async def _run(self) -> None:
        while True:
            tasks = self._tasks()
            if not tasks:
                self._before.clear()
                self._latest.clear()
                await self._changed.wait()
                continue
            begin = asyncio.get_running_loop().time()
            try:
                await self._look(tasks)
            except (ClientError, BotoCoreError) as problem:
                log.warning("the metrics of tasks could not be sent: %s", problem)
            except (DockerException, RequestException) as problem:
                log.debug("the tasks could not be measured: %s", problem)
            except Exception:  # a loop that ends would leave all services without metrics for good
                log.exception("the tasks could not be measured")
            await asyncio.sleep(max(0.5, begin + EVERY_SECONDS - asyncio.get_running_loop().time()))

    def _tasks(self) -> list[dict[str, Any]]:
        return [one for one in self.ecs.tasks.values() if one.get("_service") and one["lastStatus"] == "RUNNING"]

    async def _look(self, tasks: list[dict[str, Any]]) -> None:
        containers = [one["runtimeId"] for task in tasks for one in task["containers"] if one.get("runtimeId")]
        parts = await asyncio.gather(*(docker.run(_read, containers[start::THREADS]) for start in range(THREADS)))
        readings = {key: reading for part in parts for key, reading in part.items()}
        used: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for task in tasks:
            if (found := self._of_task(task, readings)) is not None:
                used[task["_service"]].append(found)
        self._before = readings
        now = clock.now()
        self._latest = {
            service: Usage(now, tuple(cpu for cpu, _ in found), tuple(memory for _, memory in found))
            for service, found in used.items()
        }
        await self._publish()

    def _of_task(self, task: dict[str, Any], readings: dict[str, Reading]) -> tuple[float, float] | None:
        """CPU and memory of a task in percent; None before its containers were measured twice."""
        cpu = memory = 0.0
        for container in task["containers"]:
            key = container.get("runtimeId")
            if key not in readings:
                continue
            now, before = readings[key], self._before.get(key)
            if before is None or now.when <= before.when:
                return None
            cpu += max(0.0, now.cpu - before.cpu) / (now.when - before.when)
            memory += now.memory
        size = reserved(task, self.ecs.task_definitions.get(task["taskDefinitionArn"], {}))
        return (100 * cpu / size[0] if size[0] else 0.0, 100 * memory / size[1] if size[1] else 0.0)

    async def _publish(self) -> None:
        of_region: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for service, usage in self._latest.items():
            cluster, name = arns.resource(service).split("/")[1:]
            dimensions = [{"Name": "ClusterName", "Value": cluster}, {"Name": "ServiceName", "Value": name}]
            for metric, values in (("CPUUtilization", usage.cpu), ("MemoryUtilization", usage.memory)):
                of_region[arns.region(service)].append(_datum(metric, dimensions, values))
        for region, data in of_region.items():
            for start in range(0, len(data), MOST_DATA):
                part = data[start : start + MOST_DATA]
                await aws.call("cloudwatch", "put_metric_data", region=region, Namespace=NAMESPACE, MetricData=part)


def reserved(task: dict[str, Any], definition: dict[str, Any]) -> tuple[float, float]:
    """What a task reserves.

    Args:
        task: its record.
        definition: its task definition's record.

    Returns:
        CPUs, and bytes of memory; 0 for what nothing is reserved of.
    """
    containers = definition.get("containerDefinitions", [])
    cpu = float(task.get("cpu") or sum(one.get("cpu", 0) for one in containers))
    memory = float(
        task.get("memory") or sum(one.get("memoryReservation") or one.get("memory") or 0 for one in containers)
    )
    return cpu / CPU_UNITS, memory * MIB


def _read(containers: Iterable[str]) -> dict[str, Reading]:
    """What the engine says of containers, one after the other; those that are gone are left out. For a thread."""
    api = docker.client().api
    found = {}
    for key in containers:
        try:
            stats = api.stats(key, stream=False, one_shot=True)
        except (APIError, ValueError):  # it is gone; an empty answer if it went while the engine looked
            continue
        if reading := _reading(stats):
            found[key] = reading
    return found


def _reading(stats: dict[str, Any]) -> Reading | None:
    memory = stats.get("memory_stats", {})
    if "usage" not in memory:  # it has stopped
        return None
    # As `docker stats` counts: without the files that the kernel keeps only as long as there is room.
    details = memory.get("stats", {})
    files = details.get("total_inactive_file", details.get("inactive_file", 0))
    when = datetime.fromisoformat(stats["read"][:26].rstrip("Z") + "+00:00").timestamp()
    return Reading(when, stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, max(0, memory["usage"] - files))


def _datum(metric: str, dimensions: list[dict[str, str]], values: tuple[float, ...]) -> dict[str, Any]:
    """The tasks' numbers as one statistic set, so that its Average, Minimum and Maximum are those of the tasks."""
    numbers = {"SampleCount": len(values), "Sum": sum(values), "Minimum": min(values), "Maximum": max(values)}
    return {"MetricName": metric, "Dimensions": dimensions, "StatisticValues": numbers, "Unit": "Percent"}
