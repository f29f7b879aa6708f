"""A resource of a type that is not ours: a hidden stack of one resource in the backend.

The hidden stack's template holds the properties without functions; its outputs are what `Ref` and `Fn::GetAtt` are
asked for. A resource without a name in the template gets the one that AWS would give it, for the backend would build it
from the hidden stack's name.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from labs.cloud.cloudformation import backend
from labs.cloud.cloudformation.kinds.kind import Work
from labs.cloud.cloudformation.kinds.properties import RefusedError
from labs.cloud.cloudformation.state import CloudFormation
from labs.cloud.frame.errors import AwsError

HIDDEN = "course-of-"
LOOK_SECONDS = 0.05
SLOWEST_LOOK_SECONDS = 1.0
RESUMED_SECONDS = 5.0
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_REF = "Ref"
# What LocalStack makes of a type that it does not have, and says of it in the event: nothing is there.
_PLACEHOLDER, _PLACEHOLDER_REASON = "unknown", "not supported but was deployed as a fallback"


@dataclass(frozen=True)
class About:
    """What CloudFormation's reference says of a type.

    Args:
        name: the property that names it, if the engine has to choose a name.
        most: how long the name may be.
        lower: whether it has no capital letters.
        replaced_by: the properties whose change needs a new resource.
        tags: the property with its tags, a list of Key and Value.
        own_tags: whether a template may hold tags that begin with `aws:`.
    """

    name: str | None = None
    most: int = 255
    lower: bool = False
    replaced_by: tuple[str, ...] = ()
    tags: str | None = "Tags"
    own_tags: bool = True


# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
# A type that is not here works too: the backend names it and decides whether a change needs a new one.
ABOUT = {
    "AWS::CloudWatch::Alarm": About("AlarmName", 255, replaced_by=("AlarmName",)),
    "AWS::DynamoDB::Table": About("TableName", 255, replaced_by=("TableName", "KeySchema", "LocalSecondaryIndexes")),
    "AWS::EC2::EIP": About(replaced_by=("Domain",)),
    "AWS::EC2::InternetGateway": About(),
    "AWS::EC2::NatGateway": About(replaced_by=("SubnetId", "AllocationId", "ConnectivityType")),
    "AWS::EC2::Route": About(replaced_by=("RouteTableId", "DestinationCidrBlock"), tags=None),
    "AWS::EC2::RouteTable": About(replaced_by=("VpcId",)),
    "AWS::EC2::SecurityGroup": About(replaced_by=("GroupDescription", "GroupName", "VpcId")),
    "AWS::EC2::SecurityGroupIngress": About(
        replaced_by=("CidrIp", "FromPort", "ToPort", "GroupId", "IpProtocol", "SourceSecurityGroupId"), tags=None
    ),
    "AWS::EC2::Subnet": About(replaced_by=("AvailabilityZone", "CidrBlock", "VpcId")),
    "AWS::EC2::SubnetRouteTableAssociation": About(replaced_by=("SubnetId", "RouteTableId"), tags=None),
    "AWS::EC2::VPC": About(replaced_by=("CidrBlock",)),
    "AWS::EC2::VPCGatewayAttachment": About(replaced_by=("VpcId",), tags=None),
    "AWS::EFS::FileSystem": About(replaced_by=("Encrypted", "KmsKeyId", "PerformanceMode"), tags="FileSystemTags"),
    "AWS::EFS::MountTarget": About(replaced_by=("FileSystemId", "SubnetId", "IpAddress"), tags=None),
    "AWS::IAM::ManagedPolicy": About("ManagedPolicyName", 128, replaced_by=("ManagedPolicyName", "Path"), tags=None),
    "AWS::IAM::Policy": About(tags=None),
    "AWS::IAM::Role": About("RoleName", 64, replaced_by=("RoleName", "Path")),
    "AWS::IAM::InstanceProfile": About("InstanceProfileName", 128, replaced_by=("InstanceProfileName", "Path"),
                                       tags=None),
    "AWS::Lambda::Function": About("FunctionName", 64, replaced_by=("FunctionName", "PackageType")),
    "AWS::S3::Bucket": About("BucketName", 63, lower=True, replaced_by=("BucketName",), own_tags=False),
    "AWS::SNS::Topic": About("TopicName", 251, replaced_by=("TopicName", "FifoTopic")),
    "AWS::SQS::Queue": About("QueueName", 75, replaced_by=("QueueName", "FifoQueue")),
}  # fmt: skip
_PLAIN = About(tags=None)


def about(kind: str) -> About:
    """What is known of a type."""
    return ABOUT.get(kind, _PLAIN)


async def create(work: Work) -> None:
    """Makes the resource, or waits for the one that is being made since before a kill."""
    name = work.record.setdefault("_hidden", f"{HIDDEN}{work.stack['StackName'][:60]}-{work.record['_seed']}")
    work.cfn.keep_resource(work.record)
    there = await _look(work, name)
    if there and there["StackStatus"] == "CREATE_IN_PROGRESS" and not await _ends(work, name):
        await _remove(work, there["StackId"])
        there = None
    if there is None:
        await _call(work, "CreateStack", StackName=name, OnFailure="DO_NOTHING", **_wanted(work))
    await _finish(work, name)


async def update(work: Work) -> None:
    """Changes the resource; the backend may put a new one in its place."""
    name = work.record["_hidden"]
    try:
        await _call(work, "UpdateStack", StackName=name, **_wanted(work))
    except AwsError as problem:
        if "No updates are to be performed" not in problem.message:
            raise
    await _finish(work, name)


async def delete(work: Work) -> None:
    """Removes the resource with its hidden stack."""
    name = work.record.get("_hidden")
    if name is None or (found := await _look(work, name)) is None:
        return
    await _remove(work, found["StackId"])


async def _ends(work: Work, name: str) -> bool:
    """Whether a hidden stack that was being made before a kill is still worked on: a backend may have died with us."""
    for _ in range(round(RESUMED_SECONDS / LOOK_SECONDS)):
        found = await _look(work, name)
        if found is None or found["StackStatus"] != "CREATE_IN_PROGRESS":
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return False


async def _remove(work: Work, identity: str) -> None:
    await _call(work, "DeleteStack", StackName=identity)
    while (found := await _look(work, identity)) and found["StackStatus"] != "DELETE_COMPLETE":
        if found["StackStatus"] == "DELETE_FAILED":
            raise RefusedError(await _reason(work, found, "DELETE_FAILED"))
        await asyncio.sleep(LOOK_SECONDS)


async def _finish(work: Work, name: str) -> None:
    """Waits for the hidden stack, and keeps what it tells."""
    seconds = LOOK_SECONDS
    while True:
        found = await _look(work, name)
        if found is None:
            raise RefusedError("The backend has lost the resource.")
        status = found["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            break
        await asyncio.sleep(seconds)
        seconds = min(seconds * 1.2, SLOWEST_LOOK_SECONDS)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise RefusedError(await _reason(work, found, "_FAILED"))
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    names = {_key(attribute): attribute for attribute in _asked(work)}
    resources = (await _call(work, "DescribeStackResources", StackName=name))["StackResources"]
    physical = outputs.get(_REF) or resources[0]["PhysicalResourceId"]
    if physical == _PLACEHOLDER and _PLACEHOLDER_REASON in await _reason(work, found, "_COMPLETE"):
        raise RefusedError(f"Unrecognized resource type {work.record['ResourceType']}: the backend does not have it.")
    known = {name: work.properties.get(name, physical) for name in work.used - _asked(work)}
    work.made(physical, **known, **{names[key]: value for key, value in outputs.items() if key in names})


def _wanted(work: Work) -> dict[str, Any]:
    known = about(work.record["ResourceType"])
    properties = dict(work.properties)
    if known.name and properties.get(known.name) is None:
        name = work.name(known.most, lower=known.lower)
        fifo = any(str(properties.get(key, "")).lower() == "true" for key in ("FifoQueue", "FifoTopic"))
        properties[known.name] = f"{work.name(known.most - 5)}.fifo" if fifo else name
    tags = [one for one in work.tags() if known.own_tags or not one["Key"].startswith("aws:")]
    if known.tags:
        own = [one for one in properties.get(known.tags) or [] if isinstance(one, dict)]
        keys = {one.get("Key") for one in own}
        properties[known.tags] = own + [one for one in tags if one["Key"] not in keys]
    resource = {"Type": work.record["ResourceType"], "Properties": properties}
    outputs: dict[str, Any] = {_REF: {"Value": {"Ref": work.logical}}}
    for attribute in sorted(_asked(work)):
        outputs[_key(attribute)] = {"Value": {"Fn::GetAtt": [work.logical, attribute]}}
    template = {"Resources": {work.logical: resource}, "Outputs": outputs}
    return {
        "TemplateBody": json.dumps(template),
        "Capabilities": _CAPABILITIES,
        "Tags": work.stack.get("Tags", []),
    }


def _asked(work: Work) -> frozenset[str]:
    """The attributes that the backend is asked for: none that is a property that was given, or the physical id."""
    identity = f"{work.record['ResourceType'].rpartition('::')[2]}Id".lower()
    given = {name for name, value in work.properties.items() if isinstance(value, str | int | float)}
    return frozenset(name for name in work.used if name not in given and name.lower() != identity)


def _key(attribute: str) -> str:
    return f"Att{attribute.replace('.', 'Dot')}"


async def _look(work: Work, name: str) -> dict[str, Any] | None:
    """The hidden stack, if there is one."""
    try:
        return (await _call(work, "DescribeStacks", StackName=name))["Stacks"][0]
    except AwsError as problem:
        if "does not exist" in problem.message:
            return None
        raise


async def _reason(work: Work, found: dict[str, Any], status: str) -> str:
    """Why the backend could not do it."""
    events = (await _call(work, "DescribeStackEvents", StackName=found["StackId"]))["StackEvents"]
    for event in events:
        if event["LogicalResourceId"] == work.logical and event["ResourceStatus"].endswith(status):
            return event.get("ResourceStatusReason", "")
    return found.get("StackStatusReason") or "The backend could not do this and does not say why."


async def _call(work: Work, operation: str, **parameters: Any) -> dict[str, Any]:
    return await backend.call(work.cfn.backend, operation, work.region, **parameters)


async def supported(cfn: CloudFormation, region: str, kinds: list[str]) -> None:
    """Refuses the types that the backend does not have, if it says so before it makes anything. LocalStack does not;
    there a resource of such a type fails.

    Raises:
        AwsError: ValidationError, naming them.
    """
    if kinds:
        resources = {f"R{number}": {"Type": kind} for number, kind in enumerate(kinds)}
        template = json.dumps({"Resources": resources})
        await backend.call(cfn.backend, "ValidateTemplate", region, TemplateBody=template)
