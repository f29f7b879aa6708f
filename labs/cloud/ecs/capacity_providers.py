"""Capacity providers: FARGATE and FARGATE_SPOT, which every account has, and how a cluster comes to use some.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/clusters.html
"""

import uuid
from collections.abc import Iterable
from typing import Any

from labs.cloud.ecs import lookup
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

FARGATE = ("FARGATE", "FARGATE_SPOT")
MOST_IN_STRATEGY = 20  # API_CreateService: "a maximum of 20 capacity providers"
MOST_DESCRIBED = 10
DRAINING_HOOK = "ecs-managed-draining-termination-hook"  # that ECS puts on Auto Scaling groups
CHANGED = "ecs-capacity-provider"  # a signal, with the provider's ARN or the cluster's


def known(ecs: Ecs, region: str) -> dict[str, dict[str, Any]]:
    """All capacity providers of a region by name: AWS's own, then the account's."""
    own = {name: _of_aws(region, name) for name in FARGATE}
    made = (one for arn, one in ecs.capacity_providers.items() if arns.region(arn) == region)
    return own | {one["name"]: one for one in made}


def check_association(ecs: Ecs, region: str, names: Iterable[str], strategy: list[dict[str, Any]]) -> None:
    """Whether a cluster can have these capacity providers and this default strategy.

    Args:
        ecs: the state.
        region: the cluster's.
        names: of the capacity providers.
        strategy: items of `capacityProvider`, `weight` and `base`.

    Raises:
        AwsError: InvalidParameterException.
    """
    names = list(names)
    providers = known(ecs, region)
    for name in names:
        if name not in providers or providers[name]["status"] != lookup.ACTIVE:
            raise AwsError(
                "InvalidParameterException",
                f"The specified capacity provider '{name}' is not in an ACTIVE state. "
                "Specify a valid capacity provider and try again.",
            )
    if len(set(names)) < len(names):
        raise AwsError("InvalidParameterException", "A capacity provider can be given only once.")
    check_strategy(names, strategy)


def check_strategy(associated: Iterable[str], strategy: list[dict[str, Any]]) -> None:
    """Whether a strategy makes sense for a cluster with these capacity providers.

    Raises:
        AwsError: InvalidParameterException.
    """
    associated = set(associated)
    if any(item["capacityProvider"] not in associated for item in strategy):
        raise AwsError(
            "InvalidParameterException",
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
            "the cluster. Associate the capacity provider with the cluster and try again.",
        )
    used = [item["capacityProvider"] for item in strategy]
    if len(set(used)) < len(used):
        raise AwsError("InvalidParameterException", "A capacity provider can be in a strategy only once.")
    if len(used) > MOST_IN_STRATEGY:
        raise AwsError(
            "InvalidParameterException", f"A strategy can have {MOST_IN_STRATEGY} capacity providers at most."
        )
    if sum(1 for item in strategy if item.get("base")) > 1:
        raise AwsError(
            "InvalidParameterException",
            "The specified capacity provider strategy contains multiple capacity providers with a base value defined. "
            "Specify only one capacity provider with a base value and try again.",
        )
    if {used_name in FARGATE for used_name in used} == {True, False}:
        raise AwsError(
            "InvalidParameterException",
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups "
            "and Fargate providers.",
        )


