"""`AWS::EC2::LaunchTemplate`, through the API of EC2: not every backend's CloudFormation has it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-launchtemplate.html
"""

import asyncio
from typing import Any

from labs.cloud.cloudformation.kinds.kind import Kind, Work
from labs.cloud.cloudformation.kinds.properties import translate
from labs.cloud.frame import aws
from labs.cloud.frame.errors import AwsError

MOST_NAMED = 128


def _wanted(work: Work, operation: str) -> dict[str, Any]:
    """The properties as the operation's members, from the client's model: EC2's is large. For a thread."""
    members = aws.client("ec2", work.region).meta.service_model.operation_model(operation).input_shape.members
    given = {key: value for key, value in work.properties.items() if key in members and key != "LaunchTemplateName"}
    return translate(given, members)


async def _create(work: Work) -> None:
    name = work.properties.get("LaunchTemplateName") or work.name(MOST_NAMED)
    if not work.physical:
        wanted = await asyncio.to_thread(_wanted, work, "CreateLaunchTemplate")
        found = await work.rest("ec2", "create_launch_template", LaunchTemplateName=name, **wanted)
        _tell(work, found["LaunchTemplate"])


async def _update(work: Work) -> None:
    """A new version, as on AWS; which one is the default does not change."""
    if work.changed("LaunchTemplateData", "VersionDescription"):
        wanted = await asyncio.to_thread(_wanted, work, "CreateLaunchTemplateVersion")
        wanted.pop("TagSpecifications", None)
        await work.rest("ec2", "create_launch_template_version", LaunchTemplateId=work.physical, **wanted)
        found = await work.rest("ec2", "describe_launch_templates", LaunchTemplateIds=[work.physical])
        _tell(work, found["LaunchTemplates"][0])


async def _delete(work: Work) -> None:
    try:
        await work.rest("ec2", "delete_launch_template", LaunchTemplateId=work.physical)
    except AwsError as problem:
        if "NotFound" not in problem.code:
            raise


def _tell(work: Work, found: dict[str, Any]) -> None:
    identity = found["LaunchTemplateId"]
    numbers = {key: str(found[key]) for key in ("DefaultVersionNumber", "LatestVersionNumber")}
    work.made(identity, LaunchTemplateId=identity, **numbers)


KINDS = {
    "AWS::EC2::LaunchTemplate": Kind(
        service="cloudformation",
        known=frozenset({"LaunchTemplateName", "LaunchTemplateData", "VersionDescription", "TagSpecifications"}),
        required=("LaunchTemplateData",),
        create=_create,
        update=_update,
        delete=_delete,
        replaced_by=frozenset({"LaunchTemplateName", "TagSpecifications"}),
        name="LaunchTemplateName",
        attributes=frozenset({"LaunchTemplateId", "DefaultVersionNumber", "LatestVersionNumber"}),
    )
}
