"""Reading this chapter's world: file systems, their targets and content, the tasks that mount them. Changes nothing."""

from __future__ import annotations

import io
import tarfile
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from docker.errors import APIError, NotFound
from docker.types import Mount

from labs import settings
from labs.kit.world import aws_client, docker_client

if TYPE_CHECKING:
    from docker.models.containers import Container
    from docker.models.volumes import Volume

NFS = 2049
PATIENCE_SECONDS = 15.0  # for what is still on its way
LOOK_SECONDS = 0.2
TASK_LABEL = "com.amazonaws.ecs.task-arn"  # the ECS agent puts it on every container of a task
FILE_SYSTEM_LABEL = "course.efs"  # the local AWS puts it on the Docker volumes behind a file system
LARGEST = 1_000_000  # bytes of a file that is read


# --- EFS --------------------------------------------------------------------------------------------------------------


def name_of(system: dict[str, Any]) -> str:
    """A file system's Name tag, or the token that it was created with."""
    return str(system.get("Name") or system["CreationToken"])


def file_systems(prefix: str) -> list[dict[str, Any]]:
    """The file systems whose Name or creation token begins with the prefix, newest first; those being deleted not."""
    pages = aws_client("efs").get_paginator("describe_file_systems").paginate()
    every = [one for page in pages for one in page["FileSystems"]]
    alive = [one for one in every if one["LifeCycleState"] not in ("deleting", "deleted")]
    mine = [one for one in alive if name_of(one).startswith(prefix) or one["CreationToken"].startswith(prefix)]
    return sorted(mine, key=lambda one: one["CreationTime"], reverse=True)


def file_system(name: str) -> dict[str, Any] | None:
    """The newest file system with exactly this Name or creation token."""
    exact = (one for one in file_systems(name) if name in (one.get("Name"), one["CreationToken"]))
    return next(exact, None)


def mount_targets(system: str) -> list[dict[str, Any]]:
    """The mount targets of a file system; none where it is gone."""
    efs = aws_client("efs")
    try:
        found = efs.describe_mount_targets(FileSystemId=system)["MountTargets"]
    except efs.exceptions.FileSystemNotFound:
        return []
    return [one for one in found if one["LifeCycleState"] not in ("deleting", "deleted")]


def access_points(system: str) -> list[dict[str, Any]]:
    """The access points of a file system; none where it is gone."""
    efs = aws_client("efs")
    try:
        return efs.describe_access_points(FileSystemId=system)["AccessPoints"]
    except efs.exceptions.FileSystemNotFound:
        return []


def zones(system: str) -> set[str]:
    """The Availability Zones with a mount target of this file system."""
    return {target["AvailabilityZoneName"] for target in mount_targets(system)}


def who_may_mount(target: dict[str, Any]) -> set[str]:
    """From where a mount target's security groups let in NFS: ids of security groups, and address ranges."""
    groups = aws_client("efs").describe_mount_target_security_groups(MountTargetId=target["MountTargetId"])
    if not groups["SecurityGroups"]:
        return set()
    try:
        found = aws_client("ec2").describe_security_groups(GroupIds=groups["SecurityGroups"])["SecurityGroups"]
    except ClientError:  # a group was deleted
        return set()
    rules = [rule for group in found for rule in group["IpPermissions"] if _lets_in_nfs(rule)]
    members = {pair["GroupId"] for rule in rules for pair in rule.get("UserIdGroupPairs", [])}
    ranges = {one["CidrIp"] for rule in rules for one in rule.get("IpRanges", [])}
    return members | ranges | {one["CidrIpv6"] for rule in rules for one in rule.get("Ipv6Ranges", [])}


def security_group(name: str) -> str | None:
    """The id of the security group of this name."""
    found = aws_client("ec2").describe_security_groups()["SecurityGroups"]
    return next((group["GroupId"] for group in found if group["GroupName"] == name), None)


def _lets_in_nfs(rule: dict[str, Any]) -> bool:
    if rule["IpProtocol"] == "-1":
        return True
    return rule["IpProtocol"] in ("tcp", "6") and rule.get("FromPort", 0) <= NFS <= rule.get("ToPort", 65535)


# --- what lies on a file system ---------------------------------------------------------------------------------------


def volumes(system: str) -> list[Volume]:
    """The Docker volumes behind a file system: the whole, and a view for each directory that a task has mounted."""
    held = docker_client().volumes.list(filters={"label": FILE_SYSTEM_LABEL})
    return [one for one in held if one.attrs["Labels"][FILE_SYSTEM_LABEL].partition("@")[0] == system]


def content(system: str, prefix: str) -> dict[str, str]:
    """The text files at the top of a file system, by name; empty where nothing has ever mounted it.

    Args:
        system: its id.
        prefix: the beginning of the name of the container that is made to read it; it is never started.
    """
    whole = [one for one in volumes(system) if not (one.attrs.get("Options") or {}).get("device")]
    if not whole:
        return {}
    holder = docker_client().containers.create(
        settings.BASE_IMAGE,
        ["true"],
        name=f"{prefix}-look-{time.monotonic_ns()}",
        mounts=[Mount(target="/efs", source=whole[0].name, type="volume", no_copy=True)],
        labels={settings.LABEL_KEY: settings.LABEL_VALUE},
        network_mode="none",
    )
    try:
        return files(holder, "/efs")
    finally:
        holder.remove(force=True)


