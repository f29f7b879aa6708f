"""The instances of Auto Scaling groups: their health, their protection, their way in and out.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
"""

import os
import signal
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from auto_scaling_lab import (
    IMAGE,
    activities,
    create,
    described,
    ec2,
    group,
    ids,
    members,
    refused,
    remove,
    running,
    scaling,
    settle,
    subnets,
    template,
)
from cloud_lab import wait_until
from events_lab import put_target, queue, rule, take
from events_lab import remove as remove_rule

from labs.cloud import server

pytestmark = pytest.mark.usefixtures("local_aws")
LEAVING, COMING = "autoscaling:EC2_INSTANCE_TERMINATING", "autoscaling:EC2_INSTANCE_LAUNCHING"


def states(name: str) -> dict[str, str]:
    return {one["InstanceId"]: one["LifecycleState"] for one in members(name)}


@pytest.fixture
def target_group() -> Iterator[str]:
    """A target group for instances, behind nothing."""
    balancing = boto3.client("elbv2")
    vpc = ec2().describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    name = f"asg-{uuid.uuid4().hex[:8]}"
    made = balancing.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc, TargetType="instance")
    arn = made["TargetGroups"][0]["TargetGroupArn"]
    yield arn
    balancing.delete_target_group(TargetGroupArn=arn)


def targets(arn: str) -> dict[str, str]:
    found = boto3.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in found}


def test_instances_are_targets_while_they_are_in_service(target_group: str) -> None:
    with group(2, 3, TargetGroupARNs=[target_group]) as name:
        wait_until(lambda: set(targets(target_group)) == ids(name))
        listed = scaling().describe_load_balancer_target_groups(AutoScalingGroupName=name)["LoadBalancerTargetGroups"]
        assert listed == [{"LoadBalancerTargetGroupARN": target_group, "State": "InService"}]
        away = sorted(ids(name))[0]
        scaling().enter_standby(AutoScalingGroupName=name, InstanceIds=[away], ShouldDecrementDesiredCapacity=False)
        wait_until(lambda: targets(target_group).get(away) in (None, "draining"))
        wait_until(lambda: len(ids(name)) == 2)  # its place is taken
        scaling().detach_load_balancer_target_groups(AutoScalingGroupName=name, TargetGroupARNs=[target_group])
        wait_until(lambda: set(targets(target_group).values()) <= {"draining"})


def test_an_unhealthy_instance_is_replaced() -> None:
    with group(1, 1) as name:
        sick = ids(name).pop()
        scaling().set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")
        wait_until(lambda: ids(name) and sick not in states(name))
        causes = [one["Cause"] for one in activities(name)]
        assert any("taken out of service in response to a user health-check." in text for text in causes)
        assert running(name) == ids(name)


def test_what_the_load_balancer_calls_unhealthy_is_replaced_if_the_group_wants_it(target_group: str) -> None:
    balancing = boto3.client("elbv2")
    balancing.modify_target_group(
        TargetGroupArn=target_group,
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        UnhealthyThresholdCount=2,
    )
    balancing.modify_target_group_attributes(
        TargetGroupArn=target_group,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}],
    )
    made = balancing.create_load_balancer(Name=f"asg-{uuid.uuid4().hex[:8]}", Subnets=subnets(2))["LoadBalancers"][0]
    forward = [{"Type": "forward", "TargetGroupArn": target_group}]
    balancing.create_listener(LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=forward)
    try:
        with group(1, 1, TargetGroupARNs=[target_group], HealthCheckType="ELB") as name:
            first = ids(name).pop()  # a record, on which nothing listens
            wait_until(lambda: first not in states(name), 60)
            causes = [one["Cause"] for one in activities(name)]
            assert any("in response to an ELB system health check failure." in text for text in causes)
            settle(name, 1)
    finally:
        balancing.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])


