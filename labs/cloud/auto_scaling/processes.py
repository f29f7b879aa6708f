"""The processes of a group, which can be suspended one by one; and the lists of words that AWS tells.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html
"""

from typing import Any

from labs.cloud.auto_scaling import choosing
from labs.cloud.auto_scaling.state import INVALID, AutoScaling, group_of, stamp
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

PROCESSES = (
    "Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck",
    "InstanceRefresh", "ReplaceUnhealthy", "ScheduledActions",
)  # fmt: skip


def suspend(scaling: AutoScaling, request: Request) -> None:
    """SuspendProcesses: all where none is named."""
    group, wanted = _named(scaling, request)
    present = {one["ProcessName"]: one for one in group["SuspendedProcesses"]}
    reason = f"User suspended at {stamp()}"
    for name in wanted:
        present.setdefault(name, {"ProcessName": name, "SuspensionReason": reason})
    scaling.groups.put(group["_key"], {**group, "SuspendedProcesses": list(present.values())})


def resume(scaling: AutoScaling, request: Request) -> None:
    """ResumeProcesses: all where none is named."""
    group, wanted = _named(scaling, request)
    left = [one for one in group["SuspendedProcesses"] if one["ProcessName"] not in wanted]
    scaling.groups.put(group["_key"], {**group, "SuspendedProcesses": left})
    scaling.wake(group["_key"])


def runs(group: Record, process: str) -> bool:
    """Whether a process of a group is not suspended."""
    return all(one["ProcessName"] != process for one in group["SuspendedProcesses"])


def _named(scaling: AutoScaling, request: Request) -> tuple[Record, list[str]]:
    group = group_of(scaling, request)
    wanted = request.get("ScalingProcesses") or list(PROCESSES)
    if unknown := [name for name in wanted if name not in PROCESSES]:
        raise AwsError(INVALID, f"Invalid process names: {', '.join(unknown)}. Valid are {', '.join(PROCESSES)}.")
    return group, wanted


def _process_types(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribeScalingProcessTypes."""
    return {"Processes": [{"ProcessName": name} for name in sorted(PROCESSES)]}


def _termination_policy_types(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribeTerminationPolicyTypes."""
    return {"TerminationPolicyTypes": sorted(choosing.POLICIES)}


def _adjustment_types(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribeAdjustmentTypes."""
    names = ("ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity")
    return {"AdjustmentTypes": [{"AdjustmentType": name} for name in names]}


def _account_limits(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribeAccountLimits."""
    used = sum(one["_region"] == request.region for one in scaling.groups.values())
    return {
        "MaxNumberOfAutoScalingGroups": 500,
        "MaxNumberOfLaunchConfigurations": 200,
        "NumberOfAutoScalingGroups": used,
        "NumberOfLaunchConfigurations": 0,
    }


def _no_launch_configuration(scaling: AutoScaling, request: Request) -> None:
    """CreateLaunchConfiguration: AWS has closed it to accounts made since October 2024.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/launch-configurations.html
    """
    raise AwsError(
        "UnsupportedOperation",
        "The Launch Configuration creation operation is not available in your account. Use launch templates to "
        "create configuration templates for your Auto Scaling groups.",
    )


def _no_launch_configurations(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribeLaunchConfigurations: there are none."""
    return {"LaunchConfigurations": []}


def _launch_configuration_missing(scaling: AutoScaling, request: Request) -> None:
    """DeleteLaunchConfiguration: there is none."""
    name = request["LaunchConfigurationName"]
    raise AwsError(INVALID, f"Launch configuration name not found - Launch configuration {name} not found")


def _no_warm_pool(scaling: AutoScaling, request: Request) -> None:
    """PutWarmPool."""
    group_of(scaling, request)
    raise AwsError(
        INVALID, "The local AWS of this course has no warm pools. Instances start in a moment here, so none is needed."
    )


OPERATIONS = {
    "SuspendProcesses": suspend,
    "ResumeProcesses": resume,
    "DescribeScalingProcessTypes": _process_types,
    "DescribeTerminationPolicyTypes": _termination_policy_types,
    "DescribeAdjustmentTypes": _adjustment_types,
    "DescribeAccountLimits": _account_limits,
    "CreateLaunchConfiguration": _no_launch_configuration,
    "DescribeLaunchConfigurations": _no_launch_configurations,
    "DeleteLaunchConfiguration": _launch_configuration_missing,
    "PutWarmPool": _no_warm_pool,
}
