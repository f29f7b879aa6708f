"""Starting and stopping the tasks of a service: where they go, which go first, and what its events say of it."""

from collections import Counter
from dataclasses import replace
from typing import Any

from labs.cloud.ecs import (
    capacity,
    deployments,
    health,
    launch,
    lookup,
    networking,
    placement,
    placing,
    task_records,
    task_state,
)
from labs.cloud.ecs.state import Ecs

_MORE = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


def start(
    ecs: Ecs,
    service: dict[str, Any],
    subnets: list[networking.Subnet],
    alive: list[dict[str, Any]],
    count: int,
    *,
    deployment: dict[str, Any] | None = None,
) -> None:
    """Starts tasks of a deployment, the primary one if none is named, each in the zone that has the fewest."""
    deployment = deployment or deployments.primary(service)
    cluster = ecs.clusters[service["clusterArn"]]
    definition = ecs.task_definitions[deployment["taskDefinition"]]
    present = Counter(
        task["capacityProviderName"]
        for task in alive
        if task.get("capacityProviderName") and task.get("startedBy") == deployment["id"]
    )
    hows = launch.choose_all(cluster, definition, deployment, present, count=count)
    zones = Counter(task["availabilityZone"] for task in alive)
    more = {
        "group": f"service:{service['serviceName']}",
        "startedBy": deployment["id"],
        "tags": _task_tags(service, definition),
        "enableExecuteCommand": service["enableExecuteCommand"],
        "_service": service["serviceArn"],
        "_load_balancers": deployment.get("_load_balancers", []),
    }
    if not hows[0].is_fargate:
        batch = placing.Batch(cluster, definition, hows[0], subnets, more)
        if hows[0].provider and service["schedulingStrategy"] == "REPLICA":  # they wait until there is room
            rules = (service["placementConstraints"], service["placementStrategy"])
            _begin(ecs, service, [placing.put_waiting(ecs, replace(batch, how=how), *rules) for how in hows])
        else:
            _start_on_instances(ecs, service, batch, count)
        return
    made = []
    for how in hows:
        subnet = min(subnets, key=lambda one: zones[one.zone]) if subnets else None
        task = task_records.make(ecs, cluster, definition, how, subnet, **more)
        zones[task["availabilityZone"]] += 1
        made.append(task)
    _begin(ecs, service, made)


def _begin(ecs: Ecs, service: dict[str, Any], made: list[dict[str, Any]]) -> None:
    """Begins the lives of new tasks, and says so."""
    for task in made:
        ecs.agent.begin(task["taskArn"])
    deployments.say(service, f"(service {service['serviceName']}) has started {len(made)} tasks: {_named(made)}.")
    service.pop("_steady", None)


def _start_on_instances(ecs: Ecs, service: dict[str, Any], batch: placing.Batch, count: int) -> None:
    """Starts as many tasks as there is room for, and says why the others cannot be placed."""
    constraints = list(service["placementConstraints"])
    if service["schedulingStrategy"] == "DAEMON":
        constraints.append({"type": "distinctInstance"})
    made, misfits = placing.place(ecs, batch, count, constraints, service["placementStrategy"])
    if made:
        _begin(ecs, service, made)
    problem = _why_not(service, misfits) if len(made) < count else None
    if problem and service.get("_unplaced") != problem:
        deployments.say(service, problem)
        deployments.acted(ecs, service, "SERVICE_TASK_PLACEMENT_FAILURE", "ERROR", reason=problem)
    if problem:
        service["_unplaced"] = problem
    else:
        service.pop("_unplaced", None)


def _why_not(service: dict[str, Any], misfits: list[placement.Misfit]) -> str:
    """In AWS's words, why a service's task cannot be placed.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
    """
    start = (
        f"(service {service['serviceName']}) was unable to place a task because no container instance met all of its "
        "requirements."
    )
    one = placement.closest(misfits)
    if one is None:
        return f"{start} Reason: No Container Instances were found in your cluster. {_MORE}"
    name = one.instance.arn.rpartition("/")[2]
    return f"{start} The closest matching (container-instance {name}) {one.words}. {_MORE}"


