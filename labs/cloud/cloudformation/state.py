"""What CloudFormation knows: stacks, their resources and events, change sets. Handed to every operation."""

import secrets
import string
import uuid
from dataclasses import dataclass, field
from typing import Any

from labs import settings
from labs.cloud.cloudformation.template import INVALID
from labs.cloud.frame import arns, clock
from labs.cloud.frame.background import Background
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.http import App
from labs.cloud.frame.pulse import Pulse
from labs.cloud.frame.service import Services
from labs.cloud.frame.store import Record, Store, Table

STACK = "AWS::CloudFormation::Stack"
DELETED = "DELETE_COMPLETE"
_LETTERS = string.ascii_letters + string.digits


@dataclass
class CloudFormation:
    """The state.

    Args:
        store: where the tables are kept.
        services: the services of ours, by signing name.
        backend: the ASGI app of the backend, for the resources that are not ours.
    """

    store: Store
    services: Services
    backend: App
    background: Background = field(default_factory=Background)
    changed: Pulse = field(default_factory=Pulse)  # a stack has come to the end of an operation

    def __post_init__(self) -> None:
        self.stacks: Table = self.store.table("cloudformation.stacks")  # by id
        self.resources: Table = self.store.table("cloudformation.resources")  # by '<stack id> <logical id>'
        self.events: Table = self.store.table("cloudformation.events")  # by '<stack id> <number>'
        self.change_sets: Table = self.store.table("cloudformation.change-sets")  # by id

    def find(self, region: str, name: str | None) -> Record | None:
        """A stack by its id, deleted or not, or by the name of one that is not deleted."""
        if not name:
            return None
        if name.startswith("arn:"):
            return self.stacks.get(name)
        for stack in self.stacks.values():
            if stack["StackName"] == name and stack["_region"] == region and stack["StackStatus"] != DELETED:
                return stack
        return None

    def require(self, region: str, name: str | None) -> Record:
        """The same.

        Raises:
            AwsError: there is none.
        """
        if stack := self.find(region, name):
            return stack
        raise AwsError(INVALID, f"Stack with id {name} does not exist")

    def of(self, stack: Record) -> dict[str, Record]:
        """The resources of a stack by logical id, those gone too."""
        start = f"{stack['StackId']} "
        return {one["LogicalResourceId"]: one for key, one in self.resources.items() if key.startswith(start)}

    def alive(self, stack: Record) -> dict[str, Record]:
        """The resources of a stack that are there, or may be, by logical id."""
        return {name: one for name, one in self.of(stack).items() if one["ResourceStatus"] != DELETED}

    def keep(self, stack: Record) -> None:
        """Keeps a changed stack."""
        self.stacks.put(stack["StackId"], stack)

    def keep_resource(self, record: Record) -> None:
        """Keeps a changed resource. One in whose place there is another by now is kept with its stack."""
        if record.get("_superseded"):
            return
        self.resources.put(f"{record['StackId']} {record['LogicalResourceId']}", record)

    def drop_resource(self, record: Record) -> None:
        """Forgets a resource."""
        self.resources.drop(f"{record['StackId']} {record['LogicalResourceId']}")

    def tell(self, stack: Record, subject: Record, status: str, reason: str = "", properties: str = "") -> None:
        """An event: of a resource, or of the stack itself if that is the subject. Sets the subject's status."""
        subject_is_stack = subject is stack
        stack["_events"] = stack.get("_events", 0) + 1
        event = {
            "StackId": stack["StackId"],
            "EventId": str(uuid.uuid4()) if subject_is_stack else
            f"{subject['LogicalResourceId']}-{status}-{clock.iso(clock.now())}",
            "StackName": stack["StackName"],
            "LogicalResourceId": stack["StackName"] if subject_is_stack else subject["LogicalResourceId"],
            "PhysicalResourceId": stack["StackId"] if subject_is_stack else subject.get("PhysicalResourceId", ""),
            "ResourceType": STACK if subject_is_stack else subject["ResourceType"],
            "Timestamp": clock.now(),
            "ResourceStatus": status,
            **({"ResourceStatusReason": reason} if reason else {}),
            **({"ResourceProperties": properties} if properties else {}),
            **({"ClientRequestToken": token} if (token := stack.get("_token")) else {}),
        }  # fmt: skip
        self.events.put(f"{stack['StackId']} {stack['_events']:06d}", event)
        if subject_is_stack:
            stack["StackStatus"] = status
            stack["StackStatusReason"] = reason or None
        else:
            subject["ResourceStatus"] = status
            subject["ResourceStatusReason"] = reason or None
            subject["Timestamp"] = clock.now()
            self.keep_resource(subject)
        self.keep(stack)
        self.store.flush_quietly()

    def exports(self, region: str) -> dict[str, dict[str, Any]]:
        """All exports of a region by name, as ListExports tells them."""
        return {
            output["ExportName"]: {
                "ExportingStackId": stack["StackId"], "Name": output["ExportName"], "Value": output["OutputValue"],
            }
            for stack in self.stacks.values()
            if stack["_region"] == region and stack["StackStatus"] != DELETED
            for output in stack.get("Outputs", [])
            if "ExportName" in output
        }  # fmt: skip

    def importers(self, region: str, export: str) -> list[str]:
        """The names of the stacks that import an export."""
        return sorted(
            stack["StackName"]
            for stack in self.stacks.values()
            if stack["_region"] == region and stack["StackStatus"] != DELETED and export in stack.get("_imports", [])
        )


def new_stack_id(region: str, name: str) -> str:
    """The id of a new stack."""
    return arns.make("cloudformation", region, f"stack/{name}/{uuid.uuid1()}")


def new_seed() -> str:
    """The random end of a name."""
    return "".join(secrets.choice(_LETTERS) for _ in range(12))


def pseudo(stack: Record) -> dict[str, Any]:
    """The pseudo parameters of a stack."""
    return {
        "AWS::AccountId": settings.ACCOUNT,
        "AWS::NotificationARNs": stack.get("NotificationARNs", []),
        "AWS::Partition": "aws",
        "AWS::Region": stack["_region"],
        "AWS::StackId": stack["StackId"],
        "AWS::StackName": stack["StackName"],
        "AWS::URLSuffix": "amazonaws.com",
    }
