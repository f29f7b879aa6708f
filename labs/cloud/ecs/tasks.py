"""Operations on tasks: RunTask, StopTask, DescribeTasks, ListTasks.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
"""

import random
from collections.abc import Mapping
from typing import Any

from labs.cloud.ecs import capacity, execute, launch, lookup, placement, placing, task_records, task_state
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import clock, paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

MOST_TASKS = 10
MOST_DESCRIBED = 100
TOKEN_SECONDS = 24 * 3600.0
REASON = "Task stopped by user"  # where StopTask gives none


async def run_task(ecs: Ecs, request: Request) -> dict[str, Any]:
    """RunTask."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    definition = lookup.task_definition(ecs, request.region, request["taskDefinition"])
    lookup.require_active(definition)
    count = request.get("count", 1)
    if not 1 <= count <= MOST_TASKS:
        raise AwsError("InvalidParameterException", f"count should be between 1 and {MOST_TASKS}.")
    hows = launch.choose_all(cluster, definition, request, {}, count=count)
    how = hows[0]
    constraints, strategies = request.get("placementConstraints", []), request.get("placementStrategy", [])
    if how.is_fargate and (constraints or strategies):
        text = "Placement constraints and strategies are not supported on AWS Fargate."
        raise AwsError("InvalidParameterException", text)
    if problem := placement.problem_of(constraints, strategies):
        raise AwsError("InvalidParameterException", problem)
    check_overrides(definition, request.get("overrides", {}))
    if request.get("enableExecuteCommand"):
        execute.require_role(definition, request.get("overrides"), "The task couldn't be run")
    subnets = await launch.subnets(request.region, definition, request.get("networkConfiguration"))
    if again := _same_token(ecs, cluster, request):
        return {"tasks": again, "failures": []}
    more = {
        "group": request.get("group") or f"family:{definition['family']}",
        "overrides": request.get("overrides"),
        "tags": tags_of(definition, request),
        "enableExecuteCommand": request.get("enableExecuteCommand", False),
        "_client_token": request.get("clientToken"),
    }
    more |= {"startedBy": request["startedBy"]} if request.get("startedBy") else {}
    failures: list[dict[str, Any]] = []
    if how.is_fargate:
        made = [
            task_records.make(ecs, cluster, definition, one, random.choice(subnets) if subnets else None, **more)  # noqa: S311
            for one in hows
        ]
    elif how.provider:
        batches = [placing.Batch(cluster, definition, one, subnets, more) for one in hows]
        made = [placing.put_waiting(ecs, batch, constraints, strategies) for batch in batches]
    else:
        if not capacity.instances(ecs, cluster, how.provider):
            raise AwsError("InvalidParameterException", "No Container Instances were found in your cluster.")
        batch = placing.Batch(cluster, definition, how, subnets, more)
        made, misfits = placing.place(ecs, batch, count, constraints, strategies)
        failures = [{"arn": one.instance.arn, "reason": one.reason} for one in misfits]
    answer = [dict(task) for task in made]
    for task in made:
        ecs.agent.begin(task["taskArn"])
    return {"tasks": answer, "failures": failures}


def stop_task(ecs: Ecs, request: Request) -> dict[str, Any]:
    """StopTask. A stopped task stays as it is."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    task = lookup.task(ecs, cluster, request["task"])
    task_state.ask_to_stop(ecs, task, "UserInitiated", request.get("reason") or REASON)
    return {"task": task}


def describe_tasks(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DescribeTasks."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    wanted = request["tasks"]
    if not 1 <= len(wanted) <= MOST_DESCRIBED:
        raise AwsError("InvalidParameterException", "Tasks must have between 1 and 100 members.")
    found, failures = [], []
    for text in wanted:
        arn = lookup.task_arn(cluster, text)
        if arn in ecs.tasks:
            found.append(dict(ecs.tasks[arn]))
        else:
            failures.append({"arn": arn, "reason": "MISSING"})
    if "TAGS" not in request.get("include", []):
        found = [{key: value for key, value in task.items() if key != "tags"} for task in found]
    return {"tasks": found, "failures": failures}


def list_tasks(ecs: Ecs, request: Request) -> dict[str, Any]:
    """ListTasks: those that are to run, or those that are to stop or have."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    if request.get("serviceName") and request.get("family"):
        raise AwsError("InvalidParameterException", "cannot specify both family and serviceName")
    service = lookup.service(ecs, cluster, request["serviceName"]) if request.get("serviceName") else None
    wanted = {
        "clusterArn": cluster["clusterArn"],
        "desiredStatus": request.get("desiredStatus", task_state.RUNNING),
        "group": f"service:{service['serviceName']}" if service else None,
        "startedBy": request.get("startedBy"),
        "launchType": request.get("launchType"),
        "containerInstanceArn": lookup.container_instance_arn(cluster, request["containerInstance"])
        if request.get("containerInstance")
        else None,
    }
    family = request.get("family")
    found = [
        arn
        for arn, task in ecs.tasks.items()
        if all(value is None or task.get(key) == value for key, value in wanted.items())
        and (family is None or _family(task) == family)
    ]
    part, token = paging.page(found, request.get("maxResults"), request.get("nextToken"))
    return {"taskArns": part, "nextToken": token}


def check_overrides(definition: dict[str, Any], overrides: Mapping[str, Any]) -> None:
    """Whether the overrides name containers of the task definition.

    Raises:
        AwsError: InvalidParameterException.
    """
    names = {one["name"] for one in definition["containerDefinitions"]}
    for one in overrides.get("containerOverrides", []):
        if one.get("name") not in names:
            raise AwsError(
                "InvalidParameterException",
                f"Override for container named {one.get('name')} is not a container in the TaskDefinition.",
            )


def _same_token(ecs: Ecs, cluster: dict[str, Any], request: Request) -> list[dict[str, Any]]:
    """The tasks of an earlier request with the same client token."""
    token = request.get("clientToken")
    if not token:
        return []
    since = clock.now() - TOKEN_SECONDS
    return [
        task
        for task in ecs.tasks.values()
        if task.get("_client_token") == token
        and task["clusterArn"] == cluster["clusterArn"]
        and task["createdAt"] > since
    ]


def tags_of(definition: dict[str, Any], request: Request) -> list[dict[str, Any]]:
    """The tags of a task that a request starts."""
    given = request.get("tags", [])
    if request.get("propagateTags") == "TASK_DEFINITION":
        keys = {tag["key"] for tag in given}
        return [tag for tag in definition.get("tags", []) if tag["key"] not in keys] + given
    if request.get("propagateTags") == "SERVICE":
        text = "The value SERVICE of propagateTags is only for services."
        raise AwsError("InvalidParameterException", text)
    return given


def _family(task: dict[str, Any]) -> str:
    return task["taskDefinitionArn"].rpartition("/")[2].rpartition(":")[0]


OPERATIONS = {
    "RunTask": run_task,
    "StopTask": stop_task,
    "DescribeTasks": describe_tasks,
    "ListTasks": list_tasks,
}
