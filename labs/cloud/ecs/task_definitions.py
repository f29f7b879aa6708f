"""Operations on task definitions.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html
"""

import copy
from typing import Any

from labs import settings
from labs.cloud.ecs import definition_checks, definition_facts, lookup
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, clock, paging, tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

DELETING = "DELETE_IN_PROGRESS"
MOST_DELETED = 10
# "It can take up to 1 hour to complete the task definition deletion after the task is stopped."
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/delete-task-definition-v2.html
GONE_SECONDS = clock.lesson(3600.0)
NOT_DESCRIBED = "Unable to describe task definition."
ROOT = f"arn:aws:iam::{settings.ACCOUNT}:root"


def register_task_definition(ecs: Ecs, request: Request) -> dict[str, Any]:
    """RegisterTaskDefinition. Numbers go on where they were, even after a family was deleted.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
    """
    given = copy.deepcopy(dict(request))
    tagged = tags.merge([], given.pop("tags", []), code="InvalidParameterException")
    definition_checks.check(given)
    definition = definition_facts.fill(given)
    definition_checks.check_fargate(definition)
    family = arns.make("ecs", request.region, f"task-definition/{definition['family']}")
    families = ecs.store.table("ecs.families")
    revision = families[family]["revision"] + 1 if family in families else 1
    families.put(family, {"revision": revision})
    record = {
        "taskDefinitionArn": f"{family}:{revision}",
        "revision": revision,
        "status": lookup.ACTIVE,
        **definition,
        "requiresAttributes": definition_facts.requires_attributes(definition),
        "compatibilities": definition_facts.compatibilities(definition),
        "registeredAt": clock.now(),
        "registeredBy": ROOT,
        "tags": tagged,
    }
    ecs.task_definitions.put(record["taskDefinitionArn"], record)
    return {"taskDefinition": record, "tags": tagged}


def describe_task_definition(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DescribeTaskDefinition, in any status.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html
    """
    forget_deleted(ecs)
    found = lookup.task_definition(ecs, request.region, request["taskDefinition"], NOT_DESCRIBED)
    told = {"tags": found["tags"]} if "TAGS" in request.get("include", []) else {}
    return {"taskDefinition": found, **told}


def list_task_definitions(ecs: Ecs, request: Request) -> dict[str, Any]:
    """ListTaskDefinitions: by family, then by number.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitions.html
    """
    forget_deleted(ecs)
    family, status = request.get("familyPrefix"), request.get("status", lookup.ACTIVE)
    found = [
        one
        for one in _here(ecs, request.region)
        if one["status"] == status and (family is None or one["family"] == family)
    ]
    found.sort(key=lambda one: (one["family"], one["revision"]), reverse=request.get("sort") == "DESC")
    listed = [one["taskDefinitionArn"] for one in found]
    part, token = paging.page(listed, request.get("maxResults"), request.get("nextToken"))
    return {"taskDefinitionArns": part, "nextToken": token}


def list_task_definition_families(ecs: Ecs, request: Request) -> dict[str, Any]:
    """ListTaskDefinitionFamilies. A family is ACTIVE as long as one of its revisions is.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitionFamilies.html
    """
    forget_deleted(ecs)
    here = list(_here(ecs, request.region))
    every = {one["family"] for one in here}
    active = {one["family"] for one in here if one["status"] == lookup.ACTIVE}
    wanted = {"ACTIVE": active, "INACTIVE": every - active}.get(request.get("status", "ALL"), every)
    found = sorted(name for name in wanted if name.startswith(request.get("familyPrefix", "")))
    part, token = paging.page(found, request.get("maxResults"), request.get("nextToken"))
    return {"families": part, "nextToken": token}


def deregister_task_definition(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DeregisterTaskDefinition: what runs from it goes on running.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html
    """
    text = request["taskDefinition"]
    missing = "The specified task definition does not exist. Specify a valid family and revision and try again."
    if lookup.family_and_revision(request.region, text, missing)[1] is None:
        raise AwsError("ClientException", "Revision is missing.")
    found = lookup.task_definition(ecs, request.region, text, missing)
    if found["status"] == DELETING:
        raise AwsError(
            "ClientException", "The specified task definition is in the process of being deleted. Specify another one."
        )
    if found["status"] == lookup.ACTIVE:
        found.update(status=lookup.INACTIVE, deregisteredAt=clock.now())
        ecs.task_definitions.put(found["taskDefinitionArn"], found)
    return {"taskDefinition": found}


def delete_task_definitions(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DeleteTaskDefinitions: deregistered revisions go, as soon as no task and no service needs them.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html
    """
    forget_deleted(ecs)
    wanted = request["taskDefinitions"]
    if not 1 <= len(wanted) <= MOST_DELETED:
        raise AwsError("InvalidParameterException", f"You can specify between 1 and {MOST_DELETED} task definitions.")
    found, failures = [], []
    for text in wanted:
        arn = text if text.startswith("arn:") else arns.make("ecs", request.region, f"task-definition/{text}")
        one = ecs.task_definitions.get(arn) if arns.region(arn) == request.region else None
        if one is None:
            reason = "The specified task definition does not exist. Specify a valid family and revision and try again."
            failures.append({"arn": arn, "reason": "MISSING", "detail": reason})
        elif one["status"] == lookup.ACTIVE:
            reason = (
                "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
            )
            failures.append({"arn": arn, "reason": reason})
        else:
            if one["status"] != DELETING:
                one.update(status=DELETING, deleteRequestedAt=clock.now())
                ecs.task_definitions.put(arn, one)
            found.append(one)
    return {"taskDefinitions": found, "failures": failures}


def forget_deleted(ecs: Ecs) -> None:
    """Forgets deleted revisions that nothing uses any more."""
    end = clock.now() - GONE_SECONDS
    deleted = {
        arn for arn, one in ecs.task_definitions.items() if one["status"] == DELETING and one["deleteRequestedAt"] < end
    }
    if deleted:
        for arn in deleted - _in_use(ecs):
            ecs.task_definitions.drop(arn)


def _in_use(ecs: Ecs) -> set[str]:
    """The task definitions of tasks that have not stopped, and of services: what they run and may go back to."""
    found = {one["taskDefinitionArn"] for one in ecs.tasks.values() if one["lastStatus"] != "STOPPED"}
    for service in ecs.service_records.values():
        if service["status"] != lookup.INACTIVE:
            users = (service, service.get("_last_good") or {}, *service.get("deployments", []))
            found |= {user["taskDefinition"] for user in users if "taskDefinition" in user}
    return found


def _here(ecs: Ecs, region: str) -> list[dict[str, Any]]:
    return [one for arn, one in ecs.task_definitions.items() if arns.region(arn) == region]


OPERATIONS = {
    "DeleteTaskDefinitions": delete_task_definitions,
    "DeregisterTaskDefinition": deregister_task_definition,
    "DescribeTaskDefinition": describe_task_definition,
    "ListTaskDefinitionFamilies": list_task_definition_families,
    "ListTaskDefinitions": list_task_definitions,
    "RegisterTaskDefinition": register_task_definition,
}
