"""A test run apart from the learner's things: its folders, and its mark in the engine while it lasts.

A test run makes images and containers under the very names that the chapters use. So that what a killed one left can
be told from what a learner made, an empty volume lies in the engine while a run lasts. Its labels name the run's
process and its folder. No run starts over a learner's things, so all that is there beside such a mark is the run's.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labs import settings
from labs.cloud import server
from labs.machine import console, engine, inventory, jupyter, processes

ROLE = "test-run"
RUN_KEY = "course.test-run"


@dataclass(frozen=True)
class Mark:
    """The volume that says that a test run began and has not cleaned up.

    Args:
        volume: its name.
        process: who runs the tests.
        folder: where that run keeps its data and its work.
    """

    volume: str
    process: processes.Running
    folder: Path


def in_the_way() -> list[inventory.Thing]:
    """What has a name that tests would use too: whatever a learner made, or an interrupted run."""
    return [thing for thing in inventory.find() if not thing.role and not thing.nameless]


@contextmanager
def apart() -> Iterator[dict[str, str]]:
    """A data and a work folder for the tests alone. Afterwards what was not there before is gone.

    Yields:
        The environment for pytest.
    """
    before = inventory.find()
    folder = Path(tempfile.mkdtemp(prefix="course-test-"))  # short: the path of a unix socket has to fit below it
    own = _environment(folder)
    if not processes.port_free(settings.gateway_port()):
        own["COURSE_PORT"] = str(_free_port())
        console.say(f"Port {settings.gateway_port()} is in use: the tests' local AWS takes {own['COURSE_PORT']}.")
    mark(folder, processes.Running(os.getpid(), processes.start_time(os.getpid()) or ""))
    try:
        yield {**os.environ, **own}
    finally:
        with processes.undisturbed():
            _clean_up(folder, before)


def settle() -> Mark | None:
    """Removes what a killed test run left, in Docker and on disk, and says so.

    Returns:
        The mark of a run that goes on right now; nothing of it was touched.
    """
    for mark in _marks():
        if processes.alive(mark.process):
            return mark
        console.say("An earlier test run was killed and could not clean up after itself; this is done now.")
        roles = [thing for thing in inventory.find() if thing.role or thing.nameless]
        _clean_up(mark.folder, (thing for thing in roles if thing.id != mark.volume))
    return None


def _environment(folder: Path) -> dict[str, str]:
    return {"COURSE_DATA": str(folder / "data"), "COURSE_WORK": str(folder / "work")}


def mark(folder: Path, process: processes.Running) -> None:
    """Lays the mark of a run into the engine.

    Args:
        folder: where the run keeps its data and its work; it goes with the mark.
        process: who runs the tests.
    """
    run = {"pid": process.pid, "started": process.started, "folder": str(folder)}
    labels = {settings.LABEL_KEY: settings.LABEL_VALUE, settings.ROLE_KEY: ROLE, RUN_KEY: json.dumps(run)}
    with engine.client() as api:
        api.create_volume(labels=labels)


def _marks() -> list[Mark]:
    with engine.client() as api:
        role = f"{settings.ROLE_KEY}={ROLE}"
        rows = api.volumes(filters={"label": [settings.LABEL, role]})["Volumes"] or []
    found = []
    for row in rows:
        run = json.loads(row["Labels"][RUN_KEY])
        found.append(Mark(row["Name"], processes.Running(run["pid"], run["started"]), Path(run["folder"])))
    return found


def _clean_up(folder: Path, known: Iterable[inventory.Thing]) -> None:
    """Ends what a run has started and removes what it has made; its mark goes with the rest."""
    with _environ(_environment(folder)):
        jupyter.stop()
        try:
            server.stop()
        except server.CloudError as error:
            console.complain(str(error))
    keep = {thing.id for thing in known}
    gone, stuck = inventory.remove(thing for thing in inventory.find() if thing.id not in keep)
    if left := [thing for thing in gone if thing.role != ROLE]:
        console.say(f"Left by the tests and removed: {inventory.summary(left)}.")
    for trouble in stuck:
        console.complain(trouble)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _environ(own: dict[str, str]) -> Iterator[None]:
    saved = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind((settings.GATEWAY_HOST, 0))
        return probe.getsockname()[1]
