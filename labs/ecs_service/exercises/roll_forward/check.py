"""Was the service svc-roll taken from version 1 to version 2 while three tasks were always running?"""

from datetime import datetime
from math import ceil

from labs.ecs_service import look, remove
from labs.kit.verdict import Verdict, done, lost, not_yet

NAME = "svc-roll"
TASKS = 3
OLD, NEW = "svc-web:1", "svc-web:2"
RESET = "Begin again with `chapter.reset('roll_forward')`."


def check() -> Verdict:
    """Look at the service, at the image of its revision, then at the record of its tasks, running and stopped."""
    service = look.service(NAME, NAME)
    if service is None:
        return not_yet("no_service", f"There is no service {NAME!r} in a cluster {NAME!r} yet.")
    if service["desiredCount"] != TASKS:
        return not_yet("not_three", f"The service wants {service['desiredCount']} tasks, not {TASKS}.")
    record = look.service_tasks(service)
    return _new_version(service, record) or _history(service, record)


def reset() -> None:
    """Remove the service, its cluster and its task definitions."""
    remove.everything(NAME)


def _image(task_definition: str) -> str:
    return look.task_definition(task_definition)["containerDefinitions"][0]["image"]


def _new_version(service: dict, record: list[dict]) -> Verdict | None:
    image = _image(service["taskDefinition"])
    if image == OLD:
        if any(_image(revision["taskDefinitionArn"]) == NEW for revision in look.revisions(NAME)):
            return not_yet("not_deployed", f"A revision with {NEW!r} exists; the service still runs an older one.")
        return not_yet("no_new_version", f"The service's revision names {OLD!r}: no new version is on its way.")
    if not look.settled(lambda: _on(service), TASKS):
        reasons = {task.get("stoppedReason", "") for task in record}
        why = "An image could not be pulled." if any("CannotPull" in reason for reason in reasons) else ""
        return not_yet(
            "cannot_pull",
            f"{len(_on(service))} of {TASKS} tasks run with {image!r}, the new revision's image. {why}".strip(),
        )
    images = {container.attrs["Config"]["Image"] for task in _on(service) for container in look.containers(task)}
    if images != {NEW}:
        return not_yet("no_new_version", f"The containers in Docker were made from {', '.join(sorted(images))}.")
    return None


def _on(service: dict) -> list[dict]:
    """The running tasks of the revision that the service wants."""
    running = look.running(look.service_tasks(service))
    return [task for task in running if task["taskDefinitionArn"] == service["taskDefinition"]]


def _history(service: dict, record: list[dict]) -> Verdict:
    record = [task for task in record if task.get("startedAt")]
    old = [task for task in record if _image(task["taskDefinitionArn"]) == OLD]
    if len(old) < TASKS:
        return lost("never_rolled", f"This service never had {TASKS} tasks of version 1: nothing was rolled. {RESET}")
    lowest = lowest_count(record)
    if lowest < TASKS:
        return lost(
            "dipped",
            f"At one moment only {lowest} tasks were running. A rolling update can do better. {RESET}",
        )
    # The record's times are whole seconds: a short dip does not show in it. What the service allows does.
    minimum = service["deploymentConfiguration"].get("minimumHealthyPercent", 100)
    if ceil(TASKS * minimum / 100) < TASKS:
        return lost(
            "dipped",
            f"The service's minimum healthy percent is {minimum}: the update was free to go below {TASKS}. {RESET}",
        )
    return done(f"Version 2 runs three times, and at no moment fewer than {TASKS} tasks were running.")


def lowest_count(record: list[dict]) -> int:
    """The lowest number of running tasks after a first one was stopped; many where none was.

    Args:
        record: tasks with `startedAt`, and `stoppingAt` or `stoppedAt` where they have ended. A start and an end in the
            same instant count in this order, because the times are whole seconds.
    """
    moments: list[tuple[datetime, int]] = [(task["startedAt"], 1) for task in record]
    moments += [(task.get("stoppingAt") or task["stoppedAt"], -1) for task in record if task.get("stoppedAt")]
    count, lowest = 0, len(record)
    for _, step in sorted(moments, key=lambda moment: (moment[0], -moment[1])):
        count += step
        if step < 0:
            lowest = min(lowest, count)
    return lowest
