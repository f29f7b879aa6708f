"""Does a task in one zone read what a task in another zone, long ended, has written?"""

from datetime import timedelta

from labs.ecs_data_volumes import look, remove
from labs.kit.verdict import Verdict, done, not_yet

NAME = "vol-note"
FIRST, SECOND = "us-east-1a", "us-east-1b"
PATH = "/data"
SLACK = timedelta(seconds=1)  # the engine's clock may be another one


def check() -> Verdict:
    """Look at the file system, its doors and who may pass them, then at the reader, the note and its writer."""
    system = look.file_system(NAME)
    if system is None:
        return not_yet("no_file_system", f"There is no file system with the Name {NAME!r} yet.")
    id = system["FileSystemId"]
    if missing := {FIRST, SECOND} - look.zones(id):
        return not_yet(
            "no_mount_target",
            f"The file system has no mount target in {' and '.join(sorted(missing))}: no task there can mount it.",
        )
    return _rules(id) or _tasks(system)


def reset() -> None:
    """Remove the file system, the cluster with its tasks, the task definitions and the security groups."""
    remove.everything(NAME)


def _rules(id: str) -> Verdict | None:
    app = look.security_group(f"{NAME}-app")
    for target in look.mount_targets(id):
        zone, allowed = target["AvailabilityZoneName"], look.who_may_mount(target)
        if app is None or app not in allowed | _wide(allowed):
            return not_yet(
                "nfs_closed",
                f"The mount target in {zone} lets in no NFS from members of {NAME + '-app'!r}. On AWS every mount "
                "would time out there. Look at the mount target's groups, and at the port and source of their rules.",
            )
        if _wide(allowed):
            return not_yet(
                "nfs_for_all",
                f"The mount target in {zone} lets in NFS from address ranges. The task asks for members of one group.",
            )
    return None


def _wide(allowed: set[str]) -> set[str]:
    """The address ranges among the sources, with the group that they make needless."""
    ranges = {one for one in allowed if "/" in one}
    return ranges | {look.security_group(f"{NAME}-app") or ""} if ranges else set()


def _tasks(system: dict) -> Verdict:
    found = look.settled(NAME, system["CreationTime"])
    if not found:
        return not_yet("not_run", f"The file system is ready. No task has run in a cluster {NAME!r} since.")
    readers = [task for task in look.running(found) if task.get("availabilityZone") == SECOND]
    if not readers:
        return _no_reader(found)
    mounted = look.mounts(readers[-1], system["FileSystemId"])
    if not mounted:
        return not_yet(
            "not_mounted",
            f"The task in {SECOND} runs without the file system. A volume has two halves in a task definition: what "
            "there is, and where a container has it.",
        )
    if PATH not in mounted:
        return not_yet("other_path", f"The task in {SECOND} has the file system at {', '.join(mounted)}, not {PATH}.")
    return _note(readers[-1], found, system["FileSystemId"])


def _no_reader(found: list[dict]) -> Verdict:
    last = found[-1]
    if last["lastStatus"] == "STOPPED" and look.exit_code(last) is None:
        return not_yet("did_not_start", f"The newest task did not start. ECS says: {look.why(last)}")
    if any(task.get("availabilityZone") == FIRST for task in look.running(found)):
        return not_yet("same_zone", f"A task runs in {FIRST}, and none in {SECOND}: the note has not crossed a border.")
    return not_yet("no_reader", f"No task runs in {SECOND}. The second one is to stay, so that the check can ask it.")


def _note(reader: dict, found: list[dict], id: str) -> Verdict:
    container = look.container(reader)
    note = look.files(container, PATH).get("note.txt") if container else None
    if note is None or not note.strip():
        return not_yet("no_note", f"The task in {SECOND} has the file system, and there is no text in note.txt on it.")
    written = look.changed(container, f"{PATH}/note.txt")  # type: ignore[arg-type]
    ended = [task for task in found if "stoppedAt" in task and look.exit_code(task) == 0]
    writers = [task for task in ended if task.get("availabilityZone") == FIRST and look.mounts(task, id)]
    if not any(written <= task["stoppedAt"] + SLACK for task in writers):
        return not_yet(
            "no_writer",
            f"There is a note, but no task in {FIRST} that had the file system and ended with code 0 can have written "
            "it: it is from another time or place.",
        )
    return done(f"The task in {SECOND} reads what a task in {FIRST} wrote, which is no more: {note.strip()[:60]!r}.")
