"""Capacity providers over Auto Scaling groups: CreateCapacityProvider, UpdateCapacityProvider, DeleteCapacityProvider.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/asg-capacity-providers.html
"""

import re
from collections.abc import Mapping
from typing import Any

from labs.cloud.ecs import lookup
from labs.cloud.ecs.capacity_providers import CHANGED, FARGATE, known
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

INVALID = "InvalidParameterException"
ENABLED, DISABLED = "ENABLED", "DISABLED"
MANAGED_TAG = "AmazonECSManaged"  # ECS puts it on the group, and the group on its instances
GROUP_TAG = "aws:autoscaling:groupName"  # Auto Scaling puts it on the instances of a group
_NAME = re.compile(r"(?!aws|ecs|fargate)[A-Za-z0-9_-]{1,255}", re.IGNORECASE)
_SCALING = {
    "status": DISABLED, "targetCapacity": 100, "minimumScalingStepSize": 1, "maximumScalingStepSize": 10000,
    "instanceWarmupPeriod": 300,
}  # fmt: skip


async def create(ecs: Ecs, request: Request) -> dict[str, Any]:
    """CreateCapacityProvider.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCapacityProvider.html
    """
    region, name = request.region, request["name"]
    if not _NAME.fullmatch(name):
        raise AwsError(
            INVALID,
            f"The specified capacity provider name '{name}' is invalid. Up to 255 letters, numbers, underscores and "
            'hyphens are allowed, and it cannot be prefixed with "aws", "ecs", or "fargate".',
        )
    if "managedInstancesProvider" in request or "autoScalingGroupProvider" not in request:
        _refuse_others(request)
    if (there := known(ecs, region).get(name)) and there["status"] == lookup.ACTIVE:
        raise AwsError(
            "ClientException",
            "The specified capacity provider already exists. To change the configuration of an existing capacity "
            "provider, update the capacity provider.",
        )
    given = request["autoScalingGroupProvider"]
    group = await _group(ecs, region, given["autoScalingGroupArn"])
    arn = group["AutoScalingGroupARN"]
    settings = {
        "autoScalingGroupArn": arn,
        "managedScaling": _scaling({}, given.get("managedScaling", {})),
        "managedTerminationProtection": given.get("managedTerminationProtection", DISABLED),
        "managedDraining": given.get("managedDraining", ENABLED),
    }
    _check(settings, group)
    for one in of_groups(ecs, region):
        if one["autoScalingGroupProvider"]["autoScalingGroupArn"] == arn:
            text = f"The Auto Scaling group {group['AutoScalingGroupName']} belongs to the capacity provider "
            raise AwsError(INVALID, f"{text}{one['name']} already.")
    provider = {
        "capacityProviderArn": arns.make("ecs", region, f"capacity-provider/{name}"),
        "name": name,
        "status": lookup.ACTIVE,
        "type": "EC2_AUTOSCALING",
        "autoScalingGroupProvider": settings,
        "tags": tags.merge([], request.get("tags", []), code=INVALID),
    }
    ecs.capacity_providers.put(provider["capacityProviderArn"], provider)
    if settings["managedScaling"]["status"] == ENABLED:
        await _mark(ecs, region, group)
    ecs.signals.send(CHANGED, provider["capacityProviderArn"])
    return {"capacityProvider": provider}


async def update(ecs: Ecs, request: Request) -> dict[str, Any]:
    """UpdateCapacityProvider: what is given.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateCapacityProvider.html
    """
    provider = _own(ecs, request.region, request["name"])
    if "autoScalingGroupProvider" not in request:
        _refuse_others(request)
    given, present = request["autoScalingGroupProvider"], provider["autoScalingGroupProvider"]
    settings = {
        **present,
        **{name: given[name] for name in ("managedTerminationProtection", "managedDraining") if name in given},
        "managedScaling": _scaling(present["managedScaling"], given.get("managedScaling", {})),
    }
    group = await _group(ecs, request.region, present["autoScalingGroupArn"])
    _check(settings, group)
    provider = {**_own(ecs, request.region, request["name"]), "autoScalingGroupProvider": settings}
    provider["updateStatus"] = "UPDATE_COMPLETE"
    ecs.capacity_providers.put(provider["capacityProviderArn"], provider)
    if settings["managedScaling"]["status"] == ENABLED:
        await _mark(ecs, request.region, group)
    ecs.signals.send(CHANGED, provider["capacityProviderArn"])
    return {"capacityProvider": provider}


