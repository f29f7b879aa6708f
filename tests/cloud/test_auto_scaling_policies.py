"""Scaling policies and scheduled actions of Auto Scaling groups.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/scaling-overview.html
"""

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from auto_scaling_lab import activities, create, described, group, refused, remove, scaling, settle, template

pytestmark = pytest.mark.usefixtures("local_aws")


def publish(metric: str, value: float) -> None:
    boto3.client("cloudwatch").put_metric_data(
        Namespace="course/test", MetricData=[{"MetricName": metric, "Value": value, "Timestamp": datetime.now(UTC)}]
    )


def publish_until(metric: str, value: float, condition: Any, seconds: float = 45.0) -> None:
    """Publishes a value each second until a condition is met."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        publish(metric, value)
        time.sleep(1)


def alarm(metric: str, action: str, comparison: str = "GreaterThanThreshold") -> str:
    name = f"alarm-{uuid.uuid4().hex[:8]}"
    boto3.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="course/test",
        MetricName=metric,
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=50,
        ComparisonOperator=comparison,
        AlarmActions=[action],
    )
    return name


def test_a_simple_policy_is_executed_within_the_bounds() -> None:
    with group(0, 3, DesiredCapacity=1) as name:
        asked = {"AutoScalingGroupName": name, "AdjustmentType": "PercentChangeInCapacity"}
        answer = scaling().put_scaling_policy(**asked, PolicyName="more", ScalingAdjustment=500, Cooldown=60)
        assert f":autoScalingGroupName/{name}:policyName/more" in answer["PolicyARN"]
        scaling().execute_policy(AutoScalingGroupName=name, PolicyName="more")
        settle(name, 3)
        assert (
            "a user request executed policy more changing the desired capacity from 1 to 3."
            in (activities(name)[-1]["Cause"])
        )
        execute = {"PolicyName": answer["PolicyARN"], "HonorCooldown": True}
        assert refused("execute_policy", **execute)[0] == "ScalingActivityInProgress"
        scaling().delete_policy(AutoScalingGroupName=name, PolicyName="more")
        assert refused("execute_policy", AutoScalingGroupName=name, PolicyName="more")[0] == "ValidationError"


def test_an_alarm_runs_a_step_policy() -> None:
    with group(1, 4) as name:
        metric = f"load-{uuid.uuid4().hex[:8]}"
        answer = scaling().put_scaling_policy(
            AutoScalingGroupName=name,
            PolicyName="steps",
            PolicyType="StepScaling",
            AdjustmentType="ChangeInCapacity",
            EstimatedInstanceWarmup=0,
            StepAdjustments=[
                {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 1},
                {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 3},
            ],
        )
        watched = alarm(metric, answer["PolicyARN"])
        told = scaling().describe_policies(AutoScalingGroupName=name)["ScalingPolicies"][0]
        assert [one["AlarmName"] for one in told["Alarms"]] == [watched]
        publish_until(metric, 90, lambda: described(name)["DesiredCapacity"] == 4)
        settle(name, 4)
        assert f"a monitor alarm {watched} in state ALARM triggered policy steps" in activities(name)[-1]["Cause"]
        scaling().execute_policy(AutoScalingGroupName=name, PolicyName="steps", MetricValue=60, BreachThreshold=50)
        assert described(name)["DesiredCapacity"] == 4
        boto3.client("cloudwatch").delete_alarms(AlarmNames=[watched])


def test_target_tracking_follows_a_metric_out() -> None:
    with group(1, 4) as name:
        metric = f"backlog-{uuid.uuid4().hex[:8]}"
        specification = {"MetricName": metric, "Namespace": "course/test", "Statistic": "Average"}
        answer = scaling().put_scaling_policy(
            AutoScalingGroupName=name,
            PolicyName="track",
            PolicyType="TargetTrackingScaling",
            EstimatedInstanceWarmup=0,
            TargetTrackingConfiguration={"TargetValue": 10.0, "CustomizedMetricSpecification": specification},
        )
        kinds = sorted(one["AlarmName"].removeprefix(f"TargetTracking-{name}-")[:9] for one in answer["Alarms"])
        assert kinds == ["AlarmHigh", "AlarmLow-"]
        publish_until(metric, 25, lambda: described(name)["DesiredCapacity"] == 3)
        scaling().delete_policy(AutoScalingGroupName=name, PolicyName="track")
        names = [one["AlarmName"] for one in answer["Alarms"]]
        assert boto3.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"] == []


def test_a_scheduled_action_sets_the_sizes_when_it_is_due() -> None:
    with group(0, 1) as name:
        due = datetime.now(UTC) + timedelta(seconds=3)
        scaling().put_scheduled_update_group_action(
            AutoScalingGroupName=name,
            ScheduledActionName="soon",
            StartTime=due,
            MinSize=2,
            MaxSize=3,
        )
        scaling().put_scheduled_update_group_action(
            AutoScalingGroupName=name,
            ScheduledActionName="nights",
            Recurrence="0 22 * * 1-5",
            TimeZone="Europe/Berlin",
            DesiredCapacity=0,
        )
        found = scaling().describe_scheduled_actions(AutoScalingGroupName=name)["ScheduledUpdateGroupActions"]
        assert {one["ScheduledActionName"]: one.get("Recurrence") for one in found} == {
            "soon": None,
            "nights": "0 22 * * 1-5",
        }
        settle(name, 2)
        assert (described(name)["MinSize"], described(name)["MaxSize"]) == (2, 3)
        found = scaling().describe_scheduled_actions(AutoScalingGroupName=name)["ScheduledUpdateGroupActions"]
        assert [one["ScheduledActionName"] for one in found] == ["nights"]
        asked = {"AutoScalingGroupName": name, "ScheduledActionName": "x", "DesiredCapacity": 1}
        assert refused("put_scheduled_update_group_action", **asked, Recurrence="often")[0] == "ValidationError"
        past = datetime.now(UTC) - timedelta(minutes=5)
        assert (
            refused("put_scheduled_update_group_action", **asked, StartTime=past)[1]
            == "Given start time is in the past"
        )
        scaling().delete_scheduled_action(AutoScalingGroupName=name, ScheduledActionName="nights")


def test_what_a_group_cannot_be_is_refused() -> None:
    source = {"LaunchTemplate": {"LaunchTemplateName": template()}}
    asked: dict[str, Any] = {"AutoScalingGroupName": "refused", "MinSize": 0, "MaxSize": 1}
    text = refused("create_auto_scaling_group", **asked, AvailabilityZones=["us-east-1a"])[1]
    assert text.startswith("Valid requests must contain either LaunchTemplate, LaunchConfigurationName")
    assert refused("create_auto_scaling_group", **asked, **source)[1] == (
        "At least one Availability Zone or VPC Subnet is required."
    )
    text = refused("create_auto_scaling_group", **asked, **source, VPCZoneIdentifier="subnet-00000000")[1]
    assert "subnet-00000000" in text
    nobody = {"LaunchTemplate": {"LaunchTemplateName": "nobody"}, "AvailabilityZones": ["us-east-1a"]}
    text = refused("create_auto_scaling_group", **asked, **nobody)[1]
    assert text.startswith("You must use a valid fully-formed launch template.")
    where = {"AvailabilityZones": ["us-east-1a"], **source}
    text = refused("create_auto_scaling_group", **asked, **where, TargetGroupARNs=["arn:aws:nothing"])[1]
    assert text == "Provided Target Groups may not be valid. Please ensure they exist and try again."
    assert refused("create_auto_scaling_group", **asked, **where, TerminationPolicies=["Any"])[0] == "ValidationError"
    assert refused("create_auto_scaling_group", **asked, **where, MaxInstanceLifetime=86400)[0] == "ValidationError"
    code, text = refused("create_launch_configuration", LaunchConfigurationName="old", ImageId="ami-1")
    assert code == "UnsupportedOperation" and "Use launch templates" in text
    assert refused("describe_auto_scaling_groups", MaxRecords=1000)[0] == "ValidationError"
    assert scaling().describe_auto_scaling_groups(AutoScalingGroupNames=["refused"])["AutoScalingGroups"] == []


def test_groups_are_listed_in_pages_and_found_by_tags() -> None:
    names = sorted(f"listed-{number}-{uuid.uuid4().hex[:8]}" for number in range(3))
    for number, name in enumerate(names):
        create(name, 0, 1, Tags=[{"Key": "number", "Value": str(number)}])
    try:
        pages = scaling().get_paginator("describe_auto_scaling_groups").paginate(PaginationConfig={"PageSize": 1})
        found = [one["AutoScalingGroupName"] for page in pages for one in page["AutoScalingGroups"]]
        assert [name for name in found if name in names] == names
        wanted = [{"Name": "tag:number", "Values": ["1"]}]
        found = scaling().describe_auto_scaling_groups(Filters=wanted)["AutoScalingGroups"]
        assert [one["AutoScalingGroupName"] for one in found] == [names[1]]
        tag = {"ResourceId": names[0], "ResourceType": "auto-scaling-group", "Key": "number"}
        scaling().create_or_update_tags(Tags=[{**tag, "Value": "9", "PropagateAtLaunch": True}])
        told = scaling().describe_tags(Filters=[{"Name": "auto-scaling-group", "Values": [names[0]]}])["Tags"]
        assert told == [{**tag, "Value": "9", "PropagateAtLaunch": True}]
        scaling().delete_tags(Tags=[tag])
        assert described(names[0])["Tags"] == []
        with pytest.raises(scaling().exceptions.AlreadyExistsFault):
            create(names[0], 0, 1)
    finally:
        for name in names:
            remove(name)
