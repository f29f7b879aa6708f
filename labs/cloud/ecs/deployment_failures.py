"""What ends a deployment before its time: tasks that keep failing, alarms, and lifecycle hooks.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
"""

from typing import Any

from labs.cloud.ecs import alarms, deployments, hooks, task_state
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import clock

BACK_OFF = clock.lesson(20.0)  # the first wait after tasks that keep failing; it doubles
LONGEST_BACK_OFF = clock.lesson(15 * 60.0)
PATIENT_WAVES = 2  # failures in a row without a wait


def count(ecs: Ecs, service: dict[str, Any]) -> None:
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


def open_breaker(ecs: Ecs, service: dict[str, Any]) -> None:
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


def heed_alarms_and_hooks(ecs: Ecs, service: dict[str, Any]) -> None:
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
