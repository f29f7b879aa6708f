"""Application Auto Scaling: what can be registered, what is told of it, what is refused.

https://docs.aws.amazon.com/autoscaling/application/APIReference/Welcome.html
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from cloud_lab import CLUSTER, wait_until
from scaling_lab import alarms, delete, refused, scale, scaling, sleeping, step, target, track

pytestmark = pytest.mark.usefixtures("local_aws")
CPU = "ECSServiceAverageCPUUtilization"
TRACKING = {"TargetValue": 50.0, "PredefinedMetricSpecification": {"PredefinedMetricType": CPU}}


@pytest.fixture
def name() -> Iterator[str]:
    """A service that sleeps, with no task."""
    with sleeping() as chosen:
        yield chosen


def described(name: str) -> dict[str, Any]:
    found = scaling().describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[target(name)["ResourceId"]])
    return found["ScalableTargets"][0]


def policies(name: str) -> list[dict[str, Any]]:
    resource = target(name)["ResourceId"]
    return scaling().describe_scaling_policies(ServiceNamespace="ecs", ResourceId=resource)["ScalingPolicies"]


def test_a_target_is_registered_and_changed(name: str) -> None:
    arn = scale(name, 0, 3, Tags={"team": "blue"})
    assert ":application-autoscaling:us-east-1:" in arn and ":scalable-target/" in arn
    first = described(name)
    assert (first["MinCapacity"], first["MaxCapacity"], first["ScalableTargetARN"]) == (0, 3, arn)
    assert first["RoleARN"].endswith("AWSServiceRoleForApplicationAutoScaling_ECSService")
    scaling().register_scalable_target(
        **target(name), MaxCapacity=5, SuspendedState={"DynamicScalingInSuspended": True}
    )
    second = described(name)
    assert (second["MinCapacity"], second["MaxCapacity"], second["CreationTime"]) == (0, 5, first["CreationTime"])
    assert second["SuspendedState"] == {
        "DynamicScalingInSuspended": True,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }
    scaling().tag_resource(ResourceARN=arn, Tags={"stage": "test", "team": "red"})
    scaling().untag_resource(ResourceARN=arn, TagKeys=["stage"])
    assert scaling().list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "red"}


def test_what_belongs_to_a_target_goes_with_it(name: str) -> None:
    arn = scale(name, 0, 3)
    answer = track(name, CPU, 50)
    made = alarms(name)
    assert {one["AlarmName"] for one in answer["Alarms"]} == {one["AlarmName"] for one in made.values()}
    high, low = made["AlarmHigh"], made["AlarmLow"]
    assert (high["Threshold"], high["EvaluationPeriods"], high["Period"]) == (50, 3, 60)
    assert (low["Threshold"], low["EvaluationPeriods"], low["ComparisonOperator"]) == (45, 15, "LessThanThreshold")
    assert high["AlarmActions"] == low["AlarmActions"] == [answer["PolicyARN"]]
    assert {one["Name"]: one["Value"] for one in high["Dimensions"]} == {"ClusterName": CLUSTER, "ServiceName": name}
    assert f"resource/ecs/service/{CLUSTER}/{name}:policyName/track" in answer["PolicyARN"]
    scaling().put_scheduled_action(
        **target(name),
        ScheduledActionName="night",
        Schedule="cron(0 22 * * ? *)",
        ScalableTargetAction={"MaxCapacity": 1},
    )
    scaling().deregister_scalable_target(**target(name))
    assert alarms(name) == {}
    assert policies(name) == []
    assert refused("list_tags_for_resource", ResourceARN=arn)[0] == "ResourceNotFoundException"
    code, message = refused("deregister_scalable_target", **target(name))
    assert code == "ObjectNotFoundException"
    assert message == (
        f"No scalable target found for service namespace: ecs, resource ID: service/{CLUSTER}/{name}, "
        "scalable dimension: ecs:service:DesiredCount"
    )


def test_a_policy_keeps_its_arn_and_its_alarms_when_it_is_changed(name: str) -> None:
    scale(name, 0, 3)
    before = track(name, CPU, 50)
    after = track(name, CPU, 70, DisableScaleIn=True)
    assert after["PolicyARN"] == before["PolicyARN"]
    assert list(alarms(name)) == ["AlarmHigh"], "one that never scales in has no alarm for it"
    assert alarms(name)["AlarmHigh"]["Threshold"] == 70
    assert after["Alarms"][0] in before["Alarms"]
    scaling().delete_scaling_policy(**target(name), PolicyName="track")
    assert alarms(name) == {}
    code, message = refused("delete_scaling_policy", **target(name), PolicyName="track")
    assert code == "ObjectNotFoundException"
    assert message.endswith("policy name: track")


def test_a_step_policy_tells_the_alarms_that_run_it(name: str) -> None:
    scale(name, 0, 3)
    arn = step(name, "more", [(0, None, 1)])
    assert policies(name)[0]["Alarms"] == []
    cloudwatch = boto3.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=f"queue-{name}", Namespace="Course", MetricName=f"Backlog-{name}", Statistic="Average", Period=60,
        EvaluationPeriods=1, Threshold=10, ComparisonOperator="GreaterThanThreshold", AlarmActions=[arn],
    )  # fmt: skip
    assert [one["AlarmName"] for one in policies(name)[0]["Alarms"]] == [f"queue-{name}"]
    cloudwatch.delete_alarms(AlarmNames=[f"queue-{name}"])


def test_a_deleted_service_takes_its_target_along(name: str) -> None:
    scale(name, 0, 3)
    track(name, CPU, 50)
    delete(name)
    resource = target(name)["ResourceId"]

    def is_gone() -> bool:
        found = scaling().describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])
        return not found["ScalableTargets"] and not alarms(name)

    wait_until(is_gone)


def test_lists_have_pages(name: str) -> None:
    scale(name, 0, 3)
    for number in range(3):
        step(name, f"policy-{number}", [(0, None, 1)])
    query = {"ServiceNamespace": "ecs", "ResourceId": target(name)["ResourceId"], "MaxResults": 2}
    first = scaling().describe_scaling_policies(**query)
    second = scaling().describe_scaling_policies(**query, NextToken=first["NextToken"])
    names = [one["PolicyName"] for page in (first, second) for one in page["ScalingPolicies"]]
    assert names == ["policy-0", "policy-1", "policy-2"]
    assert "NextToken" not in second
    assert refused("describe_scaling_policies", **query, NextToken="wrong")[0] == "InvalidNextTokenException"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ResourceId": f"service/{CLUSTER}/nobody"}, f"ECS service doesn't exist: service/{CLUSTER}/nobody"),
        ({"ResourceId": "service/no-such-cluster/web"}, "ECS service doesn't exist: service/no-such-cluster/web"),
        ({"ResourceId": "table/orders"}, "Unsupported service namespace, resource type or scalable dimension"),
        ({"ScalableDimension": "dynamodb:table:ReadCapacityUnits"}, "Unsupported service namespace"),
        ({"ServiceNamespace": "dynamodb"}, "scales ECS services only"),
        ({"MinCapacity": 4}, "Maximum capacity cannot be less than minimum capacity"),
        ({"MinCapacity": -1}, "must not be negative"),
    ],
)
def test_targets_that_aws_refuses(name: str, change: dict[str, Any], words: str) -> None:
    code, message = refused(
        "register_scalable_target", **{**target(name), "MinCapacity": 0, "MaxCapacity": 3, **change}
    )
    assert code == "ValidationException"
    assert words in message
    assert (
        scaling().describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[target(name)["ResourceId"]])[
            "ScalableTargets"
        ]
        == []
    )


def steps(*bounds: tuple[float | None, float | None], kind: str = "ChangeInCapacity", **more: Any) -> dict[str, Any]:
    """A request's step scaling configuration with these bounds."""
    names = ("MetricIntervalLowerBound", "MetricIntervalUpperBound")
    adjustments = [
        {"ScalingAdjustment": 1, **{key: value for key, value in zip(names, pair, strict=True) if value is not None}}
        for pair in bounds
    ]
    configuration = {"AdjustmentType": kind, "StepAdjustments": adjustments, **more}
    return {"PolicyType": "StepScaling", "StepScalingPolicyConfiguration": configuration}


