"""`AWS::CloudFormation::Stack`: a stack in a stack, made through CloudFormation's own API.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stack.html
"""

from typing import Any

from labs.cloud.cloudformation.functions import text
from labs.cloud.cloudformation.kinds.kind import Kind, Work
from labs.cloud.cloudformation.kinds.properties import RefusedError
from labs.cloud.cloudformation.state import STACK
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record

SERVICE = "cloudformation"
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


async def _create(work: Work) -> None:
    if not work.physical:
        made = await work.call(SERVICE, "CreateStack", StackName=work.name(128), **_wanted(work))
        child = work.cfn.stacks[made["StackId"]]
        child["ParentId"] = work.stack["StackId"]
        child["RootId"] = work.stack.get("RootId", work.stack["StackId"])
        work.cfn.keep(child)
        work.made(made["StackId"])
    await _finish(work, ("CREATE_COMPLETE",), "created")


async def _update(work: Work) -> None:
    try:
        await work.call(SERVICE, "UpdateStack", StackName=work.physical, **_wanted(work))
    except AwsError as problem:
        if "No updates are to be performed" not in problem.message:
            raise
    await _finish(work, ("CREATE_COMPLETE", "UPDATE_COMPLETE"), "updated")


async def _delete(work: Work) -> None:
    await work.call(SERVICE, "DeleteStack", StackName=work.physical)
    child = await _end(work)
    if child["StackStatus"] != "DELETE_COMPLETE":
        raise RefusedError(f"Embedded stack {work.physical} was not successfully deleted: {child['StackStatusReason']}")


async def _finish(work: Work, good: tuple[str, ...], word: str) -> None:
    child = await _end(work)
    if child["StackStatus"] not in good:
        why = child.get("_failure") or child.get("StackStatusReason") or ""
        raise RefusedError(f"Embedded stack {work.physical} was not successfully {word}: {why}")
    work.tell(**{f"Outputs.{one['OutputKey']}": one["OutputValue"] for one in child["Outputs"]})


async def _end(work: Work) -> Record:
    """The nested stack when its operation is over."""
    while work.cfn.stacks[work.physical].get("_operation"):
        await work.cfn.changed.wait()
    return work.cfn.stacks[work.physical]


def _wanted(work: Work) -> dict[str, Any]:
    parameters = work.properties.get("Parameters") or {}
    return {
        "TemplateURL": str(work.properties["TemplateURL"]),
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": ",".join(map(text, one)) if isinstance(one, list) else text(one)}
            for key, one in parameters.items()
        ],
        "Capabilities": _CAPABILITIES,
        "Tags": [one for one in work.tags() if not one["Key"].startswith("aws:")],
    }


KINDS = {
    STACK: Kind(
        service=SERVICE,
        known=frozenset({"TemplateURL", "Parameters", "Tags", "TimeoutInMinutes", "NotificationARNs"}),
        required=("TemplateURL",),
        create=_create,
        update=_update,
        delete=_delete,
    )
}
