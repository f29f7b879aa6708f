"""Steps on one resource: make, change, replace, remove. They tell the events and keep what they did."""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from labs.cloud.cloudformation.kinds import foreign, properties, table
from labs.cloud.cloudformation.kinds.kind import StoppedError, Work, reason
from labs.cloud.cloudformation.kinds.properties import RefusedError
from labs.cloud.cloudformation.state import DELETED, CloudFormation, new_seed
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record

REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."
CANCELLED = {"CREATE": "Resource creation cancelled", "UPDATE": "Resource update cancelled"}
_SERVICES = {"ecs": "Ecs", "elasticloadbalancing": "ElasticLoadBalancingV2", "ecr": "Ecr", "apprunner": "AppRunner",
             "application-autoscaling": "ApplicationAutoScaling", "autoscaling": "AutoScaling",
             "scheduler": "Scheduler"}  # fmt: skip

log = logging.getLogger(__name__)


def new_record(stack: Record, logical: str, kind: str) -> Record:
    """The record of a resource that is not there yet."""
    return {
        "StackId": stack["StackId"],
        "StackName": stack["StackName"],
        "LogicalResourceId": logical,
        "ResourceType": kind,
        "ResourceStatus": "",
        "_seed": new_seed(),
    }


def needs_replacing(cfn: CloudFormation, kind: str, wanted: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether a change of properties needs a new resource, as far as that is known before."""
    known = table.find(cfn, kind)
    names = known.replaced_by if known else foreign.about(kind).replaced_by
    return any(wanted.get(name) != before.get(name) for name in names)


def check_name(cfn: CloudFormation, record: Record, wanted: dict[str, Any], before: dict[str, Any]) -> None:
    """Refuses to replace a resource that keeps a name of its own.

    Raises:
        RefusedError: in AWS's words.
    """
    known = table.find(cfn, record["ResourceType"])
    name = known.name if known else foreign.about(record["ResourceType"]).name
    if name and wanted.get(name) and wanted.get(name) == before.get(name):
        raise RefusedError(
            f"CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename "
            f"{wanted[name]} and update the stack again."
        )


async def make(work: Work) -> str | None:
    """Creates a resource; `CREATE_*` events, or `UPDATE_*` ones for one that replaces another.

    Returns:
        None, or why it failed. The empty text if it was given up because another one had failed.
    """
    kind = table.find(work.cfn, work.record["ResourceType"])
    return await _attempt(work, kind.create if kind else foreign.create)


async def change(work: Work) -> str | None:
    """Changes a resource in place. The result is that of `make`."""
    kind = table.find(work.cfn, work.record["ResourceType"])
    return await _attempt(work, kind.update if kind else foreign.update)


async def remove(cfn: CloudFormation, stack: Record, record: Record) -> str | None:
    """Deletes a resource, with its events.

    Args:
        cfn: the state.
        stack: the stack.
        record: the resource's, or that of one in whose place there is another.

    Returns:
        None, or why it failed.
    """
    if record.get("_retained"):
        cfn.tell(stack, record, "DELETE_SKIPPED")
        return None
    if not record.get("PhysicalResourceId") and not record.get("_hidden"):
        cfn.tell(stack, record, DELETED)
        return None
    if record["ResourceStatus"] != "DELETE_IN_PROGRESS":
        cfn.tell(stack, record, "DELETE_IN_PROGRESS")
    work = Work(cfn, stack, record, record.get("_properties", {}))
    kind = table.find(cfn, record["ResourceType"])
    try:
        await (kind.delete if kind else foreign.delete)(work)
    except (AwsError, RefusedError) as problem:
        text = _reason(work, problem)
        cfn.tell(stack, record, "DELETE_FAILED", text)
        return text
    except Exception:
        log.exception("%s of stack %s could not be deleted", record["LogicalResourceId"], stack["StackName"])
        text = "Internal Failure: the local AWS failed in this resource. Its log says where."
        cfn.tell(stack, record, "DELETE_FAILED", text)
        return text
    cfn.tell(stack, record, DELETED)
    return None


async def _attempt(work: Work, step: Callable[[Work], Awaitable[None]]) -> str | None:
    verb = work.status.partition("_")[0]
    try:
        if work.properties is not None and (kind := table.find(work.cfn, work.record["ResourceType"])):
            properties.check(work.logical, work.properties, kind.known, kind.required)
        await step(work)
    except StoppedError:
        work.cfn.tell(work.stack, work.record, f"{verb}_FAILED", CANCELLED[verb])
        return ""
    except (AwsError, RefusedError) as problem:
        text = _reason(work, problem)
        work.cfn.tell(work.stack, work.record, f"{verb}_FAILED", text, json.dumps(work.properties, default=str))
        return text
    except Exception:
        log.exception("%s of stack %s failed", work.logical, work.stack["StackName"])
        text = "Internal Failure: the local AWS failed in this resource. Its log says where."
        work.cfn.tell(work.stack, work.record, f"{verb}_FAILED", text)
        return text
    work.record["_properties"] = work.properties
    work.record["_stack_tags"] = sorted(one["Key"] for one in work.stack.get("Tags", []))
    work.cfn.tell(work.stack, work.record, f"{verb}_COMPLETE", "", json.dumps(work.properties, default=str))
    return None


def _reason(work: Work, problem: AwsError | RefusedError) -> str:
    if isinstance(problem, RefusedError):
        return str(problem)
    kind = table.find(work.cfn, work.record["ResourceType"])
    name = _SERVICES.get(kind.service, kind.service) if kind else work.record["ResourceType"].split("::")[1]
    return reason(name, problem)
