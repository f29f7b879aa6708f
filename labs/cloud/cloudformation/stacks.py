"""Operations that make, change and delete stacks.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
"""

import copy
import re
from typing import Any

from labs.cloud.cloudformation import engine, requests
from labs.cloud.cloudformation import template as templates
from labs.cloud.cloudformation.kinds import foreign
from labs.cloud.cloudformation.state import DELETED, CloudFormation, new_stack_id
from labs.cloud.cloudformation.template import INVALID, Template
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
UPDATABLE = frozenset({
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED",
})  # fmt: skip


async def create_stack(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """CreateStack."""
    name = request["StackName"]
    check_name(name)
    on_failure = _on_failure(request)
    draft = await requests.draft(cfn, request)
    require_free(cfn, request.region, name)
    stack = new_stack(request, name)
    fill(stack, request, draft)
    start_creation(cfn, stack, on_failure, request.get("TimeoutInMinutes"))
    return {"StackId": stack["StackId"]}


async def update_stack(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """UpdateStack."""
    stack = cfn.require(request.region, request["StackName"])
    require_updatable(stack)
    draft = await requests.draft(cfn, request, stack)
    check_types_kept(cfn, stack, draft.template)
    if not is_change(stack, draft, request):
        raise AwsError(INVALID, "No updates are to be performed.")
    require_updatable(stack)  # again: there was time for another request
    start_update(cfn, stack, request, draft)
    return {"StackId": stack["StackId"]}


def delete_stack(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """DeleteStack. One that does not exist is no error, as on AWS."""
    stack = cfn.find(request.region, request["StackName"])
    if stack is None or stack["StackStatus"] in (DELETED, "DELETE_IN_PROGRESS"):
        return {}
    if stack.get("EnableTerminationProtection"):
        raise AwsError(
            INVALID, f"Stack [{stack['StackName']}] cannot be deleted while TerminationProtection is enabled"
        )
    for output in stack.get("Outputs", []):
        users = cfn.importers(request.region, output["ExportName"]) if "ExportName" in output else []
        if users := [one for one in users if one != stack["StackName"]]:
            text = (
                f"Delete canceled. Cannot delete export {output['ExportName']} as it is in use by {', '.join(users)}."
            )
            raise AwsError(INVALID, text)
    retain = request.get("RetainResources", [])
    if retain and stack["StackStatus"] != "DELETE_FAILED":
        raise AwsError(INVALID, "RetainResources can be given for a stack in the state DELETE_FAILED only.")
    stack["_token"] = request.get("ClientRequestToken")
    operation = stack.get("_operation")
    if operation and operation["kind"] in ("CREATE", "UPDATE") and operation["phase"] is not None:
        operation |= {"then": "DELETE", "then_retain": retain}
        cfn.keep(stack)
        return {}
    stack.pop("_stuck", None)
    engine.begin_delete(cfn, stack, retain)
    return {}


def cancel_update_stack(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """CancelUpdateStack: what is under way is rolled back."""
    stack = cfn.require(request.region, request["StackName"])
    operation = stack.get("_operation", {})
    if stack["StackStatus"] != "UPDATE_IN_PROGRESS" or operation.get("phase") != "forward":
        raise AwsError(INVALID, f"CancelUpdateStack cannot be called from current stack status {stack['StackStatus']}")
    operation["cancelled"] = True
    cfn.keep(stack)
    return {}


def continue_update_rollback(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """ContinueUpdateRollback: what could not be rolled back is tried again, or left as it is."""
    stack = cfn.require(request.region, request["StackName"])
    if stack["StackStatus"] != "UPDATE_ROLLBACK_FAILED" or "_stuck" not in stack:
        text = f"Stack:{stack['StackId']} is in {stack['StackStatus']} state and can not be continued."
        raise AwsError(INVALID, text)
    operation = stack.pop("_stuck")
    operation["undone"] = [*operation["undone"], *request.get("ResourcesToSkip", [])]
    stack["_operation"] = operation
    cfn.tell(stack, stack, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
    engine.go_on(cfn, stack)
    return {}


def update_termination_protection(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """UpdateTerminationProtection."""
    stack = cfn.require(request.region, request["StackName"])
    stack["EnableTerminationProtection"] = request["EnableTerminationProtection"]
    cfn.keep(stack)
    return {"StackId": stack["StackId"]}


def check_name(name: str) -> None:
    """Refuses a name that no stack can have.

    Raises:
        AwsError: ValidationError.
    """
    if not NAME.fullmatch(name):
        raise AwsError(
            INVALID,
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
        )
    if name.startswith(foreign.HIDDEN):
        raise AwsError(INVALID, f"Names of stacks that begin with '{foreign.HIDDEN}' are the local AWS's own.")


def require_free(cfn: CloudFormation, region: str, name: str) -> None:
    """Refuses a name that a stack has.

    Raises:
        AwsError: AlreadyExistsException.
    """
    if cfn.find(region, name):
        raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")


def new_stack(request: Request, name: str) -> Record:
    """The record of a stack of which there is nothing yet."""
    return {
        "StackId": new_stack_id(request.region, name),
        "StackName": name,
        "CreationTime": clock.now(),
        "StackStatus": "",
        "RollbackConfiguration": request.get("RollbackConfiguration", {}),
        "EnableTerminationProtection": request.get("EnableTerminationProtection", False),
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        "Outputs": [],
        "_region": request.region,
    }


def fill(stack: Record, request: Request, draft: requests.Draft) -> None:
    """What a request says of a stack."""
    stack |= {
        "_body": draft.body,
        "_parameters": draft.parameters,
        "_values": draft.values,
        "_token": request.get("ClientRequestToken"),
        "Description": str(draft.template["Description"]) if draft.template.get("Description") else None,
        "Capabilities": request.get("Capabilities", []),
    }
    if "Tags" in request or "Tags" not in stack:
        stack["Tags"] = requests.plain_tags(request)
    if "NotificationARNs" in request or "NotificationARNs" not in stack:
        stack["NotificationARNs"] = request.get("NotificationARNs", [])
    if "RoleARN" in request:
        stack["RoleARN"] = request["RoleARN"]
    if "DisableRollback" in request:
        stack["DisableRollback"] = request["DisableRollback"]


def start_creation(cfn: CloudFormation, stack: Record, on_failure: str, minutes: int | None) -> None:
    """Begins to make the resources of a stack."""
    stack["DisableRollback"] = on_failure == "DO_NOTHING"
    if minutes:
        stack["TimeoutInMinutes"] = minutes
    cfn.tell(stack, stack, "CREATE_IN_PROGRESS", "User Initiated")
    deadline = clock.now() + minutes * 60 if minutes else None
    engine.begin(cfn, stack, "CREATE", on_failure=on_failure, deadline=deadline)


def start_update(cfn: CloudFormation, stack: Record, request: Request, draft: requests.Draft) -> None:
    """Begins to change the resources of a stack."""
    before = copy.deepcopy({key: stack[key] for key in engine.CHANGING if key in stack})
    fill(stack, request, draft)
    stack["LastUpdatedTime"] = clock.now()
    cfn.tell(stack, stack, "UPDATE_IN_PROGRESS", "User Initiated")
    tags_changed = before.get("Tags", []) != stack["Tags"]
    engine.begin(
        cfn, stack, "UPDATE", before=before, tags_changed=tags_changed, rollback=not request.get("DisableRollback")
    )


def require_updatable(stack: Record) -> None:
    """Refuses to change a stack that is in no state for it.

    Raises:
        AwsError: ValidationError.
    """
    status = stack["StackStatus"]
    if status not in UPDATABLE or stack.get("_operation"):
        raise AwsError(INVALID, f"Stack:{stack['StackId']} is in {status} state and can not be updated.")


def check_types_kept(cfn: CloudFormation, stack: Record, template: Template) -> None:
    """Refuses a template in which a resource has become another type.

    Raises:
        AwsError: ValidationError.
    """
    there = cfn.alive(stack)
    changed = [
        name for name, one in template["Resources"].items()
        if name in there and there[name]["ResourceType"] != one["Type"]
    ]  # fmt: skip
    if changed:
        raise AwsError(
            INVALID,
            "Update of resource type is not permitted. The new template modifies resource type of the following "
            f"resources: [{', '.join(changed)}]",
        )


def is_change(stack: Record, draft: requests.Draft, request: Request) -> bool:
    """Whether a template, its parameters or tags are others than those of the stack."""
    tags = request.get("Tags", stack.get("Tags", []))
    same_tags = sorted(map(str, tags)) == sorted(map(str, stack.get("Tags", [])))
    finished = not stack["StackStatus"].endswith("_FAILED")
    same = templates.read(stack["_body"]) == draft.template and draft.values == stack["_values"]
    return not (finished and same and same_tags)


def _on_failure(request: Request) -> str:
    if "OnFailure" in request and "DisableRollback" in request:
        raise AwsError(INVALID, "Either DisableRollback or OnFailure can be specified, not both.")
    return request.get("OnFailure") or ("DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK")


OPERATIONS = {
    "CreateStack": create_stack,
    "UpdateStack": update_stack,
    "DeleteStack": delete_stack,
    "CancelUpdateStack": cancel_update_stack,
    "ContinueUpdateRollback": continue_update_rollback,
    "UpdateTerminationProtection": update_termination_protection,
}