def files(container: Container, folder: str) -> dict[str, str]:
    """The text files at the top of a folder as this container sees it; empty where there is no such folder."""
    try:
        stream, _ = container.get_archive(folder)
        archive = io.BytesIO(b"".join(stream))
    except (NotFound, APIError):
        return {}
    found = {}
    with tarfile.open(fileobj=archive) as tar:
        for entry in tar:
            _, _, name = entry.name.partition("/")
            if entry.isfile() and "/" not in name and entry.size < LARGEST:
                found[name] = tar.extractfile(entry).read().decode(errors="replace")  # type: ignore[union-attr]
    return found


def changed(container: Container, path: str) -> datetime:
    """When a file was last written, as this container sees it; now, where there is no such file."""
    try:
        stream, stat = container.get_archive(path)
    except (NotFound, APIError):
        return datetime.now(UTC)
    stream.close()
    return datetime.fromisoformat(stat["mtime"])


def host_name(container: Container) -> str:
    """The host name that a container's programs see; empty where it has just ended."""
    try:
        return str(container.exec_run(["cat", "/etc/hostname"]).output.decode(errors="replace").strip())
    except APIError:
        return ""


# --- ECS --------------------------------------------------------------------------------------------------------------


def cluster(name: str) -> bool:
    """Whether there is an ACTIVE cluster of this name."""
    found = aws_client("ecs").describe_clusters(clusters=[name])["clusters"]
    return any(one["status"] == "ACTIVE" for one in found)


def service(cluster_name: str, name: str) -> dict[str, Any] | None:
    """The ECS service of this name where it is ACTIVE; None where it, or its cluster, is not there."""
    if not cluster(cluster_name):
        return None
    found = aws_client("ecs").describe_services(cluster=cluster_name, services=[name])["services"]
    return next((one for one in found if one["status"] == "ACTIVE"), None)


def tasks(cluster_name: str, since: datetime) -> list[dict[str, Any]]:
    """The tasks of a cluster created since a time, running and stopped, oldest first.

    Args:
        cluster_name: the cluster.
        since: tasks of an earlier try, from before a reset, are left out. Usually when the file system was made.
    """
    if not cluster(cluster_name):
        return []
    ecs = aws_client("ecs")
    arns = []
    for status in ("RUNNING", "STOPPED"):
        pages = ecs.get_paginator("list_tasks").paginate(cluster=cluster_name, desiredStatus=status)
        arns += [arn for page in pages for arn in page["taskArns"]]
    found = []
    for start in range(0, len(arns), 100):  # DescribeTasks takes at most 100
        found += ecs.describe_tasks(cluster=cluster_name, tasks=arns[start : start + 100])["tasks"]
    young = [task for task in found if task["createdAt"] >= since.replace(microsecond=0)]
    return sorted(young, key=lambda task: task["createdAt"])


def settled(cluster_name: str, since: datetime) -> list[dict[str, Any]]:
    """The same once none of them is on its way any more, or when patience ends."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = tasks(cluster_name, since)
        if all(task["lastStatus"] in ("RUNNING", "STOPPED") for task in found) or time.monotonic() > end:
            return found
        time.sleep(LOOK_SECONDS)


def definition(task: dict[str, Any]) -> dict[str, Any]:
    """The task definition of a task, ACTIVE or not; empty where it has been deleted."""
    try:
        asked = aws_client("ecs").describe_task_definition(taskDefinition=task["taskDefinitionArn"])
    except ClientError:
        return {}
    return dict(asked["taskDefinition"])


def mounts(task: dict[str, Any], system: str) -> dict[str, dict[str, Any]]:
    """Where the containers of a task have this file system: its EFS configuration by path. Empty where none has it."""
    made = definition(task)
    configured = {one["name"]: one.get("efsVolumeConfiguration") for one in made.get("volumes", [])}
    found = {}
    for container in made.get("containerDefinitions", []):
        for point in container.get("mountPoints", []):
            config = configured.get(point.get("sourceVolume"))
            if config and config["fileSystemId"].rpartition("/")[2] == system:
                found[point["containerPath"].rstrip("/") or "/"] = config
    return found


def container(task: dict[str, Any]) -> Container | None:
    """A running container of a task."""
    labelled = {"label": f"{TASK_LABEL}={task['taskArn']}"}
    return next(iter(docker_client().containers.list(filters=labelled, ignore_removed=True)), None)


def running(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those tasks that run, with a container that runs in Docker too."""
    return [task for task in found if task["lastStatus"] == "RUNNING" and container(task)]


def exit_code(task: dict[str, Any]) -> int | None:
    """The exit code of a task's first container; None while it runs, or where it never started."""
    code: int | None = task["containers"][0].get("exitCode")
    return code


def why(task: dict[str, Any]) -> str:
    """What ECS says about a task that stopped, cut to a length for a message."""
    reason = str(task.get("stoppedReason") or "nothing yet")
    return reason if len(reason) <= 220 else reason[:217] + "..."
