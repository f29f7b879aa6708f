"""Was the one task that answered /needle found in the logs, and tagged?"""

import time

from labs.ecs_service import look
from labs.kit import remove_aws
from labs.kit.verdict import Verdict, done, lost, not_yet
from labs.kit.world import aws_client

NAME = "svc-needle"
LOG_GROUP = f"/ecs/{NAME}"
TASKS = 3
PATH = "/needle"
KEY, VALUE = "answered", "needle"
LOG_PATIENCE = 2.5  # seconds that a line may take to the log group
RESET = "Begin again with `chapter.reset('find_in_logs')`."


def check() -> Verdict:
    """Look at the service, at its log streams, then at the tags of its tasks."""
    service = look.service(NAME, NAME)
    if service is None:
        return not_yet("no_service", f"There is no service {NAME!r} in a cluster {NAME!r} yet.")
    return _running(service) or _found(service)


def reset() -> None:
    """Remove the service, its cluster, task definitions, role and log group, the load balancer and its target group."""
    remove_aws.everything(NAME)


def _running(service: dict) -> Verdict | None:
    if not look.log_group(LOG_GROUP):
        return not_yet("no_logs", f"There is no log group {LOG_GROUP!r}. Tasks that are to write to it cannot start.")
    if service["desiredCount"] != TASKS or not look.steady(service, TASKS):
        running = len(look.running(look.service_tasks(service)))
        return not_yet(
            "not_three", f"The service wants {service['desiredCount']} tasks, {running} run; asked for: {TASKS}."
        )
    if not _lines("ready on port"):
        return not_yet(
            "no_logs", f"The tasks run, but none of their lines is in {LOG_GROUP!r}. Where do they send them?"
        )
    return None


def _found(service: dict) -> Verdict:
    answered = {stream.rsplit("/", 1)[-1] for stream, _ in _lines(f"GET {PATH} ")}
    if not answered:
        return not_yet("not_asked", f"No task has logged a request to {PATH!r}. Has it gone through the load balancer?")
    if len(answered) > 1:
        return lost("asked_often", f"{len(answered)} tasks have answered {PATH!r}, so the one cannot be told. {RESET}")
    running = look.running(look.service_tasks(service))
    one = answered.pop()
    if one not in {_id(task) for task in running}:
        return lost("gone", f"The task that answered {PATH!r} has stopped; ECS tags running tasks only. {RESET}")
    return _tagged(running, one)


def _lines(text: str) -> list[tuple[str, str]]:
    end = time.monotonic() + LOG_PATIENCE
    while not (found := look.log_lines(LOG_GROUP, text)) and time.monotonic() < end:
        time.sleep(look.LOOK_SECONDS)
    return found


def _id(task: dict) -> str:
    return task["taskArn"].rsplit("/", 1)[-1]


def _tagged(running: list[dict], answered: str) -> Verdict:
    arns = [task["taskArn"] for task in running]
    found = aws_client("ecs").describe_tasks(cluster=NAME, tasks=arns, include=["TAGS"])["tasks"]
    tags = {_id(task): {tag["key"]: tag["value"] for tag in task["tags"]} for task in found}
    marked = {task_id for task_id, found in tags.items() if found.get(KEY) == VALUE}
    if marked == {answered}:
        return done(f"The task that answered {PATH!r} was found by its log stream, and it alone carries the tag.")
    if marked:
        return not_yet("wrong_task", f"Tagged tasks: {len(marked)}. Only the one that logged {PATH!r} is meant.")
    if any(tags.values()):
        return not_yet("wrong_tag", f"A task carries a tag, but none has the key {KEY!r} with the value {VALUE!r}.")
    return not_yet("not_tagged", f"One task has answered {PATH!r}, and no task carries the tag yet.")
