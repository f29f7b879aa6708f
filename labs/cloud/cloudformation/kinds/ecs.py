"""`AWS::ECS::*`.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ECS.html
"""

import asyncio
import time
from typing import Any

from labs.cloud.cloudformation.kinds import properties
from labs.cloud.cloudformation.kinds.kind import Kind, Work, gone, handler_reason
from labs.cloud.cloudformation.kinds.properties import RefusedError, translate
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError

LOOK_SECONDS = 0.25
# CloudFormation waits three hours for a service.
# https://repost.aws/knowledge-center/cloudformation-ecs-service-stabilize
STEADY_SECONDS = clock.lesson(3 * 3600.0)

_CLUSTER = properties.inputs("ecs", "CreateCluster")
_CLUSTER_NAMES = {"settings": "ClusterSettings"}
_DEFINITION = properties.inputs("ecs", "RegisterTaskDefinition")
_SERVICE = properties.without(
    properties.inputs("ecs", "CreateService", "UpdateService"), "clientToken", "forceNewDeployment", "service"
)
_SERVICE_NAMES = {"placementStrategy": "PlacementStrategies"}
_PROVIDER = properties.inputs("ecs", "CreateCapacityProvider")
_ASSOCIATION = properties.inputs("ecs", "PutClusterCapacityProviders")


def _known(members: dict[str, Any], renamed: dict[str, str] | None = None) -> frozenset[str]:
    return frozenset(properties.named(name, {**properties.RENAMED, **(renamed or {})}) for name in members)


async def _create_cluster(work: Work) -> None:
    wanted = translate(work.properties, _CLUSTER, renamed=_CLUSTER_NAMES)
    wanted.setdefault("clusterName", work.name())
    wanted["tags"] = work.tags(key="key", value="value")
    if not work.physical:
        there = await work.call("ecs", "DescribeClusters", clusters=[wanted["clusterName"]])
        if any(
            one["status"] == "ACTIVE" for one in there["clusters"]
        ):  # CreateCluster would return it and not complain
            raise AwsError("AlreadyExistsException", f"{wanted['clusterName']} already exists")
        made = (await work.call("ecs", "CreateCluster", **wanted))["cluster"]
        work.made(made["clusterName"], Arn=made["clusterArn"])


async def _update_cluster(work: Work) -> None:
    wanted = translate(work.properties, _CLUSTER, renamed=_CLUSTER_NAMES)
    if work.changed("ClusterSettings", "Configuration", "ServiceConnectDefaults"):
        keys = ("settings", "configuration", "serviceConnectDefaults")
        settings = {key: wanted[key] for key in keys if key in wanted}
        if settings:
            await work.call("ecs", "UpdateCluster", cluster=work.physical, **settings)
    if work.changed("CapacityProviders", "DefaultCapacityProviderStrategy"):
        await work.call(
            "ecs",
            "PutClusterCapacityProviders",
            cluster=work.physical,
            capacityProviders=wanted.get("capacityProviders", []),
            defaultCapacityProviderStrategy=wanted.get("defaultCapacityProviderStrategy", []),
        )
    await _retag(work, work.record["_attributes"]["Arn"])


async def _delete_cluster(work: Work) -> None:
    await gone(work, "ecs", "DeleteCluster", cluster=work.physical)


async def _register(work: Work) -> None:
    wanted = translate(work.properties, _DEFINITION)
    wanted.setdefault("family", work.name())
    wanted["tags"] = work.tags(key="key", value="value")
    if not work.physical:
        made = (await work.call("ecs", "RegisterTaskDefinition", **wanted))["taskDefinition"]
        work.made(made["taskDefinitionArn"], TaskDefinitionArn=made["taskDefinitionArn"])


async def _update_definition(work: Work) -> None:
    await _retag(work, work.physical)


async def _deregister(work: Work) -> None:
    try:
        await work.call("ecs", "DeregisterTaskDefinition", taskDefinition=work.physical)
    except AwsError as problem:
        if problem.code != "ClientException":  # it is INACTIVE already
            raise


