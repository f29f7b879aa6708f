"""Removing file systems of EFS with all that hangs on them, by the beginning of their name, and what uses them."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from docker.errors import APIError, NotFound

from labs.ecs_data_volumes import look
from labs.kit import remove_aws, remove_docker
from labs.kit.world import aws_client

LONGEST_SECONDS = 120.0  # on AWS a mount target takes a while to go
LOOK_SECONDS = 0.2


def everything(prefix: str) -> None:
    """Remove all that begins with the prefix: mount targets, tasks and the rest, then the data. Safe to repeat.

    Args:
        prefix: `vol-` for the whole chapter, `vol-note` for one exercise.
    """
    gone = look.file_systems(prefix)
    for system in gone:
        _delete_mount_targets(system["FileSystemId"])  # security groups can go once no mount target has them
    remove_aws.everything(prefix)
    for system in gone:
        _delete(system["FileSystemId"])
    remove_docker.everything(prefix)


def left(prefix: str) -> list[str]:
    """The file systems that are still there, one sentence each.

    Args:
        prefix: the beginning of their names.
    """
    return [f"The file system {look.name_of(one)} is still there." for one in look.file_systems(prefix)]


def _delete_mount_targets(system: str) -> None:
    efs = aws_client("efs")
    for target in look.mount_targets(system):
        with suppress(efs.exceptions.MountTargetNotFound):
            efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    end = time.monotonic() + LONGEST_SECONDS
    while look.mount_targets(system) and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)


def _delete(system: str) -> None:
    """Delete a file system with its access points and, where the local AWS keeps them, the Docker volumes behind it."""
    efs = aws_client("efs")
    for point in look.access_points(system):
        with suppress(efs.exceptions.AccessPointNotFound):
            efs.delete_access_point(AccessPointId=point["AccessPointId"])
    with suppress(efs.exceptions.FileSystemNotFound):
        efs.delete_file_system(FileSystemId=system)
    # Views of a part of a file system lie on the whole, which goes last.
    for volume in sorted(look.volumes(system), key=_is_whole):
        with suppress(NotFound, APIError):  # one that is in use goes when the local AWS looks for orphans
            volume.remove(force=True)


def _is_whole(volume: Any) -> bool:
    return not (volume.attrs.get("Options") or {}).get("device")
