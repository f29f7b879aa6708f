"""The two CloudWatch alarms that a target tracking policy has of its own, which are made and removed with it.

https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
"""

import uuid
from collections.abc import Mapping
from math import inf
from typing import Any

from labs.cloud.frame import arns, aws
from labs.cloud.frame.errors import AwsError

HIGH, LOW = "AlarmHigh", "AlarmLow"
HIGH_PERIODS, LOW_PERIODS = 3, 15
LOW_SHARE = 0.9  # of the target value: below it, there is too much
PERIOD = 60


def plan(name: str, present: Mapping[str, str], *, scales_in: bool) -> dict[str, str]:
    """The names of the alarms of a policy: those that it has, else new ones.

    Args:
        name: of what is scaled.
        present: the names that it has, by `AlarmHigh` and `AlarmLow`.
        scales_in: a policy that never scales in needs no alarm for it.
    """
    kinds = [HIGH, LOW] if scales_in else [HIGH]
    return {kind: present.get(kind) or f"TargetTracking-{name}-{kind}-{uuid.uuid4()}" for kind in kinds}


def told(names: Mapping[str, str], region: str) -> list[dict[str, str]]:
    """A policy's own alarms, as the APIs tell them."""
    return [
        {"AlarmName": name, "AlarmARN": arns.make("cloudwatch", region, f"alarm:{name}")} for name in names.values()
    ]


def check(configuration: Mapping[str, Any], invalid: str) -> None:
    """What a target tracking configuration must have, whatever it scales.

    Args:
        configuration: a TargetTrackingConfiguration, or a TargetTrackingScalingPolicyConfiguration.
        invalid: the service's code for an input that cannot be.

    Raises:
        AwsError: it names no metric or two, or its target value is none.
    """
    members = ("PredefinedMetricSpecification", "CustomizedMetricSpecification")
    if sum(bool(configuration.get(one)) for one in members) != 1:
        raise AwsError(invalid, f"Exactly one of {' and '.join(members)} must be specified.")
    if not 0 < configuration["TargetValue"] < inf:
        raise AwsError(invalid, "TargetValue must be greater than 0.")


def threshold(target: float, kind: str, share: float = LOW_SHARE) -> float:
    """The threshold of one of the alarms; below `share` of the target value there is too much."""
    return target if kind == HIGH else round(target * share, 10)


def comparison(kind: str) -> str:
    """The comparison operator of one of the alarms."""
    return "GreaterThanThreshold" if kind == HIGH else "LessThanThreshold"


def custom_metric(specification: Mapping[str, Any]) -> dict[str, Any]:
    """A CustomizedMetricSpecification as the members of an alarm."""
    members = ("Namespace", "MetricName", "Statistic", "Unit")
    found = {name: specification[name] for name in members if name in specification}
    return {**found, "Dimensions": specification.get("Dimensions", [])}


def requests_metric(label: str) -> dict[str, Any]:
    """The metric of ALBRequestCountPerTarget as the members of an alarm."""
    balancer, group = label_parts(label)
    return {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCountPerTarget",
        "Statistic": "Sum",
        "Dimensions": pairs({"TargetGroup": group, "LoadBalancer": balancer}),
    }


def label_parts(label: str) -> tuple[str, str]:
    """The two parts of `app/<name>/<id>/targetgroup/<name>/<id>`; of another text, itself and nothing."""
    balancer, found, group = label.partition("/targetgroup/")
    return balancer, f"targetgroup/{group}" if found else ""


def pairs(dimensions: Mapping[str, str]) -> list[dict[str, str]]:
    """Dimensions as CloudWatch takes them."""
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]


async def put(
    region: str,
    policy_arn: str,
    names: Mapping[str, str],
    target: float,
    metric: Mapping[str, Any],
    *,
    share: float = LOW_SHARE,
) -> None:
    """Makes or changes the alarms of a policy.

    Args:
        region: where.
        policy_arn: the policy that they run.
        names: their names, by `AlarmHigh` and `AlarmLow`.
        target: the policy's target value.
        metric: its metric, as the members of an alarm.
        share: below this part of the target value there is too much.

    Raises:
        botocore.exceptions.ClientError: the backend refuses them.
    """
    for kind, name in names.items():
        await aws.call(
            "cloudwatch",
            "put_metric_alarm",
            region=region,
            AlarmName=name,
            AlarmDescription=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy_arn}.",
            AlarmActions=[policy_arn],
            ActionsEnabled=True,
            Period=PERIOD,
            EvaluationPeriods=HIGH_PERIODS if kind == HIGH else LOW_PERIODS,
            Threshold=threshold(target, kind, share),
            ComparisonOperator=comparison(kind),
            **metric,
        )
