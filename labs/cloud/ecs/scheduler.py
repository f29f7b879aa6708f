"""The service scheduler: compares what a service wants with the tasks it has, and moves a step.

`Scheduler` wakes for a service when something about it changes; `step` decides, from the records alone, and starts and
stops tasks.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import BotoCoreError

from labs.cloud.ecs import (
    alarms,
    capacity,
    deployments,
    health,
    hooks,
    instance_state,
    launch,
    lookup,
    networking,
    placement,
    placing,
    protection,
    services,
    strategies,
    task_records,
    task_state,
    traffic,
)
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, clock, signals
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.pulse import Pulse

BACK_OFF = clock.lesson(20.0)  # the first wait after tasks that keep failing; it doubles
LONGEST_BACK_OFF = clock.lesson(15 * 60.0)
PATIENT_WAVES = 2  # failures in a row without a wait
RETRY_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass
class Scheduler:
    """Looks after every service that is not INACTIVE.

    Args:
        ecs: the state.
    """

    ecs: Ecs
    _pulses: dict[str, Pulse] = field(default_factory=dict)
    _dirty: set[str] = field(default_factory=set)
    ended: bool = False  # the local AWS stops: no task is started any more

    def start(self) -> None:
        """Begins, with the services that the state knows."""
        self.ecs.signals.listen(services.SERVICE_CHANGED, self.wake)
        self.ecs.signals.listen(task_state.TASK_CHANGED, self._wake_known)
        self.ecs.signals.listen(signals.TARGET_HEALTH, self._wake_balanced)
        self.ecs.signals.listen(instance_state.INSTANCE_CHANGED, self._wake_placed)
        for arn, service in self.ecs.service_records.items():
            if service["status"] != "INACTIVE":
                self.wake(arn)

    def wake(self, arn: str) -> None:
        """Something about a service has changed."""
        if self.ended:
            return
        self._dirty.add(arn)
        if arn in self._pulses:
            self._pulses[arn].beat()
        else:
            self._pulses[arn] = Pulse()
            self.ecs.background.spawn(self._keep(arn), f"service {arn}")

    def _wake_known(self, arn: str) -> None:
        """A task has changed: its service's, or, as it may have left room, that of those that wait for some."""
        if arn in self.ecs.service_records:
            self.wake(arn)
        for waiting, service in self.ecs.service_records.items():
            if service.get("_unplaced") and waiting != arn:
                self.wake(waiting)

    def _wake_placed(self, cluster: str) -> None:
        """A container instance of a cluster has changed: services on it may have more room, or less."""
        for arn, service in self.ecs.service_records.items():
            if service["clusterArn"] == cluster and service.get("launchType") != "FARGATE":
                self.wake(arn)

    def _wake_balanced(self, group: str) -> None:
        """The health of a target group's targets has changed."""
        for arn, service in self.ecs.service_records.items():
            if any(group in traffic.groups(one) for one in service["loadBalancers"]):
                self.wake(arn)

    async def _keep(self, arn: str) -> None:
        """Looks after one service until it is INACTIVE."""
        pulse = self._pulses[arn]
        try:
            while not self.ended and self.ecs.service_records[arn]["status"] != "INACTIVE":
                self._dirty.discard(arn)
                try:
                    wait = await self._look(arn)
                except (AwsError, BotoCoreError) as problem:
                    log.info("service %s: %s", arn, problem)
                    wait = RETRY_SECONDS
                except Exception:
                    log.exception("service %s", arn)
                    wait = RETRY_SECONDS
                if arn not in self._dirty:
                    await pulse.wait(wait)
        finally:
            del self._pulses[arn]

    async def _look(self, arn: str) -> float | None:
        """One step for a service; seconds until the next one is due without any news."""
        service = self.ecs.service_records[arn]
        primary = deployments.primary(service)
        definition = self.ecs.task_definitions[primary["taskDefinition"]]
        region = arns.region(arn)
        subnets = await launch.subnets(region, definition, primary.get("networkConfiguration"))
        states = await health.of_targets(self.ecs, service)
        waits: list[float | None] = []
        if service["status"] == "ACTIVE" and alarms.are_watched(service):
            await alarms.look(service)
            waits.append(alarms.EVERY_SECONDS)
        if service["status"] == "ACTIVE" and strategies.is_under_way(service):
            waits.append(await strategies.act(self.ecs, service))
            self.ecs.service_records.put(arn, service)
        waits.append(step(self.ecs, service, subnets, states))
        return min((one for one in waits if one is not None), default=None)


