"""What Docker is told about a container of a task, as the ECS agent tells it.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
"""

import math
import re
from collections.abc import Sequence
from typing import Any

import psutil
from docker.errors import APIError, ImageNotFound
from docker.types import LogConfig, Mount, Ulimit

from labs.cloud.ecs import volumes
from labs.cloud.engine import docker, images, labels
from labs.cloud.frame import arns

MIB = 1024 * 1024
SECOND = 1_000_000_000  # nanoseconds
STOP_SECONDS = 30
FARGATE_FILES = 65535
LEAST_MEMORY_MIB = 6  # Docker's own lower limit
CPU_SHARES = (2, 262_144)  # the kernel's limits
CPU_UNITS = 1024  # of one CPU
LABEL_PREFIX = "com.amazonaws.ecs."
# Container output is kept by the engine too, to be read by `docker logs` and by our awslogs; it is kept small.
LOCAL_LOG = {"max-size": "10m", "max-file": "2"}
ENGINE_LOG_DRIVERS = ("json-file", "journald", "syslog", "gelf", "fluentd", "splunk")

_allowed: list[bool] = []  # what `_engine_allows_files` found, once it has
_HEALTH_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3}
_PERMISSIONS = {"read": "r", "write": "w", "mknod": "m"}


class CannotCreateContainerError(Exception):
    """Docker cannot be told to make this container. The text says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"CannotCreateContainerError: {reason}")


def options(
    task: dict[str, Any],
    definition: dict[str, Any],
    container: dict[str, Any],
    *,
    network_mode_args: dict[str, Any],
    environment: dict[str, str],
    mounts: Sequence[Mount] | None = None,
) -> dict[str, Any]:
    """The keyword arguments of docker-py's `containers.create` for one container of a task, all but the image.

    The image's own HEALTHCHECK is switched off where the definition has none, as ECS ignores it.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/healthcheck.html

    Args:
        task: the task's record.
        definition: its task definition.
        container: the container definition in it.
        network_mode_args: `network_mode` or `network` of `containers.create`: `container:<id>` for a task with an
            address of its own, `host`, `none`, or a network.
        environment: what the definition does not say itself: secrets, files, the agent's own. It wins.
        mounts: of the container; made by `volumes.mounts` if left out, which asks the engine and the backend.

    Raises:
        CannotCreateContainerError: a log driver that this machine has not.
        volumes.VolumeError: a volume cannot be had.
    """
    wanted = overridden(task, container)
    linux = wanted.get("linuxParameters") or {}
    _keep_out(wanted, linux)
    made = {
        "name": name(task, definition, container),
        "detach": True,
        "use_config_proxy": False,  # the proxy in the learner's Docker settings is none of the task's
        "labels": _labels(task, definition, container),
        "environment": {**variables(wanted), **environment},
        "entrypoint": wanted.get("entryPoint") or None,
        "command": wanted.get("command") or None,
        "user": wanted.get("user") or None,
        "working_dir": wanted.get("workingDirectory") or None,
        "stdin_open": bool(wanted.get("interactive")),
        "tty": bool(wanted.get("pseudoTerminal")),
        "healthcheck": _health_check(wanted.get("healthCheck")),
        "init": bool(linux.get("initProcessEnabled")),
        "privileged": bool(wanted.get("privileged")),
        "read_only": bool(wanted.get("readonlyRootFilesystem")),
        "cap_add": (linux.get("capabilities") or {}).get("add") or None,
        "cap_drop": (linux.get("capabilities") or {}).get("drop") or None,
        "devices": [_device(device) for device in linux.get("devices") or []] or None,
        "tmpfs": {one["containerPath"]: _tmpfs(one) for one in linux.get("tmpfs") or []} or None,
        "shm_size": linux["sharedMemorySize"] * MIB if linux.get("sharedMemorySize") else None,
        "security_opt": wanted.get("dockerSecurityOptions") or None,
        "sysctls": {one["namespace"]: one["value"] for one in wanted.get("systemControls") or []} or None,
        "ulimits": _ulimits(task, wanted),
        "log_config": _log_config(wanted.get("logConfiguration")),
        **_mounts(volumes.mounts(task, definition, container) if mounts is None else mounts),
        **_namespaces(task, definition, network_mode_args),
        "volumes_from": _volumes_from(task, definition, wanted),
        **_memory(task, definition, wanted, linux),
        **_cpu(task, definition, wanted),
        **_network(wanted, network_mode_args),
    }
    return {key: value for key, value in made.items() if value is not None}


def _keep_out(container: dict[str, Any], linux: dict[str, Any]) -> None:
    """On an instance of AWS these reach that instance; here they would reach the learner's own machine."""
    if container.get("privileged"):
        raise CannotCreateContainerError(
            "the local AWS runs no privileged containers: they would be privileged on this machine. "
            "Take 'privileged' out of the container definition."
        )
    if linux.get("devices"):
        raise CannotCreateContainerError(
            "the local AWS gives no devices to containers: they would be those of this machine. "
            "Take 'devices' out of the linuxParameters."
        )


