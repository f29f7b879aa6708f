"""Was the service svc-roll taken from version 1 to version 2 while three tasks were always running?"""

from labs.ecs_service import look
from labs.kit import remove_aws
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
    return _new_version(service) or _history(look.service_tasks(service))


def reset() -> None:
    """Remove the service, its cluster and its task definitions."""
    remove_aws.everything(NAME)


def _image(task_definition: str) -> str:
    return look.task_definition(task_definition)["containerDefinitions"][0]["image"]


def _new_version(service: dict) -> Verdict | None:
    image = _image(service["taskDefinition"])
    if image == OLD:
        if any(_image(revision["taskDefinitionArn"]) == NEW for revision in look.revisions(NAME)):
            return not_yet("not_deployed", f"A revision with {NEW!r} exists; the service still runs an older one.")
        return not_yet("no_new_version", f"The service's revision names {OLD!r}: no new version is on its way.")
    if not look.steady(service, TASKS):
        reasons = {task.get("stoppedReason", "") for task in look.service_tasks(service)}
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


def _history(record: list[dict]) -> Verdict:
    record = [task for task in record if task.get("startedAt")]
    old = [task for task in record if _image(task["taskDefinitionArn"]) == OLD]
    if max(look.counts(old), default=0) < TASKS:
        return lost("never_rolled", f"This service never had {TASKS} tasks of version 1: nothing was rolled. {RESET}")
    running = look.counts(record)
    lowest = min(running[running.index(TASKS) :])  # from the moment when the first three ran
    if lowest < TASKS:
        return lost(
            "dipped",
            f"At one moment only {lowest} tasks were running. A rolling update can do better. {RESET}",
        )
    return done(f"Version 2 runs three times, and at no moment fewer than {TASKS} tasks were running.")
