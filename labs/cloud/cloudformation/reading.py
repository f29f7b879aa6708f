"""Operations that tell of stacks, resources, events, templates and exports."""

import json
from typing import Any

from labs.cloud.cloudformation import parameters, requests
from labs.cloud.cloudformation import template as templates
from labs.cloud.cloudformation.state import CloudFormation
from labs.cloud.cloudformation.template import INVALID, Template
from labs.cloud.frame import paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

PAGE = 100
_SUMMARY = ("StackId", "StackName", "CreationTime", "LastUpdatedTime", "DeletionTime", "StackStatus",
            "StackStatusReason", "ParentId", "RootId", "DriftInformation")  # fmt: skip
NOT_CHECKED = {"StackResourceDriftStatus": "NOT_CHECKED"}


def describe_stacks(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """DescribeStacks: one, or all that are not deleted."""
    if name := request.get("StackName"):
        found = [cfn.require(request.region, name)]
    else:
        found = _all(cfn, request.region, deleted=False)
    part, token = paging.page(found, None, request.get("NextToken"), most=PAGE, code=INVALID)
    return {"Stacks": [_shown(one) for one in part], "NextToken": token}


def list_stacks(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """ListStacks, with those deleted."""
    wanted = request.get("StackStatusFilter")
    found = [one for one in _all(cfn, request.region, deleted=True) if not wanted or one["StackStatus"] in wanted]
    part, token = paging.page(found, None, request.get("NextToken"), most=PAGE, code=INVALID)
    summaries = []
    for one in part:
        summary = {key: one.get(key) for key in _SUMMARY}
        summary["TemplateDescription"] = one.get("Description")
        summaries.append(summary)
    return {"StackSummaries": summaries, "NextToken": token}


def describe_stack_events(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """DescribeStackEvents, the newest first."""
    stack = cfn.find(request.region, request["StackName"])
    if stack is None:
        raise AwsError(INVALID, f"Stack [{request['StackName']}] does not exist")
    start = f"{stack['StackId']} "
    found = [one for key, one in cfn.events.items() if key.startswith(start)][::-1]
    part, token = paging.page(found, None, request.get("NextToken"), most=PAGE, code=INVALID)
    return {"StackEvents": part, "NextToken": token}


def describe_stack_resources(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """DescribeStackResources: of a stack, or of the one that has a physical id."""
    wanted = request.get("LogicalResourceId")
    if request.get("StackName"):
        stack = cfn.require(request.region, request["StackName"])
    elif physical := request.get("PhysicalResourceId"):
        owners = [
            one["StackId"] for one in cfn.resources.values() if one.get("PhysicalResourceId") == physical
            and cfn.stacks[one["StackId"]]["_region"] == request.region
        ]  # fmt: skip
        if not owners:
            raise AwsError(INVALID, f"Stack for {physical} does not exist")
        stack = cfn.stacks[owners[-1]]
    else:
        raise AwsError(INVALID, "Either StackName or PhysicalResourceId must be specified.")
    found = [_resource(one) for name, one in cfn.of(stack).items() if wanted in (None, name)]
    return {"StackResources": found}


def describe_stack_resource(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """DescribeStackResource."""
    stack = cfn.require(request.region, request["StackName"])
    name = request["LogicalResourceId"]
    record = cfn.of(stack).get(name)
    if record is None:
        raise AwsError(INVALID, f"Resource {name} does not exist for stack {stack['StackName']}")
    found = _resource(record)
    found["LastUpdatedTimestamp"] = found.pop("Timestamp")
    if record.get("_metadata"):
        found["Metadata"] = json.dumps(record["_metadata"])
    return {"StackResourceDetail": found}


def list_stack_resources(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """ListStackResources."""
    stack = cfn.require(request.region, request["StackName"])
    found = [_resource(one) for one in cfn.of(stack).values()]
    part, token = paging.page(found, None, request.get("NextToken"), most=PAGE, code=INVALID)
    for one in part:
        one["LastUpdatedTimestamp"] = one.pop("Timestamp")
    return {"StackResourceSummaries": part, "NextToken": token}


def get_template(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """GetTemplate, as it was given."""
    if change_set := request.get("ChangeSetName"):
        found = _change_set(cfn, request, change_set)
        return {"TemplateBody": found["_body"], "StagesAvailable": ["Original", "Processed"]}
    if not request.get("StackName"):
        raise AwsError(INVALID, "StackName or ChangeSetName must be specified.")
    stack = cfn.require(request.region, request["StackName"])
    if "_body" not in stack:
        raise AwsError(INVALID, f"Stack with id {stack['StackName']} has no template yet.")
    return {"TemplateBody": stack["_body"], "StagesAvailable": ["Original", "Processed"]}


async def get_template_summary(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """GetTemplateSummary."""
    if request.get("StackName"):
        text = cfn.require(request.region, request["StackName"])["_body"]
    else:
        text = await requests.body(request)
    template = templates.read(text)
    return {
        **_about(template),
        "Parameters": [
            {**one, "ParameterType": (template["Parameters"][one["ParameterKey"]]).get("Type", "String"),
             "ParameterConstraints": _constraints(template["Parameters"][one["ParameterKey"]])}
            for one in _declared(template)
        ],
        "ResourceTypes": sorted({one["Type"] for one in template["Resources"].values()}),
        "Version": template.get("AWSTemplateFormatVersion"),
        "Metadata": json.dumps(template["Metadata"]) if template.get("Metadata") else None,
    }  # fmt: skip


async def validate_template(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """ValidateTemplate."""
    template = templates.read(await requests.body(request))
    await requests.require_types(cfn, request.region, sorted({one["Type"] for one in template["Resources"].values()}))
    return {**_about(template), "Parameters": _declared(template)}


def list_exports(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """ListExports."""
    found = sorted(cfn.exports(request.region).values(), key=lambda one: one["Name"])
    part, token = paging.page(found, None, request.get("NextToken"), most=PAGE, code=INVALID)
    return {"Exports": part, "NextToken": token}


def list_imports(cfn: CloudFormation, request: Request) -> dict[str, Any]:
    """ListImports."""
    name = request["ExportName"]
    if name not in cfn.exports(request.region):
        raise AwsError(INVALID, f"Export '{name}' does not exist.")
    found = cfn.importers(request.region, name)
    if not found:
        raise AwsError(INVALID, f"Export '{name}' is not imported by any stack.")
    part, token = paging.page(found, None, request.get("NextToken"), most=PAGE, code=INVALID)
    return {"Imports": part, "NextToken": token}


def _all(cfn: CloudFormation, region: str, *, deleted: bool) -> list[Record]:
    """The stacks of a region, the newest first."""
    found = [one for one in cfn.stacks.values() if one["_region"] == region]
    return [one for one in found if deleted or one["StackStatus"] != "DELETE_COMPLETE"][::-1]


def _shown(stack: Record) -> dict[str, Any]:
    if "_body" not in stack:
        return stack
    return {**stack, "Parameters": parameters.shown(templates.read(stack["_body"]), stack["_parameters"])}


def _resource(record: Record) -> dict[str, Any]:
    """A resource as it is told, in the members that all three operations have."""
    return {key: one for key, one in record.items() if not key.startswith("_")} | {"DriftInformation": NOT_CHECKED}


def _declared(template: Template) -> list[dict[str, Any]]:
    found = []
    for name, about in (template.get("Parameters") or {}).items():
        one = {"ParameterKey": name, "NoEcho": str(about.get("NoEcho", "false")).lower() == "true"}
        if "Default" in about:
            one["DefaultValue"] = str(about["Default"])
        if "Description" in about:
            one["Description"] = str(about["Description"])
        found.append(one)
    return found


def _constraints(about: dict[str, Any]) -> dict[str, Any]:
    return {"AllowedValues": [str(one) for one in about["AllowedValues"]]} if about.get("AllowedValues") else {}


def _about(template: Template) -> dict[str, Any]:
    needed = requests.needed_capabilities(template)
    found: dict[str, Any] = {"Description": template.get("Description")}
    if needed:
        names = sorted(name for name, one in template["Resources"].items() if one["Type"].startswith("AWS::IAM::"))
        found |= {
            "Capabilities": needed,
            "CapabilitiesReason": f"The following resource(s) require capabilities: [{', '.join(names)}]",
        }
    return found


def _change_set(cfn: CloudFormation, request: Request, name: str) -> Record:
    for one in cfn.change_sets.values():
        stack = cfn.stacks[one["StackId"]]
        if name in (one["ChangeSetId"], one["ChangeSetName"]) and request.get("StackName") in (
            None, stack["StackName"], stack["StackId"],
        ):  # fmt: skip
            return one
    raise AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)


OPERATIONS = {
    "DescribeStacks": describe_stacks,
    "ListStacks": list_stacks,
    "DescribeStackEvents": describe_stack_events,
    "DescribeStackResources": describe_stack_resources,
    "DescribeStackResource": describe_stack_resource,
    "ListStackResources": list_stack_resources,
    "GetTemplate": get_template,
    "GetTemplateSummary": get_template_summary,
    "ValidateTemplate": validate_template,
    "ListExports": list_exports,
    "ListImports": list_imports,
}