def overridden(task: dict[str, Any], container: dict[str, Any]) -> dict[str, Any]:
    """A container definition as this task runs it: with the overrides of RunTask over it.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerOverride.html
    """
    overrides = (task.get("overrides") or {}).get("containerOverrides") or []
    merged = dict(container)
    for override in (one for one in overrides if one.get("name") == container["name"]):
        for key in ("command", "cpu", "memory", "memoryReservation", "environmentFiles", "resourceRequirements"):
            if override.get(key):
                merged[key] = override[key]
        merged["environment"] = [*(merged.get("environment") or []), *(override.get("environment") or [])]
    return merged


def variables(container: dict[str, Any]) -> dict[str, str]:
    """The `environment` of a container definition; of a name that is there twice the last one counts."""
    return {one["name"]: one.get("value") or "" for one in container.get("environment") or [] if one.get("name")}


def name(task: dict[str, Any], definition: dict[str, Any], container: dict[str, Any]) -> str:
    """The container's name in Docker, as the ECS agent makes it: family, revision, container and something unique.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-introspection.html
    """
    plain = re.sub(r"[^A-Za-z0-9-]+", "", container["name"])
    unique = task_id(task)[:12]
    others = [one["name"] for one in definition["containerDefinitions"]]
    if sum(re.sub(r"[^A-Za-z0-9-]+", "", other) == plain for other in others) > 1:
        unique += f"{others.index(container['name']):02d}"
    return "-".join(["ecs", definition["family"], str(definition["revision"]), plain, unique])


def task_id(task: dict[str, Any]) -> str:
    """The last part of the task's ARN."""
    return task["taskArn"].rpartition("/")[2]


def stop_seconds(container: dict[str, Any]) -> int:
    """How long a container has between SIGTERM and SIGKILL. docker-py's `create` has no such option: give it to `stop`.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html (stopTimeout)
    """
    return container.get("stopTimeout") or STOP_SECONDS


def cpu_units(text: object) -> int:
    """The `cpu` of a task or task definition in CPU units: 256, `256`, `.25 vCPU`; 0 if there is none."""
    words = str(text or "0").lower().split("vcpu")
    number = float(words[0] or 0)
    return round(number * CPU_UNITS) if len(words) > 1 else int(number)


def memory_mib(text: object) -> int:
    """The `memory` of a task or task definition in MiB: 512, `512`, `1 GB`, `1GB`; 0 if there is none."""
    words = str(text or "0").lower().split("gb")
    number = float(words[0] or 0)
    return round(number * 1024) if len(words) > 1 else int(number)


def _labels(task: dict[str, Any], definition: dict[str, Any], container: dict[str, Any]) -> dict[str, str]:
    """The learner's, the agent's, ours; the later ones win."""
    cluster = task["clusterArn"]
    return {
        **(container.get("dockerLabels") or {}),
        LABEL_PREFIX + "cluster": cluster if is_fargate(task) else arns.resource(cluster).rpartition("/")[2],
        LABEL_PREFIX + "container-name": container["name"],
        LABEL_PREFIX + "task-arn": task["taskArn"],
        LABEL_PREFIX + "task-definition-family": definition["family"],
        LABEL_PREFIX + "task-definition-version": str(definition["revision"]),
        **labels.labels(labels.TASK_ROLE),
    }


def is_fargate(task: dict[str, Any]) -> bool:
    """Whether the task runs on Fargate, by launch type or by capacity provider."""
    return task.get("launchType") == "FARGATE" or str(task.get("capacityProviderName", "")).startswith("FARGATE")


