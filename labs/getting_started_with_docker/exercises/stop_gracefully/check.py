"""The image dock-stop:1 and the container dock-stop: does SIGTERM reach the server, and does it end with code 0?"""

import time

from docker.errors import APIError
from docker.models.containers import Container

from labs.getting_started_with_docker import look
from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet

NAME, TAG = "dock-stop", "dock-stop:1"
GOODBYE = "SIGTERM received, goodbye"
PREPARING = "preparing"
KILLED, TERMINATED = 137, 143
GRACE = 3  # seconds between the probe's SIGTERM and its SIGKILL


def check() -> Verdict:
    image = world.image(TAG)
    if image is None:
        return not_yet("no_image", f"There is no image {TAG} yet.")
    if complaint := look_docker.unlabelled(image, f"The image {TAG}"):
        return not_yet("label_missing", complaint)
    return _image() or _container(image.id)


def reset() -> None:
    remove_docker.everything(NAME)


def _image() -> Verdict | None:
    """Start a probe from the image, stop it, and judge how it ended. None when all is well."""
    try:
        with look_docker.probe("dock-", TAG, ports={look.INSIDE: ("127.0.0.1", None)}) as probe:
            probe.reload()
            port = look_docker.bindings(probe)[look.INSIDE][0][1] if look_docker.bindings(probe) else 0
            if not port or not look.says_it_is(probe, look.wait_for_answer(probe, port)):
                look_docker.state(probe)
                return not_yet(
                    "no_server", f"A container from {TAG} does not serve. Its log ends: {look_docker.last_line(probe)}"
                )
            began = time.monotonic()
            probe.stop(timeout=GRACE)
            seconds = time.monotonic() - began
            probe.reload()
            log = probe.logs().decode(errors="replace")
            code = probe.attrs["State"]["ExitCode"]
    except APIError as problem:
        return not_yet("no_server", f"The engine cannot start {TAG}: {problem.explanation or problem}")
    if GOODBYE not in log:
        return not_yet(
            "image_deaf",
            f"A container from {TAG} was asked to stop, and after {seconds:.0f} s it had ended with code {code}, "
            "without a word from the server: the signal did not reach it. Which process is number 1 in there?",
        )
    if code != 0:
        return not_yet(
            "code_lost", f"The server said goodbye, and yet the container ended with code {code}. What runs after it?"
        )
    if PREPARING not in log:
        return not_yet(
            "script_skipped",
            "The server stops well, but the preparation in start.sh is skipped now. Both are wanted: mend the script.",
        )
    return None


def _container(image: str) -> Verdict:
    container = world.container(NAME)
    if container is None:
        return not_yet("no_container", f"{TAG} stops well. Now start a container {NAME} from it, and stop it.")
    if container.attrs["Image"] != image:
        return not_yet("old_image", f"{TAG} stops well, but {NAME} is from another image, maybe an earlier build.")
    if container.status == "running":
        return not_yet("still_running", f"{TAG} stops well, and {NAME} runs. It waits to be stopped.")
    return _ending(container)


def _ending(container: Container) -> Verdict:
    code = container.attrs["State"]["ExitCode"]
    if code == KILLED:
        return not_yet(
            "killed",
            f"{NAME} ended with code {KILLED}: SIGKILL ended it, which no program can hear. Stop it, do not kill it.",
        )
    if GOODBYE not in container.logs().decode(errors="replace") or code != 0:
        return not_yet(
            "never_served",
            f"{NAME} is over with code {code}, and its log has no goodbye: it was not stopped while the server ran.",
        )
    return done(f"{NAME} heard SIGTERM, finished its work and ended with code 0.")
