"""Auto Scaling groups: they have the instances that are wanted of them, and get them back.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-groups.html
"""

import pytest
from auto_scaling_lab import (
    activities,
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
)
from cloud_lab import wait_until

pytestmark = pytest.mark.usefixtures("local_aws")


def test_a_group_launches_what_is_wanted_over_its_zones() -> None:
    tags = [
        {"Key": "team", "Value": "blue", "PropagateAtLaunch": True},
        {"Key": "note", "Value": "x", "PropagateAtLaunch": False},
    ]
    with group(1, 4, DesiredCapacity=4, Tags=tags) as name:
        found = members(name)
        assert sorted(one["AvailabilityZone"] for one in found) == ["us-east-1a"] * 2 + ["us-east-1b"] * 2
        assert {one["HealthStatus"] for one in found} == {"Healthy"}
        assert {one["InstanceType"] for one in found} == {"t3.micro"}
        assert {one["LaunchTemplate"]["Version"] for one in found} == {"1"}
        assert running(name) == ids(name)
        instance = ec2().describe_instances(InstanceIds=[found[0]["InstanceId"]])["Reservations"][0]["Instances"][0]
        given = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        assert given["aws:autoscaling:groupName"] == name
        assert given["team"] == "blue" and "note" not in given
        assert set(subnets(2)) == {
            one["SubnetId"]
            for some in ec2().describe_instances(InstanceIds=list(ids(name)))["Reservations"]
            for one in some["Instances"]
        }
        first = activities(name)[0]
        assert first["Description"].startswith("Launching a new EC2 instance: i-")
        assert first["StatusCode"] == "Successful" and first["Progress"] == 100
        assert (
            "a user request created an AutoScalingGroup changing the desired capacity from 0 to 4.  At "
            in first["Cause"]
        )
        assert first["Cause"].endswith(
            "an instance was started in response to a difference between desired and actual capacity, "
            "increasing the capacity from 0 to 4."
        )


def test_a_desired_capacity_is_reached_up_and_down() -> None:
    with group(0, 3, DesiredCapacity=1) as name:
        scaling().set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=3)
        before = settle(name, 3)
        scaling().set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=1)
        after = settle(name, 1)
        assert running(name) == after < before
        last = activities(name)[-1]
        assert last["Description"].startswith("Terminating EC2 instance: i-")
        assert "explicitly set group desired capacity changing the desired capacity from 3 to 1.  At " in last["Cause"]
        assert last["Cause"].endswith(f"instance {last['Description'].split()[-1]} was selected for termination.")


def test_what_is_terminated_behind_its_back_is_replaced() -> None:
    with group(2, 2) as name:
        gone = sorted(ids(name))[0]
        ec2().terminate_instances(InstanceIds=[gone])
        wait_until(lambda: gone not in {one["InstanceId"] for one in members(name)}, 10)
        assert len(settle(name, 2)) == 2
        assert running(name) == ids(name)
        causes = [one["Cause"] for one in activities(name)]
        assert any(
            text.endswith("in response to an EC2 health check indicating it has been terminated or stopped.")
            for text in causes
        )
        assert causes[-1].endswith(
            "an instance was launched in response to an unhealthy instance needing to be replaced."
        )


def test_sizes_that_cannot_be_are_refused_and_change_nothing() -> None:
    with group(1, 3, DesiredCapacity=1) as name:
        code, text = refused("set_desired_capacity", AutoScalingGroupName=name, DesiredCapacity=9)
        assert code == "ValidationError"
        assert text == "New SetDesiredCapacity value 9 is above max value 3 for the AutoScalingGroup."
        text = refused("set_desired_capacity", AutoScalingGroupName=name, DesiredCapacity=0)[1]
        assert text == "New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup."
        text = refused("update_auto_scaling_group", AutoScalingGroupName=name, DesiredCapacity=9)[1]
        assert text == "Desired capacity:9 must be between the specified min size:1 and max size:3"
        text = refused("update_auto_scaling_group", AutoScalingGroupName=name, MinSize=5)[1]
        assert text == "Max bound, 3, must be greater than or equal to min bound, 5"
        assert (described(name)["MinSize"], described(name)["DesiredCapacity"], described(name)["MaxSize"]) == (1, 1, 3)
        scaling().update_auto_scaling_group(AutoScalingGroupName=name, MinSize=2)
        assert described(name)["DesiredCapacity"] == 2  # a new minimum lifts it


def test_a_group_with_instances_stays_unless_deletion_is_forced() -> None:
    with group(1, 1) as name:
        code, _ = refused("delete_auto_scaling_group", AutoScalingGroupName=name)
        assert code == "ResourceInUse"
        gone = ids(name)
        remove(name)
        states = ec2().describe_instances(InstanceIds=list(gone))["Reservations"][0]["Instances"][0]["State"]
        assert states["Name"] in ("shutting-down", "terminated")
        assert refused("set_desired_capacity", AutoScalingGroupName=name, DesiredCapacity=1)[0] == "ValidationError"
