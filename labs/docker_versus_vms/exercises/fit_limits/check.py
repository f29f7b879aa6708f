"""The container wall-fit: hard limits of memory, swap and processor, and a program that lives with them."""

import time

from docker.models.containers import Container

from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet

NAME = "wall-fit"
IMAGE = "wall-web:1"
NEED = "40"
MIB = 1024 * 1024
MOST = 80 * MIB
HALF = 500_000_000  # billionths of a processor
KILLED = 137  # 128 + 9, SIGKILL; the engine cannot always tell afterwards that it was for memory
PATIENCE = 10.0  # seconds: with half a processor it takes a moment to fill its memory


def check() -> Verdict:
    container = world.container(NAME)
    if container is None:
        return not_yet("no_container", f"There is no container {NAME} yet.")
    if complaint := look_docker.unlabelled(container, f"The container {NAME}"):
        return not_yet("label_missing", complaint)
    image = world.image(IMAGE)
    if image is None or container.attrs["Image"] != image.id:
        return not_yet("other_image", f"{NAME} was not started from the image {IMAGE} as it is now.")
    need = look_docker.environment(container).get("NEED")
    if need != NEED:
        return not_yet("other_need", f"{NAME} fills {need or 'no'} MiB; it was to fill {NEED}.")
    return _memory(container) or _processor(container) or _lives(container)


def reset() -> None:
    remove_docker.everything(NAME)


def _memory(container: Container) -> Verdict | None:
    host = container.attrs["HostConfig"]
    if not host["Memory"]:
        if host.get("MemoryReservation"):
            return not_yet("soft_limit", f"{NAME} has a reservation: that is a wish, not a limit. It may take it all.")
        return not_yet("no_memory_limit", f"{NAME} may take all the memory of this machine.")
    if host["Memory"] > MOST:
        return not_yet(
            "too_wide", f"The limit is {host['Memory'] // MIB} MiB; no more than {MOST // MIB} were asked for."
        )
    if host["MemorySwap"] != host["Memory"]:
        return not_yet(
            "swap",
            f"Memory is limited to {host['Memory'] // MIB} MiB, and swap comes on top of it. Where a machine has swap, "
            "the container gets slow instead of being stopped at its limit.",
        )
    return None


def _processor(container: Container) -> Verdict | None:
    host = container.attrs["HostConfig"]
    quota, period = host.get("CpuQuota", 0), host.get("CpuPeriod", 0) or 100_000
    allowed = host.get("NanoCpus", 0) or (quota * 1_000_000_000 // period if quota > 0 else 0)
    if not allowed:
        if host.get("CpuShares"):
            return not_yet("shares", f"{NAME} has shares: they count only while others want the processor too.")
        return not_yet("no_processor_limit", f"{NAME} may use every processor of this machine.")
    if allowed != HALF:
        return not_yet("other_share", f"{NAME} may use {allowed / 1e9:g} processors; asked for: 0.5.")
    return None


def _lives(container: Container) -> Verdict:
    end = time.monotonic() + PATIENCE
    while look_docker.state(container) == "running" and b"listens" not in container.logs():
        if time.monotonic() > end:
            return not_yet("not_listening", f"{NAME} runs and does not listen. {look_docker.last_line(container)}")
        time.sleep(0.2)
    if container.status != "running":
        if container.attrs["State"]["ExitCode"] == KILLED:
            return not_yet(
                "killed", f"{NAME} was killed, as the kernel does with what needs more memory than its limit."
            )
        return not_yet("not_running", f"{NAME} does not run. {look_docker.how_it_ended(container)}")
    return done(f"{NAME} fills {NEED} MiB, listens, and cannot take from its neighbours.")