def count_daemons(ecs: Ecs, service: dict[str, Any]) -> None:
    """A daemon wants one task on each instance that may have it.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html#service_scheduler
    """
    definition = ecs.task_definitions[deployments.primary(service)["taskDefinition"]]
    constraints = [*service["placementConstraints"], *definition.get("placementConstraints", [])]
    attributes = capacity.need(definition).attributes
    here = capacity.instances(ecs, ecs.clusters[service["clusterArn"]])
    fits = placement.Need(attributes=attributes)
    group = f"service:{service['serviceName']}"
    found = [one for one in here if placement.misfit(one, fits, group, constraints) is None]
    for one in (service, deployments.primary(service)):
        one["desiredCount"] = len(found)


def on_leaving_instances(ecs: Ecs, alive: list[dict[str, Any]]) -> set[str]:
    """The ARNs of the tasks whose instance is being drained: they count as those of an old deployment.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html
    """
    return {
        task["taskArn"]
        for task in alive
        if (record := ecs.container_instances.get(task.get("containerInstanceArn", "")))
        and record["status"] != lookup.ACTIVE
    }


def stop(ecs: Ecs, service: dict[str, Any], going: list[dict[str, Any]], reason: str) -> list[dict[str, Any]]:
    """Stops tasks; returns those."""
    if not going:
        return []
    name = service["serviceName"]
    drained = [task for task in going if task.get("_targets")]
    deployments.say(service, f"(service {name}) has stopped {len(going)} running tasks: {_named(going)}.")
    if drained:
        for arn in sorted({entry["group"] for task in drained for entry in task["_targets"]}):
            number = sum(entry["group"] == arn for task in drained for entry in task["_targets"])
            text = f"(service {name}) deregistered {number} targets in (target-group {arn})"
            deployments.say(service, text)
        deployments.say(service, f"(service {name}) has begun draining connections on {len(drained)} tasks.")
    for task in going:
        task_state.ask_to_stop(ecs, task, "ServiceSchedulerInitiated", reason)
    service.pop("_steady", None)
    return going


def first_to_go(found: list[dict[str, Any]], judged: dict[str, health.Judgement]) -> list[dict[str, Any]]:
    """In which order tasks are stopped: not healthy ones first, then from the zone that has the most, newest first."""
    zones = Counter(task["availabilityZone"] for task in found)
    left = sorted(found, key=lambda task: task["createdAt"], reverse=True)
    order = [task for task in left if judged[task["taskArn"]].state != health.HEALTHY]
    for task in order:
        zones[task["availabilityZone"]] -= 1
    left = [task for task in left if task not in order]
    while left:
        task = max(left, key=lambda one: zones[one["availabilityZone"]])
        zones[task["availabilityZone"]] -= 1
        left.remove(task)
        order.append(task)
    return order


def tell_registered(ecs: Ecs, service: dict[str, Any], alive: list[dict[str, Any]]) -> None:
    """Says which tasks have come into which target group since the last look."""
    fresh = [task for task in alive if task.get("_targets") and not task.get("_registration_told")]
    numbers = Counter(entry["group"] for task in fresh for entry in task["_targets"])
    for arn, number in sorted(numbers.items()):
        name = service["serviceName"]
        deployments.say(service, f"(service {name}) registered {number} targets in (target-group {arn})")
    for task in fresh:
        task["_registration_told"] = True
        ecs.tasks.put(task["taskArn"], task)


def _named(found: list[dict[str, Any]]) -> str:
    return " ".join(f"(task {task['taskArn'].rpartition('/')[2]})" for task in found)


def _task_tags(service: dict[str, Any], definition: dict[str, Any]) -> list[dict[str, Any]]:
    """The tags of a service's task.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html
    """
    source = {"SERVICE": service["tags"], "TASK_DEFINITION": definition.get("tags", [])}
    tags = list(source.get(service["propagateTags"], []))
    if service["enableECSManagedTags"]:
        tags.append({"key": "aws:ecs:clusterName", "value": service["_cluster_name"]})
        tags.append({"key": "aws:ecs:serviceName", "value": service["serviceName"]})
    return tags
