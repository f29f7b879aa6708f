"""What EC2 Auto Scaling knows: its tables, and those it talks to. Handed to every operation."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from labs.cloud.frame import clock
from labs.cloud.frame.background import Background
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.paging import page
from labs.cloud.frame.pulse import Pulse
from labs.cloud.frame.service import Request, Services
from labs.cloud.frame.store import Record, Store, Table

INVALID = "ValidationError"
MOST_LISTED = 100
IN_SERVICE, PENDING, TERMINATING, STANDBY = "InService", "Pending", "Terminating", "Standby"


class Publish(Protocol):
    """Sends an event to EventBridge. Returns at once."""

    def __call__(
        self, region: str, detail_type: str, resources: list[str], detail: dict[str, Any], source: str
    ) -> None: ...


@dataclass
class AutoScaling:
    """The state. Groups are kept by '<region> <name>', what belongs to one by its key and a name after that.

    Args:
        store: where the tables are kept.
        services: the services of ours, by signing name.
        publish: sends an event to EventBridge.
    """

    store: Store
    services: Services
    publish: Publish
    background: Background = field(default_factory=Background)
    policies_changed: Pulse = field(default_factory=Pulse)
    begin: Callable[[str], None] = field(init=False)  # looks after a group from now on; set by the keeper
    launching: set[str] = field(default_factory=set)  # keys of groups for which EC2 is launching just now
    released: set[str] = field(default_factory=set)  # instance ids that were given away and are not taken back

    def __post_init__(self) -> None:
        self.groups: Table = self.store.table("autoscaling.groups")
        self.instances: Table = self.store.table("autoscaling.instances")  # by '<region> <instance id>'
        self.activities: Table = self.store.table("autoscaling.activities")  # by id, oldest first
        self.policies: Table = self.store.table("autoscaling.policies")
        self.actions: Table = self.store.table("autoscaling.scheduled-actions")
        self.hooks: Table = self.store.table("autoscaling.lifecycle-hooks")
        self.refreshes: Table = self.store.table("autoscaling.instance-refreshes")  # by id, oldest first

    def wake(self, key: str) -> None:
        """Something about a group has changed, or it is new."""
        self.begin(key)
        self.policies_changed.beat()

    def members(self, group: Record) -> list[Record]:
        """The instances of a group, oldest first."""
        return [one for one in self.instances.values() if one["_group"] == group["_key"]]

    def of_group(self, table: Table, group: Record) -> list[Record]:
        """What belongs to a group in a table, oldest first."""
        return [one for one in table.values() if one["_group"] == group["_key"]]

    def keep(self, instance: Record) -> Record:
        """Keeps a changed instance."""
        return self.instances.put(instance_key(instance["_region"], instance["InstanceId"]), instance)

    def forget(self, instance: Record) -> None:
        """Forgets an instance."""
        self.instances.drop(instance_key(instance["_region"], instance["InstanceId"]))


def group_key(request: Request) -> str:
    """The key of the group that a request names."""
    return f"{request.region} {request['AutoScalingGroupName']}"


def group_of(scaling: AutoScaling, request: Request) -> Record:
    """The group that a request names.

    Raises:
        AwsError: ValidationError.
    """
    if found := scaling.groups.get(group_key(request)):
        return found
    name = request["AutoScalingGroupName"]
    raise AwsError(INVALID, f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")


def instance_key(region: str, instance_id: str) -> str:
    """The key of an instance."""
    return f"{region} {instance_id}"


def is_active(instance: Record) -> bool:
    """Whether an instance counts as capacity of its group: it is on its way in, or in service."""
    return instance["LifecycleState"].startswith(PENDING) or instance["LifecycleState"] == IN_SERVICE


def is_leaving(instance: Record) -> bool:
    """Whether an instance is on its way out."""
    return instance["LifecycleState"].startswith(TERMINATING)


def listed(found: list[Record], request: Request, most: int = MOST_LISTED) -> tuple[list[Record], str | None]:
    """One page of records, as all lists of this service have them.

    Raises:
        AwsError: ValidationError for the size, InvalidNextToken for the token.
    """
    size = request.get("MaxRecords")
    if size is not None and not 1 <= size <= most:
        raise AwsError(INVALID, f"MaxRecords must be between 1 and {most}.")
    return page(found, size, request.get("NextToken"), most=most, code="InvalidNextToken")


def stamp(seconds: float | None = None) -> str:
    """A time as the texts of scaling activities have it, e.g. `2026-11-22T10:00:00Z`."""
    return clock.iso(clock.now() if seconds is None else seconds)[:-5] + "Z"
