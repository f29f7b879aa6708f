"""What ECS refuses in a task definition, in its own words where they are known.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from labs.cloud.ecs import definition_facts, fargate, lookup
from labs.cloud.frame.errors import AwsError

MOST_BYTES = 65536
MOST_CONTAINERS = 10
MOST_CONSTRAINTS = 10
MOST_ENVIRONMENT_FILES = 10
MOST_PORT_RANGES = 100
MOST_IGNORED_EXIT_CODES = 50
LEAST_MEMORY = 6  # MiB; "The Docker 20.10.0 or later daemon reserves a minimum of 6 MiB of memory for a container"
LEAST_TIMEOUT = 2  # seconds; of startTimeout and stopTimeout
CPU_RANGE = (128, 196608)  # CPU units of a task
EPHEMERAL_RANGE = (21, 200)  # GiB
RESTART_RANGE = (60, 1800)  # seconds
HEALTH_RANGES = {"interval": (5, 300), "timeout": (2, 60), "retries": (1, 10), "startPeriod": (0, 300)}
CAPABILITIES = frozenset({
    "ALL", "AUDIT_CONTROL", "AUDIT_WRITE", "BLOCK_SUSPEND", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER",
    "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD",
    "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID",
    "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM",
})  # fmt: skip
_IMAGE = re.compile(r"[A-Za-z0-9_.:/#@-]+")
_DIGEST = re.compile(r"sha256:[A-Fa-f0-9]{64}")
_PORT_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")
_PORT_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")
_ROLE = re.compile(r"(arn:aws:iam::\d{12}:role/[\w+=,.@/-]+|[\w+=,.@-]{1,64})", re.ASCII)
_FILE_SYSTEM = re.compile(r"fs-[0-9a-f]{8,40}")
_SYSCTL = re.compile(
    r"(net\..+|fs\.mqueue\..+|kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced))"
)
_VOLUME_KINDS = (
    "host", "dockerVolumeConfiguration", "efsVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration",
    "s3filesVolumeConfiguration",
)  # fmt: skip
# What a container cannot have when it shares the task's network, and how AWS says so.
_NOT_IN_AWSVPC = {
    "links": "Links are not supported",
    "hostname": "hostname is not supported on container",
    "extraHosts": "Extra hosts are not supported on container",
    "dnsServers": "DNS servers are not supported on container",
    "dnsSearchDomains": "DNS search domains are not supported on container",
    "disableNetworking": "Disable Networking is not supported on container",
}


def check(given: dict[str, Any]) -> None:
    """Whether ECS would register this, for any launch type.

    Args:
        given: the input of RegisterTaskDefinition, its types checked, its defaults not filled in.

    Raises:
        AwsError: ClientException.
    """
    _family(given["family"])
    _sizes(given)
    containers = given["containerDefinitions"]
    _names(containers)
    for container in containers:
        for look in _OF_A_CONTAINER:
            look(container, given)
    if not any(container.get("essential", True) for container in containers):
        _refuse("Task definition doesn't have any essential container.")
    _resources(containers, given)
    _ports(containers, given.get("networkMode", "bridge"))
    _volumes(given)
    _links(containers)
    _dependencies(containers)
    _firelens(containers)
    for member in ("taskRoleArn", "executionRoleArn"):
        if given.get(member) and not _ROLE.fullmatch(given[member]):
            _refuse("Role is not valid")
    if len(given.get("placementConstraints", [])) > MOST_CONSTRAINTS:
        _refuse(f"A task definition can have {MOST_CONSTRAINTS} placement constraints at most.")
    if given.get("inferenceAccelerators"):
        _refuse("Unsupported field 'inferenceAccelerators'.")
    _proxy(given)


def check_fargate(definition: dict[str, Any]) -> None:
    """Whether Fargate can run a filled task definition that says that it has to.

    Raises:
        AwsError: ClientException.
    """
    wanted = definition.get("requiresCompatibilities", [])
    if "FARGATE" in wanted and (problem := fargate.problem(definition)):
        _refuse(problem)
    if wanted and "FARGATE" not in wanted and "ephemeralStorage" in definition:
        _refuse(f"Tasks using the {wanted[0]} launch type do not support EphemeralStorage.")


def _refuse(message: str) -> None:
    raise AwsError("ClientException", message)


# --- the task ---------------------------------------------------------------------------------------------------------


def _family(family: str) -> None:
    if not family:
        _refuse("Family should not be null or empty.")
    if not lookup.is_name(family):
        _refuse("Family contains invalid characters." if len(family) <= 255 else "Family name is too long.")


def _sizes(given: dict[str, Any]) -> None:
    length = len(json.dumps(given, separators=(",", ":")).encode())
    if length > MOST_BYTES:
        _refuse(f"Actual length: '{length}'. Max allowed length is '{MOST_BYTES}' bytes.")
    if "cpu" in given:
        units = definition_facts.cpu_units(given["cpu"])
        if units is None or not CPU_RANGE[0] <= units <= CPU_RANGE[1]:
            _refuse("Invalid 'cpu' setting for task.")
    if "memory" in given and definition_facts.mebibytes(given["memory"]) is None:
        _refuse("Invalid 'memory' setting for task.")
    size = given.get("ephemeralStorage", {}).get("sizeInGiB", EPHEMERAL_RANGE[0])
    if size < EPHEMERAL_RANGE[0]:
        _refuse(f"EphemeralStorage size should be at least {EPHEMERAL_RANGE[0]}.")
    if size > EPHEMERAL_RANGE[1]:
        _refuse(f"EphemeralStorage size should be at most {EPHEMERAL_RANGE[1]}.")


def _names(containers: list[dict[str, Any]]) -> None:
    if not containers:
        _refuse("Container list cannot be empty.")
    if len(containers) > MOST_CONTAINERS:
        _refuse("Too many containers.")
    for container in containers:
        if not container.get("name"):
            _refuse("Container.name should not be null or empty.")
        if not lookup.is_name(container["name"]):
            _refuse("Container.name contains invalid characters.")
    if _twice(container["name"] for container in containers):
        _refuse("Container names must be unique within a task definition.")


def _resources(containers: list[dict[str, Any]], given: dict[str, Any]) -> None:
    """The containers' sizes against the task's."""
    if "cpu" in given:
        limit = definition_facts.cpu_units(given["cpu"]) or 0
        if sum(container.get("cpu", 0) for container in containers) > limit:
            _refuse("The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.")
    if "memory" in given:
        limit = definition_facts.mebibytes(given["memory"]) or 0
        for container in containers:
            for member in ("memory", "memoryReservation"):
                if container.get(member, 0) > limit:
                    _refuse(f"The '{member}' setting for container '{container['name']}' is greater than for the task.")
        reserved = (one.get("memoryReservation") or one.get("memory", 0) for one in containers)
        if sum(reserved) > limit:
            _refuse("The sum of all container 'memory' values cannot be greater than the value of the task 'memory'.")


def _ports(containers: list[dict[str, Any]], mode: str) -> None:
    """The ports and port names of all containers against each other."""
    taken: Counter[tuple[str, int]] = Counter()
    names = []
    for container in containers:
        for mapping in container.get("portMappings", []):
            protocol = mapping.get("protocol", "tcp")
            names += [mapping["name"]] if mapping.get("name") else []
            if port_range := mapping.get("containerPortRange"):
                first, last = _range(port_range) or (0, -1)
                taken.update((protocol, port) for port in range(first, last + 1))
                continue
            host_port = mapping["containerPort"] if mode in ("awsvpc", "host") else mapping.get("hostPort", 0)
            if host_port:
                taken[protocol, host_port] += 1
    for (protocol, port), count in taken.items():
        if count > 1:
            _refuse(f"{protocol.upper()} host port '{port}' is mapped multiple times in task.")
    if name := _twice(names):
        _refuse(f"The port mapping name '{name}' is already used. Port mapping names must be unique in a task.")


def _proxy(given: dict[str, Any]) -> None:
    proxy = given.get("proxyConfiguration")
    if not proxy:
        return
    if given.get("networkMode") != "awsvpc":
        _refuse("Proxy configuration is supported only when networkMode=awsvpc.")
    if proxy["containerName"] not in {container["name"] for container in given["containerDefinitions"]}:
        _refuse(f"Proxy container [{proxy['containerName']}] does not exist.")


# --- volumes ----------------------------------------------------------------------------------------------------------


def _volumes(given: dict[str, Any]) -> None:
    volumes = given.get("volumes", [])
    for volume in volumes:
        name = volume.get("name")
        if not name:
            _refuse("Volume.name should not be null or empty.")
        if not lookup.is_name(name):
            _refuse("Volume.name contains invalid characters.")
        if sum(kind in volume for kind in _VOLUME_KINDS) + bool(volume.get("configuredAtLaunch")) > 1:
            _refuse(f"Only one volume configuration can be specified for the volume '{name}'.")
        _docker_volume(volume)
        _efs_volume(volume)
    if name := _twice(volume["name"] for volume in volumes):
        _refuse(f"The volume name '{name}' is used more than once. Volume names must be unique in a task definition.")
    at_launch = [volume["name"] for volume in volumes if volume.get("configuredAtLaunch")]
    if len(at_launch) > 1:
        _refuse("Only one volume of a task definition can be configured at launch.")
    _mounts(given, {volume["name"] for volume in volumes}, at_launch)
    if any("s3filesVolumeConfiguration" in volume for volume in volumes) and not given.get("taskRoleArn"):
        _refuse("A task role is required to mount an Amazon S3 Files file system. Specify 'taskRoleArn'.")


def _mounts(given: dict[str, Any], known: set[str], at_launch: list[str]) -> None:
    containers = given["containerDefinitions"]
    names = {container["name"] for container in containers}
    mounted = set()
    for container in containers:
        points = container.get("mountPoints", [])
        for point in points:
            if point.get("sourceVolume") not in known:
                _refuse(f"Unknown volume '{point.get('sourceVolume', 'null')}'.")
            if not point.get("containerPath"):
                _refuse(f"Invalid 'containerPath' setting for container '{container['name']}'.")
            mounted.add(point["sourceVolume"])
        if path := _twice(point["containerPath"] for point in points):
            _refuse(f"The path '{path}' of container '{container['name']}' is a mount point more than once.")
        for source in container.get("volumesFrom", []):
            if source.get("sourceContainer") not in names - {container["name"]}:
                _refuse(f"Invalid 'volumesFrom' setting. Unknown container: '{source.get('sourceContainer')}'.")
    if unused := [name for name in at_launch if name not in mounted]:
        _refuse(f"Volumes [{', '.join(unused)}] are not referenced by any of the containers.")


def _docker_volume(volume: dict[str, Any]) -> None:
    docker = volume.get("dockerVolumeConfiguration")
    if docker and docker.get("autoprovision") is not None and docker.get("scope", "task") == "task":
        _refuse("The autoprovision parameter is valid only when the scope of a Docker volume is shared.")


def _efs_volume(volume: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EFSVolumeConfiguration.html"""
    efs = volume.get("efsVolumeConfiguration")
    if not efs:
        return
    if not _FILE_SYSTEM.fullmatch(efs["fileSystemId"].rpartition("/")[2]):
        _refuse(f"Invalid EFS file system ID '{efs['fileSystemId']}'.")
    encrypted = efs.get("transitEncryption") == "ENABLED"
    access = efs.get("authorizationConfig", {})
    if access.get("iam") == "ENABLED" and not encrypted:
        _refuse("EFS IAM authorization requires TransitEncryption to be enabled.")
    if access.get("accessPointId") and not encrypted:
        _refuse("EFS access points require TransitEncryption to be enabled.")
    if access.get("accessPointId") and efs.get("rootDirectory", "/") != "/":
        _refuse('When using an EFS access point, the root directory must either be set to "/" or be omitted.')
    if "transitEncryptionPort" in efs and not encrypted:
        _refuse("TransitEncryptionPort requires that TransitEncryption is enabled.")
    if not 1 <= efs.get("transitEncryptionPort", 1) <= 65535:
        _refuse("TransitEncryptionPort must be between 1 and 65535.")


