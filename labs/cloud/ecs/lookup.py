"""How a cluster, a task definition, a service, a task or a container instance is found: by name, id or ARN.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids
"""

import re
from typing import Any

from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns
from labs.cloud.frame.errors import AwsError

DEFAULT_CLUSTER = "default"
ACTIVE = "ACTIVE"
INACTIVE = "INACTIVE"
ID_LENGTHS = (32, 36)  # of a task: today's 32 hexadecimal digits, and the UUID of earlier years

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")

Record = dict[str, Any]


def is_name(text: str) -> bool:
    """Whether a cluster, a family, a container, a volume or a service can have this name."""
    return bool(_NAME.fullmatch(text))


def cluster_arn(region: str, text: str | None) -> str:
    """The ARN that a cluster's name or ARN stands for; of the cluster `default` where nothing is given."""
    text = text or DEFAULT_CLUSTER
    return text if text.startswith("arn:") else arns.make("ecs", region, f"cluster/{text}")


def any_cluster(ecs: Ecs, region: str, text: str | None) -> Record:
    """A cluster, deleted ones included.

    Raises:
        AwsError: ClusterNotFoundException, also for a cluster of another region.
    """
    found = ecs.clusters.get(cluster_arn(region, text))
    if found is None or arns.region(found["clusterArn"]) != region:
        raise AwsError("ClusterNotFoundException", "Cluster not found.")
    return found


def cluster(ecs: Ecs, region: str, text: str | None) -> Record:
    """A cluster that has not been deleted.

    Args:
        ecs: the state.
        region: where the request was sent.
        text: name or ARN; None for the cluster `default`.

    Raises:
        AwsError: ClusterNotFoundException.
    """
    found = any_cluster(ecs, region, text)
    if found["status"] == INACTIVE:
        raise AwsError("ClusterNotFoundException", "Cluster not found.")
    return found


def task_definition(ecs: Ecs, region: str, text: str, missing: str = "TaskDefinition not found.") -> Record:
    """A task definition in any status: a family's latest ACTIVE revision, or the one with the named revision.

    Args:
        ecs: the state.
        region: where the request was sent.
        text: `family`, `family:revision` or an ARN.
        missing: what AWS says in this operation when there is none.

    Raises:
        AwsError: ClientException.
    """
    family, revision = family_and_revision(region, text, missing)
    if revision is None:
        active = [one for one in revisions(ecs, region, family) if one["status"] == ACTIVE]
        if not active:
            raise AwsError("ClientException", missing)
        return active[-1]
    found = ecs.task_definitions.get(arns.make("ecs", region, f"task-definition/{family}:{revision}"))
    if found is None:
        raise AwsError("ClientException", missing)
    return found


def family_and_revision(region: str, text: str, missing: str) -> tuple[str, int | None]:
    """The parts of `family`, `family:revision` or an ARN.

    Raises:
        AwsError: ClientException; the ARN is of another account, region or kind, or the revision is no number.
    """
    name = text
    if text.startswith("arn:"):
        prefix = arns.make("ecs", region, "task-definition/")
        if not text.startswith(prefix):
            raise AwsError("ClientException", missing)
        name = text.removeprefix(prefix)
    family, colon, revision = name.partition(":")
    if not colon:
        return family, None
    if not (revision.isascii() and revision.isdigit()):
        raise AwsError("ClientException", f"Invalid revision number. Number: {revision}")
    return family, int(revision)


def revisions(ecs: Ecs, region: str, family: str) -> list[Record]:
    """The revisions of a family in every status, oldest first."""
    start = arns.make("ecs", region, f"task-definition/{family}:")
    found = [one for arn, one in ecs.task_definitions.items() if arn.startswith(start)]
    return sorted(found, key=lambda one: one["revision"])


def require_active(definition: Record) -> None:
    """Refuses a task definition that was deregistered: nothing new may be started from it.

    Raises:
        AwsError: InvalidParameterException.
    """
    if definition["status"] != ACTIVE:
        raise AwsError("InvalidParameterException", "TaskDefinition is inactive")


def service_arn(cluster: Record, text: str) -> str:
    """The ARN that a service's name or ARN (long or short) stands for.

    Raises:
        AwsError: InvalidParameterException; the ARN is of another cluster or no service's.
    """
    return _arn_in(cluster, "service", text)


def service(ecs: Ecs, cluster: Record, text: str) -> Record:
    """A service of a cluster, in any status.

    Raises:
        AwsError: ServiceNotFoundException, or InvalidParameterException for an ARN of another cluster.
    """
    found = ecs.service_records.get(service_arn(cluster, text))
    if found is None:
        raise AwsError("ServiceNotFoundException", "Service not found.")
    return found


def active_service(ecs: Ecs, cluster: Record, text: str) -> Record:
    """A service of a cluster that may be changed.

    Raises:
        AwsError: as `service`; ServiceNotActiveException for one that is being deleted or was.
    """
    found = service(ecs, cluster, text)
    if found["status"] != ACTIVE:
        raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
    return found


def task_arn(cluster: Record, text: str) -> str:
    """The ARN that a task's id or ARN stands for.

    Raises:
        AwsError: InvalidParameterException; it has not the form of one, or is of another cluster.
    """
    arn = _arn_in(cluster, "task", text)
    if len(arn.rpartition("/")[2]) not in ID_LENGTHS:
        raise AwsError("InvalidParameterException", "taskId length should be one of [32,36]")
    return arn


def task(ecs: Ecs, cluster: Record, text: str) -> Record:
    """A task of a cluster.

    Raises:
        AwsError: InvalidParameterException.
    """
    found = ecs.tasks.get(task_arn(cluster, text))
    if found is None:
        raise AwsError("InvalidParameterException", "The referenced task was not found.")
    return found


def container_instance_arn(cluster: Record, text: str) -> str:
    """The ARN that a container instance's id or ARN stands for.

    Raises:
        AwsError: InvalidParameterException; the ARN is of another cluster or no container instance's.
    """
    return _arn_in(cluster, "container-instance", text)


def container_instance(ecs: Ecs, cluster: Record, text: str) -> Record:
    """A container instance of a cluster.

    Raises:
        AwsError: InvalidParameterException.
    """
    found = ecs.container_instances.get(container_instance_arn(cluster, text))
    if found is None:
        raise AwsError("InvalidParameterException", "The referenced container instance was not found.")
    return found


def _arn_in(cluster: Record, kind: str, text: str) -> str:
    """The long ARN of something in a cluster. A short ARN (`<kind>/<name>`) is read as one of this cluster."""
    region = arns.region(cluster["clusterArn"])
    name = cluster["clusterName"]
    if not text.startswith("arn:"):
        return arns.make("ecs", region, f"{kind}/{name}/{text}")
    prefix = arns.make("ecs", region, f"{kind}/")
    if not text.startswith(prefix):
        raise AwsError("InvalidParameterException", f"Invalid identifier: '{text}' is no {kind} of this region.")
    holder, slash, rest = text.removeprefix(prefix).rpartition("/")
    if slash and holder != name:
        raise AwsError(
            "InvalidParameterException",
            f"Invalid identifier: Identifier is for cluster {holder}. Your cluster is {name}",
        )
    return f"{prefix}{name}/{rest}"
