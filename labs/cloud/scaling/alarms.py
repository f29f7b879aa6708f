"""The CloudWatch alarms of scaling policies, at the backend.

A target tracking policy has two of its own, which are made and removed with it. A step scaling policy is run by alarms
of the learner's, which name its ARN among their actions.
https://docs.aws.amazon.com/autoscaling/application/userguide/create-target-tracking-policy-cli.html
"""

import uuid
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.frame import arns, aws
from labs.cloud.frame.store import Record
from labs.cloud.scaling.state import cluster_and_service

HIGH, LOW = "AlarmHigh", "AlarmLow"
HIGH_PERIODS, LOW_PERIODS = 3, 15
LOW_SHARE = 0.9  # of the target value: below it, there is too much
PERIOD = 60
ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
_MOST_DELETED = 100  # in one DeleteAlarms
_ECS_METRICS = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}


def plan(policy: Record, region: str) -> dict[str, str]:
    """The names of the alarms of a target tracking policy: those that it has, else new ones.

    One that never scales in needs no alarm for it.
    """
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    kinds = [HIGH] if configuration.get("DisableScaleIn") else [HIGH, LOW]
    present = policy.get("_alarms", {})
    return {kind: present.get(kind) or f"TargetTracking-{policy['ResourceId']}-{kind}-{uuid.uuid4()}" for kind in kinds}


def names(policy: Record) -> list[str]:
    """The names of a policy's own alarms; none for step scaling."""
    return list(policy.get("_alarms", {}).values())


def told(policy: Record, region: str) -> list[dict[str, str]]:
    """A policy's own alarms, as the API tells them."""
    return [{"AlarmName": name, "AlarmARN": arns.make("cloudwatch", region, f"alarm:{name}")} for name in names(policy)]


def threshold(policy: Record, kind: str) -> float:
    """The threshold of one of the alarms of a target tracking policy."""
    target = policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
    return target if kind == HIGH else round(target * LOW_SHARE, 10)


def comparison(kind: str) -> str:
    """The comparison operator of one of the alarms of a target tracking policy."""
    return "GreaterThanThreshold" if kind == HIGH else "LessThanThreshold"


async def put(policy: Record, region: str) -> None:
    """Makes or changes the alarms of a target tracking policy.

    Raises:
        botocore.exceptions.ClientError: the backend refuses them.
    """
    for kind, name in policy["_alarms"].items():
        await aws.call(
            "cloudwatch",
            "put_metric_alarm",
            region=region,
            AlarmName=name,
            AlarmDescription=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy['PolicyARN']}.",
            AlarmActions=[policy["PolicyARN"]],
            ActionsEnabled=True,
            Period=PERIOD,
            EvaluationPeriods=HIGH_PERIODS if kind == HIGH else LOW_PERIODS,
            Threshold=threshold(policy, kind),
            ComparisonOperator=comparison(kind),
            **metric(policy),
        )


def metric(policy: Record) -> dict[str, Any]:
    """The metric of a target tracking policy, as the members of an alarm."""
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    if custom := configuration.get("CustomizedMetricSpecification"):
        found = {name: custom[name] for name in ("Namespace", "MetricName", "Statistic", "Unit") if name in custom}
        return {**found, "Dimensions": custom.get("Dimensions", [])}
    predefined = configuration["PredefinedMetricSpecification"]
    if name := _ECS_METRICS.get(predefined["PredefinedMetricType"]):
        cluster, service = cluster_and_service(policy["ResourceId"])
        dimensions = {"ClusterName": cluster, "ServiceName": service}
        return {"Namespace": "AWS/ECS", "MetricName": name, "Statistic": "Average", "Dimensions": _pairs(dimensions)}
    balancer, group = label_parts(predefined["ResourceLabel"])
    dimensions = {"TargetGroup": group, "LoadBalancer": balancer}
    return {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCountPerTarget",
        "Statistic": "Sum",
        "Dimensions": _pairs(dimensions),
    }


def label_parts(label: str) -> tuple[str, str]:
    """The two parts of `app/<name>/<id>/targetgroup/<name>/<id>`; of another text, itself and nothing."""
    balancer, found, group = label.partition("/targetgroup/")
    return balancer, f"targetgroup/{group}" if found else ""


async def remove(region: str, gone: list[str]) -> None:
    """Removes alarms; those that are gone already are passed over."""
    for start in range(0, len(gone), _MOST_DELETED):
        try:
            await aws.call("cloudwatch", "delete_alarms", region=region, AlarmNames=gone[start : start + _MOST_DELETED])
        except ClientError as problem:
            if problem.response["Error"]["Code"] not in ("ResourceNotFound", "ResourceNotFoundException"):
                raise


async def with_actions(region: str, policies: Iterable[str]) -> list[dict[str, Any]]:
    """The metric alarms of a region that have one of these policies among their actions.

    Args:
        region: whose.
        policies: the policies' ARNs.

    Returns:
        The alarms, as DescribeAlarms tells them.
    """
    wanted = set(policies)
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        answer = await aws.call("cloudwatch", "describe_alarms", region=region, MaxRecords=100, **token)
        found += [
            alarm
            for alarm in answer["MetricAlarms"]
            if any(wanted.intersection(alarm.get(member, [])) for member in ACTIONS.values())
        ]
        if not answer.get("NextToken"):
            return found
        token = {"NextToken": answer["NextToken"]}


async def set_state(region: str, name: str, state: str, reason: str) -> None:
    """Sets an alarm's state; one that is gone is passed over."""
    try:
        await aws.call(
            "cloudwatch",
            "set_alarm_state",
            region=region,
            AlarmName=name,
            StateValue=state,
            StateReason=reason[:1023],
        )
    except ClientError as problem:
        if problem.response["Error"]["Code"] not in ("ResourceNotFound", "ResourceNotFoundException"):
            raise


def _pairs(dimensions: dict[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]
