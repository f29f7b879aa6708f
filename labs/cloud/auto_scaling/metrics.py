"""The metrics of target tracking policies.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-target-tracking.html
"""

from collections.abc import Mapping
from typing import Any

from labs.cloud.auto_scaling.state import INVALID, AutoScaling
from labs.cloud.frame import arns, tracking
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record

_EC2_METRICS = {
    "ASGAverageCPUUtilization": "CPUUtilization",
    "ASGAverageNetworkIn": "NetworkIn",
    "ASGAverageNetworkOut": "NetworkOut",
}
_REQUESTS = "ALBRequestCountPerTarget"
# ECS lets groups shrink as soon as they have an instance too many, and not only below nine tenths.
_EXACT = "AWS/ECS/ManagedScaling"


def of_policy(policy: Record) -> dict[str, Any]:
    """The metric of a target tracking policy, as the members of an alarm."""
    configuration = policy["TargetTrackingConfiguration"]
    if custom := configuration.get("CustomizedMetricSpecification"):
        return tracking.custom_metric(custom)
    predefined = configuration["PredefinedMetricSpecification"]
    if predefined["PredefinedMetricType"] == _REQUESTS:
        return tracking.requests_metric(predefined["ResourceLabel"])
    return {
        "Namespace": "AWS/EC2",
        "MetricName": _EC2_METRICS[predefined["PredefinedMetricType"]],
        "Statistic": "Average",
        "Dimensions": tracking.pairs({"AutoScalingGroupName": policy["AutoScalingGroupName"]}),
    }


def low_share(policy: Record) -> float:
    """Below which part of its target value a policy sees too much."""
    custom = policy["TargetTrackingConfiguration"].get("CustomizedMetricSpecification", {})
    return 1.0 if custom.get("Namespace") == _EXACT else tracking.LOW_SHARE


async def check(scaling: AutoScaling, region: str, configuration: Mapping[str, Any]) -> None:
    """Refuses a target tracking configuration that cannot be followed.

    Raises:
        AwsError: ValidationError.
    """
    predefined = configuration.get("PredefinedMetricSpecification")
    custom = configuration.get("CustomizedMetricSpecification")
    tracking.check(configuration, INVALID)
    if predefined:
        await _check_predefined(scaling, region, predefined)
        return
    if custom.get("Metrics"):
        raise AwsError(
            INVALID,
            "The local AWS of this course has no metric math. Publish the result as a metric of its own with "
            "PutMetricData, and name it with Namespace, MetricName and Statistic.",
        )
    if absent := [name for name in ("MetricName", "Namespace", "Statistic") if not custom.get(name)]:
        raise AwsError(INVALID, f"CustomizedMetricSpecification needs {', '.join(absent)}.")


async def _check_predefined(scaling: AutoScaling, region: str, predefined: Mapping[str, str]) -> None:
    kind, label = predefined["PredefinedMetricType"], predefined.get("ResourceLabel")
    if kind != _REQUESTS:
        if kind not in _EC2_METRICS:
            text = f"Invalid predefined metric type '{kind}'. Valid are {', '.join([*_EC2_METRICS, _REQUESTS])}."
            raise AwsError(INVALID, text)
        if label:
            raise AwsError(INVALID, f"ResourceLabel must not be specified for the metric type {kind}.")
        return
    balancer, target_group = tracking.label_parts(label or "")
    if not (balancer.startswith("app/") and balancer.count("/") == 2 and target_group.count("/") == 2):
        raise AwsError(
            INVALID,
            f"The ResourceLabel of {_REQUESTS} must have the form "
            "app/<load-balancer-name>/<load-balancer-id>/targetgroup/<target-group-name>/<target-group-id>.",
        )
    arn = arns.make("elasticloadbalancing", region, target_group)
    try:
        await scaling.services.call("elasticloadbalancing", "DescribeTargetGroups", region, TargetGroupArns=[arn])
    except AwsError:
        raise AwsError(INVALID, f"The target group {arn} does not exist.") from None