def step(ecs: Ecs, service: dict[str, Any], subnets: list[networking.Subnet], targets: health.Targets) -> float | None:
    """Moves a service one step towards what it wants.

    Args:
        ecs: the state.
        service: the service's record, changed in place.
        subnets: where its tasks may live.
        targets: the health of its load balancers' targets.

    Returns:
        Seconds until it has to be looked at again without any news; None for never.
    """
    before = _shape(service)
    found = services.tasks_of(ecs, service)
    alive = [task for task in found if task["desiredStatus"] == task_state.RUNNING]
    judged = {task["taskArn"]: health.judge(ecs, service, task, targets) for task in alive}
    _tell_registered(ecs, service, alive)
    _count_failures(ecs, service)
    if service["status"] == "DRAINING":
        _drain(ecs, service, found)
        wait = None
    else:
        _open_breaker(ecs, service)
        _heed_alarms_and_hooks(ecs, service)
        shifts = strategies.is_under_way(service)
        wait = (_shift if shifts else _roll)(ecs, service, subnets, alive, judged)
        bakes = _conclude(ecs, service)
        wait = bakes if wait is None else wait
    if _shape(service) != before:
        ecs.service_records.put(service["serviceArn"], service)
        ecs.store.flush_quietly()
    waits = [one.wait for one in judged.values() if one.wait is not None] + ([wait] if wait is not None else [])
    waits += [left for task in alive if (left := protection.seconds_left(task))]
    return min(waits, default=None)


# --- the rolling update -----------------------------------------------------------------------------------------------