def _health_check(check: dict[str, Any] | None) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html"""
    if not check:
        return {"test": ["NONE"]}
    settled = {key: check.get(key) or default for key, default in _HEALTH_DEFAULTS.items()}
    return {
        "test": check["command"],
        "interval": settled["interval"] * SECOND,
        "timeout": settled["timeout"] * SECOND,
        "retries": settled["retries"],
        "start_period": (check.get("startPeriod") or 0) * SECOND,
    }


def _device(device: dict[str, Any]) -> str:
    rights = "".join(_PERMISSIONS[right] for right in device.get("permissions") or _PERMISSIONS)
    return f"{device['hostPath']}:{device.get('containerPath') or device['hostPath']}:{rights}"


def _tmpfs(mount: dict[str, Any]) -> str:
    return ",".join([f"size={mount['size']}m", *(mount.get("mountOptions") or [])])


def _ulimits(task: dict[str, Any], container: dict[str, Any]) -> list[Ulimit] | None:
    """Fargate's containers may open 65535 files unless they say otherwise; the engine's own limits elsewhere.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
    """
    found = {one["name"]: (one["softLimit"], one["hardLimit"]) for one in container.get("ulimits") or []}
    if is_fargate(task) and "nofile" not in found and _engine_allows_files(container["image"]):
        found["nofile"] = (FARGATE_FILES, FARGATE_FILES)
    return [Ulimit(name=kind, soft=soft, hard=hard) for kind, (soft, hard) in found.items()] or None


def _engine_allows_files(image: str) -> bool:
    """Whether the engine can give Fargate's number of files: one without root, or in a container itself, may not.

    Tried once, with a program that no image has: nothing ever runs.
    """
    if not _allowed:
        nothing = ["/course/no-such-program"]
        limit = Ulimit(name="nofile", soft=FARGATE_FILES, hard=FARGATE_FILES)
        try:
            probe = docker.client().containers.create(
                images.local_reference(image),
                entrypoint=nothing,
                ulimits=[limit],
                network_mode="none",
                labels=labels.labels("probe"),
            )
        except ImageNotFound:  # the caller will hear of it
            return True
        try:
            probe.start()
        except APIError as problem:
            _allowed.append("rlimit" not in str(problem.explanation))
        finally:
            probe.remove(force=True, v=True)
    return _allowed[0]


def _log_config(configuration: dict[str, Any] | None) -> LogConfig:
    driver = (configuration or {}).get("logDriver", "json-file")
    if driver == "awslogs":
        return LogConfig(type="json-file", config=LOCAL_LOG)  # `engine.output` sends it on
    if driver not in ENGINE_LOG_DRIVERS:
        raise CannotCreateContainerError(
            f"the local AWS has no log driver '{driver}'. Use awslogs, or one of {', '.join(ENGINE_LOG_DRIVERS)}."
        )
    given = (configuration or {}).get("options") or {}
    return LogConfig(type=driver, config={**LOCAL_LOG, **given} if driver == "json-file" else given)


def _mounts(mounts: Sequence[Mount]) -> dict[str, Any]:
    """Docker makes a folder of the host that is missing if it is told so in its older form, as the agent tells it."""
    binds = [
        f"{one['Source']}:{one['Target']}:{'ro' if one['ReadOnly'] else 'rw'}"
        for one in mounts
        if one["Type"] == "bind"
    ]
    return {"volumes": binds or None, "mounts": [one for one in mounts if one["Type"] != "bind"] or None}


def _namespaces(task: dict[str, Any], definition: dict[str, Any], network_mode_args: dict[str, Any]) -> dict[str, Any]:
    """The host's processes or memory segments, or those of the container that holds the task's namespaces.

    The host of a task is its container instance, never this machine.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html (pidMode, ipcMode)
    """
    holder = network_mode_args.get("network_mode", "")
    holder = holder if holder.startswith("container:") else None
    pid, ipc = definition.get("pidMode"), definition.get("ipcMode")
    host = f"container:{labels.instance_container(task['_instance'])}" if task.get("_instance") else None
    return {
        "pid_mode": host if pid == "host" else holder if pid == "task" else None,
        "ipc_mode": host if ipc == "host" else ipc if ipc == "none" else holder if ipc == "task" else None,
    }


def _volumes_from(task: dict[str, Any], definition: dict[str, Any], container: dict[str, Any]) -> list[str] | None:
    """The containers whose mounts this one shares; they have to be created before it."""
    by_name = {one["name"]: one for one in definition["containerDefinitions"]}
    return [
        f"{name(task, definition, by_name[one['sourceContainer']])}:{'ro' if one.get('readOnly') else 'rw'}"
        for one in container.get("volumesFrom") or []
        if one.get("sourceContainer") in by_name
    ] or None


def _memory(
    task: dict[str, Any], definition: dict[str, Any], container: dict[str, Any], linux: dict[str, Any]
) -> dict[str, Any]:
    """Hard limit, reservation and swap. A container without a limit has the task's; there is no swap unless asked for,
    as the instances of AWS have none.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-swap.html
    """
    limit = container.get("memory") or memory_mib(_task_size(task, definition, "memory"))
    if most := task.get("_limits", {}).get("memory"):  # no container has more than its instance
        limit = min(limit or most, most)
    reserved = container.get("memoryReservation")
    found: dict[str, Any] = {}
    if limit:
        found["mem_limit"] = max(limit, LEAST_MEMORY_MIB) * MIB
        found["memswap_limit"] = found["mem_limit"] + (linux.get("maxSwap") or 0) * MIB
    if reserved:
        found["mem_reservation"] = max(reserved, LEAST_MEMORY_MIB) * MIB
    if linux.get("swappiness") is not None and linux.get("maxSwap") is not None:
        found["mem_swappiness"] = linux["swappiness"]
    return found


def _cpu(task: dict[str, Any], definition: dict[str, Any], container: dict[str, Any]) -> dict[str, Any]:
    """Shares, and the task's size as a hard limit if it has one.

    On AWS the hard limit is that of all containers together; Docker can only limit each. A container of a sized task
    that says no `cpu` has what the others leave of the task, divided among such containers; without a task size it has
    the kernel's least, 2.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html (cpu)
    """
    size = cpu_units(_task_size(task, definition, "cpu"))
    own = container.get("cpu") or 0
    if size and not own:
        every = [overridden(task, one).get("cpu") or 0 for one in definition["containerDefinitions"]]
        own = (size - sum(every)) // every.count(0) if 0 in every else 0
    least, most = CPU_SHARES
    found: dict[str, Any] = {"cpu_shares": min(max(own, least), most)}
    vcpus = task.get("_limits", {}).get("vcpus") or math.inf  # of its instance
    if size or vcpus < math.inf:
        machine = psutil.cpu_count() or 1
        found["nano_cpus"] = int(min(size / CPU_UNITS if size else math.inf, vcpus, machine) * SECOND)
    return found


def _task_size(task: dict[str, Any], definition: dict[str, Any], key: str) -> str | None:
    """A task's own size, `cpu` or `memory`. On EC2 a task may have none; its record then tells its containers' sum."""
    if is_fargate(task) or "_limits" not in task:
        return task.get(key) or definition.get(key)
    return (task.get("overrides") or {}).get(key) or definition.get(key)


def _network(container: dict[str, Any], network_mode_args: dict[str, Any]) -> dict[str, Any]:
    """Where the container is in the network. One that shares another's network has no name or DNS of its own.

    No port is ever published on this machine.
    """
    mode = network_mode_args.get("network_mode", "")
    if container.get("disableNetworking"):
        return {"network_mode": "none", "network_disabled": True}
    if mode.startswith("container:"):
        return dict(network_mode_args)
    hosts = [f"{one['hostname']}:{one['ipAddress']}" for one in container.get("extraHosts") or []]
    found = {
        **network_mode_args,
        "hostname": container.get("hostname") or None,
        "extra_hosts": [*hosts, *_host_lines(network_mode_args.get("extra_hosts"))] or None,
        "dns": container.get("dnsServers") or None,
        "dns_search": container.get("dnsSearchDomains") or None,
    }
    return found


def _host_lines(hosts: dict[str, str] | list[str] | None) -> list[str]:
    return [f"{host}:{address}" for host, address in hosts.items()] if isinstance(hosts, dict) else list(hosts or [])


def links(task: dict[str, Any], definition: dict[str, Any], container: dict[str, Any]) -> list[tuple[str, str]] | None:
    """The containers of the task that this one reaches by name (bridge mode); they have to run before it."""
    by_name = {one["name"]: one for one in definition["containerDefinitions"]}
    found = []
    for link in container.get("links") or []:
        target, _, alias = link.partition(":")
        if target in by_name:
            found.append((name(task, definition, by_name[target]), alias or target))
    return found or None
