"""Operations on clusters.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Cluster.html
"""

from collections.abc import Iterator
from typing import Any

from labs.cloud.ecs import account_settings, capacity_providers, lookup
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, paging, tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

MOST_DESCRIBED = 100
INSIGHTS = "containerInsights"
_LAUNCH_TYPES = {"EC2": "EC2", "FARGATE": "Fargate", "EXTERNAL": "External"}
# What DescribeClusters leaves out unless `include` asks for it, and what stands in its place.
_ON_REQUEST = {"SETTINGS": "settings", "TAGS": "tags", "STATISTICS": "statistics", "ATTACHMENTS": "attachments"}


def create_cluster(ecs: Ecs, request: Request) -> dict[str, Any]:
    """CreateCluster. A second request with the same arguments answers with the cluster that is there.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html
    """
    name = request.get("clusterName") or lookup.DEFAULT_CLUSTER
    if not lookup.is_name(name):
        raise AwsError(
            "InvalidParameterException",
            "Invalid cluster name. Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens "
            "are allowed.",
        )
    asked = _asked(ecs, request)
    arn = lookup.cluster_arn(request.region, name)
    present = ecs.clusters.get(arn)
    if present and present["status"] != lookup.INACTIVE:
        if any(present.get(key) != value for key, value in asked.items()):
            raise AwsError(
                "InvalidParameterException",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            )
        return {"cluster": _whole(ecs, present)}
    record = {
        "clusterArn": arn,
        "clusterName": name,
        "status": lookup.ACTIVE,
        "settings": [{"name": INSIGHTS, "value": account_settings.effective(ecs, request.region, INSIGHTS)}],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
        "tags": [],
        **asked,
    }
    ecs.clusters.put(arn, record)
    ecs.signals.send(capacity_providers.CHANGED, arn)
    return {"cluster": _whole(ecs, record)}