# --- containers among each other --------------------------------------------------------------------------------------


def _links(containers: list[dict[str, Any]]) -> None:
    names = {container["name"] for container in containers}
    linked = {
        container["name"]: [link.partition(":")[0] for link in container.get("links", [])] for container in containers
    }
    for name in (target for targets in linked.values() for target in targets):
        if name not in names:
            _refuse(f"Invalid 'links' setting. Unknown container: '{name}'.")
    if _has_cycle(linked):
        _refuse("Container links should not have a cycle")


def _dependencies(containers: list[dict[str, Any]]) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html"""
    by_name = {container["name"]: container for container in containers}
    graph: dict[str, list[str]] = {}
    for container in containers:
        for need in container.get("dependsOn", []):
            other = by_name.get(need["containerName"])
            if other is None:
                _refuse(f"Cannot depend on container + '{need['containerName']}' because it does not exist")
                continue
            if need["condition"] in ("SUCCESS", "COMPLETE") and other.get("essential", True):
                _refuse("A dependency container with SUCCESS or COMPLETE condition cannot be an essential container")
            if need["condition"] == "HEALTHY" and "healthCheck" not in other:
                _refuse("A dependency container with HEALTHY condition must have health check configured")
        graph[container["name"]] = [need["containerName"] for need in container.get("dependsOn", [])]
    if _has_cycle(graph):
        _refuse("Container dependencies should not have a cycle")


def _firelens(containers: list[dict[str, Any]]) -> None:
    routers = [container for container in containers if container.get("firelensConfiguration")]
    senders = [one for one in containers if one.get("logConfiguration", {}).get("logDriver") == "awsfirelens"]
    if len(routers) > 1:
        _refuse("Only one container of a task definition can have a firelensConfiguration.")
    if senders and not routers:
        _refuse(
            "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be "
            "specified."
        )
    if routers and not senders:
        _refuse(
            "When a firelensConfiguration object is specified, at least one container has to be configured with the "
            "awsfirelens log driver."
        )


# --- one container ----------------------------------------------------------------------------------------------------


def _image(container: dict[str, Any], _: dict[str, Any]) -> None:
    image = container.get("image")
    if not image:
        _refuse("Container.image should not be null or empty.")
        return
    name, at, digest = image.partition("@")
    if not _IMAGE.fullmatch(image) or len(name) > 255 or (at and not _DIGEST.fullmatch(digest)):
        _refuse("Container.image contains invalid characters.")


def _memory(container: dict[str, Any], given: dict[str, Any]) -> None:
    name = container["name"]
    if container.get("cpu", 0) < 0:
        _refuse(f"Invalid 'cpu' setting for container '{name}'.")
    for member in ("memory", "memoryReservation"):
        if container.get(member, LEAST_MEMORY) < LEAST_MEMORY:
            _refuse(f"Invalid '{member}' setting for container '{name}'.")
    start = f"Invalid setting for container '{name}'."
    if "memory" not in given and "memory" not in container and "memoryReservation" not in container:
        _refuse(f"{start} At least one of 'memory' or 'memoryReservation' must be specified.")
    if container.get("memory", container.get("memoryReservation", 0)) < container.get("memoryReservation", 0):
        _refuse(f"{start} 'memory' must be greater than or equal to 'memoryReservation'.")


def _port_mappings(container: dict[str, Any], given: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html"""
    name, mode = container["name"], given.get("networkMode", "bridge")
    mappings = container.get("portMappings", [])
    if mappings and mode == "none":
        _refuse("Port mappings are not supported when networkMode=none.")
    for mapping in mappings:
        if "containerPortRange" in mapping:
            _port_range(mapping, name, mode)
        elif not 1 <= mapping.get("containerPort", 0) <= 65535:
            _refuse(f"Invalid 'containerPort' setting for container '{name}'.")
        elif not 0 <= mapping.get("hostPort", 0) <= 65535:
            _refuse(f"Invalid 'hostPort' setting for container '{name}'.")
        elif mode in ("awsvpc", "host") and mapping.get("hostPort", 0) not in (0, mapping["containerPort"]):
            _refuse(f"When networkMode={mode}, the host ports and container ports in port mappings must match.")
        if "name" in mapping and not _PORT_NAME.fullmatch(mapping["name"]):
            _refuse(
                f"Invalid port mapping name '{mapping['name']}'. Up to 64 lowercase letters, numbers, underscores and "
                "hyphens are allowed, and it can't start with a hyphen."
            )
    if sum("containerPortRange" in mapping for mapping in mappings) > MOST_PORT_RANGES:
        _refuse(f"A container can have {MOST_PORT_RANGES} port ranges at most.")
    protocols: dict[int, str] = {}
    for mapping in mappings:
        port, protocol = mapping.get("containerPort", 0), mapping.get("protocol", "tcp")
        if port and protocols.setdefault(port, protocol) != protocol:
            _refuse(f"Container port {port} of container '{name}' cannot be exposed for multiple protocols.")


