"""Tags on what ECS has, account settings, and the attributes of container instances."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from labs import settings
from labs.cloud.ecs import attributes, tags
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request, Services
from labs.cloud.frame.signals import Signals
from labs.cloud.frame.store import Store

PREFIX = "arn:aws:ecs:us-east-1:000000000000:"
ROOT = "arn:aws:iam::000000000000:root"
USER = "arn:aws:iam::000000000000:user/me"
INSTANCE = f"{PREFIX}container-instance/default/{'a' * 32}"
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html
DEFAULTS = {
    "serviceLongArnFormat": "enabled",
    "taskLongArnFormat": "enabled",
    "containerInstanceLongArnFormat": "enabled",
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "fargateFIPSMode": "disabled",
    "tagResourceAuthorization": "on",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "defaultLogDriverMode": "non-blocking",
    "fargateEventWindows": "disabled",
}

pytestmark = pytest.mark.usefixtures("local_aws")


def refusal(operation: str, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        getattr(boto3.client("ecs"), operation)(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def refused(operation: Any, ecs: Ecs, **parameters: Any) -> str:
    """The code with which an operation refuses."""
    with pytest.raises(AwsError) as found:
        operation(ecs, Request(parameters))
    return found.value.code


@pytest.fixture
def with_instance(tmp_path: Path) -> Iterator[Ecs]:
    """ECS with a cluster `default` that has one container instance."""
    store = Store(tmp_path / "state.sqlite")
    ecs = Ecs(store, Services(), Signals(), lambda *_: None)
    cluster = f"{PREFIX}cluster/default"
    ecs.clusters.put(cluster, {"clusterArn": cluster, "clusterName": "default", "status": "ACTIVE"})
    own = [{"name": "ecs.os-type", "value": "linux"}, {"name": "ecs.capability.task-eni"}]
    ecs.container_instances.put(INSTANCE, {"clusterArn": cluster, "status": "ACTIVE", "attributes": own})
    yield ecs
    store.close()


# --- tags -------------------------------------------------------------------------------------------------------------


def made() -> dict[str, str]:
    """The ARNs of one thing of each kind."""
    ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")
    network = {"awsvpcConfiguration": {"subnets": [ec2.describe_subnets()["Subnets"][0]["SubnetId"]]}}
    cluster = ecs.create_cluster(clusterName="tagged")["cluster"]["clusterArn"]
    definition = ecs.register_task_definition(
        family="tagged",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "main", "image": settings.BASE_IMAGE, "command": ["sleep", "600"]}],
    )["taskDefinition"]["taskDefinitionArn"]
    how = {"taskDefinition": definition, "launchType": "FARGATE", "networkConfiguration": network}
    task = ecs.run_task(cluster=cluster, **how)["tasks"][0]["taskArn"]
    service = ecs.create_service(cluster=cluster, serviceName="tagged", desiredCount=0, **how)["service"]["serviceArn"]
    return {"cluster": cluster, "task-definition": definition, "task": task, "service": service}


def test_tags_on_everything() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TagResource.html"""
    ecs = boto3.client("ecs")
    arns = made()
    for kind, arn in arns.items():
        assert f":{kind}/" in arn
        ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b"}])
        ecs.tag_resource(resourceArn=arn, tags=[{"key": "c", "value": "3"}, {"key": "a", "value": "one"}])
        assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [
            {"key": "a", "value": "one"}, {"key": "b", "value": ""}, {"key": "c", "value": "3"},
        ]  # fmt: skip
        ecs.untag_resource(resourceArn=arn, tagKeys=["a", "c", "no-such"])
        assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": ""}]
    described = ecs.describe_tasks(cluster="tagged", tasks=[arns["task"]], include=["TAGS"])["tasks"][0]
    assert described["tags"] == [{"key": "b", "value": ""}]


@pytest.mark.parametrize(
    ("arn", "code", "message"),
    [
        (f"{PREFIX}cluster/no-such", "ClusterNotFoundException", "Cluster not found."),
        (
            f"{PREFIX}service/tagged/no-such",
            "InvalidParameterException",
            "The specified service is inactive. Specify an active service and try again.",
        ),
        (
            f"{PREFIX}service/tagged",
            "InvalidParameterException",
            "Long arn format must be used for tagging operations",
        ),
        (
            f"{PREFIX}task/tagged/{'0' * 32}",
            "InvalidParameterException",
            "The specified task is stopped. Specify a running task and try again.",
        ),
        (f"{PREFIX}task-definition/no-such:1", "InvalidParameterException", None),
        (f"{PREFIX}container-instance/tagged/x", "InvalidParameterException", None),
        (f"{PREFIX}capacity-provider/x", "InvalidParameterException", None),
        (f"{PREFIX}planet/x", "InvalidParameterException", None),
        ("cluster/tagged", "InvalidParameterException", None),
        ("", "InvalidParameterException", None),
    ],
)
def test_what_cannot_be_tagged(arn: str, code: str, message: str | None) -> None:
    for operation, more in (
        ("tag_resource", {"tags": [{"key": "a"}]}),
        ("untag_resource", {"tagKeys": ["a"]}),
        ("list_tags_for_resource", {}),
    ):
        found = refusal(operation, resourceArn=arn, **more)
        assert found[0] == code
        assert found[1] == message or message is None


