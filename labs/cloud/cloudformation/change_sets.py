"""Change sets: what an update would do, told before it is done.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

import re
from typing import Any

from labs.cloud.cloudformation import engine, parameters, requests, scopes, stacks, steps
from labs.cloud.cloudformation import template as templates
from labs.cloud.cloudformation.kinds import foreign, table
from labs.cloud.cloudformation.state import CloudFormation, new_stack_id
from labs.cloud.cloudformation.template import INVALID, Template
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
    text = await requests.body(request, stack)
    template = templates.read(text)
    before = stack.get("_parameters", []) if stack else []
    settled, values = await parameters.settle(template, request.get("Parameters", []), before, request.region)
    await requests.check(cfn, request.region, template, request.get("Capabilities", []))
    if stack is None:
        stack = stacks.new_stack(request, stack_name)
        stack["StackId"] = new_stack_id(request.region, stack_name)
        cfn.tell(stack, stack, "REVIEW_IN_PROGRESS", "User Initiated")
    if kind == "UPDATE":
        stacks.check_types_kept(cfn, stack, template)
    changes = await _changes(cfn, stack, template, values, request)
    identity = stack["StackId"].rpartition("/")[2]
    arn = arns.make("cloudformation", request.region, f"changeSet/{name}/{new_stack_id(request.region, name)[-36:]}")
    if kind == "UPDATE" and not changes and not stacks.is_change(stack, text, values, request):
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
        "Parameters": parameters.shown(template, settled),
        "Capabilities": request.get("Capabilities", []),
        "Tags": request.get("Tags", []),
        "NotificationARNs": request.get("NotificationARNs", []),
        "Changes": changes,
        "IncludeNestedStacks": False,
        "OnStackFailure": request.get("OnStackFailure"),
        "_type": kind,
        "_body": text,
        "_parameters": settled,
        "_values": values,
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
    template = templates.read(record["_body"])
    wanted = Request(record["_request"], request.region)
    wanted |= {key: request[key] for key in ("ClientRequestToken", "DisableRollback") if key in request}
    if record["_type"] == "CREATE":
        on_failure = {"DELETE": "DELETE", "DO_NOTHING": "DO_NOTHING"}.get(
            record.get("OnStackFailure") or "", "ROLLBACK"
        )
        if wanted.get("DisableRollback"):
            on_failure = "DO_NOTHING"
        stacks.fill(stack, wanted, template, record["_body"], record["_parameters"], record["_values"])
        stack["CreationTime"] = clock.now()
        _use(cfn, stack, record)
        stacks.start_creation(cfn, stack, on_failure, None)
    else:
        stacks.require_updatable(stack)
        _use(cfn, stack, record)
        stacks.start_update(cfn, stack, wanted, template, record["_body"], record["_parameters"], record["_values"])
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


async def _changes(
    cfn: CloudFormation, stack: Record, template: Template, values: dict[str, Any], request: Request
) -> list[dict[str, Any]]:
    """What would be added, modified and removed."""
    there = engine.alive(cfn, stack)
    scope = await scopes.of(cfn, stack, template, values)
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
        found.append(_modify(cfn, there[name], about, changed, wanted, replaced, tagged))
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


def _modify(
    cfn: CloudFormation, record: Record, about: dict[str, Any], changed: list[str], wanted: dict[str, Any],
    replaced: bool, tagged: bool,
) -> dict[str, Any]:  # fmt: skip
    change = _change("Modify", record["LogicalResourceId"], record["ResourceType"], record.get("PhysicalResourceId"))
    kind = table.find(cfn, record["ResourceType"])
    replacing = kind.replaced_by if kind else foreign.about(record["ResourceType"]).replaced_by
    details = []
    for key in changed:
        source = dict(templates.references(about.get("Properties", {}).get(key)))
        parameter = next((name for name, attribute in source.items() if attribute is None), None)
        dynamic = UNKNOWN in str(wanted.get(key))
        detail: dict[str, Any] = {
            "Target": {"Attribute": "Tags" if key == "Tags" else "Properties", "Name": key,
                       "RequiresRecreation": "Always" if key in replacing else "Never"},
            "Evaluation": "Dynamic" if dynamic else "Static",
            "ChangeSource": "ResourceReference" if dynamic else "ParameterReference" if parameter else
            "DirectModification",
        }  # fmt: skip
        if parameter:
            detail["CausingEntity"] = parameter
        details.append(detail)
    if tagged and "Tags" not in changed:
        details.append({"Target": {"Attribute": "Tags", "RequiresRecreation": "Never"}, "Evaluation": "Static",
                        "ChangeSource": "DirectModification"})  # fmt: skip
    only = any(one["Evaluation"] == "Static" and one["Target"]["RequiresRecreation"] == "Always" for one in details)
    change["ResourceChange"] |= {
        "Replacement": ("True" if only else "Conditional") if replaced else "False",
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
