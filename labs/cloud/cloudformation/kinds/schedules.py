"""`AWS::Scheduler::*`, and `AWS::Events::Rule`, whose targets in ECS only we know.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Scheduler.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html
"""

from typing import Any

from labs.cloud.cloudformation.kinds import properties
from labs.cloud.cloudformation.kinds.kind import Kind, Work, gone
from labs.cloud.cloudformation.kinds.properties import RefusedError, translate
from labs.cloud.frame.errors import AwsError

_SCHEDULE = properties.without(properties.inputs("scheduler", "CreateSchedule"), "ClientToken")
_GROUP = properties.without(properties.inputs("scheduler", "CreateScheduleGroup"), "ClientToken")
_RULE = properties.inputs("events", "PutRule")
_TARGETS = properties.inputs("events", "PutTargets")
MOST_NAMED = 64


async def _create_schedule(work: Work) -> None:
    wanted = {"Name": work.name(MOST_NAMED), **translate(work.properties, _SCHEDULE)}
    if not work.physical:
        made = await work.call("scheduler", "CreateSchedule", **wanted)
        work.record["_group"] = wanted.get("GroupName", "default")
        work.made(wanted["Name"], Arn=made["ScheduleArn"])


async def _update_schedule(work: Work) -> None:
    await work.call("scheduler", "UpdateSchedule", **{**translate(work.properties, _SCHEDULE), "Name": work.physical})


async def _delete_schedule(work: Work) -> None:
    await gone(work, "scheduler", "DeleteSchedule", Name=work.physical, GroupName=work.record.get("_group", "default"))


async def _create_group(work: Work) -> None:
    if not work.physical:
        wanted = {"Name": work.name(MOST_NAMED), **translate(work.properties, _GROUP), "Tags": work.tags()}
        made = await work.call("scheduler", "CreateScheduleGroup", **wanted)
        work.made(wanted["Name"], Arn=made["ScheduleGroupArn"])


async def _update_group(work: Work) -> None:
    arn = work.record["_attributes"]["Arn"]
    await work.call("scheduler", "TagResource", ResourceArn=arn, Tags=work.tags())
    if gone_keys := sorted({one["Key"] for one in work.before.get("Tags") or []} - {one["Key"] for one in work.tags()}):
        await work.call("scheduler", "UntagResource", ResourceArn=arn, TagKeys=gone_keys)


async def _delete_group(work: Work) -> None:
    await gone(work, "scheduler", "DeleteScheduleGroup", Name=work.physical)


async def _put_rule(work: Work) -> None:
    given = {key: value for key, value in work.properties.items() if key not in ("Targets", "Tags")}
    wanted = {"Name": work.physical.rpartition("|")[2] or work.name(MOST_NAMED), **translate(given, _RULE)}
    tags = {} if work.physical else {"Tags": work.tags()}
    made = await work.rest("events", "put_rule", **wanted, **tags)
    if not work.physical:
        work.record["_bus"] = wanted.get("EventBusName", "default")
        work.made(wanted["Name"], Arn=made["RuleArn"])
    targets = _targets(work.properties)
    where = {"Rule": wanted["Name"], "EventBusName": work.record["_bus"]}
    if left := sorted({one["Id"] for one in _targets(work.before)} - {one["Id"] for one in targets}):
        await work.rest("events", "remove_targets", **where, Ids=left)
    if targets:
        answer = await work.rest("events", "put_targets", **where, Targets=targets)
        if failed := answer.get("FailedEntries"):
            raise RefusedError(failed[0].get("ErrorMessage", "The targets could not be put."))


async def _delete_rule(work: Work) -> None:
    where = {"Rule": work.physical, "EventBusName": work.record.get("_bus", "default")}
    try:
        there = (await work.rest("events", "list_targets_by_rule", **where))["Targets"]
        if there:
            await work.rest("events", "remove_targets", **where, Ids=[one["Id"] for one in there])
        await work.rest("events", "delete_rule", Name=work.physical, EventBusName=where["EventBusName"])
    except AwsError as problem:
        if problem.code != "ResourceNotFoundException":
            raise


def _targets(given: dict[str, Any]) -> list[dict[str, Any]]:
    return translate({"Targets": given.get("Targets") or []}, {"Targets": _TARGETS["Targets"]})["Targets"]


KINDS = {
    "AWS::Scheduler::Schedule": Kind(
        service="scheduler",
        known=frozenset(_SCHEDULE),
        required=("FlexibleTimeWindow", "ScheduleExpression", "Target"),
        create=_create_schedule,
        update=_update_schedule,
        delete=_delete_schedule,
        replaced_by=frozenset({"Name", "GroupName"}),
        name="Name",
        attributes=frozenset({"Arn"}),
    ),
    "AWS::Scheduler::ScheduleGroup": Kind(
        service="scheduler",
        known=frozenset(_GROUP),
        create=_create_group,
        update=_update_group,
        delete=_delete_group,
        replaced_by=frozenset({"Name"}),
        name="Name",
        attributes=frozenset({"Arn"}),
    ),
    "AWS::Events::Rule": Kind(
        service="scheduler",
        known=frozenset(_RULE) | {"Targets"},
        create=_put_rule,
        update=_put_rule,
        delete=_delete_rule,
        replaced_by=frozenset({"Name", "EventBusName"}),
        name="Name",
        attributes=frozenset({"Arn"}),
    ),
}
