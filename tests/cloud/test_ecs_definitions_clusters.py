"""Clusters: made, described, listed, changed, deleted, and the capacity providers they use.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Cluster.html
"""

import contextlib
import json
import os
import signal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cloud_lab import wait_until

from labs import settings
from labs.cloud import server
from labs.cloud.ecs import clusters
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request, Services
from labs.cloud.frame.signals import Signals
from labs.cloud.frame.store import Store

ARN = "arn:aws:ecs:us-east-1:000000000000:cluster"
PROVIDERS = ["FARGATE", "FARGATE_SPOT"]
STRATEGY = [
    {"capacityProvider": "FARGATE", "weight": 1, "base": 1},
    {"capacityProvider": "FARGATE_SPOT", "weight": 4, "base": 0},
]
INSIGHTS = [{"name": "containerInsights", "value": "enabled"}]

pytestmark = pytest.mark.usefixtures("local_aws")


def refusal(operation: str, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        getattr(boto3.client("ecs"), operation)(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def described(name: str, *include: str) -> dict[str, Any]:
    return boto3.client("ecs").describe_clusters(clusters=[name], include=list(include))["clusters"][0]


def ask(method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a plain HTTP request to the local AWS."""
    with contextlib.closing(HTTPConnection(settings.GATEWAY_HOST, settings.gateway_port(), timeout=30)) as connection:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, json.load(answer)


def test_a_cluster_without_a_name_is_the_default_one() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html"""
    ecs = boto3.client("ecs")
    assert ecs.describe_clusters()["failures"] == [{"arn": f"{ARN}/default", "reason": "MISSING"}]
    made = ecs.create_cluster()["cluster"]
    assert made == {
        "clusterArn": f"{ARN}/default",
        "clusterName": "default",
        "status": "ACTIVE",
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": 0,
        "pendingTasksCount": 0,
        "activeServicesCount": 0,
        "statistics": [],
        "tags": [],
        "settings": [{"name": "containerInsights", "value": "disabled"}],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
        "attachments": [],
    }
    (found,) = ecs.describe_clusters()["clusters"]
    assert found["clusterName"] == "default"


def test_everything_of_a_cluster_is_told_on_request_only() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html"""
    tags = [{"key": "team", "value": "a"}, {"key": "empty", "value": ""}]
    log = {"cloudWatchLogGroupName": "/exec", "cloudWatchEncryptionEnabled": False}
    configuration = {"executeCommandConfiguration": {"logging": "OVERRIDE", "logConfiguration": log}}
    boto3.client("ecs").create_cluster(
        clusterName="whole",
        tags=tags,
        settings=INSIGHTS,
        configuration=configuration,
        capacityProviders=PROVIDERS,
        defaultCapacityProviderStrategy=STRATEGY,
    )
    short = described("whole")
    assert (short["tags"], short["settings"], short["statistics"]) == ([], [], [])
    assert "configuration" not in short
    assert "attachments" not in short
    assert short["capacityProviders"] == PROVIDERS
    assert short["defaultCapacityProviderStrategy"] == STRATEGY
    whole = described(f"{ARN}/whole", "TAGS", "SETTINGS", "STATISTICS", "CONFIGURATIONS", "ATTACHMENTS")
    assert (whole["tags"], whole["settings"], whole["configuration"]) == (tags, INSIGHTS, configuration)
    assert (whole["attachments"], whole["attachmentsStatus"]) == ([], "UPDATE_COMPLETE")
    names = {one["name"] for one in whole["statistics"]}
    assert {"runningFargateTasksCount", "pendingEC2TasksCount", "activeFargateServiceCount"} <= names
    assert {one["value"] for one in whole["statistics"]} == {"0"}


def test_making_it_again_with_the_same_arguments_changes_nothing() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html"""
    ecs = boto3.client("ecs")
    first = ecs.create_cluster(clusterName="twice", settings=INSIGHTS)["cluster"]
    assert ecs.create_cluster(clusterName="twice", settings=INSIGHTS)["cluster"] == first
    assert ecs.create_cluster(clusterName="twice")["cluster"] == first
    off = [{"name": "containerInsights", "value": "disabled"}]
    assert refusal("create_cluster", clusterName="twice", settings=off) == (
        "InvalidParameterException",
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
    )
    assert described("twice", "SETTINGS")["settings"] == INSIGHTS


@pytest.mark.parametrize("name", ["a b", "a/b", "a.b", "\u00e9", "c" * 256])
def test_names(name: str) -> None:
    assert refusal("create_cluster", clusterName=name)[0] == "InvalidParameterException"
    boto3.client("ecs").create_cluster(clusterName="c" * 255)


@pytest.mark.parametrize(
    "arguments",
    [
        {"settings": [{"name": "containerInsights", "value": "yes"}]},
        {"settings": [{"name": "containerInsights"}]},
        {"settings": [{"name": "other", "value": "enabled"}]},
        {"configuration": {"executeCommandConfiguration": {"logging": "OVERRIDE"}}},
        {"configuration": {"executeCommandConfiguration": {"logging": "OVERRIDE", "logConfiguration": {}}}},
        {"configuration": {"executeCommandConfiguration": {"logConfiguration": {"s3BucketName": "b"}}}},
        {"configuration": {"executeCommandConfiguration": {"logging": "LOUD"}}},
        {"capacityProviders": ["NO_SUCH"]},
        {"capacityProviders": ["FARGATE", "FARGATE"]},
        {"defaultCapacityProviderStrategy": STRATEGY},
        {"capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": STRATEGY},
        {"capacityProviders": PROVIDERS, "defaultCapacityProviderStrategy": [STRATEGY[0], STRATEGY[0]]},
        {"capacityProviders": PROVIDERS, "defaultCapacityProviderStrategy": [{**one, "base": 1} for one in STRATEGY]},
        {"capacityProviders": PROVIDERS, "defaultCapacityProviderStrategy": [{**STRATEGY[0], "weight": 1001}]},
        {"tags": [{"key": "aws:x", "value": "y"}]},
    ],
)
def test_a_refused_cluster_is_not_made(arguments: dict[str, Any]) -> None:
    assert refusal("create_cluster", clusterName="refused", **arguments)[0] == "InvalidParameterException"
    failures = boto3.client("ecs").describe_clusters(clusters=["refused"])["failures"]
    assert failures == [{"arn": f"{ARN}/refused", "reason": "MISSING"}]


def test_the_list_has_pages_and_no_deleted_clusters() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListClusters.html"""
    ecs = boto3.client("ecs", region_name="eu-west-1")
    names = [f"list-{number}" for number in range(7)]
    for name in names:
        ecs.create_cluster(clusterName=name)
    ecs.delete_cluster(cluster="list-3")
    pages = list(ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 2}))
    listed = [arn.rpartition("/")[2] for page in pages for arn in page["clusterArns"]]
    assert listed == [name for name in names if name != "list-3"]
    assert [len(page["clusterArns"]) for page in pages] == [2, 2, 2]
    assert refusal("list_clusters", nextToken="nonsense")[0] == "InvalidParameterException"
    assert refusal("list_clusters", maxResults=101)[0] == "InvalidParameterException"


def test_regions_do_not_see_each_other() -> None:
    elsewhere = boto3.client("ecs", region_name="ap-south-1")
    made = elsewhere.create_cluster(clusterName="regional")["cluster"]
    assert made["clusterArn"] == "arn:aws:ecs:ap-south-1:000000000000:cluster/regional"
    failures = boto3.client("ecs").describe_clusters(clusters=["regional", made["clusterArn"]])["failures"]
    assert [one["reason"] for one in failures] == ["MISSING", "MISSING"]
    assert refusal("delete_cluster", cluster=made["clusterArn"]) == ("ClusterNotFoundException", "Cluster not found.")


def test_changes() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateCluster.html"""
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName="changed")
    answer = ecs.update_cluster_settings(
        cluster="changed", settings=[{"name": "containerInsights", "value": "enhanced"}]
    )
    assert answer["cluster"]["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    configuration = {"executeCommandConfiguration": {"logging": "NONE"}}
    ecs.update_cluster(cluster="changed", settings=INSIGHTS, configuration=configuration)
    whole = described("changed", "SETTINGS", "CONFIGURATIONS")
    assert (whole["settings"], whole["configuration"]) == (INSIGHTS, configuration)
    bad = {"settings": [{"name": "containerInsights", "value": "maybe"}]}
    assert refusal("update_cluster", cluster="changed", **bad)[0] == "InvalidParameterException"
    assert refusal("update_cluster_settings", cluster="changed", **bad)[0] == "InvalidParameterException"
    half = {"settings": [{"name": "containerInsights", "value": "disabled"}]}
    half |= {"configuration": {"executeCommandConfiguration": {"logging": "OVERRIDE"}}}
    assert refusal("update_cluster", cluster="changed", **half) == (
        "InvalidParameterException",
        "A CloudWatch log group name or S3 bucket name must be specified when overriding the default log "
        "configuration.",
    )
    assert described("changed", "SETTINGS", "CONFIGURATIONS") == whole
    assert refusal("update_cluster", cluster="no-such")[0] == "ClusterNotFoundException"
    assert refusal("update_cluster_settings", cluster="no-such", settings=INSIGHTS)[0] == "ClusterNotFoundException"


def test_a_deleted_cluster_can_be_described_and_made_again() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html"""
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName="gone", tags=[{"key": "a", "value": "b"}], capacityProviders=PROVIDERS)
    assert ecs.delete_cluster(cluster="gone")["cluster"]["status"] == "INACTIVE"
    left = described("gone", "TAGS")
    assert (left["status"], left["tags"], left["capacityProviders"]) == ("INACTIVE", [], [])
    assert ecs.delete_cluster(cluster="gone")["cluster"]["status"] == "INACTIVE"
    for operation, more in (
        ("update_cluster", {}),
        ("put_cluster_capacity_providers", {"capacityProviders": [], "defaultCapacityProviderStrategy": []}),
        ("list_tasks", {}),
        ("run_task", {"taskDefinition": "x"}),
    ):
        assert refusal(operation, cluster="gone", **more) == ("ClusterNotFoundException", "Cluster not found.")
    again = ecs.create_cluster(clusterName="gone")["cluster"]
    assert (again["status"], again["clusterArn"], again["tags"]) == ("ACTIVE", left["clusterArn"], [])
    assert refusal("delete_cluster", cluster="never") == ("ClusterNotFoundException", "Cluster not found.")


def test_counts_follow_a_task_and_a_cluster_with_a_task_stays() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html (errors)"""
    ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ecs.create_cluster(clusterName="counted", capacityProviders=PROVIDERS)
    sleep = {"name": "main", "image": settings.BASE_IMAGE, "command": ["sleep", "600"], "stopTimeout": 2}
    ecs.register_task_definition(
        family="counted",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[sleep],
    )
    arn = ecs.run_task(
        cluster="counted",
        taskDefinition="counted",
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
    )["tasks"][0]["taskArn"]
    wait_until(lambda: described("counted")["runningTasksCount"] == 1, 120)
    statistics = {one["name"]: one["value"] for one in described("counted", "STATISTICS")["statistics"]}
    assert (statistics["runningFargateTasksCount"], statistics["runningEC2TasksCount"]) == ("1", "0")
    assert refusal("delete_cluster", cluster="counted") == (
        "ClusterContainsTasksException",
        "The Cluster cannot be deleted while Tasks are active.",
    )
    in_use = {"capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": []}
    assert refusal("put_cluster_capacity_providers", cluster="counted", **in_use) == (
        "ResourceInUseException",
        "The specified capacity provider is in use and cannot be removed.",
    )
    ecs.stop_task(cluster="counted", task=arn)
    wait_until(lambda: ecs.describe_tasks(cluster="counted", tasks=[arn])["tasks"][0]["lastStatus"] == "STOPPED", 60)
    assert described("counted")["runningTasksCount"] == 0
    ecs.put_cluster_capacity_providers(cluster="counted", **in_use)
    assert ecs.delete_cluster(cluster="counted")["cluster"]["status"] == "INACTIVE"


def test_a_cluster_with_a_service_stays() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html (errors)"""
    ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ecs.create_cluster(clusterName="serving")
    ecs.register_task_definition(
        family="serving",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "main", "image": settings.BASE_IMAGE}],
    )
    ecs.create_service(
        cluster="serving",
        serviceName="idle",
        taskDefinition="serving",
        desiredCount=0,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
    )
    counted = described("serving", "STATISTICS")
    statistics = {one["name"]: one["value"] for one in counted["statistics"]}
    assert (counted["activeServicesCount"], statistics["activeFargateServiceCount"]) == (1, "1")
    assert refusal("delete_cluster", cluster="serving") == (
        "ClusterContainsServicesException",
        "The Cluster cannot be deleted while Services are active.",
    )
    ecs.delete_service(cluster="serving", service="idle", force=True)
    wait_until(
        lambda: ecs.describe_services(cluster="serving", services=["idle"])["services"][0]["status"] == "INACTIVE"
    )
    assert ecs.delete_cluster(cluster="serving")["cluster"]["status"] == "INACTIVE"


def test_capacity_providers_of_a_cluster() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutClusterCapacityProviders.html"""
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName="capacity")
    short = [{"capacityProvider": "FARGATE", "weight": 1}, {"capacityProvider": "FARGATE_SPOT"}]
    answer = ecs.put_cluster_capacity_providers(
        cluster="capacity", capacityProviders=PROVIDERS, defaultCapacityProviderStrategy=short
    )["cluster"]
    assert answer["capacityProviders"] == PROVIDERS
    assert answer["defaultCapacityProviderStrategy"] == [
        {"capacityProvider": "FARGATE", "weight": 1, "base": 0},
        {"capacityProvider": "FARGATE_SPOT", "weight": 0, "base": 0},
    ]
    assert described("capacity")["capacityProviders"] == PROVIDERS
    not_there = {"capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": STRATEGY}
    assert refusal("put_cluster_capacity_providers", cluster="capacity", **not_there) == (
        "InvalidParameterException",
        "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the "
        "cluster. Associate the capacity provider with the cluster and try again.",
    )
    unknown = {"capacityProviders": ["my-group"], "defaultCapacityProviderStrategy": []}
    assert refusal("put_cluster_capacity_providers", cluster="capacity", **unknown)[0] == "InvalidParameterException"
    assert described("capacity")["capacityProviders"] == PROVIDERS
    ecs.put_cluster_capacity_providers(cluster="capacity", capacityProviders=[], defaultCapacityProviderStrategy=[])
    assert described("capacity")["capacityProviders"] == []


def test_the_capacity_providers_of_aws_are_always_there() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeCapacityProviders.html"""
    ecs = boto3.client("ecs")
    found = ecs.describe_capacity_providers()["capacityProviders"]
    assert [(one["name"], one["status"], one["type"]) for one in found] == [
        (name, "ACTIVE", name) for name in PROVIDERS
    ]
    arn = found[1]["capacityProviderArn"]
    assert arn == "arn:aws:ecs:us-east-1:000000000000:capacity-provider/FARGATE_SPOT"
    answer = ecs.describe_capacity_providers(capacityProviders=[arn, "no-such"])
    assert [one["name"] for one in answer["capacityProviders"]] == ["FARGATE_SPOT"]
    assert [one["reason"] for one in answer["failures"]] == ["MISSING"]
    ecs.create_cluster(clusterName="only-spot", capacityProviders=["FARGATE_SPOT"])
    of_cluster = ecs.describe_capacity_providers(cluster="only-spot")["capacityProviders"]
    assert [one["name"] for one in of_cluster] == ["FARGATE_SPOT"]
    assert refusal("describe_capacity_providers", maxResults=11)[0] == "InvalidParameterException"


def test_at_most_100_clusters_are_described_at_once() -> None:
    names = [f"c{number}" for number in range(101)]
    assert refusal("describe_clusters", clusters=names)[0] == "InvalidParameterException"
    assert len(boto3.client("ecs").describe_clusters(clusters=names[:100])["failures"]) == 100


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("CreateCluster", b'{"clusterName": ', "SerializationException"),
        ("CreateCluster", b'{"clusterName": 7}', "SerializationException"),
        ("CreateCluster", b"[1]", "SerializationException"),
        ("DeleteCluster", b"{}", "InvalidParameterException"),
        ("MakeCluster", b"{}", "UnknownOperationException"),
    ],
)
def test_a_request_by_hand_that_is_wrong(target: str, body: bytes, code: str) -> None:
    headers = {
        "X-Amz-Target": f"AmazonEC2ContainerServiceV20141113.{target}",
        "Content-Type": "application/x-amz-json-1.1",
    }
    status, answer = ask("POST", "/", body, headers)
    assert (status, answer["__type"]) == (400, code)


def test_what_was_told_survives_a_kill() -> None:
    """Every answer is on disk before it is sent."""
    ecs = boto3.client("ecs", region_name="eu-north-1")

    def look() -> list[Any]:
        clusters = ecs.describe_clusters(clusters=["survivor"], include=["TAGS", "SETTINGS"])["clusters"]
        return [clusters, ecs.describe_task_definition(taskDefinition="survivor")["taskDefinition"]]

    ecs.put_account_setting_default(name="containerInsights", value="enhanced")
    ecs.create_cluster(clusterName="survivor", tags=[{"key": "a", "value": "b"}], capacityProviders=PROVIDERS)
    ecs.register_task_definition(family="survivor", containerDefinitions=[{"name": "c", "image": "i", "memory": 64}])
    before = look()
    os.kill(ask("GET", "/_course/health")[1]["pid"], signal.SIGKILL)
    server.ensure_running()
    assert look() == before
    made = ecs.create_cluster(clusterName="after-the-kill")["cluster"]
    assert made["settings"] == [{"name": "containerInsights", "value": "enhanced"}]


def test_a_cluster_with_an_instance_stays(tmp_path: Path) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html (errors)"""
    store = Store(tmp_path / "state.sqlite")
    ecs = Ecs(store, Services(), Signals(), lambda *_: None)
    arn = clusters.create_cluster(ecs, Request({}))["cluster"]["clusterArn"]
    ecs.container_instances.put("instance", {"clusterArn": arn, "status": "DRAINING"})
    described_there = clusters.describe_clusters(ecs, Request({}))["clusters"][0]
    assert described_there["registeredContainerInstancesCount"] == 1
    with pytest.raises(AwsError, match="active or draining") as refused:
        clusters.delete_cluster(ecs, Request({"cluster": "default"}))
    assert refused.value.code == "ClusterContainsContainerInstancesException"
    store.close()