async def _create_service(work: Work) -> None:
    wanted = _wanted_service(work)
    wanted.setdefault("serviceName", work.name())
    if wanted.get("schedulingStrategy", "REPLICA") == "REPLICA":
        wanted.setdefault("desiredCount", 1)
    if not work.physical:
        made = (await work.call("ecs", "CreateService", **wanted, tags=work.tags(key="key", value="value")))["service"]
        work.made(made["serviceArn"], Name=made["serviceName"], ServiceArn=made["serviceArn"])
    await _steady(work)


async def _update_service(work: Work) -> None:
    wanted = _wanted_service(work)
    changeable = properties.inputs("ecs", "UpdateService")
    wanted = {key: value for key, value in wanted.items() if key in changeable and key != "cluster"}
    if not work.changed("DesiredCount"):
        wanted.pop("desiredCount", None)  # auto scaling may have set another one
    if not work.changed("TaskDefinition"):
        wanted.pop("taskDefinition", None)
    for name in ("serviceRegistries", "loadBalancers", "placementConstraints", "placementStrategy"):
        was = properties.named(name, _SERVICE_NAMES)
        if was in work.before and name not in wanted:
            wanted[name] = []
    if work.changed("ForceNewDeployment"):
        force = work.properties.get("ForceNewDeployment") or {}
        wanted["forceNewDeployment"] = str(force.get("EnableForceNewDeployment", "false")).lower() == "true"
    await work.call("ecs", "UpdateService", cluster=_cluster(work), service=work.physical, **wanted)
    await _retag(work, work.physical)
    await _steady(work)


async def _delete_service(work: Work) -> None:
    """Deletes a service and waits until its last task is gone, for what they use is deleted next."""
    cluster = _cluster(work)
    await gone(work, "ecs", "DeleteService", cluster=cluster, service=work.physical, force=True)
    while True:
        try:
            found = (await work.call("ecs", "DescribeServices", cluster=cluster, services=[work.physical]))["services"]
            draining = found and found[0]["status"] == "DRAINING"
            if not draining:
                return
        except AwsError:  # the cluster is gone
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _steady(work: Work) -> None:
    """Waits as CloudFormation does: until the service is steady, or its deployment has failed."""
    end = time.monotonic() + STEADY_SECONDS
    while time.monotonic() < end:
        work.go_on()
        found = (await work.call("ecs", "DescribeServices", cluster=_cluster(work), services=[work.physical]))[
            "services"
        ]
        if not found or found[0]["status"] != "ACTIVE":
            raise RefusedError(
                handler_reason(f"Resource of type 'AWS::ECS::Service' with identifier '{work.physical}' was not found.",
                               "NotFound")
            )  # fmt: skip
        service = found[0]
        begun = service["deployments"][0] if service["deployments"] else {}
        wanted = work.record.setdefault("_deployment", begun.get("id"))
        mine = next((one for one in service["deployments"] if one["id"] == wanted), None)
        if mine is None or mine.get("rolloutState") == "FAILED":
            raise RefusedError(
                handler_reason("Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.",
                               "GeneralServiceException")
            )  # fmt: skip
        over = len(service["deployments"]) == 1 and mine.get("rolloutState") == "COMPLETED"
        if over and service["runningCount"] == service["desiredCount"]:
            work.record.pop("_deployment", None)
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise RefusedError(
        handler_reason(f"Resource of type 'AWS::ECS::Service' with identifier '{work.physical}' did not stabilize.",
                       "NotStabilized")
    )  # fmt: skip


def _wanted_service(work: Work) -> dict[str, Any]:
    given = {key: value for key, value in work.properties.items() if key not in ("ForceNewDeployment", "Tags")}
    return translate(given, _SERVICE, renamed=_SERVICE_NAMES)


def _cluster(work: Work) -> str:
    """The cluster of a service that is there: its name stands in the ARN."""
    return arns.resource(work.physical).split("/")[1]


