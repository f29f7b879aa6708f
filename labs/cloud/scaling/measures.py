"""What the metric of a target tracking policy is now.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html
"""

from labs.cloud.frame import arns, clock, series, tracking
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.series import Datapoint
from labs.cloud.frame.store import Record
from labs.cloud.scaling import alarms
from labs.cloud.scaling.ecs import Service
from labs.cloud.scaling.state import Scaling

# Requests come to us in bursts, so that they are counted over a few lesson minutes.
REQUESTS_SECONDS = clock.lesson(3 * 60)


async def of_policy(scaling: Scaling, policy: Record, service: Service, after: float, now: float) -> list[Datapoint]:
    """The new datapoints of a policy's metric.

    Args:
        scaling: the state.
        policy: a target tracking policy.
        service: what it scales.
        after: the time of the last datapoint that is known.
        now: seconds since the epoch.

    Returns:
        Those after that time, the newest last; empty without data.
    """
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    region = arns.region(service.arn)
    if "CustomizedMetricSpecification" in configuration:
        metric = alarms.metric(policy)
        asked = {"period": tracking.PERIOD, "number": tracking.LOW_PERIODS, "now": now}
        found = await series.read(region, metric, metric["Statistic"], **asked)
        return [point._replace(tasks=service.running) for point in found if point.when > after]
    predefined = configuration["PredefinedMetricSpecification"]
    if predefined["PredefinedMetricType"] == "ALBRequestCountPerTarget":
        return await _requests(scaling, predefined["ResourceLabel"], region, now)
    usage = scaling.usage(service.arn)
    if usage is None:
        return []
    cpu = predefined["PredefinedMetricType"] == "ECSServiceAverageCPUUtilization"
    values = usage.cpu if cpu else usage.memory
    return [Datapoint(now, sum(values) / len(values), len(values))]


async def _requests(scaling: Scaling, label: str, region: str, now: float) -> list[Datapoint]:
    """Requests a minute (of real time) that each healthy target got."""
    group = arns.make("elasticloadbalancing", region, tracking.label_parts(label)[1])
    try:
        answer = await scaling.services.call(
            "elasticloadbalancing", "DescribeTargetHealth", region, TargetGroupArn=group
        )
    except AwsError:  # the target group was deleted
        return []
    healthy = sum(one["TargetHealth"]["State"] == "healthy" for one in answer["TargetHealthDescriptions"])
    if not healthy:
        return []
    number = scaling.requests_per_target(group, now - REQUESTS_SECONDS)
    return [Datapoint(now, number * 60 / REQUESTS_SECONDS, healthy)]
