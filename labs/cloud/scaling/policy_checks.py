"""Whether the configuration of a scaling policy can be followed.

https://docs.aws.amazon.com/autoscaling/application/APIReference/API_StepScalingPolicyConfiguration.html
https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html
"""

from collections.abc import Mapping
from typing import Any

from labs.cloud.frame import arns, step_checks, tracking
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.scaling.state import INVALID, Scaling

PREDEFINED = (
    "ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization", "ALBRequestCountPerTarget",
)  # fmt: skip


def step(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A step scaling configuration with its defaults.

    Raises:
        AwsError: ValidationException.
    """
    step_checks.check(configuration, INVALID)
    _require_cooldown(configuration.get("Cooldown"))
    return dict(configuration)


async def target_tracking(scaling: Scaling, request: Request, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A target tracking configuration.

    Raises:
        AwsError: ValidationException.
    """
    predefined = configuration.get("PredefinedMetricSpecification")
    custom = configuration.get("CustomizedMetricSpecification")
    tracking.check(configuration, INVALID)
    _require_cooldown(configuration.get("ScaleOutCooldown"))
    _require_cooldown(configuration.get("ScaleInCooldown"))
    if predefined:
        await _check_predefined(scaling, request, predefined)
    else:
        _check_custom(custom)
    return dict(configuration)


async def _check_predefined(scaling: Scaling, request: Request, predefined: Mapping[str, str]) -> None:
    kind, label = predefined["PredefinedMetricType"], predefined.get("ResourceLabel")
    if kind not in PREDEFINED:
        raise AwsError(
            INVALID, f"The local AWS of this course cannot scale by '{kind}'. It has {', '.join(PREDEFINED)}."
        )
    if kind != "ALBRequestCountPerTarget":
        if label:
            raise AwsError(INVALID, f"ResourceLabel must not be specified for the metric type {kind}.")
        return
    if not label:
        raise AwsError(INVALID, "ResourceLabel must be specified for the metric type ALBRequestCountPerTarget.")
    balancer, group = tracking.label_parts(label)
    if not (balancer.startswith("app/") and balancer.count("/") == 2 and group.count("/") == 2):
        raise AwsError(
            INVALID,
            f"The ResourceLabel '{label}' has not the form "
            "app/<load-balancer-name>/<load-balancer-id>/targetgroup/<target-group-name>/<target-group-id>.",
        )
    arn = arns.make("elasticloadbalancing", request.region, group)
    owner = arns.make("elasticloadbalancing", request.region, f"loadbalancer/{balancer}")
    try:
        answer = await scaling.services.call(
            "elasticloadbalancing", "DescribeTargetGroups", request.region, TargetGroupArns=[arn]
        )
        users = answer["TargetGroups"][0].get("LoadBalancerArns", [])
    except AwsError:
        users = []
    if owner not in users:
        raise AwsError(INVALID, f"Target group {arn} is not attached to the load balancer {owner}.")


def _check_custom(custom: Mapping[str, Any]) -> None:
    if custom.get("Metrics"):
        raise AwsError(
            INVALID,
            "The local AWS of this course has no metric math. Publish the result as a metric of its own with "
            "PutMetricData, and name it with Namespace, MetricName and Statistic.",
        )
    absent = [name for name in ("MetricName", "Namespace", "Statistic") if not custom.get(name)]
    if absent:
        raise AwsError(INVALID, f"CustomizedMetricSpecification needs {', '.join(absent)}.")


def _require_cooldown(seconds: int | None) -> None:
    if seconds is not None and not 0 <= seconds <= 3600 * 24 * 365:
        raise AwsError(INVALID, "A cooldown must be 0 seconds or more.")
