"""StartTask: tasks on container instances that the caller names.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StartTask.html
"""

from typing import Any

from labs.cloud.ecs import capacity, execute, launch, lookup, placement, placing, tasks
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

MOST = 10


async def start_task(ecs: Ecs, request: Request) -> dict[str, Any]:
    """StartTask: one task on each of the instances."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    definition = lookup.task_definition(ecs, request.region, request["taskDefinition"])
    lookup.require_active(definition)
    wanted = request["containerInstances"]
    if not 1 <= len(wanted) <= MOST:
        raise AwsError("InvalidParameterException", f"Container instances must have between 1 and {MOST} members.")
    how = launch.How("EC2")
    if how.launch_type not in definition.get("compatibilities", []):
        raise AwsError("InvalidParameterException", "Task definition does not support launch_type EC2.")
    tasks.check_overrides(definition, request.get("overrides", {}))
    if request.get("enableExecuteCommand"):
        execute.require_role(definition, request.get("overrides"), "The task couldn't be run")
    subnets = await launch.subnets(request.region, definition, request.get("networkConfiguration"))
    more = {
        "group": request.get("group") or f"family:{definition['family']}",
        "overrides": request.get("overrides"),
        "tags": tasks.tags_of(definition, request),
        "enableExecuteCommand": request.get("enableExecuteCommand", False),
        **({"startedBy": request["startedBy"]} if request.get("startedBy") else {}),
    }
    batch = placing.Batch(cluster, definition, how, subnets, more)
    need = batch.need()
    made, failures = [], []
    for text in wanted:
        arn = lookup.container_instance_arn(cluster, text)
        record = ecs.container_instances.get(arn)
        if record is None or record["status"] == lookup.INACTIVE:
            failures.append({"arn": arn, "reason": "MISSING" if record is None else "INACTIVE"})
            continue
        one = capacity.view(ecs, record)
        ports = capacity.ports(definition, one)
        if problem := placement.misfit(one, need, more["group"], []):
            failures.append({"arn": arn, "reason": problem.reason})
        elif ports is None:
            failures.append({"arn": arn, "reason": "RESOURCE:PORTS"})
        else:
            made.append(placing.put(ecs, batch, one, ports))
    answer = [dict(task) for task in made]
    for task in made:
        ecs.agent.begin(task["taskArn"])
    return {"tasks": answer, "failures": failures}


OPERATIONS = {"StartTask": start_task}
