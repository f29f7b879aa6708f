"""The volumes of a task, as Docker's mounts.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_data_volumes.html
"""

import hashlib
import io
import logging
import re
import tarfile
from pathlib import PurePosixPath
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import APIError, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.models.volumes import Volume
from docker.types import Mount

from labs import settings
from labs.cloud.engine import docker, images, labels
from labs.cloud.frame import arns, aws, clock

TASK_VOLUME = "volume"  # lives as long as its task
SHARED_VOLUME = "shared-volume"  # lives until somebody removes it
FILE_SYSTEM = "file-system"  # lives as long as its EFS file system
FILE_SYSTEM_ID = "course.efs"

log = logging.getLogger(__name__)


class VolumeError(Exception):
    """A volume cannot be had. The text is what a task's `stoppedReason` says."""


def mounts(task: dict[str, Any], definition: dict[str, Any], container: dict[str, Any]) -> list[Mount]:
    """The mounts of a container, with the Docker volumes behind them made. For a thread.

    A bind mount without a path of the host, and a volume of EBS, is a Docker volume that is removed with the task.
    An EFS file system is one Docker volume, the same one in every subnet and on every instance.

    Args:
        task: the task's record.
        definition: its task definition.
        container: the container definition in it; its image is on this machine.

    Raises:
        VolumeError: a volume cannot be had.
    """
    declared = {one["name"]: one for one in definition.get("volumes") or []}
    found = []
    for point in container.get("mountPoints") or []:
        volume = declared.get(point.get("sourceVolume", ""))
        if volume is None:
            raise VolumeError(f"CannotCreateContainerError: unknown volume '{point.get('sourceVolume')}'.")
        kind, source = _source(task, definition, container, volume)
        found.append(
            Mount(
                target=point["containerPath"],
                source=source,
                type=kind,
                read_only=bool(point.get("readOnly")),
                no_copy=bool(volume.get("efsVolumeConfiguration")),  # a file system hides what the image has there
            )
        )
    return found


def remove(task: dict[str, Any]) -> None:
    """Removes the volumes that live as long as their task. Its containers are gone already. For a thread."""
    filters = {"label": [*labels.ours(TASK_VOLUME), f"{labels.TASK_ARN}={task['taskArn']}"]}
    for volume in docker.client().volumes.list(filters=filters):
        _drop(volume)


def remove_orphans() -> None:
    """Removes the data of EFS file systems that the backend has no more. For a thread; at the start, and then and when.

    Raises:
        botocore.exceptions.ClientError: the backend does not say which there are.
    """
    held = docker.client().volumes.list(filters={"label": labels.ours(FILE_SYSTEM)})
    by_region: dict[str, set[str]] = {}
    # Views of a part of a file system lie on the whole, which goes last.
    for volume in sorted(held, key=lambda one: not (one.attrs.get("Options") or {}).get("device")):
        file_system, _, region = volume.attrs["Labels"].get(FILE_SYSTEM_ID, "").partition("@")
        if region not in by_region:
            pages = aws.client("efs", region).get_paginator("describe_file_systems").paginate()
            by_region[region] = {one["FileSystemId"] for page in pages for one in page["FileSystems"]}
        if file_system not in by_region[region]:
            _drop(volume)


def _drop(volume: Volume) -> None:
    try:
        volume.remove(force=True)
    except NotFound:
        pass
    except APIError as problem:  # a container still has it
        log.warning("the volume %s stays: %s", volume.name, problem.explanation)


def _source(
    task: dict[str, Any], definition: dict[str, Any], container: dict[str, Any], volume: dict[str, Any]
) -> tuple[str, str]:
    """What to mount for a volume of the definition: Docker's type of mount, and its source."""
    on_fargate = task.get("launchType") == "FARGATE"
    if path := (volume.get("host") or {}).get("sourcePath"):
        if on_fargate:
            raise VolumeError("CannotCreateContainerError: host.sourcePath should not be set for volumes in Fargate.")
        return "volume", _on_instance(task, container, path)
    if efs := volume.get("efsVolumeConfiguration"):
        return "volume", _file_system(task, container, efs)
    if config := volume.get("dockerVolumeConfiguration"):
        if on_fargate:
            raise VolumeError("CannotCreateVolumeError: dockerVolumeConfiguration is not supported on Fargate.")
        return "volume", _docker_volume(task, definition, volume["name"], config)
    for missing in ("fsxWindowsFileServerVolumeConfiguration", "s3filesVolumeConfiguration"):
        if volume.get(missing):
            raise VolumeError(
                f"CannotCreateVolumeError: the local AWS has no {missing}. Use efsVolumeConfiguration, "
                "which is a shared file system too."
            )
    return "volume", _task_volume(task, definition, volume["name"], {})


