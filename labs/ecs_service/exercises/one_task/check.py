"""Is one Fargate task of the family svc-solo running, sized as asked for, and logged?"""

import re
import time

from labs.ecs_service import look
from labs.kit import remove_aws
from labs.kit.verdict import Verdict, done, not_yet

NAME = "svc-solo"
LOG_GROUP = f"/ecs/{NAME}"
ROLE = f"{NAME}-execution"
IMAGE = "svc-web:1"
SIZE = ("256", "512")  # CPU units and MiB
LOG_PATIENCE = 2.5  # seconds that a line may take to the log group


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
    remove_aws.everything(NAME)


def _definition(revision: dict) -> Verdict | None:
    label = f"{NAME}:{revision['revision']}"
    if revision.get("networkMode") != "awsvpc":
        mode = revision.get("networkMode", "none named, so bridge")
        return not_yet("wrong_network_mode", f"{label} has the network mode {mode!r}. Fargate knows one mode only.")
    size = (revision.get("cpu"), revision.get("memory"))
    if None in size:
        return not_yet("no_size", f"{label} lacks cpu or memory for the task as a whole. Fargate has to know both.")
    if size != SIZE:
        return not_yet(
            "wrong_size", f"{label} has {size[0]} CPU units and {size[1]} MiB. That is not what was asked for."
        )
    return _role(revision, label) or _logging(revision, label)


def _role(revision: dict, label: str) -> Verdict | None:
    role = revision.get("executionRoleArn", "").rpartition("/")[2]
    if not role:
        return not_yet(
            "no_execution_role",
            f"{label} has no execution role, so on Fargate nobody may fetch a private image or write the log.",
        )
    if role != ROLE:
        return not_yet("other_role", f"The execution role of {label} is {role!r}; it is to have one of its own.")
    return None


def _logging(revision: dict, label: str) -> Verdict | None:
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
        return not_yet(
            "not_run",
            f"{NAME}:{revision['revision']} is registered; no task of it runs or has run. A refused call starts none.",
        )
    running = look.running(found)
    if not running:
        return _stopped(found[-1])
    everywhere = len(look.running(look.tasks(NAME)))
    if everywhere > 1:
        return not_yet("too_many", f"{everywhere} tasks run in the cluster; one is asked for.")
    return _running(running[0])


def _running(task: dict) -> Verdict | None:
    image = look.containers(task)[0].attrs["Config"]["Image"]
    if image != IMAGE:
        return not_yet("other_image", f"The container in Docker was made from {image!r}, not from {IMAGE!r}.")
    return None


def _stopped(task: dict) -> Verdict:
    reason = task.get("stoppedReason", "")
    if task.get("stopCode") == "TaskFailedToStart":
        if not look.log_group(LOG_GROUP):
            return not_yet(
                "no_log_group", f"The task never started: there is no log group {LOG_GROUP!r} for its output."
            )
        if "unable to assume the role" in reason:
            return not_yet(
                "role_not_trusted",
                "The task never started: its execution role does not let tasks of ECS assume it. See its trust policy.",
            )
        if lacking := re.search(r"not authorized to perform: (\S+)", reason):
            return not_yet(
                "no_permission",
                f"The task never started: that needs {lacking[1]}, and no policy of its execution role allows it.",
            )
        image = task["containers"][0]["image"]
        return not_yet("cannot_start", f"The task never started. Its image is {image!r}; its stoppedReason says more.")
    return not_yet("not_running", f"No task runs. The last one is {task['lastStatus']}; its reason: {reason!r}.")


def _log() -> Verdict:
    end = time.monotonic() + LOG_PATIENCE
    while not look.log_lines(LOG_GROUP, "ready on port"):
        if time.monotonic() > end:
            return not_yet(
                "no_log_line", f"The task runs, but our app's first line is not in {LOG_GROUP!r}. Does it run?"
            )
        time.sleep(look.LOOK_SECONDS)
    return done("One Fargate task runs, Docker shows its container, and its first line is in CloudWatch Logs.")