def describe_clusters(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DescribeClusters, deleted ones included.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html
    """
    wanted = request.get("clusters") or [lookup.DEFAULT_CLUSTER]
    if len(wanted) > MOST_DESCRIBED:
        raise AwsError("InvalidParameterException", f"clusters can have {MOST_DESCRIBED} members at most.")
    found, failures = [], []
    for text in wanted:
        try:
            found.append(lookup.any_cluster(ecs, request.region, text))
        except AwsError:
            failures.append({"arn": lookup.cluster_arn(request.region, text), "reason": "MISSING"})
    included = request.get("include", [])
    return {"clusters": [_described(ecs, one, included) for one in found], "failures": failures}


def list_clusters(ecs: Ecs, request: Request) -> dict[str, Any]:
    """ListClusters: those that have not been deleted.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListClusters.html
    """
    found = [
        arn
        for arn, one in ecs.clusters.items()
        if one["status"] != lookup.INACTIVE and arns.region(arn) == request.region
    ]
    part, token = paging.page(found, request.get("maxResults"), request.get("nextToken"))
    return {"clusterArns": part, "nextToken": token}


def update_cluster(ecs: Ecs, request: Request) -> dict[str, Any]:
    """UpdateCluster: settings, configuration and Service Connect defaults.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateCluster.html
    """
    cluster = lookup.cluster(ecs, request.region, request["cluster"])
    cluster.update(_changes(request))
    ecs.clusters.put(cluster["clusterArn"], cluster)
    return {"cluster": _whole(ecs, cluster)}


def update_cluster_settings(ecs: Ecs, request: Request) -> dict[str, Any]:
    """UpdateClusterSettings.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateClusterSettings.html
    """
    cluster = lookup.cluster(ecs, request.region, request["cluster"])
    cluster.update(_changes(request))
    ecs.clusters.put(cluster["clusterArn"], cluster)
    return {"cluster": _whole(ecs, cluster)}


def delete_cluster(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DeleteCluster: an empty cluster becomes INACTIVE, and its tags are gone.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html
    """
    cluster = lookup.any_cluster(ecs, request.region, request["cluster"])
    if cluster["status"] == lookup.INACTIVE:
        return {"cluster": _whole(ecs, cluster)}
    refusal = "The Cluster cannot be deleted while {}."
    if any(one["status"] != lookup.INACTIVE for one in _in(ecs.service_records, cluster)):
        raise AwsError("ClusterContainsServicesException", refusal.format("Services are active"))
    if any(one["status"] != lookup.INACTIVE for one in _in(ecs.container_instances, cluster)):
        text = refusal.format("Container Instances are active or draining")
        raise AwsError("ClusterContainsContainerInstancesException", text)
    if any(one["lastStatus"] != "STOPPED" for one in _in(ecs.tasks, cluster)):
        raise AwsError("ClusterContainsTasksException", refusal.format("Tasks are active"))
    cluster.update(status=lookup.INACTIVE, tags=[], capacityProviders=[], defaultCapacityProviderStrategy=[])
    ecs.clusters.put(cluster["clusterArn"], cluster)
    return {"cluster": _whole(ecs, cluster)}


def _asked(ecs: Ecs, request: Request) -> dict[str, Any]:
    """The members of a new cluster that the request names, checked."""
    asked = _changes(request)
    providers = request.get("capacityProviders", [])
    strategy = request.get("defaultCapacityProviderStrategy", [])
    if providers or strategy:
        capacity_providers.check_association(ecs, request.region, providers, strategy)
        asked["capacityProviders"] = list(providers)
        asked["defaultCapacityProviderStrategy"] = capacity_providers.full_strategy(strategy)
    if request.get("tags"):
        asked["tags"] = tags.merge([], request["tags"], code="InvalidParameterException")
    return asked


def _changes(request: Request) -> dict[str, Any]:
    """The members that can be changed later too, as far as the request names them, checked."""
    changes: dict[str, Any] = {}
    if settings := _settings(request.get("settings", [])):
        changes["settings"] = settings
    if "configuration" in request:
        changes["configuration"] = _configuration(request["configuration"])
    if "serviceConnectDefaults" in request:
        changes["serviceConnectDefaults"] = request["serviceConnectDefaults"]
    return changes


def _settings(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The settings of a request; empty if it has none. `containerInsights` is the only one there is."""
    allowed = account_settings.SETTINGS[INSIGHTS].values
    for setting in given:
        if setting.get("name") != INSIGHTS or setting.get("value") not in allowed:
            raise AwsError(
                "InvalidParameterException",
                f"The cluster setting {setting.get('name')} with the value {setting.get('value')} is not valid. "
                f"Valid values of {INSIGHTS}: {', '.join(allowed)}.",
            )
    return [{"name": INSIGHTS, "value": given[-1]["value"]}] if given else []


def _configuration(given: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a request.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ExecuteCommandConfiguration.html
    """
    command = given.get("executeCommandConfiguration", {})
    log = command.get("logConfiguration", {})
    overrides = command.get("logging") == "OVERRIDE"
    if overrides and not (log.get("cloudWatchLogGroupName") or log.get("s3BucketName")):
        raise AwsError(
            "InvalidParameterException",
            "A CloudWatch log group name or S3 bucket name must be specified when overriding the default log "
            "configuration.",
        )
    if log and not overrides:
        raise AwsError(
            "InvalidParameterException",
            "You must set logging to 'OVERRIDE' when you supply a log configuration.",
        )
    return given


def _described(ecs: Ecs, cluster: dict[str, Any], included: list[str]) -> dict[str, Any]:
    whole = _whole(ecs, cluster)
    if "STATISTICS" in included:
        whole["statistics"] = _statistics(ecs, cluster)
    for word, member in _ON_REQUEST.items():
        if word not in included:
            whole[member] = []
    if "ATTACHMENTS" not in included:
        whole.pop("attachments")
        whole.pop("attachmentsStatus", None)
    if "CONFIGURATIONS" not in included:
        whole.pop("configuration", None)
    return whole


def _whole(ecs: Ecs, cluster: dict[str, Any]) -> dict[str, Any]:
    """A cluster with its counts as they are now."""
    tasks = list(_in(ecs.tasks, cluster))
    return {
        **capacity_providers.described_cluster(ecs, cluster),
        "registeredContainerInstancesCount": sum(
            one["status"] in ("ACTIVE", "DRAINING") for one in _in(ecs.container_instances, cluster)
        ),
        "runningTasksCount": sum(map(_is_running, tasks)),
        "pendingTasksCount": sum(map(_is_pending, tasks)),
        "activeServicesCount": sum(one["status"] == lookup.ACTIVE for one in _in(ecs.service_records, cluster)),
        "statistics": [],
    }


def _statistics(ecs: Ecs, cluster: dict[str, Any]) -> list[dict[str, str]]:
    """The counts by launch type. A capacity provider of Fargate counts as Fargate."""
    tasks = list(_in(ecs.tasks, cluster))
    services = list(_in(ecs.service_records, cluster))
    found: dict[str, int] = {}
    for launch_type, name in _LAUNCH_TYPES.items():
        here = [one for one in tasks if one.get("launchType") == launch_type]
        found[f"running{name}TasksCount"] = sum(map(_is_running, here))
        found[f"pending{name}TasksCount"] = sum(map(_is_pending, here))
        owned = [one for one in services if _launch_type(one) == launch_type]
        found[f"active{name}ServiceCount"] = sum(one["status"] == lookup.ACTIVE for one in owned)
        found[f"draining{name}ServiceCount"] = sum(one["status"] == "DRAINING" for one in owned)
    return [{"name": name, "value": str(count)} for name, count in found.items()]


def _launch_type(service: dict[str, Any]) -> str:
    strategy = service.get("capacityProviderStrategy") or []
    if any(item["capacityProvider"] in capacity_providers.FARGATE for item in strategy):
        return "FARGATE"
    return service.get("launchType", "EC2")


def _is_running(task: dict[str, Any]) -> bool:
    return task["lastStatus"] == "RUNNING"


def _is_pending(task: dict[str, Any]) -> bool:
    return task["lastStatus"] in ("PROVISIONING", "PENDING", "ACTIVATING")


def _in(table: Any, cluster: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The records of a table that belong to a cluster."""
    return (one for one in table.values() if one["clusterArn"] == cluster["clusterArn"])


OPERATIONS = {
    "CreateCluster": create_cluster,
    "DeleteCluster": delete_cluster,
    "DescribeClusters": describe_clusters,
    "ListClusters": list_clusters,
    "UpdateCluster": update_cluster,
    "UpdateClusterSettings": update_cluster_settings,
}
