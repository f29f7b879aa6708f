"""Managed draining: the tasks of an instance end before its Auto Scaling group terminates it.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html
"""

from typing import Any

from labs.cloud.ecs import lookup
from labs.cloud.ecs.capacity_providers import DRAINING_HOOK
from labs.cloud.ecs.group_providers import DISABLED
from labs.cloud.ecs.managed_group import Pair, here, scaling, with_tasks
from labs.cloud.ecs.state import Ecs

HOOK_SECONDS = 7200  # the longest that there is
LEAVING = "autoscaling:EC2_INSTANCE_TERMINATING"


async def ensure_hook(ecs: Ecs, pair: Pair) -> None:
    """Puts the lifecycle hook of managed draining on the group, or takes it away."""
    wanted = pair.settings["managedDraining"] != DISABLED
    answer = await scaling(ecs, pair.region, "DescribeLifecycleHooks", AutoScalingGroupName=pair.group_name)
    there = any(one["LifecycleHookName"] == DRAINING_HOOK for one in answer["LifecycleHooks"])
    more: dict[str, Any] = {"AutoScalingGroupName": pair.group_name, "LifecycleHookName": DRAINING_HOOK}
    if wanted and not there:
        more |= {"LifecycleTransition": LEAVING, "HeartbeatTimeout": HOOK_SECONDS, "DefaultResult": "CONTINUE"}
        await scaling(ecs, pair.region, "PutLifecycleHook", **more)
    elif there and not wanted:
        await scaling(ecs, pair.region, "DeleteLifecycleHook", **more)


async def drain(ecs: Ecs, pair: Pair) -> None:
    """Instances that wait to be terminated: their tasks end, and then they may go."""
    if pair.settings["managedDraining"] == DISABLED:
        return
    instances = here(ecs, pair)
    for member in pair.group["Instances"]:
        if member["LifecycleState"] != "Terminating:Wait":
            continue
        instance = instances.get(member["InstanceId"])
        if instance and instance["status"] == lookup.ACTIVE:
            await ecs.services.call(
                "ecs",
                "UpdateContainerInstancesState",
                pair.region,
                cluster=pair.cluster["clusterArn"],
                containerInstances=[instance["containerInstanceArn"]],
                status="DRAINING",
            )
        if instance is None or not with_tasks(ecs, {member["InstanceId"]: instance}):
            await scaling(
                ecs,
                pair.region,
                "CompleteLifecycleAction",
                AutoScalingGroupName=pair.group_name,
                LifecycleHookName=DRAINING_HOOK,
                InstanceId=member["InstanceId"],
                LifecycleActionResult="CONTINUE",
            )
