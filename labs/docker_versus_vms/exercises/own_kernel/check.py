"""The container wall-guest: a virtual machine that has booted a kernel of its own and stays, within its limits."""

import re
import time

from docker.models.containers import Container

from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet

NAME = "wall-guest"
IMAGE = "wall-guest:1"
MIB = 1024 * 1024
MOST = 320 * MIB
KILLED = 137  # 128 + 9, SIGKILL; the engine cannot always tell afterwards that it was for memory
PATIENCE = 20.0  # seconds: an emulated machine boots in two, on a busy machine in more
READY = re.compile(rb"ready kernel=(\S+) boot=(\S+)")


def check() -> Verdict:
    container = world.container(NAME)
    if container is None:
        return not_yet("no_container", f"There is no container {NAME} yet.")
    if complaint := look_docker.unlabelled(container, f"The container {NAME}"):
        return not_yet("label_missing", complaint)
    image = world.image(IMAGE)
    if image is None or container.attrs["Image"] != image.id:
        return not_yet("other_image", f"{NAME} was not started from the image {IMAGE} as it is now.")
    return _limits(container) or _machine(container)


def reset() -> None:
    remove_docker.everything(NAME)


def _limits(container: Container) -> Verdict | None:
    host = container.attrs["HostConfig"]
    if not host["Memory"]:
        return not_yet("no_limit", f"{NAME} may take all the memory of this machine.")
    if host["Memory"] > MOST:
        return not_yet("too_wide", f"The limit is {host['Memory'] // MIB} MiB, and 320 is the most.")
    if host["MemorySwap"] != host["Memory"]:
        return not_yet("swap", f"{NAME} may use swap on top of its {host['Memory'] // MIB} MiB.")
    if host["NetworkMode"] != "none":
        return not_yet("network", f"{NAME} is connected to a network ({host['NetworkMode']}) that it does not need.")
    return None


def _machine(container: Container) -> Verdict:
    end = time.monotonic() + PATIENCE
    while look_docker.state(container) == "running" and not (found := READY.search(container.logs())):
        if time.monotonic() > end or container.attrs["Config"]["Entrypoint"] != ["/boot-vm"]:
            return not_yet(
                "no_machine", f"{NAME} runs, but no machine has booted in it: its log holds no word of a kernel."
            )
        time.sleep(0.2)
    if container.status != "running":
        if container.attrs["State"]["ExitCode"] == KILLED:
            limit = container.attrs["HostConfig"]["Memory"] // MIB
            return not_yet(
                "killed", f"{limit} MiB hold the guest, but not the emulator that plays its hardware: killed."
            )
        return not_yet("switched_off", f"The machine in {NAME} has switched itself off. It was to stay.")
    own = container.exec_run(["cat", "/proc/sys/kernel/random/boot_id"]).output.strip()
    if found[2] == own:
        return not_yet("no_machine", f"{NAME} says a kernel's number, and it is that of this machine.")
    return done(f"In {NAME} runs kernel {found[1].decode()}, booted for it alone.")