def tracking(**change: Any) -> dict[str, Any]:
    return {
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {**TRACKING, **change},
    }


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (steps((0, 10), (20, None)), "gap"),
        (steps((0, 10), (5, None)), "overlap"),
        (steps((0, 10)), "without an upper bound"),
        (steps((None, None)), "at least one of its two bounds"),
        (steps((10, 5)), "must be less than"),
        (steps((0, None), MinAdjustmentMagnitude=2), "PercentChangeInCapacity"),
        (steps((0, None), Cooldown=-1), "cooldown"),
        ({"PolicyType": "StepScaling"}, "StepScalingPolicyConfiguration must be specified"),
        ({**steps((0, None)), **tracking(), "PolicyType": "StepScaling"}, "does not belong"),
        (tracking(TargetValue=0.0), "TargetValue must be greater than 0"),
        (tracking(PredefinedMetricSpecification={"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"}),
         "cannot scale by"),
        (tracking(PredefinedMetricSpecification={"PredefinedMetricType": "ALBRequestCountPerTarget"}),
         "ResourceLabel must be specified"),
        (tracking(PredefinedMetricSpecification={
            "PredefinedMetricType": "ALBRequestCountPerTarget",
            "ResourceLabel": "app/web/1234567890abcdef/targetgroup/web/1234567890abcdef"}), "is not attached"),
        (tracking(CustomizedMetricSpecification={"MetricName": "m", "Namespace": "n", "Statistic": "Average"}),
         "Exactly one of"),
        ({"PolicyType": "PredictiveScaling",
          "PredictiveScalingPolicyConfiguration": {"MetricSpecifications": [{"TargetValue": 1.0}]}},
         "no predictive scaling"),
    ],
)  # fmt: skip
def test_policies_that_aws_refuses(name: str, request_: dict[str, Any], words: str) -> None:
    scale(name, 0, 3)
    code, message = refused("put_scaling_policy", **target(name), PolicyName="bad", **request_)
    assert code == "ValidationException"
    assert words in message
    assert policies(name) == []
    assert alarms(name) == {}