def test_an_instance_that_was_launched_for_a_group_before_a_kill_is_found_again() -> None:
    with group(0, 2, DesiredCapacity=1) as name:
        scaling().suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["Terminate"])
        before = ids(name)
        tags = [{"Key": "aws:autoscaling:groupName", "Value": name}]  # as the group tags what it launches
        made = ec2().run_instances(
            ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=subnets(2)[1],
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )["Instances"][0]["InstanceId"]  # fmt: skip
        wait_until(lambda: ids(name) == {*before, made}, 10)
        scaling().resume_processes(AutoScalingGroupName=name)
        kept = settle(name, 1)
        wait_until(lambda: running(name) == kept, 10)


def test_what_is_suspended_does_not_happen() -> None:
    with group(1, 1) as name:
        scaling().suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["ReplaceUnhealthy", "Launch"])
        assert {one["ProcessName"] for one in described(name)["SuspendedProcesses"]} == {"ReplaceUnhealthy", "Launch"}
        sick = ids(name).pop()
        scaling().set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")
        ec2().terminate_instances(InstanceIds=[sick])
        wait_until(lambda: members(name)[0]["HealthStatus"] == "Unhealthy")
        scaling().resume_processes(AutoScalingGroupName=name, ScalingProcesses=["ReplaceUnhealthy"])
        wait_until(lambda: members(name) == [])
        assert running(name) == set()
        scaling().resume_processes(AutoScalingGroupName=name)
        settle(name, 1)
        code, _ = refused("suspend_processes", AutoScalingGroupName=name, ScalingProcesses=["Everything"])
        assert code == "ValidationError"


def test_scale_in_passes_over_what_is_protected_and_keeps_the_zones_even() -> None:
    with group(0, 4, DesiredCapacity=3) as name:
        crowded = [one["InstanceId"] for one in members(name) if one["AvailabilityZone"] == "us-east-1a"]
        assert len(crowded) == 2
        scaling().set_instance_protection(
            AutoScalingGroupName=name, InstanceIds=[crowded[0]], ProtectedFromScaleIn=True
        )
        scaling().set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
        left = settle(name, 2)
        assert crowded[0] in left and crowded[1] not in left
        scaling().set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=0)
        wait_until(lambda: ids(name) == {crowded[0]})
        scaling().set_instance_protection(
            AutoScalingGroupName=name, InstanceIds=[crowded[0]], ProtectedFromScaleIn=False
        )
        settle(name, 0)
        code, text = refused(
            "set_instance_protection", AutoScalingGroupName=name, InstanceIds=["i-0"], ProtectedFromScaleIn=True
        )
        assert code == "ValidationError" and f"is not part of Auto Scaling group {name}" in text


def test_an_instance_is_terminated_by_name_and_replaced_or_not() -> None:
    with group(1, 2, DesiredCapacity=2) as name:
        one, other = sorted(ids(name))
        told = scaling().terminate_instance_in_auto_scaling_group(InstanceId=one, ShouldDecrementDesiredCapacity=True)
        assert told["Activity"]["Description"] == f"Terminating EC2 instance: {one}"
        assert told["Activity"]["Cause"].endswith(
            f"instance {one} was taken out of service in response to a user request, "
            "shrinking the capacity from 2 to 1."
        )
        assert settle(name, 1) == {other}
        asked = {"InstanceId": other, "ShouldDecrementDesiredCapacity": True}
        text = refused("terminate_instance_in_auto_scaling_group", **asked)[1]
        assert text.startswith("Currently, desiredSize equals minSize (1).")
        scaling().terminate_instance_in_auto_scaling_group(InstanceId=other, ShouldDecrementDesiredCapacity=False)
        wait_until(lambda: other not in states(name) and len(ids(name)) == 1)
        text = refused("terminate_instance_in_auto_scaling_group", **asked)[1]
        assert text.startswith("Instance Id not found - No managed instance found")


