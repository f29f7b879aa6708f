"""Have two tasks in two zones, at the same time, drawn each of a hundred numbers exactly once?"""

import time
from collections import Counter

from labs.ecs_data_volumes import look, remove
from labs.kit.verdict import Verdict, done, lost, not_yet

NAME = "vol-draw"
ZONES = {"us-east-1a", "us-east-1b"}
TICKETS = 100
PATIENCE_SECONDS = 8.0  # for two tasks that are at work
RESET = "Begin again with `chapter.reset('two_writers')`."


def check() -> Verdict:
    """Look at the two tasks, where and when they lived, then at the files that they left."""
    system = look.file_system(NAME)
    if system is None:
        return not_yet("no_file_system", f"There is no file system with the Name {NAME!r} yet.")
    found = _ended(system)
    if len(found) < 2:
        return not_yet(
            "one_office", f"Tasks of the family {NAME!r} so far: {len(found)}. One alone waits for the other, for good."
        )
    if len(found) > 2:
        return lost("several_tries", f"{len(found)} tasks have drawn from this roll. {RESET}")
    if any(task["lastStatus"] != "STOPPED" for task in found):
        return not_yet("at_work", "The tasks are still at work, or wait for somebody. What does each wait for?")
    return _lived(found, system["FileSystemId"]) or _drawn(system["FileSystemId"])


def reset() -> None:
    """Remove the file system with the tickets, the cluster with its tasks, and the task definitions."""
    remove.everything(NAME)


def _ended(system: dict) -> list[dict]:
    """The tasks of the family, once both have ended or patience has; fewer than two are not waited for."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        every = look.tasks(NAME, system["CreationTime"])
        found = [task for task in every if look.definition(task).get("family") == NAME]
        if len(found) < 2 or all(task["lastStatus"] == "STOPPED" for task in found) or time.monotonic() > end:
            return found
        time.sleep(look.LOOK_SECONDS)


def _lived(found: list[dict], id: str) -> Verdict | None:
    for task in found:
        if "startedAt" not in task:
            return lost("did_not_start", f"A task did not start: {look.why(task)} {RESET}")
        if not look.mounts(task, id):
            return lost("not_mounted", f"A task did not have the file system, so it shared nothing. {RESET}")
        if look.exit_code(task) != 0:
            return lost("failed", f"The program of a task ended with code {look.exit_code(task)}. {RESET}")
    if {task.get("availabilityZone") for task in found} != ZONES:
        return lost("same_zone", f"The two tasks were not in {' and '.join(sorted(ZONES))}. {RESET}")
    if max(task["startedAt"] for task in found) > min(task.get("stoppingAt") or task["stoppedAt"] for task in found):
        return lost("not_together", f"One task began when the other had ended: easy, and slow. {RESET}")
    return None


def _drawn(id: str) -> Verdict:
    files = {name: text for name, text in look.content(id, NAME).items() if name.startswith("drawn-")}
    if len(files) != 2:
        return lost("no_files", f"Files drawn-... at the top of the file system: {len(files)}; asked for: 2. {RESET}")
    lines = [line.strip() for text in files.values() for line in text.splitlines()]
    counted = Counter(lines)
    twice, empty = sum(1 for line, count in counted.items() if line and count > 1), counted[""]
    if twice or empty:
        return lost(
            "drawn_twice",
            f"{twice} numbers were drawn more than once, and {empty} times the number read was empty: somebody came "
            f"between reading and writing. {RESET}",
        )
    if set(lines) != {str(number) for number in range(1, TICKETS + 1)}:
        return lost("other_numbers", f"{len(lines)} numbers were drawn, not exactly those from 1 to {TICKETS}. {RESET}")
    return done(f"{TICKETS} tickets from two zones at the same time, and each number exactly once.")