def _on_instance(task: dict[str, Any], container: dict[str, Any], path: str) -> str:
    """The Docker volume of a path of the task's container instance: a folder of its disk, made if missing.

    It is never a path of this machine.
    """
    path = str(PurePosixPath("/", path))
    if ".." in PurePosixPath(path).parts:
        raise VolumeError(f"CannotCreateContainerError: the host path '{path}' of a volume must not contain '..'.")
    disk = labels.instance_disk(task["_instance"])
    marks = {**labels.labels(labels.DISK_ROLE), labels.INSTANCE: task["_instance"]}
    _make(disk, marks, {})
    return disk if path == "/" else _part(disk, path, (0, 0, 0o755), container, marks)


def _task_volume(task: dict[str, Any], definition: dict[str, Any], volume_name: str, config: dict[str, Any]) -> str:
    task_id = task["taskArn"].rpartition("/")[2]
    plain = re.sub(r"[^A-Za-z0-9_-]", "", volume_name)
    name = f"ecs-{definition['family']}-{definition['revision']}-{plain}-{task_id[:12]}"
    marks = {**(config.get("labels") or {}), **labels.labels(TASK_VOLUME), labels.TASK_ARN: task["taskArn"]}
    return _make(name, marks, config)


def _docker_volume(task: dict[str, Any], definition: dict[str, Any], volume_name: str, config: dict[str, Any]) -> str:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-volume-config.html"""
    device = (config.get("driverOpts") or {}).get("device", "")
    if config.get("driver", "local") == "local" and device.startswith("/"):
        raise VolumeError(
            f"CannotCreateVolumeError: the device {device} of the volume {volume_name} would be one of this machine, "
            "not of the container instance. Use a volume with host.sourcePath, which is a path of the instance."
        )
    if config.get("scope", "task") == "task":
        return _task_volume(task, definition, volume_name, config)
    name = f"{volume_name}-{task['_instance']}"  # each instance has its own
    if config.get("autoprovision"):
        marks = {**labels.labels(SHARED_VOLUME), labels.INSTANCE: task["_instance"]}
        return _make(name, {**(config.get("labels") or {}), **marks}, config)
    try:
        return docker.client().volumes.get(name).name
    except NotFound:
        raise VolumeError(
            f"CannotInspectVolumeError: get {volume_name}: no such volume. It is shared and not autoprovisioned, "
            f"so it has to be made before the task; on this machine its name in Docker is {name}."
        ) from None


def _make(name: str, marks: dict[str, str], config: dict[str, Any]) -> str:
    """A Docker volume of this name, made if missing; an existing one is kept as it is."""
    volumes = docker.client().volumes
    try:
        return volumes.get(name).name
    except NotFound:
        pass
    driver, options = config.get("driver") or "local", config.get("driverOpts") or {}
    try:
        return volumes.create(name, driver=driver, driver_opts=options, labels=marks).name
    except APIError as problem:
        raise VolumeError(f"CannotCreateVolumeError: {problem.explanation}") from problem


# --- EFS --------------------------------------------------------------------------------------------------------------


def _file_system(task: dict[str, Any], container: dict[str, Any], config: dict[str, Any]) -> str:
    """The Docker volume of an EFS file system, or of the part of it that is asked for.

    Docker cannot make every process on a mount act as an access point's POSIX user. So the access point's directory is
    open to all where it has one: whoever may write on AWS may write here, but files show their real writer.
    https://docs.aws.amazon.com/efs/latest/ug/efs-access-points.html
    """
    region = arns.region(task["taskArn"])
    file_system = config["fileSystemId"]
    efs = aws.client("efs", region)
    try:
        efs.describe_file_systems(FileSystemId=file_system)
        targets = efs.describe_mount_targets(FileSystemId=file_system)["MountTargets"]
    except ClientError as problem:
        if problem.response["Error"]["Code"] == "FileSystemNotFound":
            raise _not_resolved(file_system, region) from problem
        raise _efs_error(str(problem), 1) from problem
    except BotoCoreError as problem:
        raise _efs_error(str(problem), 1) from problem
    zone = task.get("availabilityZone")
    zones = {target.get("AvailabilityZoneName") for target in targets}
    if not targets or (zone and zone not in zones and None not in zones):
        raise _not_resolved(file_system, region)

    path, owner = config.get("rootDirectory") or "/", None
    if point := (config.get("authorizationConfig") or {}).get("accessPointId"):
        path, owner = _access_point(efs, file_system, point)
    marks = {**labels.labels(FILE_SYSTEM), FILE_SYSTEM_ID: f"{file_system}@{region}"}
    whole = _make(f"{settings.COURSE}-{file_system}-{labels.owner()[:6]}", marks, {})
    path = str(PurePosixPath("/", path))
    if ".." in PurePosixPath(path).parts:
        raise _efs_error(f"b'mount.nfs4: mounting 127.0.0.1:{path} failed, reason given by server: Invalid path'", 32)
    return whole if path == "/" else _part(whole, path, owner, container, marks)


def _access_point(efs: Any, file_system: str, point: str) -> tuple[str, tuple[int, int, int] | None]:
    """An access point's directory, and who owns it once it is made: (uid, gid, mode), None if it must be there."""
    denied = _efs_error("b'mount.nfs4: access denied by server while mounting 127.0.0.1:/'", 32)
    try:
        found = efs.describe_access_points(AccessPointId=point)["AccessPoints"]
    except ClientError as problem:
        raise denied from problem
    if not found or found[0].get("FileSystemId") != file_system:
        raise denied
    root = found[0].get("RootDirectory") or {}
    info = root.get("CreationInfo")
    if not info:
        return root.get("Path") or "/", None
    mode = int(info["Permissions"], 8) | (0o777 if found[0].get("PosixUser") else 0)
    return root.get("Path") or "/", (info["OwnerUid"], info["OwnerGid"], mode)


