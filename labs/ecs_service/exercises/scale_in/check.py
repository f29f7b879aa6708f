"""Was the service svc-night scaled in from five tasks to two, by its desired count and nothing else?"""

from labs.ecs_service import look
from labs.kit import remove_aws
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
    return _night(service, look.service_tasks(service))


def reset() -> None:
    """Remove the service, its cluster and its task definitions."""
    remove_aws.everything(NAME)


def _night(service: dict, record: list[dict]) -> Verdict:
    if len({task["taskDefinitionArn"] for task in record}) > 1:
        return lost(
            "new_revision",
            "The service's tasks come from more than one revision. The number of tasks is not in the task definition. "
            "Begin again with `chapter.reset('scale_in')`.",
        )
    most = max(look.counts([task for task in record if task.get("startedAt")]), default=0)
    if most < DAY:
        return not_yet("never_five", f"At most {most} tasks of this service have run at a time, never {DAY}.")
    if not look.steady(service, NIGHT):
        return _not_running(service, NIGHT)
    return done(f"{DAY} tasks by day, {NIGHT} by night, one revision: only the desired count has changed.")


def _still_day(service: dict) -> Verdict:
    stopped = [task for task in look.service_tasks(service) if task.get("stopCode") == "UserInitiated"]
    if stopped:
        return not_yet(
            "stopped_by_hand",
            f"{len(stopped)} tasks were stopped by hand; the service still wants {DAY}, and puts back what is missing.",
        )
    if not look.steady(service, DAY):
        return _not_running(service, DAY)
    return not_yet("still_five", f"{DAY} tasks run. That is the day; now it becomes night.")


def _not_running(service: dict, wanted: int) -> Verdict:
    running = len(look.running(look.service_tasks(service)))
    return not_yet(
        "not_running", f"{running} tasks run; {wanted} are wanted. The stopped tasks and the events say why."
    )