async def _create_provider(work: Work) -> None:
    wanted = translate(work.properties, _PROVIDER)
    wanted.setdefault("name", work.name())
    wanted["tags"] = work.tags(key="key", value="value")
    if not work.physical:
        made = (await work.call("ecs", "CreateCapacityProvider", **wanted))["capacityProvider"]
        work.made(made["name"], Arn=made["capacityProviderArn"])


async def _update_provider(work: Work) -> None:
    wanted = translate(work.properties, _PROVIDER)
    if work.changed("AutoScalingGroupProvider"):
        group = {
            key: value for key, value in wanted["autoScalingGroupProvider"].items() if key != "autoScalingGroupArn"
        }
        await work.call("ecs", "UpdateCapacityProvider", name=work.physical, autoScalingGroupProvider=group)
    await _retag(work, work.record["_attributes"]["Arn"])


async def _delete_provider(work: Work) -> None:
    await gone(work, "ecs", "DeleteCapacityProvider", capacityProvider=work.physical)


async def _associate(work: Work) -> None:
    wanted = translate(work.properties, _ASSOCIATION)
    await work.call("ecs", "PutClusterCapacityProviders", **wanted)
    if not work.physical:
        work.made(wanted["cluster"].rpartition("/")[2])


async def _dissociate(work: Work) -> None:
    await gone(
        work, "ecs", "PutClusterCapacityProviders",
        cluster=work.physical, capacityProviders=[], defaultCapacityProviderStrategy=[],
    )  # fmt: skip


async def _retag(work: Work, arn: str) -> None:
    """Makes the tags those of the template and the stack."""
    wanted = work.tags(key="key", value="value")
    there = (await work.call("ecs", "ListTagsForResource", resourceArn=arn))["tags"]
    if wanted != there:
        await work.call("ecs", "TagResource", resourceArn=arn, tags=wanted)
    kept = {one["key"] for one in wanted}
    before = {one["Key"] for one in work.before.get("Tags") or []} | set(work.record.get("_stack_tags", []))
    if left := sorted({one["key"] for one in there} & before - kept):
        await work.call("ecs", "UntagResource", resourceArn=arn, tagKeys=left)


KINDS = {
    "AWS::ECS::Cluster": Kind(
        service="ecs",
        known=_known(_CLUSTER, _CLUSTER_NAMES),
        create=_create_cluster,
        update=_update_cluster,
        delete=_delete_cluster,
        replaced_by=frozenset({"ClusterName"}),
        name="ClusterName",
        attributes=frozenset({"Arn"}),
    ),
    "AWS::ECS::TaskDefinition": Kind(
        service="ecs",
        known=_known(_DEFINITION),
        create=_register,
        update=_update_definition,
        delete=_deregister,
        replaced_by=_known(_DEFINITION) - {"Tags"},
        attributes=frozenset({"TaskDefinitionArn"}),
    ),
    "AWS::ECS::Service": Kind(
        service="ecs",
        known=_known(_SERVICE, _SERVICE_NAMES) | {"ForceNewDeployment"},
        create=_create_service,
        update=_update_service,
        delete=_delete_service,
        replaced_by=frozenset({"Cluster", "LaunchType", "Role", "SchedulingStrategy", "ServiceName"}),
        name="ServiceName",
        attributes=frozenset({"Name", "ServiceArn"}),
    ),
    "AWS::ECS::CapacityProvider": Kind(
        service="ecs",
        known=_known(_PROVIDER),
        create=_create_provider,
        update=_update_provider,
        delete=_delete_provider,
        replaced_by=frozenset({"Name"}),
        name="Name",
    ),
    "AWS::ECS::ClusterCapacityProviderAssociations": Kind(
        service="ecs",
        known=_known(_ASSOCIATION),
        required=("CapacityProviders", "Cluster", "DefaultCapacityProviderStrategy"),
        create=_associate,
        update=_associate,
        delete=_dissociate,
        replaced_by=frozenset({"Cluster"}),
    ),
}
