"""What ECS adds to a task definition: defaults, the launch types it fits, what an instance needs to run it.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
"""

from collections.abc import Iterator
from typing import Any

from labs.cloud.ecs import fargate

_LISTS = ("portMappings", "environment", "mountPoints", "volumesFrom", "systemControls")
_HEALTH = {"interval": 30, "timeout": 5, "retries": 3}
_VOLUME_KINDS = (
    "dockerVolumeConfiguration", "efsVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration",
    "s3filesVolumeConfiguration",
)  # fmt: skip
_CPU_UNIT = "vcpu"
_MEMORY_UNITS = {"gb": 1024.0, "mb": 1.0}


def cpu_units(text: str) -> int | None:
    """A task's `cpu` in CPU units: `1024`, `1 vCPU` and `.5 vcpu` can be read; None for what cannot."""
    text = text.strip().lower()
    if text.endswith(_CPU_UNIT):
        return _whole(text.removesuffix(_CPU_UNIT), 1024.0)
    return _whole(text, 1.0)


def mebibytes(text: str) -> int | None:
    """A task's `memory` in MiB: `2048`, `2 GB` and `2GB` can be read; None for what cannot."""
    text = text.strip().lower()
    for unit, factor in _MEMORY_UNITS.items():
        if text.endswith(unit):
            return _whole(text.removesuffix(unit), factor)
    return _whole(text, 1.0)


def fill(given: dict[str, Any]) -> dict[str, Any]:
    """A checked task definition as AWS returns it, its defaults filled in. Changes what it was given."""
    if "cpu" in given:
        given["cpu"] = str(cpu_units(given["cpu"]))
    if "memory" in given:
        given["memory"] = str(mebibytes(given["memory"]))
    given.setdefault("placementConstraints", [])
    given["volumes"] = [_volume(one) for one in given.get("volumes", [])]
    for container in given["containerDefinitions"]:
        container.setdefault("cpu", 0)
        container.setdefault("essential", True)
        for member in _LISTS:
            container.setdefault(member, [])
        container["portMappings"] = [_port(one, given.get("networkMode")) for one in container["portMappings"]]
        if "healthCheck" in container:
            container["healthCheck"] = {**_HEALTH, **container["healthCheck"]}
        if container.get("restartPolicy", {}).get("enabled"):
            container["restartPolicy"] = {"restartAttemptPeriod": 300, **container["restartPolicy"]}
    return given


def compatibilities(definition: dict[str, Any]) -> list[str]:
    """The launch types that can run a filled task definition."""
    mode = definition.get("networkMode", "bridge")
    if mode != "awsvpc":
        return ["EXTERNAL", "EC2"] + (["MANAGED_INSTANCES"] if mode == "host" else [])
    on_fargate = ["FARGATE"] if fargate.problem(definition) is None else []
    is_windows = definition.get("runtimePlatform", {}).get("operatingSystemFamily", "LINUX").startswith("WINDOWS")
    return ["EC2", *([] if is_windows else ["MANAGED_INSTANCES"]), *on_fargate]


def requires_attributes(definition: dict[str, Any]) -> list[dict[str, str]]:
    """What an EC2 instance has to offer to run a filled task definition, as its agent names it.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html
    """
    names = dict.fromkeys(_attributes(definition))
    return [{"name": name} for name in names]


def _attributes(definition: dict[str, Any]) -> Iterator[str]:
    mode = definition.get("networkMode", "bridge")
    if definition.get("cpu") or definition.get("memory"):
        yield "ecs.capability.task-cpu-mem-limit"
    if mode == "awsvpc":
        yield from (_api(18), "ecs.capability.task-eni")
    if definition.get("taskRoleArn"):
        yield _com("task-iam-role-network-host" if mode == "host" else "task-iam-role")
        yield _api(17)
    if definition.get("pidMode") or definition.get("ipcMode"):
        yield "ecs.capability.pid-ipc-namespace-sharing"
    if definition.get("proxyConfiguration"):
        yield "ecs.capability.aws-appmesh"
    for volume in definition["volumes"]:
        yield from _volume_attributes(volume)
    for container in definition["containerDefinitions"]:
        yield from _container_attributes(container, bool(definition.get("executionRoleArn")))


