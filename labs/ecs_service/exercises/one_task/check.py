"""Is one Fargate task of the family svc-solo running, sized, logged, and still there a second later?"""

import time

from labs.ecs_service import look, remove
from labs.kit.verdict import Verdict, done, not_yet

NAME = "svc-solo"
LOG_GROUP = f"/ecs/{NAME}"
IMAGE = "svc-web:1"
LOG_PATIENCE = 4.0  # seconds that a line may take to the log group


def check() -> Verdict:
    """Look at the newest revision of the family, then at its tasks, their containers and their log."""
    if look.cluster(NAME) is None:
        return not_yet("no_cluster", f"There is no cluster {NAME!r} yet.")
    revisions = look.revisions(NAME)
    if not revisions:
        return not_yet("no_task_definition", f"The cluster is there; the family {NAME!r} has no task definition yet.")
    return _definition(revisions[-1]) or _tasks(revisions[-1]) or _log()


def reset() -> None:
    """Remove the cluster, its task, the task definitions, the role and the log group of this exercise."""
    remove.everything(NAME)


def _definition(revision: dict) -> Verdict | None:
    label = f"{NAME}:{revision['revision']}"
    if not (revision.get("cpu") and revision.get("memory")):
        return not_yet("no_size", f"{label} lacks cpu or memory for the task as a whole. AWS refuses that on Fargate.")
    if revision["networkMode"] != "awsvpc":
        mode = revision["networkMode"]
        return not_yet("wrong_network_mode", f"{label} has the network mode {mode!r}. Fargate knows one mode only.")
    if not revision.get("executionRoleArn"):
        return not_yet(
            "no_execution_role",
            f"{label} has no execution role, so on Fargate nobody may fetch a private image or write the log.",
        )
    for definition in revision["containerDefinitions"]:
        log = definition.get("logConfiguration", {})
        if log.get("logDriver") != "awslogs" or log.get("options", {}).get("awslogs-group") != LOG_GROUP:
            return not_yet("no_logs", f"The container of {label} does not send its output to {LOG_GROUP!r}.")
    return None


def _tasks(revision: dict) -> Verdict | None:
    found = [
        task for task in look.tasks(NAME, family=NAME) if task["taskDefinitionArn"] == revision["taskDefinitionArn"]
    ]
    if not found:
        return not_yet("not_run", f"{NAME}:{revision['revision']} is registered; no task of it has been run.")
    running = look.running(found)
    if not running:
        return _stopped(found[-1])
    if len(running) > 1:
        return not_yet("too_many", f"{len(running)} tasks run; one is asked for.")
    return _running(running[0])


def _running(task: dict) -> Verdict | None:
    if task["launchType"] != "FARGATE":
        kind = task["launchType"]
        return not_yet("not_fargate", f"The task's launch type is {kind}, which is what you get when none is named.")
    image = look.containers(task)[0].attrs["Config"]["Image"]
    if image != IMAGE:
        return not_yet("other_image", f"The container in Docker was made from {image!r}, not from {IMAGE!r}.")
    if not look.settled(lambda: look.running(look.tasks(NAME, family=NAME)), 1):
        return _stopped(look.tasks(NAME, family=NAME)[-1])
    return None


def _stopped(task: dict) -> Verdict:
    reason = task.get("stoppedReason", "")
    if task.get("stopCode") == "TaskFailedToStart":
        image = task["containers"][0]["image"]
        return not_yet("cannot_start", f"The task never started. Its image is {image!r}; its stoppedReason says more.")
    return not_yet("not_running", f"No task runs. The last one is {task['lastStatus']}; its reason: {reason!r}.")


def _log() -> Verdict:
    end = time.monotonic() + LOG_PATIENCE
    while not look.log_lines(LOG_GROUP, "ready on port"):
        if time.monotonic() > end:
            return not_yet("no_log_line", f"The task runs, but {LOG_GROUP!r} has no line of it. Was it made first?")
        time.sleep(0.3)
    return done("One Fargate task runs, Docker shows its container, and its first line is in CloudWatch Logs.")
