"""The CloudWatch alarms of scaling policies, at the backend.

A target tracking policy has two of its own, which are made and removed with it. A step scaling policy is run by alarms
of the learner's, which name its ARN among their actions.
https://docs.aws.amazon.com/autoscaling/application/userguide/create-target-tracking-policy-cli.html
"""

from typing import Any

from labs.cloud.frame import tracking
from labs.cloud.frame.store import Record
from labs.cloud.scaling.state import cluster_and_service

_ECS_METRICS = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}


def plan(policy: Record) -> dict[str, str]:
    """The names of the alarms of a target tracking policy: those that it has, else new ones."""
    scales_in = not policy["TargetTrackingScalingPolicyConfiguration"].get("DisableScaleIn")
    return tracking.plan(policy["ResourceId"], policy.get("_alarms", {}), scales_in=scales_in)


def names(policy: Record) -> list[str]:
    """The names of a policy's own alarms; none for step scaling."""
    return list(policy.get("_alarms", {}).values())


def told(policy: Record, region: str) -> list[dict[str, str]]:
    """A policy's own alarms, as the API tells them."""
    return tracking.told(policy.get("_alarms", {}), region)


def threshold(policy: Record, kind: str) -> float:
    """The threshold of one of the alarms of a target tracking policy."""
    return tracking.threshold(policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"], kind)


async def put(policy: Record, region: str) -> None:
    """Makes or changes the alarms of a target tracking policy.

    Raises:
        botocore.exceptions.ClientError: the backend refuses them.
    """
    target = policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
    await tracking.put(region, policy["PolicyARN"], policy["_alarms"], target, metric(policy))


def metric(policy: Record) -> dict[str, Any]:
    """The metric of a target tracking policy, as the members of an alarm."""
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    if custom := configuration.get("CustomizedMetricSpecification"):
        return tracking.custom_metric(custom)
    predefined = configuration["PredefinedMetricSpecification"]
    if name := _ECS_METRICS.get(predefined["PredefinedMetricType"]):
        cluster, service = cluster_and_service(policy["ResourceId"])
        dimensions = tracking.pairs({"ClusterName": cluster, "ServiceName": service})
        return {"Namespace": "AWS/ECS", "MetricName": name, "Statistic": "Average", "Dimensions": dimensions}
    return tracking.requests_metric(predefined["ResourceLabel"])