def _roll(
    ecs: Ecs,
    service: dict[str, Any],
    subnets: list[networking.Subnet],
    alive: list[dict[str, Any]],
    judged: dict[str, health.Judgement],
) -> float | None:
    """Starts what is missing and stops what is too many, within the deployment's percentages.

    minimumHealthyPercent rounds up, maximumPercent rounds down:
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
    """
    primary = deployments.primary(service)
    if service["schedulingStrategy"] == "DAEMON":
        _count_daemons(ecs, service)
    desired = service["desiredCount"]
    most = desired * service["deploymentConfiguration"]["maximumPercent"] // 100
    least = -(-desired * service["deploymentConfiguration"]["minimumHealthyPercent"] // 100)
    leaving = _on_leaving_instances(ecs, alive)
    new = [task for task in alive if task.get("startedBy") == primary["id"] and task["taskArn"] not in leaving]
    old = [task for task in alive if task not in new]
    good = [task for task in new if judged[task["taskArn"]].state != health.UNHEALTHY]
    bad = [task for task in new if judged[task["taskArn"]].state == health.UNHEALTHY]
    healthy = [task for task in alive if judged[task["taskArn"]].state == health.HEALTHY]
    gone: list[dict[str, Any]] = []

    scaling = f"Scaling activity initiated by (deployment {primary['id']})"
    if len(good) > desired:
        surplus = [task for task in _first_to_go(good, judged) if not protection.seconds_left(task)]
        gone += _stop(ecs, service, surplus[: len(good) - desired], scaling)
        good = [task for task in good if task not in gone]
    rolling = primary["rolloutState"] == deployments.IN_PROGRESS
    room = max(0, most - len(alive) + len(gone))
    if bad and (rolling or not room or len(good) >= desired or desired == 0):
        for task in bad:
            gone += _stop(ecs, service, [task], judged[task["taskArn"]].reason)
        room = max(0, most - len(alive) + len(gone))
    if desired == 0 or primary["rolloutState"] != deployments.FAILED:
        spare = sum(judged[task["taskArn"]].state == health.HEALTHY for task in alive if task not in gone) - least
        above = sum(task["lastStatus"] == task_state.RUNNING for task in alive if task not in gone) - least
        surplus = []
        for task in (one for one in _first_to_go(old, judged) if not protection.seconds_left(one)):
            is_healthy, runs = task in healthy, task["lastStatus"] == task_state.RUNNING
            # one that runs and is not healthy yet keeps the minimum too: "must remain in the RUNNING state"
            starts = runs and judged[task["taskArn"]].state == health.STARTING
            if desired == 0 or (spare > 0 if is_healthy else above > 0 or not starts):
                surplus.append(task)
                spare -= is_healthy
                above -= runs
        gone += _stop(ecs, service, surplus, scaling)
        room = max(0, most - len(alive) + len(gone))

    missing = min(desired - len(good), room)
    if missing <= 0 or primary["rolloutState"] == deployments.FAILED:
        service.pop("_unplaced", None)
        return None
    wait = primary.get("_not_before", 0.0) - clock.now()
    if wait > 0:
        return wait
    _start(ecs, service, subnets, alive, missing)
    return None


def _shift(
    ecs: Ecs,
    service: dict[str, Any],
    subnets: list[networking.Subnet],
    alive: list[dict[str, Any]],
    judged: dict[str, health.Judgement],
) -> float | None:
    """Keeps the tasks of the revisions that a deployment with a traffic shift wants now, and goes on with it."""
    kept, desired = strategies.ids_to_keep(service), service["desiredCount"]
    waits: list[float | None] = []
    going = [task for task in alive if task.get("startedBy") not in kept]
    for deployment in [one for one in service["deployments"] if one["id"] in kept]:
        mine = [task for task in alive if task.get("startedBy") == deployment["id"]]
        bad = [task for task in mine if judged[task["taskArn"]].state == health.UNHEALTHY]
        for task in bad:
            _stop(ecs, service, [task], judged[task["taskArn"]].reason)
        good = [task for task in mine if task not in bad]
        going += _first_to_go(good, judged)[: max(0, len(good) - desired)]
        wait = deployment.get("_not_before", 0.0) - clock.now()
        if len(good) < desired and wait > 0:
            waits.append(wait)
        elif len(good) < desired and deployment["id"] != deployments.primary(service).get("_undoes"):
            _start(ecs, service, subnets, alive, desired - len(good), deployment=deployment)
    going = [task for task in going if not protection.seconds_left(task)]
    primary = deployments.primary(service)
    _stop(ecs, service, going, f"Scaling activity initiated by (deployment {primary['id']})")
    found = [task for task in services.tasks_of(ecs, service) if task.get("_service")]
    ready = [task for task in alive if judged[task["taskArn"]].state == health.HEALTHY and task not in going]
    scaled = sum(task.get("startedBy") == primary["id"] for task in ready) >= desired
    others = {task.get("startedBy") for task in found} - {primary["id"]}
    at = primary.get("_at")
    waits.append(strategies.advance(ecs, service, scaled, others))
    if primary["_at"] != at:  # another step may want other tasks
        waits.append(0.0)
    return min((one for one in waits if one is not None), default=None)


def _start(
    ecs: Ecs,
    service: dict[str, Any],
    subnets: list[networking.Subnet],
    alive: list[dict[str, Any]],
    count: int,
    *,
    deployment: dict[str, Any] | None = None,
) -> None:
    """Starts tasks of a deployment, the primary one if none is named, each in the zone that has the fewest."""
    deployment = deployment or deployments.primary(service)
    cluster = ecs.clusters[service["clusterArn"]]
    definition = ecs.task_definitions[deployment["taskDefinition"]]
    present = Counter(
        task["capacityProviderName"]
        for task in alive
        if task.get("capacityProviderName") and task.get("startedBy") == deployment["id"]
    )
    hows = launch.choose_all(cluster, definition, deployment, present, count=count)
    zones = Counter(task["availabilityZone"] for task in alive)
    more = {
        "group": f"service:{service['serviceName']}",
        "startedBy": deployment["id"],
        "tags": _task_tags(service, definition),
        "enableExecuteCommand": service["enableExecuteCommand"],
        "_service": service["serviceArn"],
        "_load_balancers": deployment.get("_load_balancers", []),
    }
    if not hows[0].is_fargate:
        batch = placing.Batch(cluster, definition, hows[0], subnets, more)
        if hows[0].provider and service["schedulingStrategy"] == "REPLICA":  # they wait until there is room
            rules = (service["placementConstraints"], service["placementStrategy"])
            _begin(ecs, service, [placing.put_waiting(ecs, replace(batch, how=how), *rules) for how in hows])
        else:
            _start_on_instances(ecs, service, batch, count)
        return
    made = []
    for how in hows:
        subnet = min(subnets, key=lambda one: zones[one.zone]) if subnets else None
        task = task_records.make(ecs, cluster, definition, how, subnet, **more)
        zones[task["availabilityZone"]] += 1
        made.append(task)
    _begin(ecs, service, made)


def _begin(ecs: Ecs, service: dict[str, Any], made: list[dict[str, Any]]) -> None:
    """Begins the lives of new tasks, and says so."""
    for task in made:
        ecs.agent.begin(task["taskArn"])
    deployments.say(service, f"(service {service['serviceName']}) has started {len(made)} tasks: {_named(made)}.")
    service.pop("_steady", None)


# --- on container instances -------------------------------------------------------------------------------------------


def _start_on_instances(ecs: Ecs, service: dict[str, Any], batch: placing.Batch, count: int) -> None:
    """Starts as many tasks as there is room for, and says why the others cannot be placed."""
    constraints = list(service["placementConstraints"])
    if service["schedulingStrategy"] == "DAEMON":
        constraints.append({"type": "distinctInstance"})
    made, misfits = placing.place(ecs, batch, count, constraints, service["placementStrategy"])
    if made:
        _begin(ecs, service, made)
    problem = _why_not(service, misfits) if len(made) < count else None
    if problem and service.get("_unplaced") != problem:
        deployments.say(service, problem)
        deployments.acted(ecs, service, "SERVICE_TASK_PLACEMENT_FAILURE", "ERROR", reason=problem)
    if problem:
        service["_unplaced"] = problem
    else:
        service.pop("_unplaced", None)


def _why_not(service: dict[str, Any], misfits: list[placement.Misfit]) -> str:
    """In AWS's words, why a service's task cannot be placed.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
    """
    start = (
        f"(service {service['serviceName']}) was unable to place a task because no container instance met all of its "
        "requirements."
    )
    one = placement.closest(misfits)
    if one is None:
        return f"{start} Reason: No Container Instances were found in your cluster. {_MORE}"
    name = one.instance.arn.rpartition("/")[2]
    return f"{start} The closest matching (container-instance {name}) {one.words}. {_MORE}"


_MORE = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


def _count_daemons(ecs: Ecs, service: dict[str, Any]) -> None:
    """A daemon wants one task on each instance that may have it.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html#service_scheduler
    """
    definition = ecs.task_definitions[deployments.primary(service)["taskDefinition"]]
    constraints = [*service["placementConstraints"], *definition.get("placementConstraints", [])]
    attributes = capacity.need(definition).attributes
    here = capacity.instances(ecs, ecs.clusters[service["clusterArn"]])
    fits = placement.Need(attributes=attributes)
    group = f"service:{service['serviceName']}"
    found = [one for one in here if placement.misfit(one, fits, group, constraints) is None]
    for one in (service, deployments.primary(service)):
        one["desiredCount"] = len(found)


def _on_leaving_instances(ecs: Ecs, alive: list[dict[str, Any]]) -> set[str]:
    """The ARNs of the tasks whose instance is being drained: they count as those of an old deployment.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html
    """
    return {
        task["taskArn"]
        for task in alive
        if (record := ecs.container_instances.get(task.get("containerInstanceArn", "")))
        and record["status"] != lookup.ACTIVE
    }


def _stop(ecs: Ecs, service: dict[str, Any], going: list[dict[str, Any]], reason: str) -> list[dict[str, Any]]:
    """Stops tasks; returns those."""
    if not going:
        return []
    name = service["serviceName"]
    drained = [task for task in going if task.get("_targets")]
    deployments.say(service, f"(service {name}) has stopped {len(going)} running tasks: {_named(going)}.")
    if drained:
        for arn in sorted({entry["group"] for task in drained for entry in task["_targets"]}):
            number = sum(entry["group"] == arn for task in drained for entry in task["_targets"])
            text = f"(service {name}) deregistered {number} targets in (target-group {arn})"
            deployments.say(service, text)
        deployments.say(service, f"(service {name}) has begun draining connections on {len(drained)} tasks.")
    for task in going:
        task_state.ask_to_stop(ecs, task, "ServiceSchedulerInitiated", reason)
    service.pop("_steady", None)
    return going


def _drain(ecs: Ecs, service: dict[str, Any], found: list[dict[str, Any]]) -> None:
    """A deleted service: all tasks go, then it is INACTIVE."""
    alive = [task for task in found if task["desiredStatus"] == task_state.RUNNING]
    primary = deployments.primary(service)
    _stop(ecs, service, alive, f"Scaling activity initiated by (deployment {primary['id']})")
    if not found:
        service["status"] = "INACTIVE"
        for one in service["deployments"]:
            one["status"] = "INACTIVE"


def _first_to_go(found: list[dict[str, Any]], judged: dict[str, health.Judgement]) -> list[dict[str, Any]]:
    """In which order tasks are stopped: not healthy ones first, then from the zone that has the most, newest first."""
    zones = Counter(task["availabilityZone"] for task in found)
    left = sorted(found, key=lambda task: task["createdAt"], reverse=True)
    order = [task for task in left if judged[task["taskArn"]].state != health.HEALTHY]
    for task in order:
        zones[task["availabilityZone"]] -= 1
    left = [task for task in left if task not in order]
    while left:
        task = max(left, key=lambda one: zones[one["availabilityZone"]])
        zones[task["availabilityZone"]] -= 1
        left.remove(task)
        order.append(task)
    return order


def _tell_registered(ecs: Ecs, service: dict[str, Any], alive: list[dict[str, Any]]) -> None:
    """Says which tasks have come into which target group since the last look."""
    fresh = [task for task in alive if task.get("_targets") and not task.get("_registration_told")]
    numbers = Counter(entry["group"] for task in fresh for entry in task["_targets"])
    for arn, number in sorted(numbers.items()):
        name = service["serviceName"]
        deployments.say(service, f"(service {name}) registered {number} targets in (target-group {arn})")
    for task in fresh:
        task["_registration_told"] = True
        ecs.tasks.put(task["taskArn"], task)


# --- failures, the circuit breaker, the end of a deployment -----------------------------------------------------------


def _count_failures(ecs: Ecs, service: dict[str, Any]) -> None:
    """Counts tasks that stopped before they were healthy, once each, and sets the wait before the next try."""
    by_id = {one["id"]: one for one in service["deployments"]}
    for task in ecs.tasks.values():
        if task.get("_service") != service["serviceArn"] or task.get("_counted"):
            continue
        deployment = by_id.get(task.get("startedBy", ""))
        if task.get("_was_healthy"):
            task["_counted"] = True
            if deployment:
                deployment["failedTasks"] = 0
                deployment["_waves"] = 0
                deployments.count_failures(ecs, deployment)
            ecs.tasks.put(task["taskArn"], task)
        elif task["desiredStatus"] == task_state.STOPPED:
            task["_counted"] = True
            ecs.tasks.put(task["taskArn"], task)
            if deployment and _failed(task):
                _failed_once_more(ecs, service, deployment, task)


def _failed(task: dict[str, Any]) -> bool:
    """Whether a task stopped because of itself."""
    return task.get("stopCode") in ("TaskFailedToStart", "EssentialContainerExited") or (
        task.get("stopCode") == "ServiceSchedulerInitiated" and "failed" in task.get("stoppedReason", "")
    )


def _failed_once_more(ecs: Ecs, service: dict[str, Any], deployment: dict[str, Any], task: dict[str, Any]) -> None:
    deployment["failedTasks"] += 1
    deployment["updatedAt"] = clock.now()
    deployments.count_failures(ecs, deployment)
    if task["createdAt"] < deployment.get("_wave_ended", 0.0):
        return  # it began together with another one that failed
    deployment["_waves"] += 1
    deployment["_wave_ended"] = clock.now()
    waits = deployment["_waves"] - PATIENT_WAVES
    if waits > 0:
        wait = min(BACK_OFF * 2 ** (waits - 1), LONGEST_BACK_OFF)
        deployment["_not_before"] = clock.now() + wait
    if waits == 1:
        deployments.say(
            service,
            f"(service {service['serviceName']}) is unable to consistently start tasks successfully. "
            "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.",
        )
        deployments.acted(ecs, service, "SERVICE_TASK_START_IMPAIRED", "WARN")


def _open_breaker(ecs: Ecs, service: dict[str, Any]) -> None:
    """Ends a deployment whose tasks keep failing, and goes back to the last one that was completed, if asked for."""
    primary = deployments.primary(service)
    breaker = service["deploymentConfiguration"]["deploymentCircuitBreaker"]
    if (
        not breaker["enable"]
        or primary["rolloutState"] != deployments.IN_PROGRESS
        or primary["failedTasks"] < deployments.threshold(service)
    ):
        return
    goes_back = bool(breaker["rollback"] and service.get("_last_good") and not primary.get("_undoes"))
    deployments.fail(ecs, service, primary, "tasks failed to start", goes_back=goes_back)
    if goes_back:
        deployments.roll_back(ecs, service, primary)


def _heed_alarms_and_hooks(ecs: Ecs, service: dict[str, Any]) -> None:
    """Ends a deployment that an alarm or a lifecycle hook is against."""
    primary = deployments.primary(service)
    record = deployments.record_of(ecs, primary["id"])
    if primary["rolloutState"] != deployments.IN_PROGRESS or primary.get("_undoes") or record is None:
        return
    why, wants_back = hooks.failure(record), True
    if why is None and (loud := alarms.triggered(ecs, service)):
        why = f"alarm detected in {', '.join(loud)}"
        wants_back = service["deploymentConfiguration"]["alarms"]["rollback"]
    if why:
        goes_back = bool(wants_back and service.get("_last_good"))
        deployments.fail(ecs, service, primary, why, goes_back=goes_back, by_breaker=False)
        if goes_back:
            deployments.roll_back(ecs, service, primary)


def _conclude(ecs: Ecs, service: dict[str, Any]) -> float | None:
    """Completes a deployment, forgets those that are over, and says when all is steady.

    Returns:
        Seconds until its bake time is over; None if it has none.
    """
    primary = deployments.primary(service)
    found = services.tasks_of(ecs, service)
    # Its own tasks that are on their way out hold nothing back: one may take all of its stop timeout.
    wanted = (task for task in found if task["desiredStatus"] == task_state.RUNNING)
    new = [task for task in wanted if task.get("startedBy") == primary["id"]]
    ready = [task for task in new if task.get("_was_healthy")]
    others = {task.get("startedBy") for task in found} - {primary["id"]}
    service["deployments"] = [one for one in service["deployments"] if one is primary or one["id"] in others]
    if len(ready) != service["desiredCount"] or len(new) != len(ready) or others:
        return None
    if strategies.is_under_way(service) and not strategies.is_over(service):
        return None
    if left := alarms.bake_left(service, ready=primary["rolloutState"] == deployments.IN_PROGRESS):
        return left
    if primary["rolloutState"] == deployments.IN_PROGRESS:
        deployments.complete(ecs, service, primary)
    if not service.get("_steady") and primary["rolloutState"] == deployments.COMPLETED:
        service["_steady"] = True
        deployments.say(service, f"(service {service['serviceName']}) has reached a steady state.")
        deployments.acted(ecs, service, "SERVICE_STEADY_STATE")
    return None


def _shape(service: dict[str, Any]) -> str:
    return repr(service)


def _named(found: list[dict[str, Any]]) -> str:
    return " ".join(f"(task {task['taskArn'].rpartition('/')[2]})" for task in found)


def _task_tags(service: dict[str, Any], definition: dict[str, Any]) -> list[dict[str, Any]]:
    """The tags of a service's task.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html
    """
    source = {"SERVICE": service["tags"], "TASK_DEFINITION": definition.get("tags", [])}
    tags = list(source.get(service["propagateTags"], []))
    if service["enableECSManagedTags"]:
        tags.append({"key": "aws:ecs:clusterName", "value": service["_cluster_name"]})
        tags.append({"key": "aws:ecs:serviceName", "value": service["serviceName"]})
    return tags
