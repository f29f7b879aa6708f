"""Was lb-drain deployed again under load without cutting off a request?"""

import time

from labs.ecs_load_balancing import look
from labs.kit import remove_aws
from labs.kit.verdict import Verdict, done, not_yet

NAME = "lb-drain"
LOG_GROUP = f"/ecs/{NAME}"
TASKS = 2
SLOWEST, LONGEST = 3, 30  # seconds: the slowest report, and the longest wait that is asked for
DELAY = "deregistration_delay.timeout_seconds"
LOG_PATIENCE = 4.0  # seconds that lines may take to the log group
REPORT = "/slow/3"


def check() -> Verdict:
    """Look at the service and its target group, then at what the old tasks wrote when they ended."""
    service = look.service(NAME, NAME)
    if service is None:
        return not_yet("no_service", f"There is no service {NAME!r} in a cluster {NAME!r} yet.")
    if not service["loadBalancers"]:
        return not_yet("no_target_group", "The service names no target group, so there is nothing to wait for.")
    if service["desiredCount"] != TASKS or not look.steady(service, TASKS, patience=2 * look.PATIENCE_SECONDS):
        return not_yet(
            "not_steady",
            f"The service wants {service['desiredCount']} tasks and {service['runningCount']} run; or its last "
            "deployment is not over. Its events say why.",
        )
    return _deployed(service) or _delay(service)


def reset() -> None:
    """Remove the service, its cluster, task definitions, role and log group, the load balancer, the target group."""
    remove_aws.everything(NAME)


def _deployed(service: dict) -> Verdict | None:
    """What the tasks wrote that the last deployment replaced."""
    primary = (look.service(NAME, NAME) or service)["deployments"][0]
    ended = _ended(service, primary)
    if any(task.get("stopCode") == "UserInitiated" for task in ended):
        return not_yet(
            "by_hand", "A task was stopped by hand, which is another way to end. Let a new deployment replace them."
        )
    old = [task for task in ended if task.get("startedBy") != primary["id"]]
    if not old:
        return not_yet("not_updated", "No task of the service has been replaced by a new deployment yet.")
    lines = _last_words(old)
    if lines is None:
        return not_yet("no_logs", f"The replaced tasks have written no last line to {LOG_GROUP!r}.")
    return _judged(old, lines)


def _ended(service: dict, primary: dict) -> list[dict]:
    """The tasks that were told to end since the last deployment began, as soon as all of them have stopped."""
    end = time.monotonic() + LONGEST
    while True:
        found = look.tasks(service)
        found = [task for task in found if task.get("stoppingAt") and task["stoppingAt"] >= primary["createdAt"]]
        if all(task["lastStatus"] == "STOPPED" for task in found) or time.monotonic() > end:
            return found
        time.sleep(look.LOOK_SECONDS)


def _last_words(old: list[dict]) -> dict[str, list[dict]] | None:
    """The log events of each of these tasks, by its id, as soon as each has said how it ended."""
    end = time.monotonic() + LOG_PATIENCE
    while True:
        found: dict[str, list[dict]] = {_id(task): [] for task in old}
        for event in look.log_events(LOG_GROUP):
            found.get(event["logStreamName"].rsplit("/", 1)[-1], []).append(event)
        if all(any("SIGTERM" in event["message"] for event in events) for events in found.values()):
            return found
        if time.monotonic() > end:
            return None
        time.sleep(look.LOOK_SECONDS)


def _judged(old: list[dict], lines: dict[str, list[dict]]) -> Verdict | None:
    cut = sum(_cut(event["message"]) for events in lines.values() for event in events if "SIGTERM" in event["message"])
    if cut:
        return not_yet(
            "cut",
            f"In the last deployment {cut} reports were in hand when their task was told to end, and were cut off. "
            "Who was to wait for them, and how long?",
        )
    late = [
        event
        for task in old
        for event in lines[_id(task)]
        if f" {REPORT}" in event["message"]
        and event["message"].startswith("answered")
        and event["timestamp"] >= task["stoppingAt"].timestamp() * 1000
    ]
    if not late:
        return not_yet(
            "not_asked",
            f"Nothing was cut, but no old task had a report ({REPORT}) in hand when the deployment took it "
            "out of service. So nothing is proven yet.",
        )
    return None


def _delay(service: dict) -> Verdict:
    seconds = int(look.attribute(service["loadBalancers"][0]["targetGroupArn"], DELAY))
    if seconds > LONGEST:
        return not_yet(
            "too_long",
            f"Nobody was cut off, but the target group waits up to {seconds} s for each old task. On AWS every "
            f"deployment would take so much longer; at most {LONGEST} s are asked for.",
        )
    if seconds <= SLOWEST:
        return not_yet("too_short", f"The target group waits {seconds} s; the slowest report takes {SLOWEST}.")
    return done(
        f"Old tasks answered what they had in hand, nobody was cut off, and a deployment waits {seconds} s at most."
    )


def _id(task: dict) -> str:
    return task["taskArn"].rsplit("/", 1)[-1]


def _cut(message: str) -> int:
    count = message.rpartition("cut=")[2].strip()
    return int(count) if count.isdigit() else 0
