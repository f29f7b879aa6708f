"""What the engine knows of a resource type, and what a type knows of the resource at hand."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.cloudformation.functions import text
from labs.cloud.cloudformation.state import CloudFormation
from labs.cloud.frame import aws, tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record

INITIATED = {"CREATE": "Resource creation Initiated"}
_MISSING = ("NotFound", "NotActive", "DoesNotExist", "NoSuch")


class StoppedError(Exception):
    """Another resource has failed, so this one is not waited for any longer."""


@dataclass
class Work:
    """One resource in one operation on its stack.

    Args:
        cfn: the state.
        stack: the stack.
        record: what is kept of the resource.
        properties: without functions, as wanted now.
        before: as they were at the last change; empty for a new one.
        used: the attributes that the template asks for.
        stopped: whether another resource has failed meanwhile.
    """

    cfn: CloudFormation
    stack: Record
    record: Record
    properties: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    stopped: Callable[[], bool] = lambda: False
    status: str = "CREATE_IN_PROGRESS"

    @property
    def region(self) -> str:
        """The stack's."""
        return self.stack["_region"]

    @property
    def logical(self) -> str:
        """The resource's name in the template."""
        return self.record["LogicalResourceId"]

    @property
    def physical(self) -> str:
        """The resource's physical id; empty before there is one."""
        return self.record.get("PhysicalResourceId", "")

    def name(self, most: int = 255, *, lower: bool = False) -> str:
        """A name for a resource that has none in the template: stack, logical id, something random."""
        seed = self.record["_seed"]
        stack, logical = self.stack["StackName"], self.logical
        left = most - len(seed) - 2
        if len(stack) + len(logical) > left:
            logical = logical[: max(left // 2, left - len(stack))]
            stack = stack[: left - len(logical)]
        found = f"{stack}-{logical}-{seed}"
        return found.lower() if lower else found

    def tags(self, *, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
        """The tags of the resource: CloudFormation's own, the stack's, and those of the template over them.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
        """
        found = {one["Key"]: one["Value"] for one in self.stack.get("Tags", [])}
        found |= {one["Key"]: text(one.get("Value", "")) for one in self.properties.get("Tags") or []}
        own = {
            "aws:cloudformation:stack-name": self.stack["StackName"],
            "aws:cloudformation:logical-id": self.logical,
            "aws:cloudformation:stack-id": self.stack["StackId"],
        }
        return [{key: name, value: text} for name, text in (own | found).items()]

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """An operation of a service of ours.

        Raises:
            AwsError: as it is refused.
        """
        with tags.by_aws():
            return await self.cfn.services.call(service, operation, self.region, **parameters)

    async def rest(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """An operation of a service of the backend, by boto3's names.

        Raises:
            AwsError: as it is refused.
        """
        try:
            return await aws.call(service, operation, region=self.region, **parameters)
        except ClientError as problem:
            error = problem.response["Error"]
            status = problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
            raise AwsError(error["Code"], error["Message"], status) from None

    def made(self, physical: str, **attributes: Any) -> None:
        """Keeps the physical id of a resource that was made, and tells it.

        Raises:
            StoppedError: another resource has failed meanwhile.
        """
        new = self.physical != physical
        self.record["PhysicalResourceId"] = physical
        self.tell(**attributes)
        if new:
            self.cfn.tell(self.stack, self.record, self.status, "Resource creation Initiated")
        self.go_on()

    def tell(self, **attributes: Any) -> None:
        """Keeps attributes for `Fn::GetAtt`."""
        self.record["_attributes"] = {**self.record.get("_attributes", {}), **attributes}
        self.cfn.keep_resource(self.record)
        self.cfn.store.flush_quietly()

    def go_on(self) -> None:
        """Whether waiting still makes sense.

        Raises:
            StoppedError: it does not.
        """
        if self.stopped():
            raise StoppedError

    def changed(self, *names: str) -> bool:
        """Whether one of these properties is another one than before."""
        return any(self.properties.get(name) != self.before.get(name) for name in names)


Step = Callable[[Work], Awaitable[None]]


async def nothing(work: Work) -> None:
    """A step that has nothing to do."""


@dataclass(frozen=True)
class Kind:
    """A resource type of ours.

    Args:
        service: the signing name of the service that has it; the type exists if the service does.
        known: its properties.
        required: those without which it cannot be made.
        create: makes it. Called again after a kill, with the physical id if there was one.
        update: changes it in place.
        delete: removes it. A resource that is not there any more counts as removed.
        replaced_by: the properties whose change needs a new resource.
        name: the property that names it, if there is one.
        attributes: what `Fn::GetAtt` knows of it.
    """

    service: str
    known: frozenset[str]
    create: Step
    delete: Step
    update: Step = nothing
    required: tuple[str, ...] = ()
    replaced_by: frozenset[str] = frozenset()
    name: str | None = None
    attributes: frozenset[str] = frozenset()


Kinds = Mapping[str, Kind]


async def gone(work: Work, service: str, operation: str, /, **parameters: Any) -> None:
    """A call that removes something, which may be gone already."""
    try:
        await work.call(service, operation, **parameters)
    except AwsError as problem:
        if not any(word in problem.code for word in _MISSING):
            raise


def reason(service: str, problem: AwsError) -> str:
    """How the event of a resource tells that a service has refused it."""
    code = problem.code
    if "AlreadyExists" in code or "Duplicate" in code:
        kind = "AlreadyExists"
    elif any(word in code for word in _MISSING):
        kind = "NotFound"
    elif "AccessDenied" in code:
        kind = "AccessDenied"
    elif problem.status >= 500:
        kind = "ServiceInternalError"
    else:
        kind = "InvalidRequest"
    where = f"(Service: {service}, Status Code: {problem.status}, Request ID: {uuid.uuid4()})"
    return handler_reason(f"{problem.message} {where}", kind)


def handler_reason(message: str, code: str) -> str:
    """A reason as the handlers of CloudFormation's registry give it."""
    return f'Resource handler returned message: "{message}" (RequestToken: {uuid.uuid4()}, HandlerErrorCode: {code})'