def test_instances_come_and_go_by_hand() -> None:
    with group(0, 2, DesiredCapacity=1) as name:
        own = ids(name).pop()
        made = ec2().run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=subnets(2)[1])["Instances"][0]
        stranger = made["InstanceId"]
        scaling().attach_instances(AutoScalingGroupName=name, InstanceIds=[stranger])
        assert settle(name, 2) == {own, stranger}
        text = refused("attach_instances", AutoScalingGroupName=name, InstanceIds=[stranger])[1]
        assert text == f"Instance {stranger} is already part of AutoScalingGroup:{name}."
        told = scaling().detach_instances(
            AutoScalingGroupName=name, InstanceIds=[own], ShouldDecrementDesiredCapacity=True
        )
        assert told["Activities"][0]["Description"] == f"Detaching EC2 instance: {own}"
        assert settle(name, 1) == {stranger}
        assert running(name) == {stranger}  # the other one runs on without the group's tag
        state = ec2().describe_instances(InstanceIds=[own])["Reservations"][0]["Instances"][0]["State"]["Name"]
        assert state == "running"
        scaling().enter_standby(AutoScalingGroupName=name, InstanceIds=[stranger], ShouldDecrementDesiredCapacity=True)
        assert (states(name), described(name)["DesiredCapacity"]) == ({stranger: "Standby"}, 0)
        scaling().exit_standby(AutoScalingGroupName=name, InstanceIds=[stranger])
        assert settle(name, 1) == {stranger}
        listed = scaling().describe_auto_scaling_instances(InstanceIds=[stranger])["AutoScalingInstances"]
        assert [(one["AutoScalingGroupName"], one["HealthStatus"]) for one in listed] == [(name, "HEALTHY")]
        ec2().terminate_instances(InstanceIds=[own])


def test_a_hook_holds_an_instance_on_its_way_in_and_out() -> None:
    url, arn = queue()
    name = f"hooked-{uuid.uuid4().hex[:8]}"
    hooks = [{"LifecycleHookName": "in", "LifecycleTransition": COMING, "NotificationMetadata": "be ready"}]
    create(name, 0, 1, DesiredCapacity=1, LifecycleHookSpecificationList=hooks)
    try:
        scaling().put_lifecycle_hook(
            AutoScalingGroupName=name, LifecycleHookName="out", LifecycleTransition=LEAVING,
            NotificationTargetARN=arn, RoleARN="arn:aws:iam::000000000000:role/any", DefaultResult="CONTINUE",
        )  # fmt: skip
        assert "TEST_NOTIFICATION" in take(url)[0]["Body"]
        wait_until(lambda: list(states(name).values()) == ["Pending:Wait"])
        instance = next(iter(states(name)))
        scaling().record_lifecycle_action_heartbeat(
            AutoScalingGroupName=name, LifecycleHookName="in", InstanceId=instance
        )
        done = {"AutoScalingGroupName": name, "LifecycleActionResult": "CONTINUE", "InstanceId": instance}
        scaling().complete_lifecycle_action(LifecycleHookName="in", **done)
        settle(name, 1)
        text = refused("complete_lifecycle_action", LifecycleHookName="in", **done)[1]
        assert text == f"No active Lifecycle Action found with instance ID {instance}"
        scaling().set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=0)
        wait_until(lambda: states(name) == {instance: "Terminating:Wait"})
        body = take(url)[0]["Body"]
        assert instance in body and LEAVING in body
        assert running(name) == {instance}
        scaling().complete_lifecycle_action(LifecycleHookName="out", **done)
        settle(name, 0)
        assert running(name) == set()
    finally:
        remove(name)


def test_an_abandoned_launch_is_tried_again() -> None:
    name = f"hooked-{uuid.uuid4().hex[:8]}"
    hooks = [{"LifecycleHookName": "in", "LifecycleTransition": COMING}]
    create(name, 1, 1, LifecycleHookSpecificationList=hooks)
    try:
        wait_until(lambda: list(states(name).values()) == ["Pending:Wait"])
        first = next(iter(states(name)))
        scaling().complete_lifecycle_action(
            AutoScalingGroupName=name, LifecycleHookName="in", LifecycleActionResult="ABANDON", InstanceId=first
        )
        wait_until(lambda: first not in states(name) and "Pending:Wait" in states(name).values())
        scaling().delete_lifecycle_hook(AutoScalingGroupName=name, LifecycleHookName="in")
        assert first not in settle(name, 1)
    finally:
        remove(name)


