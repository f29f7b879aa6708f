"""Fargate's task sizes, and what a task definition must not ask for there.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""

from collections.abc import Iterator
from typing import Any

from labs.cloud.engine import images

GIB = 1024
# CPU units to the MiB that go with them.
SIZES: dict[int, tuple[int, ...]] = {
    256: (512, 1 * GIB, 2 * GIB),
    512: tuple(range(1 * GIB, 4 * GIB + 1, GIB)),
    1024: tuple(range(2 * GIB, 8 * GIB + 1, GIB)),
    2048: tuple(range(4 * GIB, 16 * GIB + 1, GIB)),
    4096: tuple(range(8 * GIB, 30 * GIB + 1, GIB)),
    8192: tuple(range(16 * GIB, 60 * GIB + 1, 4 * GIB)),
    16384: tuple(range(32 * GIB, 120 * GIB + 1, 8 * GIB)),
    32768: (60 * GIB, 120 * GIB, 244 * GIB),
}
WINDOWS_SIZES = (1024, 2048, 4096)
LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens")
MOST_STOP_SECONDS = 120
CAPABILITIES = ("SYS_PTRACE",)  # the only one that can be added
_CONTAINER_MEMBERS = (
    "disableNetworking", "dnsSearchDomains", "dnsServers", "dockerSecurityOptions", "extraHosts", "links",
)  # fmt: skip
_VOLUME_MEMBERS = ("dockerVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration")
_LINUX_MEMBERS = ("devices", "maxSwap", "sharedMemorySize", "swappiness", "tmpfs")


def problem(definition: dict[str, Any]) -> str | None:
    """Why Fargate would refuse a task definition, in AWS's words; None if it would not.

    Args:
        definition: a task definition whose defaults are filled in; `cpu` and `memory` in CPU units and MiB.
    """
    return next(_problems(definition), None)


def _problems(definition: dict[str, Any]) -> Iterator[str]:
    if definition.get("networkMode") != "awsvpc":
        yield "Fargate only supports network mode ‘awsvpc’."
    for what in ("cpu", "memory"):
        if not definition.get(what):
            yield f"Fargate requires that '{what}' be defined at the task level."
    yield from _size(definition)
    unsupported = "Fargate compatible task definitions do not support {}"
    if definition.get("placementConstraints"):
        yield unsupported.format("constraints")
    if definition.get("ipcMode"):
        yield unsupported.format("ipcMode")
    if (mode := definition.get("pidMode", "task")) != "task":
        yield (
            f"Tasks using the Fargate launch type do not support pidMode '{mode}'. "
            "The supported value for pidMode is 'task'."
        )
    for volume in definition.get("volumes", []):
        if volume.get("host", {}).get("sourcePath"):
            yield unsupported.format("sourcePath")
        yield from (unsupported.format(member) for member in _VOLUME_MEMBERS if member in volume)
    for container in definition["containerDefinitions"]:
        yield from (unsupported.format(member) for member in _CONTAINER_MEMBERS if container.get(member))
        yield from _linux(container, unsupported)
        yield from _container(container)
    yield from _roles(definition)


def _size(definition: dict[str, Any]) -> Iterator[str]:
    cpu, memory = int(definition.get("cpu") or 0), int(definition.get("memory") or 0)
    is_windows = definition.get("runtimePlatform", {}).get("operatingSystemFamily", "LINUX").startswith("WINDOWS")
    if memory not in SIZES.get(cpu, ()) or (is_windows and cpu not in WINDOWS_SIZES):
        yield (
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. "
            "See the Amazon ECS documentation for the valid values."
        )


def _linux(container: dict[str, Any], unsupported: str) -> Iterator[str]:
    parameters = container.get("linuxParameters", {})
    for member in _LINUX_MEMBERS:
        if member in parameters and parameters[member] != []:
            yield unsupported.format(member)
    for name in parameters.get("capabilities", {}).get("add", []):
        if name.removeprefix("CAP_") not in CAPABILITIES:
            yield f"{name} is not allowed on Fargate."


def _container(container: dict[str, Any]) -> Iterator[str]:
    if container.get("privileged"):
        yield "Fargate requires that the 'privileged' setting be 'false'."
    if container.get("stopTimeout", 0) > MOST_STOP_SECONDS:
        yield "Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds."
    if any(one["type"] == "GPU" for one in container.get("resourceRequirements", [])):
        yield "Tasks using the Fargate launch type do not support GPU resource requirements"
    log = container.get("logConfiguration")
    if log and log["logDriver"] not in LOG_DRIVERS:
        yield f"{log['logDriver']} is not a valid log driver. Must be one of [{', '.join(LOG_DRIVERS)}]"
    if log and log["logDriver"] == "awslogs" and "awslogs-stream-prefix" not in log.get("options", {}):
        needed = "Fargate requires log configuration options to include awslogs-stream-prefix to support log driver {}."
        yield needed.format("awslogs")


def _roles(definition: dict[str, Any]) -> Iterator[str]:
    """What only the task execution role can do.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
    """
    if definition.get("executionRoleArn"):
        return
    needed = "Fargate requires task definition to have execution role ARN to support {}."
    for container in definition["containerDefinitions"]:
        if ".dkr.ecr." in container["image"].partition("/")[0] or images.own_repository(container["image"]):
            yield needed.format("ECR images")
        if container.get("logConfiguration", {}).get("logDriver") == "awslogs":
            yield needed.format("log driver awslogs")
