"""Operations on container instances.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerInstance.html
"""

import hashlib
import uuid
from collections.abc import Iterable
from typing import Any

from labs import settings
from labs.cloud.ecs import (
    capacity,
    group_providers,
    instance_profile,
    instance_state,
    lookup,
    query_language,
    task_state,
)
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, clock, identity, paging, tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

INVALID = "InvalidParameterException"
MOST_DESCRIBED = 100
MOST_CHANGED = 10
STATES = ("ACTIVE", "DRAINING")
Record = dict[str, Any]


async def register(ecs: Ecs, request: Request) -> dict[str, Any]:
    """RegisterContainerInstance: what the agent calls. An instance that is known keeps its ARN and its tasks.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterContainerInstance.html
    """
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    text, signature = request.get("instanceIdentityDocument"), request.get("instanceIdentityDocumentSignature")
    if not text or not signature:
        raise AwsError("ClientException", "Instance identity document and signature are required.")
    facts = identity.read(text, signature)
    if facts is None:
        raise AwsError("ClientException", "Instance identity document signature is invalid.")
    instance = await instance_profile.describe(request.region, facts["instanceId"])
    if instance is None or instance["State"]["Name"] not in ("pending", "running"):
        raise AwsError("ClientException", f"The instance {facts['instanceId']} is not running.")
    await instance_profile.require(request.region, instance, cluster["clusterArn"])
    present = _known(ecs, cluster, facts["instanceId"])
    now = clock.now()
    record = {
        "containerInstanceArn": present["containerInstanceArn"] if present else _new_arn(request.region, cluster),
        "clusterArn": cluster["clusterArn"],
        "ec2InstanceId": facts["instanceId"],
        "version": 0,
        "status": present["status"] if present else lookup.ACTIVE,
        "registeredAt": present["registeredAt"] if present else now,
        "registeredResources": [_resource(one) for one in request.get("totalResources", [])],
        "versionInfo": request.get("versionInfo", {}),
        "agentConnected": bool(present and present["agentConnected"]),
        "attributes": request.get("attributes", []),
        "attachments": [],
        "tags": tags.merge(present["tags"] if present else [], request.get("tags", []), code=INVALID),
        "_vcpus": _vcpus(request),
        "_vpc": instance.get("VpcId", ""),
        "_signature": hashlib.sha256(signature.encode()).hexdigest(),  # by which the agent is known afterwards
        **({"version": present["version"], "_boot": present.get("_boot")} if present else {}),
    }
    if present and "capacityProviderName" in present:
        record["capacityProviderName"] = present["capacityProviderName"]
    if provider := group_providers.of_instance(ecs, request.region, instance):
        record["capacityProviderName"] = provider
    for other in list(ecs.container_instances.values()):  # an instance is in one cluster
        if other["ec2InstanceId"] == facts["instanceId"] and other["clusterArn"] != cluster["clusterArn"]:
            instance_state.forget(ecs, other, f"Host EC2 (instance {facts['instanceId']}) registered elsewhere.")
    instance_state.changed(ecs, record)
    return {"containerInstance": shown(ecs, record)}


