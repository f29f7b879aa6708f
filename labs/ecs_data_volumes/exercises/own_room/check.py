"""Has each app an access point of its own, with a folder and a user, and does its task use it?"""

import time

from labs.ecs_data_volumes import look, remove
from labs.kit.verdict import Verdict, done, not_yet

NAME = "vol-rooms"
APPS = {"shop": 1001, "blog": 1002}
PATH = "/data"
HELLO_PATIENCE = 3.0  # seconds for a program that has just begun


def check() -> Verdict:
    """Look at the file system, then for each app at its newest task, its access point, and what the task sees."""
    system = look.file_system(NAME)
    if system is None:
        return not_yet("no_file_system", f"There is no file system with the Name {NAME!r} yet.")
    found = look.settled(NAME, system["CreationTime"])
    newest = {app: _newest(app, found) for app in APPS}
    for app, user in APPS.items():
        if verdict := _rules(app, user, system["FileSystemId"], newest[app]):
            return verdict
    for app, task in newest.items():
        if verdict := _task(app, task):
            return verdict
    return done("Each app writes into a folder of its own, as a user of its own, and sees nothing of the other.")


def reset() -> None:
    """Remove the file system with its access points, the cluster with its tasks, and the task definitions."""
    remove.everything(NAME)


def _newest(app: str, found: list[dict]) -> dict | None:
    """The task of an app to judge: one that runs, before one that has ended."""
    mine = [task for task in found if look.definition(task).get("family") == f"{NAME}-{app}"]
    return next(iter([*reversed(look.running(mine)), *reversed(mine)]), None)


def _rules(app: str, user: int, id: str, task: dict | None) -> Verdict | None:
    family = f"{NAME}-{app}"
    if task is None:
        return not_yet("not_run", f"No task of the family {family!r} has run in a cluster {NAME!r} yet.")
    config = look.mounts(task, id).get(PATH)
    if config is None:
        return not_yet("not_mounted", f"The task of {family!r} does not have the file system at {PATH}.")
    chosen = config.get("authorizationConfig", {}).get("accessPointId")
    point = next((one for one in look.access_points(id) if one["AccessPointId"] == chosen), None)
    if chosen is None or point is None:
        return not_yet(
            "no_access_point",
            f"The volume of {family!r} names no access point of this file system, so nothing fixes its folder or user.",
        )
    return _folder(app, point) or _owner(app, user, point)


def _folder(app: str, point: dict) -> Verdict | None:
    path = point.get("RootDirectory", {}).get("Path") or "/"
    if path == "/":
        return not_yet("whole_tree", f"The access point of {app!r} shows the whole file system, with all rooms in it.")
    if path.rstrip("/") != f"/{app}":
        return not_yet("other_folder", f"The task of {app!r} comes in by an access point whose folder is {path!r}.")
    return None


def _owner(app: str, user: int, point: dict) -> Verdict | None:
    acting = point.get("PosixUser") or {}
    if (acting.get("Uid"), acting.get("Gid")) != (user, user):
        return not_yet(
            "no_user",
            f"The access point of {app!r} does not make every request one of user and group {user}: the container "
            "decides who it is.",
        )
    info = point["RootDirectory"].get("CreationInfo")
    if not info:
        return not_yet(
            "no_creation_info",
            f"The access point of {app!r} does not say who is to own its folder, so EFS does not make it. On a new "
            "file system there is nothing to mount.",
        )
    if (info["OwnerUid"], info["OwnerGid"]) != (user, user):
        return not_yet(
            "other_owner",
            f"The folder of {app!r} belongs to user {info['OwnerUid']} and group {info['OwnerGid']}, and the access "
            f"point acts as {user}. On AWS its writes would be refused.",
        )
    if int(info["Permissions"], 8) & 0o007:
        return not_yet("open_to_others", f"The folder of {app!r} gives rights to others: {info['Permissions']}.")
    return None


def _task(app: str, task: dict) -> Verdict | None:
    container = look.container(task)
    if container is None:
        return not_yet("not_running", f"The access point is right; the task of {app!r} ended: {look.why(task)}")
    end = time.monotonic() + HELLO_PATIENCE
    while app not in (seen := look.files(container, PATH)).get("hello.txt", "") and time.monotonic() < end:
        time.sleep(look.LOOK_SECONDS)
    if app not in seen.get("hello.txt", ""):
        return not_yet("no_hello", f"The task of {app!r} runs, and no hello.txt with its name is in its {PATH}.")
    return None