def test_tags_that_are_refused_change_nothing() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html"""
    ecs = boto3.client("ecs")
    first = [{"key": f"k{number}", "value": ""} for number in range(50)]
    arn = ecs.create_cluster(clusterName="full", tags=first)["cluster"]["clusterArn"]
    for bad in ([{"key": "k50"}], [{"key": "AWS:x"}], [{"value": "x"}], [{"key": "k1", "value": "a;b"}]):
        assert refusal("tag_resource", resourceArn=arn, tags=bad)[0] == "InvalidParameterException"
        assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == first
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "k1", "value": "\u00e9t\u00e9 1:2/3=4+5-6@7_8.9"}])


def test_a_deleted_cluster_has_no_tags_any_more() -> None:
    ecs = boto3.client("ecs")
    arn = ecs.create_cluster(clusterName="untagged", tags=[{"key": "a"}])["cluster"]["clusterArn"]
    ecs.delete_cluster(cluster="untagged")
    assert refusal("list_tags_for_resource", resourceArn=arn)[0] == "ClusterNotFoundException"


def test_a_deregistered_definition_keeps_its_tags() -> None:
    ecs = boto3.client("ecs")
    container = {"name": "c", "image": "i", "memory": 64}
    answer = ecs.register_task_definition(family="kept", containerDefinitions=[container], tags=[{"key": "a"}])
    arn = answer["taskDefinition"]["taskDefinitionArn"]
    ecs.deregister_task_definition(taskDefinition=arn)
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": ""}]


def test_a_container_instance_can_be_tagged(with_instance: Ecs) -> None:
    tags.tag_resource(with_instance, Request({"resourceArn": INSTANCE, "tags": [{"key": "a", "value": "b"}]}))
    found = tags.list_tags_for_resource(with_instance, Request({"resourceArn": INSTANCE}))
    assert found == {"tags": [{"key": "a", "value": "b"}]}
    with_instance.container_instances[INSTANCE]["status"] = "INACTIVE"
    assert refused(tags.list_tags_for_resource, with_instance, resourceArn=INSTANCE) == "InvalidParameterException"


# --- account settings -------------------------------------------------------------------------------------------------


def test_the_defaults_of_aws() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html"""
    ecs = boto3.client("ecs", region_name="us-west-1")
    assert ecs.list_account_settings()["settings"] == []
    pages = ecs.get_paginator("list_account_settings").paginate(
        effectiveSettings=True, PaginationConfig={"PageSize": 4}
    )
    found = [setting for page in pages for setting in page["settings"]]
    assert {setting["name"]: setting["value"] for setting in found} == DEFAULTS
    assert {setting["principalArn"] for setting in found} == {ROOT}
    managed = [setting["name"] for setting in found if setting["type"] == "aws_managed"]
    assert managed == ["guardDutyActivate"]
    names = boto3.client("ecs").meta.service_model.shape_for("SettingName").enum
    assert set(names) == set(DEFAULTS)


def test_a_setting_counts_for_everybody_without_one_of_their_own() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAccountSettingDefault.html"""
    ecs = boto3.client("ecs", region_name="us-west-2")
    name = "containerInsights"

    def effective(principal: str) -> str:
        found = ecs.list_account_settings(name=name, principalArn=principal, effectiveSettings=True)["settings"]
        return found[0]["value"]

    answer = ecs.put_account_setting_default(name=name, value="enabled")["setting"]
    assert answer == {"name": name, "value": "enabled", "principalArn": ROOT, "type": "user"}
    assert (effective(ROOT), effective(USER)) == ("enabled", "enabled")
    ecs.put_account_setting(name=name, value="disabled", principalArn=USER)
    assert (effective(ROOT), effective(USER)) == ("enabled", "disabled")
    made = ecs.create_cluster(clusterName="settings")["cluster"]
    assert made["settings"] == [{"name": name, "value": "enabled"}]
    own = ecs.list_account_settings(principalArn=USER)["settings"]
    assert own == [{"name": name, "value": "disabled", "principalArn": USER, "type": "user"}]
    assert ecs.list_account_settings(name=name, value="enabled")["settings"][0]["principalArn"] == ROOT
    assert ecs.list_account_settings(name=name, value="disabled")["settings"] == []
    assert ecs.delete_account_setting(name=name, principalArn=USER)["setting"]["value"] == "disabled"
    assert effective(USER) == "enabled"
    ecs.delete_account_setting(name=name)
    assert effective(ROOT) == "disabled"
    assert boto3.client("ecs").list_account_settings(name=name)["settings"] == []


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("put_account_setting", {"name": "containerInsights", "value": "perhaps"}),
        ("put_account_setting", {"name": "fargateTaskRetirementWaitPeriod", "value": "8"}),
        ("put_account_setting", {"name": "tagResourceAuthorization", "value": "enabled"}),
        ("put_account_setting", {"name": "noSuchSetting", "value": "on"}),
        ("put_account_setting", {"name": "containerInsights", "value": "enabled", "principalArn": "me"}),
        ("put_account_setting", {"name": "guardDutyActivate", "value": "on"}),
        ("put_account_setting_default", {"name": "guardDutyActivate", "value": "on"}),
        ("delete_account_setting", {"name": "guardDutyActivate"}),
        ("list_account_settings", {"value": "enabled"}),
        ("list_account_settings", {"maxResults": 11}),
        ("list_account_settings", {"nextToken": "x"}),
    ],
)
def test_settings_that_are_refused(operation: str, parameters: dict[str, str]) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAccountSetting.html"""
    assert refusal(operation, **parameters)[0] == "InvalidParameterException"
    assert boto3.client("ecs").list_account_settings()["settings"] == []


