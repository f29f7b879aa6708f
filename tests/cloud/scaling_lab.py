"""What the tests of auto scaling share: services to scale, and plain calls to look at what became of them."""

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cloud_lab import ASLEEP, CLUSTER, network, register

from labs import settings

DIMENSION = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


@contextlib.contextmanager
def sleeping() -> Iterator[str]:
    """The name of a service that sleeps, with no task yet. It is deleted afterwards, its scalable target with it."""
    chosen = f"scaled-{uuid.uuid4().hex[:8]}"
    create(chosen)
    yield chosen
    delete(chosen)


def create(name: str, **more: Any) -> None:
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    if "taskDefinition" not in more:
        register(name, settings.BASE_IMAGE, command=ASLEEP)
    wanted = {"taskDefinition": name, "desiredCount": 0, "launchType": "FARGATE", "networkConfiguration": network()}
    ecs.create_service(cluster=CLUSTER, serviceName=name, **{**wanted, **more})


def delete(name: str) -> None:
    ecs = boto3.client("ecs")
    try:
        ecs.delete_service(cluster=CLUSTER, service=name, force=True)
    except ClientError as problem:
        assert problem.response["Error"]["Code"] == "ServiceNotFoundException"
    ecs.get_waiter("services_inactive").wait(
        cluster=CLUSTER, services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def scaling() -> Any:
    return boto3.client("application-autoscaling")


def target(name: str) -> dict[str, str]:
    """How a request names the scalable target of a service."""
    return {**DIMENSION, "ResourceId": f"service/{CLUSTER}/{name}"}


def scale(name: str, low: int, high: int, **more: Any) -> str:
    """Registers a service; the ARN of the scalable target."""
    answer = scaling().register_scalable_target(**target(name), MinCapacity=low, MaxCapacity=high, **more)
    return answer["ScalableTargetARN"]


def track(name: str, metric: str, value: float, **more: Any) -> dict[str, Any]:
    """A target tracking policy with a predefined metric."""
    specification = {
        "PredefinedMetricType": metric,
        **({"ResourceLabel": more.pop("label")} if "label" in more else {}),
    }
    return scaling().put_scaling_policy(
        **target(name),
        PolicyName=more.pop("policy", "track"),
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": value,
            "PredefinedMetricSpecification": specification,
            **more,
        },
    )


def step(name: str, policy: str, adjustments: list[tuple[float | None, float | None, int]], **more: Any) -> str:
    """A step scaling policy; its ARN. An adjustment is (lower bound, upper bound, adjustment)."""
    steps = [
        {
            key: value
            for key, value in zip(
                ("MetricIntervalLowerBound", "MetricIntervalUpperBound", "ScalingAdjustment"), one, strict=True
            )
            if value is not None
        }
        for one in adjustments
    ]
    configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps, **more}
    return scaling().put_scaling_policy(
        **target(name), PolicyName=policy, PolicyType="StepScaling", StepScalingPolicyConfiguration=configuration
    )["PolicyARN"]


def activities(name: str, **more: Any) -> list[dict[str, Any]]:
    """The scaling activities of a service, oldest first."""
    return scaling().describe_scaling_activities(**target(name), **more)["ScalingActivities"][::-1]


def counts(name: str) -> list[int]:
    """The desired counts that were set, oldest first."""
    return [int(one["Description"].removeprefix("Setting desired count to ").rstrip(".")) for one in activities(name)]


def desired(name: str) -> int:
    return boto3.client("ecs").describe_services(cluster=CLUSTER, services=[name])["services"][0]["desiredCount"]


def alarms(name: str) -> dict[str, dict[str, Any]]:
    """The alarms of a service's target tracking policies, by `AlarmHigh` and `AlarmLow`."""
    prefix = f"TargetTracking-service/{CLUSTER}/{name}-"
    found = boto3.client("cloudwatch").describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]
    return {one["AlarmName"].removeprefix(prefix).partition("-")[0]: one for one in found}


def refused(operation: str, **parameters: Any) -> tuple[str, str]:
    """The code and the message that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        getattr(scaling(), operation)(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
