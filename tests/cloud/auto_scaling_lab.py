"""What the tests of Auto Scaling groups share: groups of plain EC2 instances, and calls to look at them."""

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cloud_lab import wait_until

IMAGE = "ami-0123456789abcdef0"


def scaling() -> Any:
    return boto3.client("autoscaling")


def ec2() -> Any:
    return boto3.client("ec2")


def subnets(number: int) -> list[str]:
    """Default subnets, each in a zone of its own."""
    found = ec2().describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    return [one["SubnetId"] for one in sorted(found, key=lambda one: one["AvailabilityZone"])[:number]]


def template(**data: Any) -> str:
    """A launch template; its name."""
    name = f"template-{uuid.uuid4().hex[:8]}"
    content = {"ImageId": IMAGE, "InstanceType": "t3.micro", **data}
    ec2().create_launch_template(LaunchTemplateName=name, LaunchTemplateData=content)
    return name


def create(name: str, low: int, high: int, **more: Any) -> None:
    if "MixedInstancesPolicy" not in more:
        more.setdefault("LaunchTemplate", {"LaunchTemplateName": template()})
    more.setdefault("VPCZoneIdentifier", ",".join(subnets(2)))
    scaling().create_auto_scaling_group(AutoScalingGroupName=name, MinSize=low, MaxSize=high, **more)


@contextlib.contextmanager
def group(low: int, high: int, **more: Any) -> Iterator[str]:
    """The name of a group, with all its instances in service. It is deleted afterwards."""
    name = f"group-{uuid.uuid4().hex[:8]}"
    create(name, low, high, **more)
    settle(name)
    yield name
    remove(name)


def remove(name: str) -> None:
    with contextlib.suppress(ClientError):
        scaling().delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    wait_until(lambda: not scaling().describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"])


def described(name: str) -> dict[str, Any]:
    return scaling().describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]


def members(name: str) -> list[dict[str, Any]]:
    return described(name)["Instances"]


def ids(name: str, state: str = "InService") -> set[str]:
    return {one["InstanceId"] for one in members(name) if one["LifecycleState"] == state}


def settle(name: str, count: int | None = None) -> set[str]:
    """Waits until a group has as many instances as it wants, all in service; their ids."""

    def settled() -> bool:
        one = described(name)
        wanted = one["DesiredCapacity"] if count is None else count
        states = [each["LifecycleState"] for each in one["Instances"]]
        return states == ["InService"] * wanted and one["DesiredCapacity"] == wanted

    wait_until(settled)
    return ids(name)


def running(name: str) -> set[str]:
    """The instances that EC2 runs for a group."""
    filters = [
        {"Name": "tag:aws:autoscaling:groupName", "Values": [name]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    found = ec2().describe_instances(Filters=filters)["Reservations"]
    return {one["InstanceId"] for some in found for one in some["Instances"]}


def activities(name: str) -> list[dict[str, Any]]:
    """The activities of a group, oldest first."""
    return scaling().describe_scaling_activities(AutoScalingGroupName=name)["Activities"][::-1]


def refused(operation: str, **parameters: Any) -> tuple[str, str]:
    """The code and the message that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        getattr(scaling(), operation)(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
