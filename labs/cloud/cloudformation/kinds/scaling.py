"""`AWS::ApplicationAutoScaling::*`.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApplicationAutoScaling.html
"""

from typing import Any

from labs.cloud.cloudformation.kinds import properties
from labs.cloud.cloudformation.kinds.kind import Kind, Work, gone
from labs.cloud.cloudformation.kinds.properties import RefusedError, translate

SERVICE = "application-autoscaling"
_TARGET = properties.inputs(SERVICE, "RegisterScalableTarget")
_POLICY = properties.inputs(SERVICE, "PutScalingPolicy")
_ACTION = properties.inputs(SERVICE, "PutScheduledAction")
_WHERE = ("ServiceNamespace", "ResourceId", "ScalableDimension")
_KEY = ("ResourceId", "ScalableDimension", "ServiceNamespace")  # of a scalable target's physical id


def _where(physical: str) -> dict[str, str]:
    """How a request names the scalable target with this physical id."""
    return dict(zip(_KEY, physical.split("|"), strict=True))


async def _create_target(work: Work) -> None:
    given = {key: value for key, value in work.properties.items() if key != "ScheduledActions"}
    wanted = translate(given, _TARGET)
    if not work.physical:
        tags = {one["Key"]: one["Value"] for one in work.tags()}
        await work.call(SERVICE, "RegisterScalableTarget", **wanted, Tags=tags)
        work.made("|".join(wanted[key] for key in _KEY), Id="|".join(wanted[key] for key in _KEY))
    await _set_actions(work)


async def _update_target(work: Work) -> None:
    wanted = translate({key: value for key, value in work.properties.items() if key != "ScheduledActions"}, _TARGET)
    await work.call(SERVICE, "RegisterScalableTarget", **wanted)
    await _set_actions(work)


async def _delete_target(work: Work) -> None:
    await gone(work, SERVICE, "DeregisterScalableTarget", **_where(work.physical))


async def _set_actions(work: Work) -> None:
    """The scheduled actions, which are part of the target in a template and of their own in the API."""

    def read(given: Any) -> dict[str, dict[str, Any]]:
        found = [translate(one, _ACTION, path=f"#/ScheduledActions/{place}") for place, one in enumerate(given or [])]
        return {one["ScheduledActionName"]: one for one in found}

    wanted, before = read(work.properties.get("ScheduledActions")), read(work.before.get("ScheduledActions"))
    for one in wanted.values():
        await work.call(SERVICE, "PutScheduledAction", **_where(work.physical), **one)
    for name in before.keys() - wanted.keys():
        await gone(work, SERVICE, "DeleteScheduledAction", **_where(work.physical), ScheduledActionName=name)


async def _put_policy(work: Work) -> None:
    wanted = translate({key: value for key, value in work.properties.items() if key != "ScalingTargetId"}, _POLICY)
    if target := work.properties.get("ScalingTargetId"):
        wanted = {**_where(target), **wanted}
    if not all(key in wanted for key in _WHERE):
        raise RefusedError("Either ScalingTargetId or ResourceId, ScalableDimension and ServiceNamespace is required.")
    made = await work.call(SERVICE, "PutScalingPolicy", **wanted)
    work.record["_where"] = {key: wanted[key] for key in _WHERE}
    if not work.physical:
        work.made(made["PolicyARN"], Arn=made["PolicyARN"])


async def _delete_policy(work: Work) -> None:
    if where := work.record.get("_where"):
        name = work.physical.rpartition("policyName/")[2]
        await gone(work, SERVICE, "DeleteScalingPolicy", **where, PolicyName=name)


KINDS = {
    "AWS::ApplicationAutoScaling::ScalableTarget": Kind(
        service=SERVICE,
        known=frozenset(_TARGET) - {"Tags"} | {"ScheduledActions"},
        required=("MaxCapacity", "MinCapacity", *_WHERE),
        create=_create_target,
        update=_update_target,
        delete=_delete_target,
        replaced_by=frozenset(_WHERE),
        attributes=frozenset({"Id"}),
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": Kind(
        service=SERVICE,
        known=frozenset(_POLICY) | {"ScalingTargetId"},
        required=("PolicyName", "PolicyType"),
        create=_put_policy,
        update=_put_policy,
        delete=_delete_policy,
        replaced_by=frozenset({"PolicyName", "ScalingTargetId", *_WHERE}),
        attributes=frozenset({"Arn"}),
    ),
}