def full_strategy(strategy: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A strategy as AWS returns it: weight and base filled in."""
    return [
        {"capacityProvider": item["capacityProvider"], "weight": item.get("weight", 0), "base": item.get("base", 0)}
        for item in strategy
    ]


def put_cluster_capacity_providers(ecs: Ecs, request: Request) -> dict[str, Any]:
    """PutClusterCapacityProviders: the cluster has these and no others.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutClusterCapacityProviders.html
    """
    cluster = lookup.cluster(ecs, request.region, request["cluster"])
    names, strategy = request["capacityProviders"], request["defaultCapacityProviderStrategy"]
    check_association(ecs, request.region, names, strategy)
    gone = set(cluster["capacityProviders"]) - set(names)
    in_use = (
        task
        for task in ecs.tasks.values()
        if task["clusterArn"] == cluster["clusterArn"] and task["lastStatus"] != "STOPPED"
    )
    if any(task.get("capacityProviderName") in gone for task in in_use):
        raise AwsError("ResourceInUseException", "The specified capacity provider is in use and cannot be removed.")
    cluster["capacityProviders"] = list(names)
    cluster["defaultCapacityProviderStrategy"] = full_strategy(strategy)
    ecs.clusters.put(cluster["clusterArn"], cluster)
    ecs.signals.send(CHANGED, cluster["clusterArn"])
    return {"cluster": described_cluster(ecs, cluster)}


def described_cluster(ecs: Ecs, cluster: dict[str, Any]) -> dict[str, Any]:
    """A cluster with the state of its capacity providers: what ECS has put on their Auto Scaling groups.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Cluster.html
    """
    if not cluster["capacityProviders"]:
        return {**cluster, "attachments": []}
    arn = cluster["clusterArn"]
    attachments, complete = [], True
    providers = known(ecs, arns.region(arn))
    for name in cluster["capacityProviders"]:
        settings = providers.get(name, {}).get("autoScalingGroupProvider", {})
        if settings.get("managedScaling", {}).get("status") == "ENABLED":
            policy = providers[name].get("_policies", {}).get(arn, {})
            complete = complete and "targetCapacity" in policy
            if policy:
                attachments.append(_attachment("as_policy", name, "scalingPolicyName", policy["name"]))
        if settings.get("managedDraining") == "ENABLED":
            attachments.append(_attachment("managed_draining", name, "autoScalingLifecycleHookName", DRAINING_HOOK))
    status = "UPDATE_COMPLETE" if complete else "UPDATE_IN_PROGRESS"
    return {**cluster, "attachments": attachments, "attachmentsStatus": status}


def describe_capacity_providers(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DescribeCapacityProviders.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeCapacityProviders.html
    """
    providers = known(ecs, request.region)
    if request.get("cluster"):
        associated = lookup.cluster(ecs, request.region, request["cluster"])["capacityProviders"]
        providers = {name: one for name, one in providers.items() if name in associated}
    active = [name for name, one in providers.items() if one["status"] == lookup.ACTIVE]
    wanted = request.get("capacityProviders") or active
    by_arn = {one["capacityProviderArn"]: one for one in providers.values()}
    found = [providers.get(text) or by_arn.get(text) for text in wanted]
    failures = [
        {"arn": _arn(request.region, text), "reason": "MISSING"}
        for text, one in zip(wanted, found, strict=True)
        if one is None
    ]
    part, token = paging.page(
        [one for one in found if one], request.get("maxResults"), request.get("nextToken"), most=MOST_DESCRIBED
    )
    if "TAGS" not in request.get("include", []):
        part = [{**one, "tags": []} for one in part]
    return {"capacityProviders": part, "failures": failures, "nextToken": token}


def _attachment(kind: str, provider: str, member: str, value: str) -> dict[str, Any]:
    details = [{"name": "capacityProviderName", "value": provider}, {"name": member, "value": value}]
    return {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind} {provider} {value}")), "type": kind, "status": "CREATED",
            "details": details}  # fmt: skip


def _of_aws(region: str, name: str) -> dict[str, Any]:
    return {
        "capacityProviderArn": _arn(region, name),
        "name": name,
        "status": lookup.ACTIVE,
        "type": name,
        "tags": [],
    }


def _arn(region: str, text: str) -> str:
    return text if text.startswith("arn:") else arns.make("ecs", region, f"capacity-provider/{text}")


OPERATIONS = {
    "DescribeCapacityProviders": describe_capacity_providers,
    "PutClusterCapacityProviders": put_cluster_capacity_providers,
}