def delete(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DeleteCapacityProvider. The group and its instances stay as they are.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCapacityProvider.html
    """
    provider = _own(ecs, request.region, request["capacityProvider"])
    name = provider["name"]
    for cluster in ecs.clusters.values():
        if cluster["status"] == lookup.ACTIVE and name in cluster["capacityProviders"] and _same(cluster, provider):
            raise AwsError(
                "ClientException",
                "The capacity provider cannot be deleted because it is associated with cluster: "
                f"{cluster['clusterName']}. Remove the capacity provider from the cluster and try again.",
            )
    provider = {**provider, "status": lookup.INACTIVE, "updateStatus": "DELETE_COMPLETE"}
    ecs.capacity_providers.put(provider["capacityProviderArn"], provider)
    ecs.signals.send(CHANGED, provider["capacityProviderArn"])
    return {"capacityProvider": {**provider, "status": lookup.ACTIVE, "updateStatus": "DELETE_IN_PROGRESS"}}


def of_groups(ecs: Ecs, region: str | None = None) -> list[dict[str, Any]]:
    """The capacity providers over Auto Scaling groups that are ACTIVE."""
    return [
        one
        for arn, one in ecs.capacity_providers.items()
        if one["status"] == lookup.ACTIVE and region in (None, arns.region(arn))
    ]


def group_name(provider: Mapping[str, Any]) -> str:
    """The name of a provider's Auto Scaling group."""
    return provider["autoScalingGroupProvider"]["autoScalingGroupArn"].rpartition("/")[2]


def of_instance(ecs: Ecs, region: str, instance: Mapping[str, Any]) -> str | None:
    """The name of the capacity provider of an EC2 instance: its Auto Scaling group is in a tag, if it has one."""
    tags_of_it = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    group = tags_of_it.get(GROUP_TAG)
    return next((one["name"] for one in of_groups(ecs, region) if group and group_name(one) == group), None)


def _own(ecs: Ecs, region: str, text: str) -> dict[str, Any]:
    """A capacity provider of the account's own, by name or ARN.

    Raises:
        AwsError: InvalidParameterException.
    """
    name = text.rpartition("/")[2]
    if name in FARGATE:
        text = f"The capacity provider {name} is reserved and cannot be changed or deleted."
        raise AwsError(INVALID, text)
    found = known(ecs, region).get(name)
    if found is None or found["status"] != lookup.ACTIVE:
        raise AwsError(INVALID, "The specified capacity provider does not exist. Specify a valid name and try again.")
    return found


def _refuse_others(request: Mapping[str, Any]) -> None:
    if "managedInstancesProvider" in request:
        raise AwsError(
            "UnsupportedFeatureException",
            "The local AWS of this course has no ECS Managed Instances. Use an Auto Scaling group.",
        )
    raise AwsError(INVALID, "Auto Scaling group provider cannot be blank.")


async def _group(ecs: Ecs, region: str, text: str) -> dict[str, Any]:
    """The Auto Scaling group that a request names, by ARN or name.

    Raises:
        AwsError: InvalidParameterException.
    """
    name = text.rpartition("/")[2]
    answer = await ecs.services.call("autoscaling", "DescribeAutoScalingGroups", region, AutoScalingGroupNames=[name])
    found = next(iter(answer["AutoScalingGroups"]), None)
    if found is None or text not in (name, found["AutoScalingGroupARN"]):
        raise AwsError(
            INVALID,
            "The specified Auto Scaling group ARN is invalid. Specify a valid Auto Scaling group ARN and try again.",
        )
    return found


async def _mark(ecs: Ecs, region: str, group: Mapping[str, Any]) -> None:
    tag = {"ResourceId": group["AutoScalingGroupName"], "Key": MANAGED_TAG, "Value": "", "PropagateAtLaunch": True}
    await ecs.services.call("autoscaling", "CreateOrUpdateTags", region, Tags=[tag])


def _scaling(present: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Managed scaling with its defaults.

    Raises:
        AwsError: InvalidParameterException.
    """
    scaling = {**_SCALING, **present, **given}
    if scaling["minimumScalingStepSize"] > scaling["maximumScalingStepSize"]:
        raise AwsError(
            INVALID,
            "The minimum scaling step size must not be greater than the maximum scaling step size.",
        )
    return scaling


def _check(settings: Mapping[str, Any], group: Mapping[str, Any]) -> None:
    """Whether managed termination protection can do its work.

    Raises:
        AwsError: InvalidParameterException.
    """
    if settings["managedTerminationProtection"] != ENABLED:
        return
    problem = "The managed termination protection setting for the capacity provider is invalid. "
    if settings["managedScaling"]["status"] != ENABLED:
        text = "To enable managed termination protection for a capacity provider, managed scaling must be enabled."
        raise AwsError(INVALID, problem + text)
    if not group["NewInstancesProtectedFromScaleIn"]:
        text = (
            "To enable managed termination protection for a capacity provider, the Auto Scaling group must have "
            "instance protection from scale in enabled."
        )
        raise AwsError(INVALID, problem + text)


def _same(cluster: Mapping[str, Any], provider: Mapping[str, Any]) -> bool:
    return arns.region(cluster["clusterArn"]) == arns.region(provider["capacityProviderArn"])


OPERATIONS = {
    "CreateCapacityProvider": create,
    "UpdateCapacityProvider": update,
    "DeleteCapacityProvider": delete,
}
