"""`AWS::AutoScaling::*`, where Auto Scaling is a service of ours; the backend's otherwise.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_AutoScaling.html
"""

import asyncio
from typing import Any

from labs.cloud.cloudformation.kinds import properties
from labs.cloud.cloudformation.kinds.kind import Kind, Work, gone
from labs.cloud.cloudformation.kinds.properties import translate
from labs.cloud.frame.errors import AwsError

SERVICE = "autoscaling"
LOOK_SECONDS = 0.25
_GROUP = properties.inputs(SERVICE, "CreateAutoScalingGroup")
_CHANGED = properties.inputs(SERVICE, "UpdateAutoScalingGroup")
_POLICY = properties.inputs(SERVICE, "PutScalingPolicy")
_HOOK = properties.inputs(SERVICE, "PutLifecycleHook")
_TAGS = properties.inputs(SERVICE, "CreateOrUpdateTags")["Tags"]


def _wanted(work: Work) -> dict[str, Any]:
    given = {key: value for key, value in work.properties.items() if key != "Tags"}
    if isinstance(zones := given.get("VPCZoneIdentifier"), list):
        given["VPCZoneIdentifier"] = ",".join(zones)  # a list in templates, a text in the API
    return translate(given, _GROUP)


def _tags(work: Work, name: str) -> list[dict[str, Any]]:
    """The tags; those that CloudFormation and the stack give reach the instances too."""
    own = {one["Key"]: one.get("PropagateAtLaunch", False) for one in work.properties.get("Tags") or []}
    found = [{**one, "PropagateAtLaunch": own.get(one["Key"], True)} for one in work.tags()]
    found = translate({"Tags": found}, {"Tags": _TAGS})["Tags"]
    return [{**one, "ResourceId": name, "ResourceType": "auto-scaling-group"} for one in found]


async def _create_group(work: Work) -> None:
    wanted = {"AutoScalingGroupName": work.name(), **_wanted(work)}
    name = wanted["AutoScalingGroupName"]
    if not work.physical:
        await work.call(SERVICE, "CreateAutoScalingGroup", **wanted, Tags=_tags(work, name))
        found = await work.call(SERVICE, "DescribeAutoScalingGroups", AutoScalingGroupNames=[name])
        work.made(name, AutoScalingGroupARN=found["AutoScalingGroups"][0]["AutoScalingGroupARN"])


async def _update_group(work: Work) -> None:
    name = work.physical
    wanted = {key: value for key, value in _wanted(work).items() if key in _CHANGED}
    if not work.changed("DesiredCapacity"):
        wanted.pop("DesiredCapacity", None)  # a scaling policy may have set another one
    await work.call(SERVICE, "UpdateAutoScalingGroup", **{**wanted, "AutoScalingGroupName": name})
    groups, before = (set(one.get("TargetGroupARNs") or []) for one in (work.properties, work.before))
    for operation, arns in (("Attach", groups - before), ("Detach", before - groups)):
        if arns:
            await work.call(
                SERVICE, f"{operation}LoadBalancerTargetGroups", AutoScalingGroupName=name, TargetGroupARNs=sorted(arns)
            )
    tags = _tags(work, name)
    await work.call(SERVICE, "CreateOrUpdateTags", Tags=tags)
    known = {one["Key"] for one in work.before.get("Tags") or []} | set(work.record.get("_stack_tags", []))
    if left := sorted(known - {one["Key"] for one in tags}):
        gone_tags = [{"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": key} for key in left]
        await work.call(SERVICE, "DeleteTags", Tags=gone_tags)


async def _delete_group(work: Work) -> None:
    """Deletes the group with its instances and waits until they are gone."""
    name = work.physical
    try:
        found = await work.call(SERVICE, "DescribeAutoScalingGroups", AutoScalingGroupNames=[name])
        if not found["AutoScalingGroups"]:
            return
        await work.call(SERVICE, "DeleteAutoScalingGroup", AutoScalingGroupName=name, ForceDelete=True)
    except AwsError as problem:
        if "not found" not in problem.message:
            raise
    while (await work.call(SERVICE, "DescribeAutoScalingGroups", AutoScalingGroupNames=[name]))["AutoScalingGroups"]:
        await asyncio.sleep(LOOK_SECONDS)


async def _put_policy(work: Work) -> None:
    name = work.record.setdefault("_policy", work.name())
    answer = await work.call(SERVICE, "PutScalingPolicy", **translate(work.properties, _POLICY), PolicyName=name)
    if not work.physical:
        work.made(answer["PolicyARN"], Arn=answer["PolicyARN"], PolicyName=name)


async def _delete_policy(work: Work) -> None:
    group = work.properties["AutoScalingGroupName"]
    await _gone(work, "DeletePolicy", AutoScalingGroupName=group, PolicyName=work.physical)


async def _put_hook(work: Work) -> None:
    wanted = {"LifecycleHookName": work.physical or work.name(), **translate(work.properties, _HOOK)}
    await work.call(SERVICE, "PutLifecycleHook", **wanted)
    if not work.physical:
        work.made(wanted["LifecycleHookName"])


async def _delete_hook(work: Work) -> None:
    group = work.properties["AutoScalingGroupName"]
    await _gone(work, "DeleteLifecycleHook", AutoScalingGroupName=group, LifecycleHookName=work.physical)


async def _gone(work: Work, operation: str, **parameters: Any) -> None:
    """Removes what may be gone with its group; this service has one error for all that is not there."""
    try:
        await gone(work, SERVICE, operation, **parameters)
    except AwsError as problem:
        if problem.code != "ValidationError":
            raise


KINDS = {
    "AWS::AutoScaling::AutoScalingGroup": Kind(
        service=SERVICE,
        known=frozenset(_GROUP),
        required=("MaxSize", "MinSize"),
        create=_create_group,
        update=_update_group,
        delete=_delete_group,
        replaced_by=frozenset({"AutoScalingGroupName", "InstanceId"}),
        name="AutoScalingGroupName",
        attributes=frozenset({"AutoScalingGroupARN"}),
    ),
    "AWS::AutoScaling::ScalingPolicy": Kind(
        service=SERVICE,
        known=frozenset(_POLICY) - {"PolicyName", "Enabled"},
        required=("AutoScalingGroupName",),
        create=_put_policy,
        update=_put_policy,
        delete=_delete_policy,
        replaced_by=frozenset({"AutoScalingGroupName"}),
        attributes=frozenset({"Arn", "PolicyName"}),
    ),
    "AWS::AutoScaling::LifecycleHook": Kind(
        service=SERVICE,
        known=frozenset(_HOOK),
        required=("AutoScalingGroupName", "LifecycleTransition"),
        create=_put_hook,
        update=_put_hook,
        delete=_delete_hook,
        replaced_by=frozenset({"AutoScalingGroupName", "LifecycleHookName"}),
        name="LifecycleHookName",
    ),
}
