"""Task scale-in protection: a task of a service that neither scaling nor a deployment may stop for a while.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html
"""

from typing import Any

from labs.cloud.ecs import lookup, services, task_state
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

DEFAULT_MINUTES = 120
LONGEST_MINUTES = 2880
MOST_UPDATED = 10
MOST_READ = 100


def seconds_left(task: dict[str, Any]) -> float:
    """For how long a task is protected, in seconds; 0 if it is not."""
    return max(0.0, task.get("_protected_until", 0.0) - clock.now())


def update_task_protection(ecs: Ecs, request: Request) -> dict[str, Any]:
    """UpdateTaskProtection."""
    cluster = lookup.cluster(ecs, request.region, request["cluster"])
    minutes = request.get("expiresInMinutes", DEFAULT_MINUTES)
    _check_number(request["tasks"], MOST_UPDATED)
    if not 1 <= minutes <= LONGEST_MINUTES:
        raise AwsError("InvalidParameterException", f"expiresInMinutes must be between 1 and {LONGEST_MINUTES}.")
    found, failures = [], []
    for text in request["tasks"]:
        arn = lookup.task_arn(cluster, text)
        task = ecs.tasks.get(arn)
        if task is None or task["lastStatus"] == task_state.STOPPED:
            failures.append({"arn": arn, "reason": "MISSING"})
        elif not task.get("_service"):
            detail = "The task does not belong to a service."
            failures.append({"arn": arn, "reason": "TASK_NOT_VALID", "detail": detail})
        else:
            task["_protected_until"] = clock.now() + minutes * 60 if request["protectionEnabled"] else 0.0
            ecs.tasks.put(arn, task)
            ecs.signals.send(services.SERVICE_CHANGED, task["_service"])
            found.append(_told(task))
    return {"protectedTasks": found, "failures": failures}


def get_task_protection(ecs: Ecs, request: Request) -> dict[str, Any]:
    """GetTaskProtection: of the named tasks, or of all of the cluster's services."""
    cluster = lookup.cluster(ecs, request.region, request["cluster"])
    wanted = request.get("tasks")
    if not wanted:
        mine = (task for task in ecs.tasks.values() if task["clusterArn"] == cluster["clusterArn"])
        return {"protectedTasks": [_told(task) for task in mine if task.get("_service")], "failures": []}
    _check_number(wanted, MOST_READ)
    arns = [lookup.task_arn(cluster, text) for text in wanted]
    missing = [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in ecs.tasks]
    return {"protectedTasks": [_told(ecs.tasks[arn]) for arn in arns if arn in ecs.tasks], "failures": missing}


def _check_number(tasks: list[str], most: int) -> None:
    if not 1 <= len(tasks) <= most:
        raise AwsError("InvalidParameterException", f"Tasks must have between 1 and {most} members.")


def _told(task: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"taskArn": task["taskArn"], "protectionEnabled": seconds_left(task) > 0}
    if found["protectionEnabled"]:
        found["expirationDate"] = task["_protected_until"]
    return found


OPERATIONS = {"UpdateTaskProtection": update_task_protection, "GetTaskProtection": get_task_protection}