def _port_range(mapping: dict[str, Any], name: str, mode: str) -> None:
    if "containerPort" in mapping or "hostPort" in mapping:
        _refuse("cannot specify both single port and port range")
    if mode == "host":
        _refuse("containerPortRange is supported only when networkMode is bridge or awsvpc.")
    if _range(mapping["containerPortRange"]) is None:
        _refuse(f"Invalid 'containerPortRange' setting for container '{name}'.")


def _health_check(container: dict[str, Any], _: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html"""
    check = container.get("healthCheck")
    if check is None:
        return
    name, command = container["name"], check["command"]
    if len(command) < 2 or command[0] not in ("CMD", "CMD-SHELL"):
        _refuse(
            f"Invalid 'healthCheck.command' setting for container '{name}'. "
            "It must start with CMD or CMD-SHELL, followed by the command."
        )
    for member, (low, high) in HEALTH_RANGES.items():
        if not low <= check.get(member, low) <= high:
            _refuse(
                f"Invalid 'healthCheck.{member}' setting for container '{name}'. It must be between {low} and {high}."
            )


def _timeouts(container: dict[str, Any], _: dict[str, Any]) -> None:
    for member, word in (("startTimeout", "start"), ("stopTimeout", "stop")):
        if container.get(member, LEAST_TIMEOUT) < LEAST_TIMEOUT:
            _refuse(
                f"Granular {word} timeout on container '{container['name']}' must be at least {LEAST_TIMEOUT} seconds."
            )
    policy = container.get("restartPolicy", {})
    low, high = RESTART_RANGE
    if not low <= policy.get("restartAttemptPeriod", low) <= high:
        _refuse(
            f"The 'restartAttemptPeriod' setting for container '{container['name']}' must be between {low} and {high}."
        )
    codes = policy.get("ignoredExitCodes", [])
    if len(codes) > MOST_IGNORED_EXIT_CODES or any(not 0 <= code <= 255 for code in codes):
        _refuse(
            f"Invalid 'ignoredExitCodes' setting for container '{container['name']}'. "
            f"{MOST_IGNORED_EXIT_CODES} codes from 0 to 255 are allowed at most."
        )


def _environment(container: dict[str, Any], given: dict[str, Any]) -> None:
    secrets = container.get("secrets", [])
    variables = [one.get("name") for one in container.get("environment", [])]
    if not all(variables):
        _refuse(f"Invalid 'environment' setting for container '{container['name']}'. A variable must have a name.")
    if twice := _twice([*set(variables), *(secret["name"] for secret in secrets)]):
        _refuse(
            "The secret name must be unique and not shared with any new or existing environment variables set on the "
            f"container, such as '{twice}'."
        )
    in_log = container.get("logConfiguration", {}).get("secretOptions", [])
    if (secrets or in_log) and not given.get("executionRoleArn"):
        _refuse("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
    files = container.get("environmentFiles", [])
    if len(files) > MOST_ENVIRONMENT_FILES:
        _refuse("The maximum number of environment files was exceeded. Specify ten or less and try again.")
    for file in files:
        if not file["value"].startswith("arn:aws:s3:::"):
            _refuse("Invalid arn syntax.")
        if not file["value"].endswith(".env"):
            _refuse("Environment files must have the extension .env.")


def _log(container: dict[str, Any], _: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LogConfiguration.html"""
    log = container.get("logConfiguration")
    if not log or log["logDriver"] != "awslogs":
        return
    missing = [name for name in ("awslogs-region", "awslogs-group") if not log.get("options", {}).get(name)]
    if missing:
        _refuse(f"Log driver awslogs requires options: {', '.join(missing)}")


def _linux(container: dict[str, Any], _: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinuxParameters.html"""
    linux, name = container.get("linuxParameters", {}), container["name"]
    for member in ("add", "drop"):
        for capability in linux.get("capabilities", {}).get(member, []):
            if capability.removeprefix("CAP_") not in CAPABILITIES:
                _refuse(f"Invalid kernel capability '{capability}' for container '{name}'.")
    if linux.get("maxSwap", 0) < 0 or not 0 <= linux.get("swappiness", 0) <= 100:
        _refuse(f"Invalid swap setting for container '{name}': maxSwap is 0 or more, swappiness between 0 and 100.")
    if "swappiness" in linux and "maxSwap" not in linux:
        _refuse(f"Container '{name}' must have a maxSwap value for the swappiness parameter to be used.")
    if any(one["size"] < 1 for one in linux.get("tmpfs", [])) or linux.get("sharedMemorySize", 1) < 1:
        _refuse(f"Invalid size setting in the linuxParameters of container '{name}'. It must be 1 MiB or more.")


def _limits(container: dict[str, Any], _: dict[str, Any]) -> None:
    limits = container.get("ulimits", [])
    for limit in limits:
        if limit["softLimit"] > limit["hardLimit"]:
            _refuse(f"Invalid ulimit '{limit['name']}': the soft limit cannot be greater than the hard limit.")
    if name := _twice(limit["name"] for limit in limits):
        _refuse(f"The ulimit '{name}' is set more than once in container '{container['name']}'.")
    for control in container.get("systemControls", []):
        if not _SYSCTL.fullmatch(control.get("namespace", "")) or "value" not in control:
            _refuse(f"Invalid 'systemControls' setting for container '{container['name']}'.")


def _network(container: dict[str, Any], given: dict[str, Any]) -> None:
    mode = given.get("networkMode", "bridge")
    if mode == "awsvpc":
        for member, words in _NOT_IN_AWSVPC.items():
            if container.get(member):
                _refuse(f"{words} when networkMode=awsvpc.")
    elif mode != "bridge" and container.get("links"):
        _refuse(f"Links are not supported when networkMode={mode}.")


_OF_A_CONTAINER: tuple[Callable[[dict[str, Any], dict[str, Any]], None], ...] = (
    _image, _memory, _network, _port_mappings, _health_check, _timeouts, _environment, _log, _linux, _limits,
)  # fmt: skip


def _range(text: str) -> tuple[int, int] | None:
    """A `first-last` range of ports; None if it is none."""
    found = _PORT_RANGE.fullmatch(text)
    if not found:
        return None
    first, last = int(found[1]), int(found[2])
    return (first, last) if 1 <= first < last <= 65535 else None


def _twice(items: Iterable[str]) -> str | None:
    """The first item that is there more than once."""
    return next((item for item, count in Counter(items).items() if count > 1), None)


def _has_cycle(graph: dict[str, list[str]]) -> bool:
    """Whether somebody can be reached from himself. Takes away, again and again, those who wait for nobody."""
    left = {name: set(targets) for name, targets in graph.items()}
    while free := {name for name, targets in left.items() if not targets}:
        left = {name: targets - free for name, targets in left.items() if name not in free}
    return bool(left)