def _part(
    whole: str, path: str, owner: tuple[int, int, int] | None, container: dict[str, Any], marks: dict[str, str]
) -> str:
    """A Docker volume that shows a directory of another one; made with its owner if missing and there is one.

    Docker before 26 cannot mount a part of a volume, but its `local` driver can bind a directory of the engine's host.
    """
    client = docker.client()
    holder = _holder(whole, container)
    try:
        if not _exists(holder, f"/efs{path}"):
            if owner is None:
                reason = "No such file or directory"
                raise _efs_error(
                    f"b'mount.nfs4: mounting 127.0.0.1:{path} failed, reason given by server: {reason}'", 32
                )
            _make_directory(holder, path, owner)
    finally:
        holder.remove(force=True, v=False)
    device = client.volumes.get(whole).attrs["Mountpoint"] + path
    name = f"{whole}-{hashlib.sha256(path.encode()).hexdigest()[:8]}"
    return _make(name, marks, {"driverOpts": {"type": "none", "o": "bind", "device": device}})


def _holder(whole: str, container: dict[str, Any]) -> Container:
    """A container that is never started, through which the engine reads and writes the volume."""
    create = docker.client().containers.create
    options = {
        "mounts": [Mount(target="/efs", source=whole, type="volume", no_copy=True)],
        "labels": labels.labels(FILE_SYSTEM),
        "network_mode": "none",
    }
    try:
        return create(images.local_reference(container["image"]), ["true"], **options)
    except ImageNotFound:
        return create(settings.BASE_IMAGE, ["true"], **options)


def _exists(holder: Container, path: str) -> bool:
    try:
        stream, stat = holder.get_archive(path)
    except NotFound:
        return False
    stream.close()  # the content may be large; only whether it is there is of interest
    return bool(stat)


def _make_directory(holder: Container, path: str, owner: tuple[int, int, int]) -> None:
    """Makes a directory and those above it that are missing; they all get the owner, as EFS does."""
    archive = io.BytesIO()
    uid, gid, mode = owner
    above = [parent for parent in reversed(PurePosixPath(path).parents) if str(parent) != "/"]
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for directory in [*above, PurePosixPath(path)]:
            if not _exists(holder, f"/efs{directory}"):
                entry = tarfile.TarInfo(str(directory).lstrip("/"))
                entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, mode, int(clock.now())
                entry.uid, entry.gid = uid, gid
                tar.addfile(entry)
    holder.put_archive("/efs", archive.getvalue())


def _not_resolved(file_system: str, region: str) -> VolumeError:
    return _efs_error(
        f'Failed to resolve "{file_system}.efs.{region}.amazonaws.com" - check that your file system ID is correct, '
        "and ensure that the VPC has an EFS mount target for this file system ID. See "
        "https://docs.aws.amazon.com/console/efs/mount-dns-name for more detail.",
        1,
    )


def _efs_error(reason: str, code: int) -> VolumeError:
    """In the words of Fargate's agent and of efs-utils, which it calls.

    https://repost.aws/knowledge-center/fargate-unable-to-mount-efs
    """
    return VolumeError(
        "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: "
        f"stderr: {reason} : unsuccessful EFS utils command execution; code: {code}"
    )
