"""`AWS::Logs::LogGroup`, through the API of CloudWatch Logs: not every backend's CloudFormation keeps its retention.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html
"""

from labs.cloud.cloudformation.kinds import properties
from labs.cloud.cloudformation.kinds.kind import Kind, Work
from labs.cloud.cloudformation.kinds.properties import translate
from labs.cloud.frame import arns
from labs.cloud.frame.errors import AwsError

MOST_NAMED = 512
_GROUP = properties.without(properties.inputs("logs", "CreateLogGroup"), "tags")
_RETENTION = properties.without(properties.inputs("logs", "PutRetentionPolicy"), "logGroupName")


async def _create(work: Work) -> None:
    given = {key: value for key, value in work.properties.items() if key not in ("RetentionInDays", "Tags")}
    wanted = {"logGroupName": work.name(MOST_NAMED), **translate(given, _GROUP)}
    name = wanted["logGroupName"]
    if not work.physical:
        tags = {one["Key"]: one["Value"] for one in work.tags()}
        await work.rest("logs", "create_log_group", **wanted, tags=tags)
        work.made(name, Arn=f"{_arn(work, name)}:*")
    await _retain(work)


async def _update(work: Work) -> None:
    await _retain(work)
    arn, tags = _arn(work, work.physical), {one["Key"]: one["Value"] for one in work.tags()}
    there = (await work.rest("logs", "list_tags_for_resource", resourceArn=arn))["tags"]
    if tags != there:
        await work.rest("logs", "tag_resource", resourceArn=arn, tags=tags)
    before = {one["Key"] for one in work.before.get("Tags") or []} | set(work.record.get("_stack_tags", []))
    if left := sorted(there.keys() & before - tags.keys()):
        await work.rest("logs", "untag_resource", resourceArn=arn, tagKeys=left)


async def _delete(work: Work) -> None:
    try:
        await work.rest("logs", "delete_log_group", logGroupName=work.physical)
    except AwsError as problem:
        if problem.code != "ResourceNotFoundException":
            raise


async def _retain(work: Work) -> None:
    if not work.changed("RetentionInDays"):
        return
    if "RetentionInDays" in work.properties:
        wanted = translate({"RetentionInDays": work.properties["RetentionInDays"]}, _RETENTION)
        await work.rest("logs", "put_retention_policy", logGroupName=work.physical, **wanted)
    else:
        await work.rest("logs", "delete_retention_policy", logGroupName=work.physical)


def _arn(work: Work, name: str) -> str:
    return arns.make("logs", work.region, f"log-group:{name}")


KINDS = {
    "AWS::Logs::LogGroup": Kind(
        service="cloudformation",
        known=frozenset(properties.named(name) for name in {**_GROUP, **_RETENTION}) | {"Tags"},
        create=_create,
        update=_update,
        delete=_delete,
        replaced_by=frozenset({"LogGroupName"}),
        name="LogGroupName",
        attributes=frozenset({"Arn"}),
    )
}
