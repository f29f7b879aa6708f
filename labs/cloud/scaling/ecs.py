"""What is scaled: an ECS service, looked at and changed through the public API of ECS."""

from typing import Any, NamedTuple

from labs.cloud.frame import arns
from labs.cloud.frame.errors import AwsError
from labs.cloud.scaling.state import Scaling, cluster_and_service


class Service(NamedTuple):
    """An ECS service as the scaler sees it.

    Attributes:
        desired: its desired count.
        running: how many of its tasks run.
        deploying: whether one of its deployments is in progress.
    """

    arn: str
    desired: int
    running: int
    deploying: bool


async def look(scaling: Scaling, region: str, resource_id: str) -> Service | None:
    """The service with a resource id `service/<cluster>/<service>`; None if there is none that is active."""
    cluster, name = cluster_and_service(resource_id)
    try:
        answer = await scaling.services.call("ecs", "DescribeServices", region, cluster=cluster, services=[name])
    except AwsError:  # no such cluster, or no name for a service
        return None
    found = next((one for one in answer["services"] if one["status"] == "ACTIVE"), None)
    return None if found is None else _seen(found)


async def set_desired(scaling: Scaling, region: str, resource_id: str, count: int) -> None:
    """Sets the desired count.

    Raises:
        AwsError: ECS refuses it.
    """
    cluster, name = cluster_and_service(resource_id)
    await scaling.services.call("ecs", "UpdateService", region, cluster=cluster, service=name, desiredCount=count)


def arn_of(region: str, resource_id: str) -> str:
    """The ARN of the service with a resource id."""
    return arns.make("ecs", region, resource_id)


def _seen(found: dict[str, Any]) -> Service:
    deployments = found["deployments"]
    deploying = len(deployments) > 1 or any(one.get("rolloutState") == "IN_PROGRESS" for one in deployments)
    return Service(found["serviceArn"], found["desiredCount"], found["runningCount"], deploying)