def test_a_policy_needs_a_registered_target(name: str) -> None:
    code, message = refused("put_scaling_policy", **target(name), PolicyName="early", **steps((0, None)))
    assert code == "ObjectNotFoundException"
    assert message == (
        f"No scalable target registered for service namespace: ecs, resource ID: service/{CLUSTER}/{name}, "
        "scalable dimension: ecs:service:DesiredCount"
    )


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"Schedule": "every morning", "ScalableTargetAction": {"MinCapacity": 1}}, "Invalid schedule expression"),
        ({"Schedule": "cron(0 8 * * *)", "ScalableTargetAction": {"MinCapacity": 1}}, "Invalid schedule expression"),
        ({"Schedule": "at(2020-01-01T00:00:00)", "ScalableTargetAction": {"MinCapacity": 1}}, "in the past"),
        (
            {"Schedule": "rate(1 hour)", "Timezone": "Mars/Base", "ScalableTargetAction": {"MinCapacity": 1}},
            "time zone",
        ),
        ({"Schedule": "rate(1 hour)", "ScalableTargetAction": {}}, "At least one of"),
        ({"Schedule": "rate(1 hour)", "ScalableTargetAction": {"MinCapacity": 9}}, "cannot be less than minimum"),
        ({"ScalableTargetAction": {"MinCapacity": 1}}, "Schedule must be specified"),
    ],
)
def test_scheduled_actions_that_aws_refuses(name: str, request_: dict[str, Any], words: str) -> None:
    scale(name, 0, 3)
    code, message = refused("put_scheduled_action", **target(name), ScheduledActionName="bad", **request_)
    assert code == "ValidationException"
    assert words in message
    assert (
        scaling().describe_scheduled_actions(ServiceNamespace="ecs", ResourceId=target(name)["ResourceId"])[
            "ScheduledActions"
        ]
        == []
    )


def test_a_scheduled_action_is_told_and_deleted(name: str) -> None:
    scale(name, 0, 3)
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    scaling().put_scheduled_action(
        **target(name),
        ScheduledActionName="morning",
        Schedule="cron(0 8 ? * MON-FRI *)",
        Timezone="Europe/Zurich",
        StartTime=start,
        ScalableTargetAction={"MinCapacity": 2, "MaxCapacity": 3},
    )
    query = {"ServiceNamespace": "ecs", "ResourceId": target(name)["ResourceId"]}
    [found] = scaling().describe_scheduled_actions(**query)["ScheduledActions"]
    assert (found["Schedule"], found["Timezone"]) == ("cron(0 8 ? * MON-FRI *)", "Europe/Zurich")
    assert (found["StartTime"], found["ScalableTargetAction"]) == (start, {"MinCapacity": 2, "MaxCapacity": 3})
    assert ":scheduledActionName/morning" in found["ScheduledActionARN"]
    scaling().delete_scheduled_action(**target(name), ScheduledActionName="morning")
    assert refused("delete_scheduled_action", **target(name), ScheduledActionName="morning")[0] == (
        "ObjectNotFoundException"
    )