# --- attributes -------------------------------------------------------------------------------------------------------


def test_attributes_need_a_container_instance() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html"""
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName="attributes")
    given = [{"name": "stack", "value": "test", "targetType": "container-instance", "targetId": "a" * 32}]
    for operation in ("put_attributes", "delete_attributes"):
        assert refusal(operation, cluster="attributes", attributes=given)[0] == "TargetNotFoundException"
        assert refusal(operation, cluster="no-such", attributes=given)[0] == "ClusterNotFoundException"
        assert refusal(operation, cluster="attributes", attributes=[])[0] == "InvalidParameterException"
    assert ecs.list_attributes(cluster="attributes", targetType="container-instance")["attributes"] == []
    assert refusal("list_attributes", cluster="no-such", targetType="container-instance")[0] == (
        "ClusterNotFoundException"
    )
    parameters = {"cluster": "attributes", "targetType": "container-instance", "attributeValue": "x"}
    assert refusal("list_attributes", **parameters)[0] == "InvalidParameterException"


def test_attributes(with_instance: Ecs) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListAttributes.html"""

    def listed(**more: str) -> list[tuple[str, str | None]]:
        found = attributes.list_attributes(with_instance, Request({"targetType": "container-instance", **more}))
        assert all(one["targetId"] == INSTANCE for one in found["attributes"])
        return [(one["name"], one.get("value")) for one in found["attributes"]]

    short = {"targetType": "container-instance", "targetId": "a" * 32}
    given = [{"name": "stack", "value": "test", **short}, {"name": "plain", "targetId": INSTANCE}]
    answer = attributes.put_attributes(with_instance, Request({"attributes": given}))
    assert [one["targetId"] for one in answer["attributes"]] == [INSTANCE, INSTANCE]
    attributes.put_attributes(with_instance, Request({"attributes": [{**given[0], "value": "prod"}]}))
    own = [("ecs.os-type", "linux"), ("ecs.capability.task-eni", None)]
    assert listed() == [*own, ("stack", "prod"), ("plain", None)]
    assert listed(attributeName="stack") == [("stack", "prod")]
    assert listed(attributeName="stack", attributeValue="test") == []
    gone = attributes.delete_attributes(with_instance, Request({"attributes": [{"name": "stack", **short}]}))
    assert [one["name"] for one in gone["attributes"]] == ["stack"]
    assert listed() == [*own, ("plain", None)]


def test_attributes_that_are_refused(with_instance: Ecs) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Attribute.html"""
    target = {"targetType": "container-instance", "targetId": "a" * 32}
    for bad in (
        {"name": "a b", **target},
        {"name": "n" * 129, **target},
        {"name": "a", "value": " x", **target},
        {"name": "a", "value": "x ", **target},
        {"name": "a", "value": "v" * 129, **target},
        {"name": "a", "value": "x;y", **target},
        {"name": "a"},
        {"name": "a", "targetId": "a" * 32},
        {"name": "a", "targetId": INSTANCE.replace("/default/", "/other/")},
    ):
        good = {"name": "good", "targetId": INSTANCE}
        code = refused(attributes.put_attributes, with_instance, attributes=[good, bad])
        assert code == "InvalidParameterException", bad
        assert len(with_instance.attributes) == 0
    ten = [{"name": f"a{number}", "value": "x", **target} for number in range(10)]
    attributes.put_attributes(with_instance, Request({"attributes": ten}))
    code = refused(attributes.put_attributes, with_instance, attributes=[{"name": "eleventh", **target}])
    assert code == "AttributeLimitExceededException"
    attributes.put_attributes(with_instance, Request({"attributes": [{**ten[0], "value": "y"}]}))
