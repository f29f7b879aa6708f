"""A capacity provider of a cluster with its Auto Scaling group, and the container instances that are of both.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/asg-capacity-providers.html
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from labs.cloud.ecs import lookup
from labs.cloud.ecs.group_providers import ENABLED
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns


class Pair(NamedTuple):
    """A cluster and one of its capacity providers, and the provider's Auto Scaling group as its API tells it."""

    cluster: Mapping[str, Any]
    provider: dict[str, Any]
    group: Mapping[str, Any]

    @property
    def region(self) -> str:
        """Where they are."""
        return arns.region(self.provider["capacityProviderArn"])

    @property
    def group_name(self) -> str:
        """The name of the Auto Scaling group."""
        return self.group["AutoScalingGroupName"]

    @property
    def settings(self) -> Mapping[str, Any]:
        """The provider's settings."""
        return self.provider["autoScalingGroupProvider"]

    @property
    def scales(self) -> bool:
        """Whether managed scaling is on."""
        return self.settings["managedScaling"]["status"] == ENABLED


async def scaling(ecs: Ecs, region: str, operation: str, **parameters: Any) -> dict[str, Any]:
    """An operation of EC2 Auto Scaling.

    Raises:
        AwsError: as it refuses it.
    """
    return await ecs.services.call("autoscaling", operation, region, **parameters)


def here(ecs: Ecs, pair: Pair) -> dict[str, dict[str, Any]]:
    """The container instances of a pair's cluster that are not gone, by EC2 instance id."""
    return {
        one["ec2InstanceId"]: one
        for one in ecs.container_instances.values()
        if one["clusterArn"] == pair.cluster["clusterArn"] and one["status"] != lookup.INACTIVE
    }


def in_service(ecs: Ecs, pair: Pair) -> dict[str, dict[str, Any]]:
    """The container instances of a pair, by EC2 instance id."""
    members = {one["InstanceId"] for one in pair.group["Instances"] if one["LifecycleState"] == "InService"}
    return {instance_id: one for instance_id, one in here(ecs, pair).items() if instance_id in members}


def with_tasks(ecs: Ecs, instances: Mapping[str, dict[str, Any]]) -> set[str]:
    """The EC2 instances that run tasks, those of daemon services not counted."""
    by_arn = {one["containerInstanceArn"]: instance_id for instance_id, one in instances.items()}
    return {
        by_arn[task["containerInstanceArn"]]
        for task in ecs.tasks.values()
        if task.get("containerInstanceArn") in by_arn and task["lastStatus"] != "STOPPED" and not _is_daemon(ecs, task)
    }


def _is_daemon(ecs: Ecs, task: Mapping[str, Any]) -> bool:
    service = ecs.service_records.get(task.get("_service", ""), {})
    return service.get("schedulingStrategy") == "DAEMON"
