"""The container box-keep: its program ended at least once, and the engine has started it again."""

import time

from docker.models.containers import Container

from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet

NAME = "box-keep"
IMAGE = "box-keep:1"
PATIENCE = 5.0  # seconds: the engine waits a moment before it starts a container again


def check() -> Verdict:
    container = world.container(NAME)
    if container is None:
        return not_yet("no_container", f"There is no container {NAME} yet.")
    if complaint := look_docker.unlabelled(container, f"The container {NAME}"):
        return not_yet("label_missing", complaint)
    image = world.image(IMAGE)
    if image is None or container.attrs["Image"] != image.id:
        return not_yet("other_image", f"{NAME} was not started from the image {IMAGE} as it is now.")
    return _policy(container) or _part(container) or _history(container)


def reset() -> None:
    remove_docker.everything(NAME)


def _policy(container: Container) -> Verdict | None:
    name = container.attrs["HostConfig"]["RestartPolicy"]["Name"] or "no"
    if name == "no":
        return not_yet("no_policy", f"{NAME} has no restart policy: when its program ends, it stays ended.")
    if name == "on-failure":
        return not_yet(
            "only_failures",
            f"{NAME} is started again after a failure only. Its program ends well when it is asked to, with code 0.",
        )
    return None


def _part(container: Container) -> Verdict | None:
    plays = look_docker.environment(container).get("SERVICE")
    if plays == "stock":
        return None
    last = look_docker.last_line(container)
    return not_yet("wrong_part", f"{NAME} plays the part {plays or '(none)'}. The last line of its log: {last}")


def _history(container: Container) -> Verdict:
    end = time.monotonic() + PATIENCE
    while look_docker.state(container) != "running" and time.monotonic() < end:
        time.sleep(0.2)
    if container.status != "running":
        return not_yet(
            "stopped_by_hand",
            f"{NAME} does not run ({container.status}). Who stops or kills a container through the engine means it: "
            "then no policy starts it again. End its program from inside.",
        )
    if not container.attrs["RestartCount"]:
        return not_yet(
            "never_ended",
            f"{NAME} runs and has the right policy, but its program has never ended yet, so nothing is proved. "
            "A restart that you ask for does not count.",
        )
    if not look_docker.stays_up(container):
        return not_yet("flapping", f"{NAME} keeps ending. The last line of its log: {look_docker.last_line(container)}")
    times = container.attrs["RestartCount"]
    return done(f"{NAME} has come back by itself, {times} time{'s' if times > 1 else ''} so far.")