def deregister(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DeregisterContainerInstance. Its tasks are then nobody's; those of services are replaced elsewhere.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterContainerInstance.html
    """
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    record = _live(ecs, cluster, request["containerInstance"])
    here = capacity.tasks_on(ecs, record["containerInstanceArn"])
    if here and not request.get("force"):
        raise AwsError(INVALID, "Found running tasks on the instance.")
    answer = shown(ecs, record)
    instance_state.forget(ecs, record, "Container instance was deregistered.")
    return {"containerInstance": {**answer, "status": lookup.INACTIVE, "agentConnected": False}}


def describe(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DescribeContainerInstances."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    wanted = request["containerInstances"]
    if not 1 <= len(wanted) <= MOST_DESCRIBED:
        raise AwsError(INVALID, "Container instances must have between 1 and 100 members.")
    found, failures = [], []
    for text in wanted:
        arn = lookup.container_instance_arn(cluster, text)
        if arn in ecs.container_instances:
            found.append(shown(ecs, ecs.container_instances[arn], request.get("include", [])))
        else:
            failures.append({"arn": arn, "reason": "MISSING"})
    return {"containerInstances": found, "failures": failures}


def list_instances(ecs: Ecs, request: Request) -> dict[str, Any]:
    """ListContainerInstances: those of a status, ACTIVE and DRAINING by default, that an expression means."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    status = request.get("status")
    wanted = [
        one
        for one in ecs.container_instances.values()
        if one["clusterArn"] == cluster["clusterArn"] and one["status"] in ((status,) if status else STATES)
    ]
    if request.get("filter"):
        try:
            fits = query_language.parse(request["filter"])
        except query_language.QueryError as problem:
            raise AwsError(INVALID, f"Invalid filter expression: {problem}") from None
        wanted = [one for one in wanted if fits(capacity.view(ecs, one).subjects())]
    listed = [one["containerInstanceArn"] for one in wanted]
    part, token = paging.page(listed, request.get("maxResults"), request.get("nextToken"))
    return {"containerInstanceArns": part, "nextToken": token}


def update_state(ecs: Ecs, request: Request) -> dict[str, Any]:
    """UpdateContainerInstancesState: DRAINING, or ACTIVE again. Services see to their own tasks; others stay.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html
    """
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    if request["status"] not in STATES:
        raise AwsError(INVALID, "Container instance status must be one of [ACTIVE, DRAINING].")
    wanted = request["containerInstances"]
    if not 1 <= len(wanted) <= MOST_CHANGED:
        raise AwsError(INVALID, f"Container instances must have between 1 and {MOST_CHANGED} members.")
    found, failures = [], []
    for text in wanted:
        arn = lookup.container_instance_arn(cluster, text)
        record = ecs.container_instances.get(arn)
        if record is None:
            failures.append({"arn": arn, "reason": "MISSING"})
        elif record["status"] not in STATES:
            failures.append({"arn": arn, "reason": "INACTIVE"})
        else:
            if record["status"] != request["status"]:
                record["status"] = request["status"]
                instance_state.changed(ecs, record)
            found.append(shown(ecs, record))
    return {"containerInstances": found, "failures": failures}


def update_agent(ecs: Ecs, request: Request) -> dict[str, Any]:
    """UpdateContainerAgent: the agent comes with the AMI and is the newest one there is.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerAgent.html
    """
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    record = _live(ecs, cluster, request["containerInstance"])
    version = record["versionInfo"].get("agentVersion", "")
    raise AwsError("NoUpdateAvailableException", f"There is no update available for your container agent: {version}.")


def discover_poll_endpoint(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DiscoverPollEndpoint: where the agent keeps in touch with ECS."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    record = _live(ecs, cluster, request.get("containerInstance") or "")
    name = arns.resource(record["containerInstanceArn"]).partition("/")[2]
    endpoint = f"http://{settings.RELAY_ADDRESS}/ecs-agent/{request.region}/{name}"
    return {"endpoint": endpoint, "telemetryEndpoint": endpoint}


def shown(ecs: Ecs, record: Record, include: Iterable[str] = ()) -> Record:
    """A container instance as it is told: with what is left of it now, and how many tasks it has."""
    here = capacity.tasks_on(ecs, record["containerInstanceArn"])
    arn = record["containerInstanceArn"]
    custom = ecs.attributes[arn]["attributes"] if arn in ecs.attributes else []
    kept = [{key: one[key] for key in ("name", "value") if key in one} for one in custom]
    found = {
        **record,
        "attributes": [*record["attributes"], *kept],
        "remainingResources": capacity.remaining(ecs, record),
        "runningTasksCount": sum(task["lastStatus"] == task_state.RUNNING for task in here),
        "pendingTasksCount": sum(task["lastStatus"] in task_state.STARTING for task in here),
    }
    if "CONTAINER_INSTANCE_HEALTH" in include:
        status = "OK" if record["agentConnected"] else "IMPAIRED"
        detail = {"type": "CONTAINER_RUNTIME", "status": status, "lastUpdated": clock.now()}
        found["healthStatus"] = {"overallStatus": status, "details": [detail]}
    found.pop("clusterArn")
    return found if "TAGS" in include else {**found, "tags": []}


def _live(ecs: Ecs, cluster: Record, text: str) -> Record:
    """A container instance that has not been deregistered."""
    found = lookup.container_instance(ecs, cluster, text)
    if found["status"] == lookup.INACTIVE:
        raise AwsError(INVALID, "The referenced container instance was not found.")
    return found


def _known(ecs: Ecs, cluster: Record, instance: str) -> Record | None:
    """The record of an EC2 instance in a cluster, if it is registered there."""
    return next(
        (
            one
            for one in ecs.container_instances.values()
            if one["ec2InstanceId"] == instance
            and one["clusterArn"] == cluster["clusterArn"]
            and one["status"] in STATES
        ),
        None,
    )


def _new_arn(region: str, cluster: Record) -> str:
    return arns.make("ecs", region, f"container-instance/{cluster['clusterName']}/{uuid.uuid4().hex}")


def _resource(one: Record) -> Record:
    return {"doubleValue": 0.0, "longValue": 0, "integerValue": 0, **one}


def _vcpus(request: Request) -> int:
    return capacity.resources(request.get("totalResources", []))["CPU"] // 1024


OPERATIONS = {
    "DeregisterContainerInstance": deregister,
    "DescribeContainerInstances": describe,
    "DiscoverPollEndpoint": discover_poll_endpoint,
    "ListContainerInstances": list_instances,
    "RegisterContainerInstance": register,
    "UpdateContainerAgent": update_agent,
    "UpdateContainerInstancesState": update_state,
}
