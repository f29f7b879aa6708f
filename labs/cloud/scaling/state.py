"""What Application Auto Scaling knows: its tables, and those it talks to. Handed to every operation."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from labs.cloud.frame.background import Background
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.pulse import Pulse
from labs.cloud.frame.service import Request, Services
from labs.cloud.frame.store import Record, Store, Table

NAMESPACE = "ecs"
DIMENSION = "ecs:service:DesiredCount"
INVALID = "ValidationException"


class Measured(Protocol):
    """What a service's tasks use in percent of what they reserve, one number for each task measured."""

    @property
    def cpu(self) -> tuple[float, ...]:
        """Of their CPU."""

    @property
    def memory(self) -> tuple[float, ...]:
        """Of their memory."""


Usage = Callable[[str], Measured | None]  # by the service's ARN; None without a recent measurement
RequestsPerTarget = Callable[[str, float], float]  # a target group's ARN, and since when


@dataclass
class Scaling:
    """The state.

    Args:
        store: where the tables are kept.
        services: the services of ours, by signing name.
        usage: what the tasks of a service use.
        requests_per_target: how many requests each target of a target group got since a time.
    """

    store: Store
    services: Services
    usage: Usage
    requests_per_target: RequestsPerTarget
    background: Background = field(default_factory=Background)
    changed: Pulse = field(default_factory=Pulse)

    def __post_init__(self) -> None:
        # A resource has one scalable dimension, so a key is '<region> <resource id>', and a name after that.
        self.targets: Table = self.store.table("scaling.targets")
        self.policies: Table = self.store.table("scaling.policies")
        self.actions: Table = self.store.table("scaling.scheduled-actions")
        self.activities: Table = self.store.table("scaling.activities")  # by id, oldest first

    def policies_of(self, target: Record) -> list[Record]:
        """The scaling policies of a target, oldest first."""
        return [one for one in self.policies.values() if one["_target"] == target["_key"]]

    def actions_of(self, target: Record) -> list[Record]:
        """The scheduled actions of a target, oldest first."""
        return [one for one in self.actions.values() if one["_target"] == target["_key"]]


def key(request: Request) -> str:
    """The key of the scalable target that a request names.

    Raises:
        AwsError: nothing of this kind can be scaled here.
    """
    if request["ServiceNamespace"] != NAMESPACE:
        raise AwsError(
            INVALID, f"The local AWS of this course scales ECS services only, and no '{request['ServiceNamespace']}'."
        )
    parts = request["ResourceId"].split("/")
    if request["ScalableDimension"] != DIMENSION or len(parts) != 3 or parts[0] != "service" or not all(parts):
        raise AwsError(INVALID, "Unsupported service namespace, resource type or scalable dimension")
    return f"{request.region} {request['ResourceId']}"


def target_of(scaling: Scaling, request: Request, word: str = "registered") -> Record:
    """The scalable target that a request names.

    Args:
        scaling: the state.
        request: names it.
        word: `registered` or `found`, as AWS's message says.

    Raises:
        AwsError: ObjectNotFoundException.
    """
    if found := scaling.targets.get(key(request)):
        return found
    raise AwsError("ObjectNotFoundException", f"No scalable target {word} for {named(request)}")


def named(request: Request) -> str:
    """How AWS's messages name a scalable target."""
    return (
        f"service namespace: {request['ServiceNamespace']}, resource ID: {request['ResourceId']}, "
        f"scalable dimension: {request['ScalableDimension']}"
    )


def cluster_and_service(resource_id: str) -> tuple[str, str]:
    """The names in `service/<cluster>/<service>`."""
    _, cluster, service = resource_id.split("/")
    return cluster, service
