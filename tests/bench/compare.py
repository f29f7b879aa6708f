"""Our container services beside MiniStack alone, the emulator that they replace: the same calls, in one run."""

import contextlib
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import measures
import psutil
import sides
from sides import Side

from labs import settings
from labs.cloud import environment

PORT, EMULATOR_PORT = "4613", 4615
STARTS = 3
SETTLE_SECONDS = 3.0  # what begins with a process has then begun
EMULATOR = "MiniStack alone"
Row = tuple[float, str, float, str]  # measured, unit, reference, what the reference is


def figures(home: Path) -> dict[str, Row]:
    """All rows but that of `events`. Takes about four minutes.

    Args:
        home: an empty folder.
    """
    _use(home)
    measures.build_images()
    try:
        with _started(sides.ours) as (side, begun):
            mine = begun | _common(side, settings.BASE_IMAGE) | _requests(side)
        with _started(lambda: sides.alone(home / "emulator", EMULATOR_PORT)) as (side, begun):
            with _in_its_registry(side) as image:
                theirs = begun | _common(side, image)
            with measures.balanced(side, measures.WEB, 1) as (name, _):
                theirs["gateway"] = measures.load(f"{side.url}/", host=name)["requests"]
    finally:
        measures.remove_images()
    return _rows(mine, theirs)


def events(home: Path) -> dict[str, Row]:
    """How soon the event of a task is in a queue, beside an event that the same local AWS is given by PutEvents.

    Args:
        home: an empty folder.
    """
    _use(home)
    with sides.ours() as side:
        mine, given = measures.event_delay(side), measures.put_events_delay(side)
    return {"task state change until it is in a queue": (mine * 1000, "ms", given * 1000, "PutEvents, the same way")}


def _use(home: Path) -> None:
    """Has everything of ours live in a folder of this run."""
    os.environ.update(COURSE_DATA=str(home / "data"), COURSE_PORT=PORT)
    environment.apply(os.environ)


def _common(side: Side, image: str) -> dict[str, float]:
    """What both are asked for."""
    found: dict[str, float] = {}
    found["call"], found["running"] = measures.run_tasks(side, image)
    with measures.service(side, 20, image=image) as (name, found["twenty"]):
        found["replaced"] = measures.replacement(side, name)
        with measures.service(side, 20, image=image):
            found["cpu"] = measures.idle_cpu(side)
    found["obeys"] = measures.deletion(side, measures.OBEYS, image)
    found["ignores"] = measures.deletion(side, measures.IGNORES, image)
    return found


def _requests(side: Side) -> dict[str, float]:
    """The load balancer itself, which only ours has, and the way to it through the gateway."""
    found: dict[str, float] = {}
    for key, image in (("web", measures.WEB), ("app", measures.APP)):
        with measures.balanced(side, image, 1) as (name, chosen):
            direct, through = [], []
            for _ in range(3):  # in turn, for the machine is not always equally quick
                direct.append(measures.load(measures.task_url(side, chosen), 3)["requests"])
                through.append(measures.load(measures.balancer_url(), 3)["requests"])
            found |= {f"{key} direct": statistics.median(direct), f"{key} through": statistics.median(through)}
            if key == "web":
                found["gateway"] = measures.load(f"{side.url}/", host=name)["requests"]
    return found


@contextlib.contextmanager
def _started(make: sides.Maker) -> Iterator[tuple[Side, dict[str, float]]]:
    """A local AWS that runs, the median time of its starts, and its memory before it is asked for anything."""
    taken = []
    for _ in range(STARTS - 1):
        with make() as side:
            taken.append(side.seconds)
    with make() as side:
        time.sleep(SETTLE_SECONDS)
        memory = psutil.Process(side.pid).memory_info().rss / 2**20
        yield side, {"start": statistics.median([*taken, side.seconds]), "memory": memory}


@contextlib.contextmanager
def _in_its_registry(side: Side) -> Iterator[str]:
    """The base image in the emulator's own ECR: it pulls for each task of a service, and would ask the network."""
    images, name = docker.from_env().images, f"{side.url.removeprefix('http://')}/bench"
    side.client("ecr").create_repository(repositoryName="bench")
    images.get(settings.BASE_IMAGE).tag(name, "1")
    try:
        pushed = images.push(name, "1")
        if "errorDetail" in pushed:
            raise RuntimeError(f"The base image could not be pushed to the emulator: {pushed[-300:]}")
        yield f"{name}:1"
    finally:
        images.remove(f"{name}:1")


def _rows(mine: dict[str, float], theirs: dict[str, float]) -> dict[str, Row]:
    def beside(key: str, unit: str, factor: float = 1.0) -> Row:
        return mine[key] * factor, unit, theirs[key] * factor, EMULATOR

    return {
        "local AWS: start to healthy": beside("start", "s"),
        "local AWS: memory when started": beside("memory", "MiB"),
        "RunTask, the call": beside("call", "ms", 1000),
        "RunTask until DescribeTasks says RUNNING": beside("running", "s"),
        "service, 0 to 20 tasks RUNNING": beside("twenty", "s"),
        "processor, 40 tasks and no requests": beside("cpu", "% of a core"),
        "a killed task replaced": beside("replaced", "s"),
        "service of 10 deleted, SIGTERM obeyed": beside("obeys", "s"),
        "service of 10 deleted, SIGTERM ignored, stopTimeout 5 s": beside("ignores", "s"),
        "requests through the gateway and a load balancer": beside("gateway", "1/s"),
        "load balancer, the course's web server": (mine["app through"], "1/s", mine["app direct"], "asked directly"),
        "load balancer, a server that does nothing": (mine["web through"], "1/s", mine["web direct"], "asked directly"),
    }
