"""One step of a service towards what it wants, decided from the records alone.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""

from typing import Any

from labs.cloud.ecs import (
    alarms,
    deployment_failures,
    deployments,
    health,
    networking,
    protection,
    service_tasks,
    services,
    strategies,
    task_state,
)
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import clock


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
    service_tasks.tell_registered(ecs, service, alive)
    deployment_failures.count(ecs, service)
    if service["status"] == "DRAINING":
        _drain(ecs, service, found)
        wait = None
    else:
        deployment_failures.open_breaker(ecs, service)
        deployment_failures.heed_alarms_and_hooks(ecs, service)
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
        service_tasks.count_daemons(ecs, service)
    desired = service["desiredCount"]
    most = desired * service["deploymentConfiguration"]["maximumPercent"] // 100
    least = -(-desired * service["deploymentConfiguration"]["minimumHealthyPercent"] // 100)
    leaving = service_tasks.on_leaving_instances(ecs, alive)
    new = [task for task in alive if task.get("startedBy") == primary["id"] and task["taskArn"] not in leaving]
    old = [task for task in alive if task not in new]
    good = [task for task in new if judged[task["taskArn"]].state != health.UNHEALTHY]
    bad = [task for task in new if judged[task["taskArn"]].state == health.UNHEALTHY]
    healthy = [task for task in alive if judged[task["taskArn"]].state == health.HEALTHY]
    gone: list[dict[str, Any]] = []

    scaling = f"Scaling activity initiated by (deployment {primary['id']})"
    if len(good) > desired:
        surplus = [task for task in service_tasks.first_to_go(good, judged) if not protection.seconds_left(task)]
        gone += service_tasks.stop(ecs, service, surplus[: len(good) - desired], scaling)
        good = [task for task in good if task not in gone]
    rolling = primary["rolloutState"] == deployments.IN_PROGRESS
    room = max(0, most - len(alive) + len(gone))
    if bad and (rolling or not room or len(good) >= desired or desired == 0):
        for task in bad:
            gone += service_tasks.stop(ecs, service, [task], judged[task["taskArn"]].reason)
        room = max(0, most - len(alive) + len(gone))
    if desired == 0 or primary["rolloutState"] != deployments.FAILED:
        spare = sum(judged[task["taskArn"]].state == health.HEALTHY for task in alive if task not in gone) - least
        above = sum(task["lastStatus"] == task_state.RUNNING for task in alive if task not in gone) - least
        surplus = []
        for task in (one for one in service_tasks.first_to_go(old, judged) if not protection.seconds_left(one)):
            is_healthy, runs = task in healthy, task["lastStatus"] == task_state.RUNNING
            # one that runs and is not healthy yet keeps the minimum too: "must remain in the RUNNING state"
            starts = runs and judged[task["taskArn"]].state == health.STARTING
            if desired == 0 or (spare > 0 if is_healthy else above > 0 or not starts):
                surplus.append(task)
                spare -= is_healthy
                above -= runs
        gone += service_tasks.stop(ecs, service, surplus, scaling)
        room = max(0, most - len(alive) + len(gone))

    missing = min(desired - len(good), room)
    if missing <= 0 or primary["rolloutState"] == deployments.FAILED:
        service.pop("_unplaced", None)
        return None
    wait = primary.get("_not_before", 0.0) - clock.now()
    if wait > 0:
        return wait
    service_tasks.start(ecs, service, subnets, alive, missing)
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
            service_tasks.stop(ecs, service, [task], judged[task["taskArn"]].reason)
        good = [task for task in mine if task not in bad]
        going += service_tasks.first_to_go(good, judged)[: max(0, len(good) - desired)]
        wait = deployment.get("_not_before", 0.0) - clock.now()
        if len(good) < desired and wait > 0:
            waits.append(wait)
        elif len(good) < desired and deployment["id"] != deployments.primary(service).get("_undoes"):
            service_tasks.start(ecs, service, subnets, alive, desired - len(good), deployment=deployment)
    going = [task for task in going if not protection.seconds_left(task)]
    primary = deployments.primary(service)
    service_tasks.stop(ecs, service, going, f"Scaling activity initiated by (deployment {primary['id']})")
    found = [task for task in services.tasks_of(ecs, service) if task.get("_service")]
    ready = [task for task in alive if judged[task["taskArn"]].state == health.HEALTHY and task not in going]
    scaled = sum(task.get("startedBy") == primary["id"] for task in ready) >= desired
    others = {task.get("startedBy") for task in found} - {primary["id"]}
    at = primary.get("_at")
    waits.append(strategies.advance(ecs, service, scaled, others))
    if primary["_at"] != at:  # another step may want other tasks
        waits.append(0.0)
    return min((one for one in waits if one is not None), default=None)


def _drain(ecs: Ecs, service: dict[str, Any], found: list[dict[str, Any]]) -> None:
    """A deleted service: all tasks go, then it is INACTIVE."""
    alive = [task for task in found if task["desiredStatus"] == task_state.RUNNING]
    primary = deployments.primary(service)
    service_tasks.stop(ecs, service, alive, f"Scaling activity initiated by (deployment {primary['id']})")
    if not found:
        service["status"] = "INACTIVE"
        for one in service["deployments"]:
            one["status"] = "INACTIVE"


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
