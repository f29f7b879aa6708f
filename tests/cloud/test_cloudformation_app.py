"""A whole app in one template: made, answering through its load balancer, changed, deleted with nothing left."""

import contextlib
import http.client
import re
from pathlib import Path

import boto3
import pytest
from cloud_lab import ours, wait_until
from formation_lab import create, delete, formation, outputs, physical, resources, stack, story, unique, update

from labs import settings

pytestmark = pytest.mark.usefixtures("local_aws")

TEMPLATE = (Path(__file__).parent / "whole_app.yaml").read_text()


def fetch(host: str, path: str) -> tuple[int, str]:
    """What a load balancer answers through the gateway."""
    connection = http.client.HTTPConnection("127.0.0.1", settings.gateway_port(), timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def running_versions(name: str) -> set[str]:
    """The variable VERSION of the tasks that run in a stack's service."""
    ecs, cluster = boto3.client("ecs"), physical(name, "Cluster")
    arns = ecs.list_tasks(cluster=cluster, serviceName=physical(name, "Service").rpartition("/")[2])["taskArns"]
    definitions = {one["taskDefinitionArn"] for one in ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]}
    containers = [
        ecs.describe_task_definition(taskDefinition=one)["taskDefinition"]["containerDefinitions"][0]
        for one in definitions
    ]
    return {one["environment"][0]["value"] for one in containers}


def test_a_whole_app(web_image: str) -> None:
    name = unique("shop")
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name=f"/{name}/version", Value="one", Type="String")
    wanted = [
        {"ParameterKey": "Image", "ParameterValue": web_image},
        {"ParameterKey": "Version", "ParameterValue": f"/{name}/version"},
    ]
    stack_id = create(name, TEMPLATE, Parameters=wanted, Capabilities=["CAPABILITY_IAM"])

    # The service was steady before the stack was complete, so it answers at once.
    address = outputs(name)["Address"]
    status, text = fetch(address, "/hello")
    assert (status, text.split()[1]) == (200, "/hello")
    assert fetch(address, "/teapot") == (418, "short and stout")
    service = boto3.client("ecs").describe_services(
        cluster=physical(name, "Cluster"), services=[physical(name, "Service")]
    )["services"][0]
    assert (service["runningCount"], service["deployments"][0]["rolloutState"]) == (2, "COMPLETED")
    assert re.fullmatch(rf"{name}-Service-\w{{12}}", service["serviceName"])
    told = story(name)
    assert told.index("Service CREATE_COMPLETE") < told.index("Scalable CREATE_IN_PROGRESS")
    assert told.index("Listener CREATE_COMPLETE") < told.index("Service CREATE_IN_PROGRESS")
    shown = {one["ParameterKey"]: one for one in stack(name)["Parameters"]}
    assert (shown["Version"]["ParameterValue"], shown["Version"]["ResolvedValue"]) == (f"/{name}/version", "one")
    assert running_versions(name) == {"one"}
    assert boto3.client("logs").describe_log_streams(logGroupName=physical(name, "Logs"))["logStreams"]
    exported = {one["Name"]: one["Value"] for one in formation().list_exports()["Exports"]}
    assert exported[f"{name}-address"] == address

    # The second version: another parameter value replaces the task definition, the service rolls, scaling goes.
    ssm.put_parameter(Name=f"/{name}/version", Value="two", Type="String", Overwrite=True)
    before = resources(name)
    more = [{"ParameterKey": one["ParameterKey"], "UsePreviousValue": True} for one in wanted]
    more.append({"ParameterKey": "Scaled", "ParameterValue": "no"})
    update(name, Parameters=more, Capabilities=["CAPABILITY_IAM"])
    assert running_versions(name) == {"two"}
    assert fetch(address, "/again")[0] == 200
    after = resources(name)
    assert {one for one in before if one not in after} == {"Scalable", "Scaling"}
    changed = [one for one in after if after[one]["PhysicalResourceId"] != before[one]["PhysicalResourceId"]]
    assert changed == ["Task"]
    told = story(name)
    assert told.index(f"{name} UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") < told.index("Task DELETE_IN_PROGRESS")
    assert "Vpc UPDATE_IN_PROGRESS" not in told

    delete(name)
    told = story(stack_id)
    assert told.index("Service DELETE_COMPLETE") < told.index("Cluster DELETE_IN_PROGRESS")
    assert {one["ResourceStatus"] for one in resources(stack_id).values()} == {"DELETE_COMPLETE"}
    assert boto3.client("elbv2").describe_load_balancers()["LoadBalancers"] == []
    assert boto3.client("elbv2").describe_target_groups()["TargetGroups"] == []
    assert all(one["CidrBlock"] != "10.42.0.0/16" for one in boto3.client("ec2").describe_vpcs()["Vpcs"])
    assert all(not one["RoleName"].startswith(name) for one in boto3.client("iam").list_roles()["Roles"])
    assert boto3.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")[
        "ScalableTargets"
    ] == []  # fmt: skip
    wait_until(lambda: not ours("task") and not ours("load-balancer"))
    assert [one["StackName"] for one in formation().describe_stacks()["Stacks"]] == []
