"""Was the one task that answered /needle found in the logs, and stopped with the reason asked for?"""

import time

from labs.ecs_service import look, remove
from labs.kit.verdict import Verdict, done, lost, not_yet

NAME = "svc-needle"
LOG_GROUP = f"/ecs/{NAME}"
TASKS = 3
PATH, REASON = "/needle", "answered needle"
LOG_PATIENCE = 4.0  # seconds that a line may take to the log group
RESET = "Begin again with `chapter.reset('find_in_logs')`."


def check() -> Verdict:
    """Look at the service, at its log streams, then at why its stopped tasks were stopped."""
    service = look.service(NAME, NAME)
    if service is None:
        return not_yet("no_service", f"There is no service {NAME!r} in a cluster {NAME!r} yet.")
    if service["desiredCount"] != TASKS or not look.settled(lambda: look.running(look.service_tasks(service)), TASKS):
        running = len(look.running(look.service_tasks(service)))
        return not_yet(
            "not_three", f"The service wants {service['desiredCount']} tasks, {running} run; asked for: {TASKS}."
        )
    if not _lines("ready on port"):
        return not_yet("no_logs", f"The tasks run, but no line of them is in {LOG_GROUP!r}. Was it made before them?")
    answered = {stream.rsplit("/", 1)[-1] for stream, _ in _lines(f"GET {PATH} ")}
    if not answered:
        return not_yet("not_asked", f"No task has logged a request to {PATH!r}. Has it gone through the load balancer?")
    if len(answered) > 1:
        return lost("asked_often", f"{len(answered)} tasks have answered {PATH!r}, so the one cannot be told. {RESET}")
    return _stopped(look.service_tasks(service), answered.pop())


def reset() -> None:
    """Remove the service, its cluster, task definitions, role and log group, the load balancer and its target group."""
    remove.everything(NAME)


def _lines(text: str) -> list[tuple[str, str]]:
    end = time.monotonic() + LOG_PATIENCE
    while not (found := look.log_lines(LOG_GROUP, text)) and time.monotonic() < end:
        time.sleep(0.3)
    return found


def _stopped(record: list[dict], answered: str) -> Verdict:
    stopped = {task["taskArn"].rsplit("/", 1)[-1]: task for task in record if task["lastStatus"] == "STOPPED"}
    if not stopped:
        return not_yet("not_stopped", f"One task has answered {PATH!r}, and it still runs.")
    if set(stopped) != {answered}:
        return lost(
            "wrong_task",
            f"Stopped: {len(stopped)}. Only the task that logged {PATH!r} was meant. {RESET}",
        )
    reason = stopped[answered].get("stoppedReason", "")
    if reason != REASON:
        return lost("no_reason", f"The right task is stopped, but its stoppedReason is {reason!r}. {RESET}")
    return done("The right task is stopped, with a reason, and the service has put another in its place.")
