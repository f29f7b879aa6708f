"""Does a file hold a line of each task of two services, one of which is no more?"""

import time

from labs.ecs_data_volumes import look, remove
from labs.kit.verdict import Verdict, done, lost, not_yet

NAME = "vol-visits"
BOOK = "visits.txt"
PATH = "/data"
LINE_PATIENCE = 3.0  # seconds for a program that has just begun
RESET = "Begin again with `chapter.reset('outlives_service')`."


def check() -> Verdict:
    """Look at the service and its task, at those before it, then at the book as the running task sees it."""
    system = look.file_system(NAME)
    if system is None:
        return not_yet("no_file_system", f"There is no file system with the Name {NAME!r} yet.")
    service = look.service(NAME, NAME)
    if service is None:
        return not_yet("no_service", f"The file system is there. No service {NAME!r} is active in such a cluster.")
    found = look.settled(NAME, system["CreationTime"])
    running = look.running(found)
    if not running:
        return not_yet("not_running", f"No task of the service runs. The last one said: {_last(found)}")
    if service["desiredCount"] != 1 or len(running) > 1:
        return not_yet("too_many", f"{len(running)} tasks run; the service is to have one.")
    if PATH not in look.mounts(running[0], system["FileSystemId"]):
        return not_yet("not_mounted", f"The running task does not have the file system at {PATH}. Where does it write?")
    return _before(service, found) or _book(running[0], found)


def reset() -> None:
    """Remove the service, its cluster, the task definitions, and the file system with the book."""
    remove.everything(NAME)


def _last(found: list[dict]) -> str:
    if not found:
        return "nothing yet; none has been started."
    code = look.exit_code(found[-1])
    return f"{look.why(found[-1])}{'' if code is None else f' (exit code {code})'}"


def _before(service: dict, found: list[dict]) -> Verdict | None:
    earlier = [task for task in found if "startedAt" in task and task["createdAt"] < service["createdAt"]]
    if not earlier:
        return not_yet("same_service", "This service is the first one. The book has not outlived a service yet.")
    if len(earlier) < 2:
        return lost("not_replaced", f"The first service had one task only: none was stopped and replaced. {RESET}")
    return None


def _book(task: dict, found: list[dict]) -> Verdict:
    container = look.container(task)
    started = sum("startedAt" in one for one in found)
    end = time.monotonic() + LINE_PATIENCE
    while True:
        text = look.files(container, PATH).get(BOOK, "") if container else ""
        guests = {line.strip() for line in text.splitlines() if line.strip()}
        if len(guests) >= started or time.monotonic() > end:
            break
        time.sleep(look.LOOK_SECONDS)
    if not guests:
        return not_yet("no_book", f"The task has the file system at {PATH}, and there is no line in {BOOK} on it.")
    if len(guests) < started:
        return lost("lines_lost", f"{started} tasks have started, and the book knows {len(guests)} of them. {RESET}")
    if container and look.host_name(container) not in guests:
        return lost(
            "no_name", f"None of the {len(guests)} lines in the book is the host name of the task that runs. {RESET}"
        )
    return done(f"{len(guests)} guests in the book, and only the last of them is still here.")
