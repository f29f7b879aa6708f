"""Change sets: what an update would do, told before it is done.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

import re
from typing import Any

from labs.cloud.cloudformation import parameters, requests, scopes, stacks, steps
from labs.cloud.cloudformation import template as templates
from labs.cloud.cloudformation.kinds import foreign, table
from labs.cloud.cloudformation.state import CloudFormation, new_stack_id
from labs.cloud.cloudformation.template import INVALID
from labs.cloud.frame import arns, clock, paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
UNKNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"
_KEPT = ("Capabilities", "Tags", "NotificationARNs", "ClientRequestToken", "RoleARN", "DisableRollback")


async def create_change_set(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """CreateChangeSet, for a new stack or one that is there."""
    name, stack_name = request["ChangeSetName"], request["StackName"]
    if not NAME.fullmatch(name):
        raise AwsError(INVALID, f"The change set name '{name}' must match [a-zA-Z][-a-zA-Z0-9]*.")
    kind = request.get("ChangeSetType", "UPDATE")
    if kind == "IMPORT" or request.get("ResourcesToImport"):
        raise AwsError(INVALID, "The local AWS of this course imports no resources into stacks.")
    stack = cfn.find(request.region, stack_name)
    if kind == "CREATE":
        if stack and stack["StackStatus"] != "REVIEW_IN_PROGRESS":
            text = f"Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
            raise AwsError(INVALID, text)
        stacks.check_name(stack_name)
    elif stack is None:
        raise AwsError(INVALID, f"Stack [{stack_name}] does not exist")
    else:
        stacks.require_updatable(stack)
    used = [one for one in _of(cfn, stack) if one["ChangeSetName"] == name] if stack else []
    if any(one["ExecutionStatus"] != "EXECUTE_COMPLETE" for one in used):
        raise AwsError("AlreadyExistsException", f"ChangeSet {name} already exists")
    draft = await requests.draft(cfn, request, stack)
    if stack is None:
        stack = stacks.new_stack(request, stack_name)
        stack["StackId"] = new_stack_id(request.region, stack_name)
        cfn.tell(stack, stack, "REVIEW_IN_PROGRESS", "User Initiated")
    if kind == "UPDATE":
        stacks.check_types_kept(cfn, stack, draft.template)
    changes = await _changes(cfn, stack, draft, request)
    identity = stack["StackId"].rpartition("/")[2]
    arn = arns.make("cloudformation", request.region, f"changeSet/{name}/{new_stack_id(request.region, name)[-36:]}")
    if kind == "UPDATE" and not changes and not stacks.is_change(stack, draft, request):
        status = {"Status": "FAILED", "StatusReason": NO_CHANGES, "ExecutionStatus": "UNAVAILABLE"}
    else:
        status = {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE"}
    record = {
        "ChangeSetId": arn,
        "ChangeSetName": name,
        "StackId": stack["StackId"],
        "StackName": stack["StackName"],
        "Description": request.get("Description"),
        "CreationTime": clock.now(),
        **status,
        "Parameters": parameters.shown(draft.template, draft.parameters),
        "Capabilities": request.get("Capabilities", []),
        "Tags": request.get("Tags", []),
        "NotificationARNs": request.get("NotificationARNs", []),
        "Changes": changes,
        "IncludeNestedStacks": False,
        "OnStackFailure": request.get("OnStackFailure"),
        "_type": kind,
        "_body": draft.body,
        "_parameters": draft.parameters,
        "_values": draft.values,
        "_request": {key: request[key] for key in _KEPT if key in request},
        "_stack": identity,
    }
    for one in used:
        cfn.change_sets.drop(one["ChangeSetId"])
    cfn.change_sets.put(arn, record)
    return {"Id": arn, "StackId": stack["StackId"]}


def describe_change_set(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """DescribeChangeSet."""
    record = find(cfn, request)
    part, token = paging.page(record["Changes"], None, request.get("NextToken"), most=100, code=INVALID)
    return {**record, "Changes": part, "NextToken": token}


def execute_change_set(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """ExecuteChangeSet."""
    record = find(cfn, request)
    if record["ExecutionStatus"] != "AVAILABLE":
        text = f"ChangeSet [{record['ChangeSetId']}] cannot be executed in its current status of [{record['Status']}]"
        raise AwsError("InvalidChangeSetStatus", text)
    stack = cfn.stacks[record["StackId"]]
    draft = requests.Draft(record["_body"], templates.read(record["_body"]), record["_parameters"], record["_values"])
    wanted = Request(record["_request"], request.region)
    wanted |= {key: request[key] for key in ("ClientRequestToken", "DisableRollback") if key in request}
    if record["_type"] == "CREATE":
        on_failure = {"DELETE": "DELETE", "DO_NOTHING": "DO_NOTHING"}.get(
            record.get("OnStackFailure") or "", "ROLLBACK"
        )
        if wanted.get("DisableRollback"):
            on_failure = "DO_NOTHING"
        stacks.fill(stack, wanted, draft)
        stack["CreationTime"] = clock.now()
        _use(cfn, stack, record)
        stacks.start_creation(cfn, stack, on_failure, None)
    else:
        stacks.require_updatable(stack)
        _use(cfn, stack, record)
        stacks.start_update(cfn, stack, wanted, draft)
    return {}


def delete_change_set(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """DeleteChangeSet. One that does not exist is no error."""
    try:
        record = find(cfn, request)
    except AwsError as problem:
        if problem.code != "ChangeSetNotFound":
            raise
        return {}
    cfn.change_sets.drop(record["ChangeSetId"])
    return {}


def list_change_sets(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """ListChangeSets."""
    stack = cfn.require(request.region, request["StackName"])
    part, token = paging.page(_of(cfn, stack), None, request.get("NextToken"), most=100, code=INVALID)
    return {"Summaries": part, "NextToken": token}


def find(cfn: CloudFormation, request: Request) -> Record:
    """The change set that a request names.

    Raises:
        AwsError: ChangeSetNotFound.
    """
    name = request["ChangeSetName"]
    if name.startswith("arn:"):
        if record := cfn.change_sets.get(name):
            return record
    else:
        if not request.get("StackName"):
            raise AwsError(INVALID, "StackName must be specified if ChangeSetName is not specified as an ARN.")
        stack = cfn.require(request.region, request["StackName"])
        for record in _of(cfn, stack):
            if record["ChangeSetName"] == name:
                return record
    raise AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)


def _of(cfn: CloudFormation, stack: Record) -> list[Record]:
    return [one for one in cfn.change_sets.values() if one["StackId"] == stack["StackId"]]


def _use(cfn: CloudFormation, stack: Record, record: Record) -> None:
    """A change set that is executed is used up, and with it all others of its stack."""
    stack["ChangeSetId"] = record["ChangeSetId"]
    for one in _of(cfn, stack):
        if one is record:
            cfn.change_sets.put(one["ChangeSetId"], {**one, "ExecutionStatus": "EXECUTE_COMPLETE"})
        else:
            cfn.change_sets.drop(one["ChangeSetId"])


async def _changes(cfn: CloudFormation, stack: Record, draft: requests.Draft, request: Request) -> list[dict[str, Any]]:
    """What would be added, modified and removed."""
    there, template = cfn.alive(stack), draft.template
    scope = await scopes.of(cfn, stack, template, draft.values)
    known_ref, known_attribute = scope.ref, scope.attribute
    new: set[str] = set()  # what has another physical id afterwards
    scope.ref = lambda name: UNKNOWN if name in new else known_ref(name)
    scope.attribute = lambda name, which: UNKNOWN if name in new else known_attribute(name, which)
    tags = request.get("Tags", stack.get("Tags", []))
    found, active = [], set()
    for name in templates.order(template):
        about = template["Resources"][name]
        if "Condition" in about and not scope.holds(about["Condition"]):
            continue
        active.add(name)
        wanted = {key: one for key, one in scope.resolve(about.get("Properties") or {}).items() if one is not None}
        if name not in there:
            new.add(name)
            found.append(_change("Add", name, about["Type"]))
            continue
        old = there[name].get("_properties", {})
        changed = sorted(key for key in {*wanted, *old} if wanted.get(key) != old.get(key))
        tagged = tags != stack.get("Tags", [])
        if not changed and not tagged:
            continue
        replaced = steps.needs_replacing(cfn, about["Type"], wanted, old)
        if replaced:
            new.add(name)
        details = [_detail(cfn, about, key, wanted.get(key)) for key in changed]
        if tagged and "Tags" not in changed:
            details.append({
                "Target": {"Attribute": "Tags", "RequiresRecreation": "Never"}, "Evaluation": "Static",
                "ChangeSource": "DirectModification",
            })  # fmt: skip
        found.append(_modify(there[name], details, replaced))
    for name, one in there.items():
        if name not in active:
            policy = "Retain" if one.get("_deletion") in ("Retain", "RetainExceptOnCreate") else "Delete"
            gone = _change("Remove", name, one["ResourceType"], one.get("PhysicalResourceId"))
            gone["ResourceChange"]["PolicyAction"] = policy
            found.append(gone)
    return found


def _change(action: str, name: str, kind: str, physical: str | None = None) -> dict[str, Any]:
    about = {"Action": action, "LogicalResourceId": name, "PhysicalResourceId": physical, "ResourceType": kind,
             "Scope": [], "Details": []}  # fmt: skip
    return {"Type": "Resource", "ResourceChange": about}


def _detail(cfn: CloudFormation, about: dict[str, Any], key: str, wanted: Any) -> dict[str, Any]:
    """Why a property changes, and whether that needs a new resource."""
    kind = table.find(cfn, about["Type"])
    replacing = kind.replaced_by if kind else foreign.about(about["Type"]).replaced_by
    names = [name for name, attribute in templates.references(about.get("Properties", {}).get(key)) if not attribute]
    parameter = next((name for name in names if name not in templates.PSEUDO), None)
    dynamic = UNKNOWN in str(wanted)
    source = "ResourceReference" if dynamic else "ParameterReference" if parameter else "DirectModification"
    return {
        "Target": {
            "Attribute": "Tags" if key == "Tags" else "Properties",
            "Name": key,
            "RequiresRecreation": "Always" if key in replacing else "Never",
        },
        "Evaluation": "Dynamic" if dynamic else "Static",
        "ChangeSource": source,
        **({"CausingEntity": parameter} if parameter else {}),
    }


def _modify(record: Record, details: list[dict[str, Any]], replaced: bool) -> dict[str, Any]:
    change = _change("Modify", record["LogicalResourceId"], record["ResourceType"], record.get("PhysicalResourceId"))
    sure = any(one["Evaluation"] == "Static" and one["Target"]["RequiresRecreation"] == "Always" for one in details)
    change["ResourceChange"] |= {
        "Replacement": ("True" if sure else "Conditional") if replaced else "False",
        "Scope": sorted({one["Target"]["Attribute"] for one in details}),
        "Details": details,
    }
    return change


OPERATIONS = {
    "CreateChangeSet": create_change_set,
    "DescribeChangeSet": describe_change_set,
    "ExecuteChangeSet": execute_change_set,
    "DeleteChangeSet": delete_change_set,
    "ListChangeSets": list_change_sets,
}
