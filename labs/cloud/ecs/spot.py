"""Fargate Spot: AWS takes a task's capacity back, with a warning of two minutes.

On AWS nobody can ask for an interruption, so there is no API of AWS's for it: here it is asked for at the course's own
address `/_course/spot-interruption`. What follows is as on AWS: the task's state change tells of it with the stop code
SpotInterruption, its containers get SIGTERM at once, and they are gone after two minutes, or after their stop timeout.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
"""

from typing import Any

from labs.cloud.ecs import task_state
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError

PROVIDER = "FARGATE_SPOT"
CODE, REASON = "SpotInterruption", "Your Spot Task was interrupted."
WARNING_SECONDS = clock.lesson(120)


def interrupt(ecs: Ecs, arn: str) -> dict[str, Any]:
    """Takes back the capacity of a task.

    Args:
        ecs: the state.
        arn: the task's.

    Returns:
        What was done: `task` and `message`.

    Raises:
        AwsError: there is no such task, it does not run on Fargate Spot, or it stops already.
    """
    task = ecs.tasks.get(arn)
    if task is None:
        raise AwsError("TaskNotFound", f"There is no task '{arn}'. Give the task's ARN as ?task=...", 404)
    if task.get("capacityProviderName") != PROVIDER:
        raise AwsError("NotSpot", f"Only tasks on {PROVIDER} are interrupted, and this one is none.")
    if task["desiredStatus"] == task_state.STOPPED:
        raise AwsError("Stopping", "This task stops already, or has stopped.")
    task_state.ask_to_stop(ecs, task, CODE, REASON)
    return {"task": arn, "message": f"The task has {WARNING_SECONDS:g} seconds: two minutes of a lesson."}


def is_interrupted(task: dict[str, Any]) -> bool:
    """Whether a task stops because its capacity is taken back."""
    return task.get("stopCode") == CODE


def seconds_left(task: dict[str, Any]) -> float:
    """How long an interrupted task may still run."""
    return max(0.0, task["stoppingAt"] + WARNING_SECONDS - clock.now())
