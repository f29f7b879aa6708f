"""What App Runner knows: its tables, and those it talks to. Handed to every operation as its first argument."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from labs.cloud.frame import arns
from labs.cloud.frame.background import Background
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.paging import page
from labs.cloud.frame.service import Request
from labs.cloud.frame.signals import Signals
from labs.cloud.frame.store import Record, Store, Table

SIGNING_NAME = "apprunner"
INVALID = "InvalidRequestException"
NOT_FOUND = "ResourceNotFoundException"
STATE = "InvalidStateException"
QUOTA = "ServiceQuotaExceededException"
DOMAIN = "awsapprunner.localhost"

RUNNING, PAUSED, DELETED = "RUNNING", "PAUSED", "DELETED"
CREATE_FAILED, DELETE_FAILED, BUSY = "CREATE_FAILED", "DELETE_FAILED", "OPERATION_IN_PROGRESS"

CONFIGURED = (
    "SourceConfiguration",
    "InstanceConfiguration",
    "HealthCheckConfiguration",
    "NetworkConfiguration",
    "ObservabilityConfiguration",
    "AutoScalingConfigurationSummary",
)  # what an update changes


class Publish(Protocol):
    """Sends an event to EventBridge. Returns at once."""

    def __call__(
        self, region: str, detail_type: str, resources: list[str], detail: dict[str, Any], source: str
    ) -> None: ...


class Way(Protocol):
    """The way from containers to the gateway: `relay.Relay`."""

    def ensure(self) -> str:
        """The network that they are to join. For a thread."""


@dataclass
class AppRunner:
    """The state. Tables are keyed by ARN, operations by their id; records have the shape that the API returns.

    Members of ours in a service's record: `_active` (the revision that takes requests: `id`, Docker's `image` and
    `digest` of it, and the members of `CONFIGURED` as they were deployed), `_door` (HAProxy's port on this machine),
    `_credentials_id`, `_tags`, `_domains`, `_size` (how many instances scaling wants). An operation's: `_service`.

    Args:
        store: where the tables are kept.
        signals: hints from other services of ours.
        publish: sends an event to EventBridge.
        way: how instances reach the gateway.
    """

    store: Store
    signals: Signals
    publish: Publish
    way: Way
    background: Background = field(default_factory=Background)
    wake: Callable[[str], None] = field(init=False)  # looks after a service now; set by the service as a whole
    ended: Callable[[Record], None] = field(init=False)  # told of each operation that is over

    def __post_init__(self) -> None:
        self.services: Table = self.store.table("apprunner.services")
        self.operations: Table = self.store.table("apprunner.operations")
        self.scaling: Table = self.store.table("apprunner.auto-scaling-configurations")
        self.defaults: Table = self.store.table("apprunner.default-configurations")  # by region
        self.connections: Table = self.store.table("apprunner.connections")
        self.connectors: Table = self.store.table("apprunner.vpc-connectors")
        self.observability: Table = self.store.table("apprunner.observability-configurations")
        self.ingresses: Table = self.store.table("apprunner.vpc-ingress-connections")

    def service(self, arn: str) -> Record:
        """The service with this ARN.

        Raises:
            AwsError: ResourceNotFoundException.
        """
        if arn in self.services:
            return self.services[arn]
        raise AwsError(NOT_FOUND, f"Service with the provided arn does not exist: {arn}")

    def change(self, arn: str, **members: Any) -> Record:
        """Keeps a service's record with these members changed."""
        return self.services.put(arn, {**self.services[arn], **members})

    def operation_of(self, arn: str) -> Record | None:
        """The operation that a service is busy with."""
        return next(
            (one for one in self.operations.values() if one["_service"] == arn and "EndedAt" not in one),
            None,
        )


def in_region(table: Table, region: str) -> list[Record]:
    """The records of a table in a region, oldest first."""
    return [one for key, one in table.items() if arns.region(key) == region]


def listed(found: list[Any], request: Request, most: int) -> dict[str, Any]:
    """One page of a list under `page`, with `NextToken` if there is more.

    Raises:
        AwsError: InvalidRequestException for a size or token that is none.
    """
    items, token = page(found, request.get("MaxResults"), request.get("NextToken"), most=most, code=INVALID)
    return {"page": items, **({"NextToken": token} if token else {})}
