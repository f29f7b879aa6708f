"""Operations on tasks: RunTask, StopTask, DescribeTasks, ListTasks; and how a task's record is made.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
"""

import random
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from labs.cloud.ecs import capacity, execute, launch, lookup, metadata, networking, placement, task_state, waiting
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, clock, paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

MOST_TASKS = 10
MOST_DESCRIBED = 100
TOKEN_SECONDS = 24 * 3600.0
REASON = "Task stopped by user"  # where StopTask gives none


def make(
    ecs: Ecs,
    cluster: dict[str, Any],
    definition: dict[str, Any],
    how: launch.How,
    subnet: networking.Subnet | None,
    **more: Any,
) -> dict[str, Any]:
    """The record of a new task, in PROVISIONING; kept, its life not begun.

    Args:
        ecs: the state.
        cluster: its cluster.
        definition: its task definition.
        how: on what it runs.
        subnet: where it lives, for an awsvpc task.
        more: `group`, `startedBy`, `overrides`, `tags`, `enableExecuteCommand`, and internal members.
    """
    region = arns.region(cluster["clusterArn"])
    arn = arns.make("ecs", region, f"task/{cluster['clusterName']}/{secrets.token_hex(16)}")
    overrides = more.pop("overrides", None) or {}
    now = clock.now()
    task = {
        "taskArn": arn,
        "clusterArn": cluster["clusterArn"],
        "taskDefinitionArn": definition["taskDefinitionArn"],
        "lastStatus": "PROVISIONING",
        "desiredStatus": task_state.RUNNING,
        "attachments": [networking.attachment(subnet)] if subnet else [],
        "attributes": [{"name": "ecs.cpu-architecture", "value": launch.ARCHITECTURE}],
        "availabilityZone": subnet.zone if subnet else f"{region}a",
        "connectivity": "CONNECTING",
        "containers": [_container(arn, region, one) for one in definition["containerDefinitions"]],
        "cpu": overrides.get("cpu") or definition.get("cpu") or _sum(definition, "cpu"),
        "memory": overrides.get("memory") or definition.get("memory") or _sum(definition, "memory"),
        "createdAt": now,
        "healthStatus": "UNKNOWN",
        "enableExecuteCommand": False,
        "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **overrides},
        "tags": [],
        "version": 0,
        **how.members(),
        **more,
    }
    if how.is_fargate:
        storage = overrides.get("ephemeralStorage") or definition.get("ephemeralStorage") or {"sizeInGiB": 20}
        task |= {"ephemeralStorage": storage, "fargateEphemeralStorage": {"sizeInGiB": storage["sizeInGiB"]}}
    metadata.assign(task, definition)
    task_state.change(ecs, task)
    return task


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
            make(ecs, cluster, definition, one, random.choice(subnets) if subnets else None, **more)  # noqa: S311
            for one in hows
        ]
    elif how.provider:
        more |= {"_constraints": constraints, "_strategies": strategies}
        made = [make_waiting(ecs, cluster, definition, one, subnets, **more) for one in hows]
    else:
        made, failures = _on_instances(ecs, cluster, definition, how, subnets, count, request, more)
    answer = [dict(task) for task in made]
    for task in made:
        ecs.agent.begin(task["taskArn"])
    return {"tasks": answer, "failures": failures}


def _on_instances(
    ecs: Ecs,
    cluster: dict[str, Any],
    definition: dict[str, Any],
    how: launch.How,
    subnets: list[networking.Subnet],
    count: int,
    request: Request,
    more: dict[str, Any],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Places tasks on container instances, as many as there is room for; the tasks, and the failures of the others.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
    """
    found = capacity.instances(ecs, cluster, how.provider)
    if not found:
        raise AwsError("InvalidParameterException", "No Container Instances were found in your cluster.")
    wanted = capacity.need(definition, request.get("overrides"), {one.zone for one in subnets})
    made: list[dict[str, Any]] = []
    for _ in range(count):
        placed = capacity.place(
            found,
            definition,
            wanted,
            more["group"],
            request.get("placementConstraints", []),
            request.get("placementStrategy", []),
        )
        if isinstance(placed, list):
            return made, [{"arn": one.instance.arn, "reason": one.reason} for one in placed]
        made.append(make_on(ecs, cluster, definition, how, subnets, wanted, placed, **more))
    return made, []


def make_on(
    ecs: Ecs,
    cluster: dict[str, Any],
    definition: dict[str, Any],
    how: launch.How,
    subnets: list[networking.Subnet],
    wanted: placement.Need,
    placed: tuple[placement.Instance, dict[str, list[dict[str, Any]]]],
    **more: Any,
) -> dict[str, Any]:
    """The record of a new task on the container instance that was found for it.

    Args:
        ecs: the state.
        cluster: its cluster.
        definition: its task definition.
        how: on what it runs.
        subnets: those that it may live in, for an awsvpc task.
        wanted: what it takes of the instance.
        placed: the instance, and its host ports.
        more: as for `make`.
    """
    instance, ports = placed
    zone = instance.attributes.get("ecs.availability-zone")
    subnet = next((one for one in subnets if one.zone == zone), None)
    record = ecs.container_instances[instance.arn]
    return make(ecs, cluster, definition, how, subnet, **more, **capacity.members(record, wanted, ports))


def make_waiting(
    ecs: Ecs,
    cluster: dict[str, Any],
    definition: dict[str, Any],
    how: launch.How,
    subnets: list[networking.Subnet],
    **more: Any,
) -> dict[str, Any]:
    """The record of a new task of a capacity provider: on one of its instances, or waiting until one has room.

    Args:
        ecs: the state.
        cluster: its cluster.
        definition: its task definition.
        how: on what it runs.
        subnets: those that it may live in, for an awsvpc task.
        more: as for `make`, and `_constraints` and `_strategies` of its placement.
    """
    task = make(ecs, cluster, definition, how, None, **more, _subnets=[list(one) for one in subnets])
    waiting.place(ecs, task)
    return task


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


def _container(task_arn: str, region: str, definition: dict[str, Any]) -> dict[str, Any]:
    task = arns.resource(task_arn).partition("/")[2]
    found = {
        "containerArn": arns.make("ecs", region, f"container/{task}/{uuid.uuid4()}"),
        "taskArn": task_arn,
        "name": definition["name"],
        "image": definition["image"],
        "lastStatus": "PENDING",
        "networkBindings": [],
        "networkInterfaces": [],
        "healthStatus": "UNKNOWN",
        "cpu": str(definition.get("cpu", 0)),
    }
    sizes = {key: str(definition[key]) for key in ("memory", "memoryReservation") if key in definition}
    return found | sizes


def _sum(definition: dict[str, Any], what: str) -> str:
    keys = ("memory", "memoryReservation") if what == "memory" else ("cpu",)
    return str(sum(next((one[key] for key in keys if key in one), 0) for one in definition["containerDefinitions"]))


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