def test_launches_and_terminations_reach_event_bridge() -> None:
    url, arn = queue()
    wanted = rule({"source": ["aws.autoscaling"], "detail-type": ["EC2 Instance Launch Successful"]})
    put_target(wanted, Arn=arn)
    try:
        with group(1, 1) as name:
            body = take(url)[0]["Body"]
            assert f'"AutoScalingGroupName": "{name}"' in body or f'"AutoScalingGroupName":"{name}"' in body
            assert ids(name).pop() in body
    finally:
        remove_rule(wanted)


def test_a_launch_that_ec2_refuses_is_told_and_tried_again() -> None:
    name = f"broken-{uuid.uuid4().hex[:8]}"
    source = template(IamInstanceProfile={"Name": name})  # which does not exist
    create(name, 1, 1, LaunchTemplate={"LaunchTemplateName": source})
    try:
        wait_until(lambda: activities(name) and activities(name)[-1]["StatusCode"] in ("Failed", "Successful"))
        first = activities(name)[0]
        assert first["StatusCode"] == "Failed"
        assert first["StatusMessage"].endswith("Launching EC2 instance failed.")
        assert first["Description"].startswith("Launching a new EC2 instance.  Status Reason: ")
        ec2().create_launch_template_version(
            LaunchTemplateName=source, LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "t3.small"}
        )
        scaling().update_auto_scaling_group(
            AutoScalingGroupName=name, LaunchTemplate={"LaunchTemplateName": source, "Version": "$Latest"}
        )
        settle(name, 1)
        assert (members(name)[0]["InstanceType"], members(name)[0]["LaunchTemplate"]["Version"]) == ("t3.small", "2")
    finally:
        remove(name)


def test_a_mixed_group_launches_the_share_of_spot_that_is_wanted() -> None:
    policy: dict[str, Any] = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateName": template(), "Version": "$Latest"},
            "Overrides": [{"InstanceType": "t3.small"}, {"InstanceType": "t3.medium"}],
        },
        "InstancesDistribution": {"OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": 0},
    }
    with group(0, 4, DesiredCapacity=3, MixedInstancesPolicy=policy) as name:
        kinds = sorted(one["InstanceType"] for one in members(name))
        assert kinds == ["t3.medium", "t3.small", "t3.small"]  # one on demand, two pools of Spot Instances
        told = described(name)["MixedInstancesPolicy"]["InstancesDistribution"]
        assert told["OnDemandAllocationStrategy"] == "prioritized"


def test_a_kill_leaves_no_instance_behind() -> None:
    with group(1, 4) as name:
        os.kill(server.health()["pid"], signal.SIGKILL)
        wait_until(lambda: server.health() is None)
        server.ensure_running()
        settle(name, 1)
        scaling().set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=4)
        wait_until(lambda: len(running(name)) > 0)
        settle(name, 4)
        assert running(name) == ids(name)


def test_a_refresh_replaces_instances_by_those_of_the_new_template() -> None:
    source = template()
    with group(2, 2, LaunchTemplate={"LaunchTemplateName": source, "Version": "$Latest"}) as name:
        before = ids(name)
        new = {"ImageId": IMAGE, "InstanceType": "t3.large"}
        ec2().create_launch_template_version(LaunchTemplateName=source, LaunchTemplateData=new)
        asked = {"AutoScalingGroupName": name, "Preferences": {"MinHealthyPercentage": 50}}
        scaling().suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["InstanceRefresh"])
        scaling().start_instance_refresh(**asked)
        assert refused("start_instance_refresh", **asked)[0] == "InstanceRefreshInProgress"
        scaling().resume_processes(AutoScalingGroupName=name)

        def refresh() -> dict[str, Any]:
            return scaling().describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"][0]

        wait_until(lambda: refresh()["Status"] == "Successful")
        assert refresh()["PercentageComplete"] == 100
        assert {one["InstanceType"] for one in members(name)} == {"t3.large"}
        assert not before & settle(name, 2)
        code, _ = refused("cancel_instance_refresh", AutoScalingGroupName=name)
        assert code == "ActiveInstanceRefreshNotFound"