def _volume_attributes(volume: dict[str, Any]) -> Iterator[str]:
    if "dockerVolumeConfiguration" in volume:
        yield f"ecs.capability.docker-plugin.{volume['dockerVolumeConfiguration'].get('driver', 'local')}"
    if "efsVolumeConfiguration" in volume:
        yield from (_api(25), "ecs.capability.efs")
        if volume["efsVolumeConfiguration"].get("authorizationConfig"):
            yield "ecs.capability.efsAuth"


def _container_attributes(container: dict[str, Any], has_execution_role: bool) -> Iterator[str]:
    if ".dkr.ecr." in container["image"].partition("/")[0]:
        yield from (_com("ecr-auth"), _api(19))
        if has_execution_role:
            yield "ecs.capability.execution-role-ecr-pull"
    yield from _log_attributes(container.get("logConfiguration", {}), has_execution_role)
    yield from (f"ecs.capability.secrets.{store}.environment-variables" for store in _stores(container))
    if container.get("environmentFiles"):
        yield "ecs.capability.env-files.s3"
    if container.get("repositoryCredentials"):
        yield "ecs.capability.private-registry-authentication.secretsmanager"
    if "healthCheck" in container:
        yield from (_api(24), "ecs.capability.container-health-check")
    if container.get("dependsOn") or "startTimeout" in container or "stopTimeout" in container:
        yield "ecs.capability.container-ordering"
    if container.get("restartPolicy", {}).get("enabled"):
        yield "ecs.capability.container-restart-policy"
    if container.get("privileged"):
        yield _com("privileged-container")
    if "memoryReservation" in container:
        yield _api(21)
    if container.get("dockerLabels") or container.get("ulimits"):
        yield _api(18)
    if container.get("firelensConfiguration"):
        yield f"ecs.capability.firelens.{container['firelensConfiguration']['type']}"
    yield from _linux_attributes(container.get("linuxParameters", {}))


def _linux_attributes(linux: dict[str, Any]) -> Iterator[str]:
    if linux.get("initProcessEnabled"):
        yield _api(25)
    if "sharedMemorySize" in linux or linux.get("tmpfs"):
        yield _api(22)


def _log_attributes(log: dict[str, Any], has_execution_role: bool) -> Iterator[str]:
    if not log:
        return
    yield _com(f"logging-driver.{log['logDriver']}")
    if log["logDriver"] == "awslogs":
        yield _api(19)
        if has_execution_role:
            yield "ecs.capability.execution-role-awslogs"
    for secret in log.get("secretOptions", []):
        yield f"ecs.capability.secrets.{_store(secret['valueFrom'])}.bootstrap.log-driver"


def _stores(container: dict[str, Any]) -> list[str]:
    return [_store(secret["valueFrom"]) for secret in container.get("secrets", [])]


def _store(source: str) -> str:
    """`asm` for Secrets Manager, `ssm` for the Parameter Store."""
    return "asm" if source.startswith("arn:") and source.split(":")[2] == "secretsmanager" else "ssm"


def _volume(volume: dict[str, Any]) -> dict[str, Any]:
    if "efsVolumeConfiguration" in volume:
        efs = {"rootDirectory": "/", **volume["efsVolumeConfiguration"]}
        return {**volume, "efsVolumeConfiguration": efs}
    if "dockerVolumeConfiguration" in volume:
        docker = {"scope": "task", "driver": "local", **volume["dockerVolumeConfiguration"]}
        return {**volume, "dockerVolumeConfiguration": docker}
    if volume.get("configuredAtLaunch") or any(kind in volume for kind in _VOLUME_KINDS):
        return volume
    return {"host": {}, **volume}


def _port(mapping: dict[str, Any], mode: str | None) -> dict[str, Any]:
    filled = {**mapping, "protocol": mapping.get("protocol", "tcp")}
    if "containerPort" in mapping:
        filled["hostPort"] = mapping.get("hostPort", 0)
        if mode in ("awsvpc", "host"):
            filled["hostPort"] = mapping["containerPort"]
    return filled


def _whole(text: str, factor: float) -> int | None:
    """A positive decimal number times a factor, if that is a whole number."""
    text = text.strip()
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        return None
    value = float(text) * factor
    return int(value) if value == int(value) and value > 0 else None


def _api(minor: int) -> str:
    return _com(f"docker-remote-api.1.{minor}")


def _com(name: str) -> str:
    return f"com.amazonaws.ecs.capability.{name}"
