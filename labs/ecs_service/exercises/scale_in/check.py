"""Was the service svc-night scaled in from five tasks to two, by its desired count and nothing else?"""

from labs.ecs_service import look, remove
from labs.kit.verdict import Verdict, done, lost, not_yet

NAME = "svc-night"
DAY, NIGHT = 5, 2


def check() -> Verdict:
    """Look at the service, at its revisions, and at the record of its tasks, running and stopped."""
    service = look.service(NAME, NAME)
    if service is None:
        return not_yet("no_service", f"There is no service {NAME!r} in a cluster {NAME!r} yet.")
    if service["desiredCount"] == DAY:
        return _still_day(service)
    if service["desiredCount"] != NIGHT:
        return not_yet("wrong_count", f"The service wants {service['desiredCount']} tasks; the night asks for {NIGHT}.")
    return _night(look.service_tasks(service))


def reset() -> None:
    """Remove the service, its cluster and its task definitions."""
    remove.everything(NAME)


def _running() -> list[dict]:
    return look.running(look.service_tasks(look.service(NAME, NAME)))


def _night(record: list[dict]) -> Verdict:
    if len({task["taskDefinitionArn"] for task in record}) > 1:
        return lost(
            "new_revision",
            "The service's tasks come from more than one revision. The number of tasks is not in the task definition. "
            "Begin again with `chapter.reset('scale_in')`.",
        )
    if len(record) < DAY:
        return not_yet("never_five", f"This service has had {len(record)} tasks in all, so it never had {DAY}.")
    if not look.settled(_running, NIGHT):
        return not_yet("not_running", f"{len(_running())} tasks run; {NIGHT} are wanted. The stopped tasks say why.")
    return done(f"{DAY} tasks by day, {NIGHT} by night, one revision: only the desired count has changed.")


def _still_day(service: dict) -> Verdict:
    # In this order: a task stopped a moment ago is on record only when the number of running tasks has settled.
    settled = look.settled(_running, DAY)
    stopped = [
        task for task in look.service_tasks(service) if task["lastStatus"] == "STOPPED" and task.get("startedAt")
    ]
    if stopped:
        return not_yet(
            "stopped_by_hand",
            f"{len(stopped)} tasks were stopped, yet the service still wants {DAY}, and will put back what is missing.",
        )
    if not settled:
        return not_yet("not_running", f"{len(_running())} of {DAY} tasks run. The stopped tasks say why.")
    return not_yet("still_five", f"{DAY} tasks run. That is the day; now it becomes night.")
