"""Launch templates: what an instance of a group is launched from. They are EC2's; here they are read.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/launch-templates.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-mixed-instances-groups.html
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from labs.cloud.auto_scaling.state import INVALID
from labs.cloud.frame import aws
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record

DEFAULT = "$Default"
_REFUSED_OVERRIDES = ("WeightedCapacity", "InstanceRequirements")


class Template(NamedTuple):
    """A version of a launch template.

    Attributes:
        told: id, name and version number, as an instance tells them.
        data: the template's content.
    """

    told: dict[str, str]
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return self.told["LaunchTemplateName"]


class Plan(NamedTuple):
    """From what the next instance is launched."""

    template: Template
    instance_type: str
    spot: bool


async def read(region: str, specification: Mapping[str, str]) -> Template:
    """The version of a launch template that a specification means now.

    Args:
        region: where.
        specification: `LaunchTemplateId` or `LaunchTemplateName`, and `Version`.

    Raises:
        AwsError: ValidationError; it is ambiguous or there is none.
    """
    named = {
        name: specification[name] for name in ("LaunchTemplateId", "LaunchTemplateName") if specification.get(name)
    }
    if len(named) != 1:
        raise AwsError(
            INVALID,
            "Valid requests must contain either launchTemplateId or LaunchTemplateName",
        )
    version = specification.get("Version") or DEFAULT
    try:
        answer = await aws.call("ec2", "describe_launch_template_versions", region=region, Versions=[version], **named)
        found = answer["LaunchTemplateVersions"]
    except ClientError as problem:
        text = problem.response["Error"]["Message"]
        raise AwsError(INVALID, f"You must use a valid fully-formed launch template. {text}") from None
    if not found:
        name = next(iter(named.values()))
        text = f"The specified launch template version does not exist: {name}, version {version}."
        raise AwsError(INVALID, f"You must use a valid fully-formed launch template. {text}")
    one = found[0]
    told = {
        "LaunchTemplateId": one["LaunchTemplateId"],
        "LaunchTemplateName": one["LaunchTemplateName"],
        "Version": str(one["VersionNumber"]),
    }
    return Template(told, one.get("LaunchTemplateData", {}))


async def full(region: str, specification: Mapping[str, str]) -> dict[str, str]:
    """A specification as AWS returns it, with id, name and the version as it was asked for.

    Raises:
        AwsError: ValidationError.
    """
    template = await read(region, specification)
    return {**template.told, "Version": specification.get("Version") or DEFAULT}


async def checked(region: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a group that say what it launches, from a request that has one of them; empty if it has none.

    Raises:
        AwsError: ValidationError; there are several, or the template cannot be used.
    """
    if request.get("LaunchConfigurationName"):
        raise AwsError(INVALID, f"Launch configuration name not found - {request['LaunchConfigurationName']} not found")
    if request.get("InstanceId"):
        raise AwsError(
            INVALID,
            "The local AWS of this course makes no launch configuration from an instance. Make a launch template.",
        )
    if request.get("LaunchTemplate") and request.get("MixedInstancesPolicy"):
        raise AwsError(
            INVALID,
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or "
            "MixedInstancesPolicy parameter.",
        )
    if policy := request.get("MixedInstancesPolicy"):
        return {"MixedInstancesPolicy": await _checked_policy(region, policy), "LaunchTemplate": None}
    if not request.get("LaunchTemplate"):
        return {}
    template = await read(region, request["LaunchTemplate"])
    _require_type(template, [])
    full_one = {**template.told, "Version": request["LaunchTemplate"].get("Version") or DEFAULT}
    return {"LaunchTemplate": full_one, "MixedInstancesPolicy": None}


async def plan(group: Record, members: Iterable[Record]) -> Plan:
    """From what the next instance of a group is launched.

    Raises:
        AwsError: ValidationError; the template is gone.
    """
    region = group["_region"]
    policy = group.get("MixedInstancesPolicy")
    if not policy:
        template = await read(region, _by_id(group["LaunchTemplate"]))
        return Plan(template, template.data["InstanceType"], spot=False)
    members = list(members)
    overrides = policy["LaunchTemplate"].get("Overrides") or [{}]
    spot = _next_is_spot(policy["InstancesDistribution"], members)
    override = overrides[0]  # on demand: in the order of priority
    if spot:  # over the pools that there are
        used = Counter(one["InstanceType"] for one in members if one.get("_spot"))
        override = min(overrides, key=lambda one: used[one.get("InstanceType", "")])
    specification = (
        override.get("LaunchTemplateSpecification") or policy["LaunchTemplate"]["LaunchTemplateSpecification"]
    )
    template = await read(region, _by_id(specification))
    return Plan(template, override.get("InstanceType") or template.data["InstanceType"], spot)


def _next_is_spot(distribution: Mapping[str, Any], members: list[Record]) -> bool:
    """Whether the next instance is to be a Spot Instance, by the shares that the policy wants."""
    total = len(members) + 1
    base = distribution["OnDemandBaseCapacity"]
    above = max(0, total - base)
    wanted = min(total, base) + ceil(above * distribution["OnDemandPercentageAboveBaseCapacity"] / 100)
    return sum(not one.get("_spot") for one in members) >= wanted


async def _checked_policy(region: str, policy: Mapping[str, Any]) -> dict[str, Any]:
    launch = policy.get("LaunchTemplate") or {}
    specification = launch.get("LaunchTemplateSpecification")
    if not specification:
        raise AwsError(INVALID, "A MixedInstancesPolicy must contain a LaunchTemplateSpecification.")
    overrides = []
    for one in launch.get("Overrides", []):
        if refused := [name for name in _REFUSED_OVERRIDES if one.get(name)]:
            raise AwsError(
                INVALID, f"The local AWS of this course has no {refused[0]} in a MixedInstancesPolicy: name types."
            )
        own = one.get("LaunchTemplateSpecification")
        overrides.append({**one, **({"LaunchTemplateSpecification": await full(region, own)} if own else {})})
    template = await read(region, specification)
    _require_type(template, overrides)
    distribution = {
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandBaseCapacity": 0,
        "OnDemandPercentageAboveBaseCapacity": 100,
        "SpotAllocationStrategy": "lowest-price",
        **policy.get("InstancesDistribution", {}),
    }
    if not 0 <= distribution["OnDemandPercentageAboveBaseCapacity"] <= 100:
        raise AwsError(INVALID, "OnDemandPercentageAboveBaseCapacity must be between 0 and 100.")
    if distribution["OnDemandBaseCapacity"] < 0:
        raise AwsError(INVALID, "OnDemandBaseCapacity must not be negative.")
    spec = {**template.told, "Version": specification.get("Version") or DEFAULT}
    told = {"LaunchTemplateSpecification": spec, **({"Overrides": overrides} if overrides else {})}
    return {"LaunchTemplate": told, "InstancesDistribution": distribution}


def _require_type(template: Template, overrides: list[dict[str, Any]]) -> None:
    if not template.data.get("ImageId"):
        text = "The launch template must contain an image ID (ImageId)."
        raise AwsError(INVALID, f"You must use a valid fully-formed launch template. {text}")
    if not template.data.get("InstanceType") and not all(one.get("InstanceType") for one in overrides or [{}]):
        text = "The launch template must contain an instance type (InstanceType)."
        raise AwsError(INVALID, f"You must use a valid fully-formed launch template. {text}")


def _by_id(specification: Mapping[str, str]) -> dict[str, str]:
    return {name: specification[name] for name in ("LaunchTemplateId", "Version")}
