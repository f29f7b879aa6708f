"""Capacity providers: what they are made of, how tasks are spread over them, how they make groups grow.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-auto-scaling.html
"""

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import boto3
import pytest
from auto_scaling_lab import create, described, members, remove, running, scaling
from botocore.exceptions import ClientError
from cloud_lab import ASLEEP, network, register, wait_until
from events_lab import put_target, queue, rule, take
from events_lab import remove as remove_rule

from labs import settings
from labs.cloud import gateway

pytestmark = pytest.mark.usefixtures("local_aws")
SCALED = {"status": "ENABLED", "targetCapacity": 100}


def ecs() -> Any:
    return boto3.client("ecs")


def refused(operation: str, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        getattr(ecs(), operation)(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture
def asg() -> Iterator[str]:
    """An Auto Scaling group without instances whose new ones are protected from scale-in."""
    name = f"asg-{uuid.uuid4().hex[:8]}"
    create(name, 0, 4, NewInstancesProtectedFromScaleIn=True)
    yield name
    remove(name)


@pytest.fixture
def cluster() -> Iterator[str]:
    """A cluster. Its tasks are stopped and it is deleted afterwards."""
    name = f"cluster-{uuid.uuid4().hex[:8]}"
    ecs().create_cluster(clusterName=name)
    yield name
    for service in ecs().list_services(cluster=name)["serviceArns"]:
        ecs().delete_service(cluster=name, service=service, force=True)
    wait_until(lambda: not ecs().list_services(cluster=name)["serviceArns"])
    stop_all(name)
    ecs().put_cluster_capacity_providers(cluster=name, capacityProviders=[], defaultCapacityProviderStrategy=[])
    ecs().delete_cluster(cluster=name)


def stop_all(cluster: str) -> None:
    for arn in ecs().list_tasks(cluster=cluster)["taskArns"]:
        ecs().stop_task(cluster=cluster, task=arn)
    arns = ecs().list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
    wait_until(lambda: not arns or all(status == "STOPPED" for status in statuses(cluster, arns)))


def statuses(cluster: str, arns: list[str]) -> list[str]:
    return [task["lastStatus"] for task in ecs().describe_tasks(cluster=cluster, tasks=arns)["tasks"]]


def provider(asg: str, **more: Any) -> str:
    """A capacity provider over a group; its name."""
    name = f"provider-{uuid.uuid4().hex[:8]}"
    given = {"autoScalingGroupArn": described(asg)["AutoScalingGroupARN"], **more}
    ecs().create_capacity_provider(name=name, autoScalingGroupProvider=given)
    return name


def one(name: str) -> dict[str, Any]:
    return ecs().describe_capacity_providers(capacityProviders=[name])["capacityProviders"][0]


def on_instances(family: str, **more: Any) -> None:
    """A task definition for instances."""
    container = {
        "name": "main",
        "image": settings.BASE_IMAGE,
        "memory": 256,
        "cpu": 256,
        "command": ASLEEP,
        "stopTimeout": 2,
    }
    ecs().register_task_definition(
        family=family, requiresCompatibilities=["EC2"], containerDefinitions=[{**container, **more}]
    )


# --- the API ----------------------------------------------------------------------------------------------------------


def test_a_provider_is_made_changed_and_deleted(asg: str, cluster: str) -> None:
    name = provider(asg, managedScaling=SCALED, managedTerminationProtection="ENABLED")
    first = one(name)
    assert first["status"] == "ACTIVE" and first["type"] == "EC2_AUTOSCALING"
    assert first["autoScalingGroupProvider"] == {
        "autoScalingGroupArn": described(asg)["AutoScalingGroupARN"],
        "managedScaling": {
            "status": "ENABLED",
            "targetCapacity": 100,
            "minimumScalingStepSize": 1,
            "maximumScalingStepSize": 10000,
            "instanceWarmupPeriod": 300,
        },
        "managedTerminationProtection": "ENABLED",
        "managedDraining": "ENABLED",
    }
    assert {tag["Key"] for tag in described(asg)["Tags"]} == {"AmazonECSManaged"}
    ecs().update_capacity_provider(
        name=name, autoScalingGroupProvider={"managedScaling": {"targetCapacity": 80}, "managedDraining": "DISABLED"}
    )
    second = one(name)["autoScalingGroupProvider"]
    assert (second["managedScaling"]["targetCapacity"], second["managedScaling"]["status"]) == (80, "ENABLED")
    assert second["managedDraining"] == "DISABLED"
    ecs().put_cluster_capacity_providers(
        cluster=cluster,
        capacityProviders=[name],
        defaultCapacityProviderStrategy=[{"capacityProvider": name, "weight": 1}],
    )
    code, text = refused("delete_capacity_provider", capacityProvider=name)
    assert code == "ClientException" and f"it is associated with cluster: {cluster}" in text
    ecs().put_cluster_capacity_providers(cluster=cluster, capacityProviders=[], defaultCapacityProviderStrategy=[])
    ecs().delete_capacity_provider(capacityProvider=name)
    assert (one(name)["status"], one(name)["updateStatus"]) == ("INACTIVE", "DELETE_COMPLETE")
    listed = [each["name"] for each in ecs().describe_capacity_providers()["capacityProviders"]]
    assert name not in listed and {"FARGATE", "FARGATE_SPOT"} <= set(listed)


def test_a_provider_that_cannot_be_is_refused(asg: str) -> None:
    arn = described(asg)["AutoScalingGroupARN"]
    code, text = refused(
        "create_capacity_provider", name="aws-mine", autoScalingGroupProvider={"autoScalingGroupArn": arn}
    )
    assert code == "InvalidParameterException" and "cannot be prefixed" in text
    there = {"autoScalingGroupArn": arn.replace(asg, "nobody")}
    assert (
        refused("create_capacity_provider", name="mine", autoScalingGroupProvider=there)[0]
        == "InvalidParameterException"
    )
    protected = {"autoScalingGroupArn": arn, "managedTerminationProtection": "ENABLED"}
    _, text = refused("create_capacity_provider", name="mine", autoScalingGroupProvider=protected)
    assert "managed scaling must be enabled" in text
    scaling().update_auto_scaling_group(AutoScalingGroupName=asg, NewInstancesProtectedFromScaleIn=False)
    _, text = refused(
        "create_capacity_provider", name="mine", autoScalingGroupProvider={**protected, "managedScaling": SCALED}
    )
    assert text == (
        "The managed termination protection setting for the capacity provider is invalid. To enable managed "
        "termination protection for a capacity provider, the Auto Scaling group must have instance protection from "
        "scale in enabled."
    )
    name = provider(asg)
    again = {"name": name, "autoScalingGroupProvider": {"autoScalingGroupArn": arn}}
    assert refused("create_capacity_provider", **again)[1].startswith("The specified capacity provider already exists.")
    assert refused("delete_capacity_provider", capacityProvider="FARGATE")[0] == "InvalidParameterException"
    ecs().delete_capacity_provider(capacityProvider=name)


def test_launch_type_and_strategy_exclude_each_other(cluster: str) -> None:
    register("excluded", settings.BASE_IMAGE, command=ASLEEP, stopTimeout=2)
    ecs().put_cluster_capacity_providers(
        cluster=cluster, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[]
    )
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    asked = {"cluster": cluster, "taskDefinition": "excluded", "networkConfiguration": network()}
    code, text = refused("run_task", **asked, launchType="FARGATE", capacityProviderStrategy=strategy)
    assert code == "InvalidParameterException" and "both a launch type and capacity provider strategy" in text
    code, _ = refused("run_task", **asked, capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}])
    assert code == "InvalidParameterException"
    code, _ = refused("run_task", **asked, capacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 0}])
    assert code == "InvalidParameterException"
    assert ecs().list_tasks(cluster=cluster)["taskArns"] == []


def test_tasks_are_spread_by_base_and_weight(cluster: str) -> None:
    register("spread", settings.BASE_IMAGE, command=ASLEEP, stopTimeout=2)
    both = ["FARGATE", "FARGATE_SPOT"]
    ecs().put_cluster_capacity_providers(cluster=cluster, capacityProviders=both, defaultCapacityProviderStrategy=[])
    strategy = [
        {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 2},
    ]
    asked = {"cluster": cluster, "taskDefinition": "spread", "networkConfiguration": network()}
    made = ecs().run_task(**asked, count=4, capacityProviderStrategy=strategy)["tasks"]
    assert Counter(task["capacityProviderName"] for task in made) == {"FARGATE": 2, "FARGATE_SPOT": 2}
    stop_all(cluster)
    ecs().create_service(**asked, serviceName="spread", desiredCount=1, capacityProviderStrategy=strategy)

    def shares() -> Counter[str]:
        arns = ecs().list_tasks(cluster=cluster, serviceName="spread")["taskArns"]
        found = ecs().describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        return Counter(task["capacityProviderName"] for task in found)

    wait_until(lambda: shares() == {"FARGATE": 1})
    ecs().update_service(cluster=cluster, service="spread", desiredCount=4)
    wait_until(lambda: shares() == {"FARGATE": 2, "FARGATE_SPOT": 2})


# --- Fargate Spot -----------------------------------------------------------------------------------------------------


def interrupt(arn: str) -> tuple[int, str]:
    """Asks for the interruption of a task: the status and the message."""
    address = f"{settings.gateway_url()}{gateway.SPOT}?{urlencode({'task': arn})}"
    try:
        with urlopen(Request(address, method="POST")) as answer:  # noqa: S310
            return answer.status, json.load(answer)["message"]
    except HTTPError as problem:
        return problem.code, json.load(problem)["message"]


def test_a_task_on_spot_is_warned_and_gone_and_its_service_goes_on(cluster: str) -> None:
    command = ["sh", "-c", "trap 'echo warned; sleep 1; exit 7' TERM; sleep 600 & wait"]
    register("spot", settings.BASE_IMAGE, command=command)
    ecs().put_cluster_capacity_providers(
        cluster=cluster, capacityProviders=["FARGATE_SPOT"], defaultCapacityProviderStrategy=[]
    )
    url, queue_arn = queue()
    detail = {"clusterArn": [{"suffix": f"/{cluster}"}], "stopCode": ["SpotInterruption"]}
    wanted = rule({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": detail})
    put_target(wanted, Arn=queue_arn)
    ecs().create_service(
        cluster=cluster,
        serviceName="spot",
        taskDefinition="spot",
        desiredCount=1,
        networkConfiguration=network(),
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
    )
    try:
        wait_until(lambda: statuses(cluster, running_of(cluster)) == ["RUNNING"])
        first = running_of(cluster)[0]
        assert interrupt(first)[0] == 202
        told = json.loads(take(url)[0]["Body"])["detail"]
        assert (told["taskArn"], told["desiredStatus"]) == (first, "STOPPED")
        assert told["stoppedReason"] == "Your Spot Task was interrupted."
        wait_until(lambda: statuses(cluster, [first]) == ["STOPPED"])
        task = ecs().describe_tasks(cluster=cluster, tasks=[first])["tasks"][0]
        assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("SpotInterruption", 7)
        wait_until(lambda: statuses(cluster, running_of(cluster)) == ["RUNNING"])
        assert running_of(cluster) != [first]
        assert interrupt(first)[0] == 400
        assert interrupt("nobody")[0] == 404
    finally:
        remove_rule(wanted)


def running_of(cluster: str) -> list[str]:
    return ecs().list_tasks(cluster=cluster)["taskArns"]


def test_spot_is_gone_after_the_warning_whatever_its_stop_timeout(cluster: str) -> None:
    deaf = ["sh", "-c", "trap '' TERM; sleep 600 & wait; sleep 600"]
    register("deaf", settings.BASE_IMAGE, command=deaf, stopTimeout=120)
    ecs().put_cluster_capacity_providers(
        cluster=cluster, capacityProviders=["FARGATE_SPOT"], defaultCapacityProviderStrategy=[]
    )
    asked = {"cluster": cluster, "taskDefinition": "deaf", "networkConfiguration": network()}
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    arn = ecs().run_task(**asked, capacityProviderStrategy=strategy)["tasks"][0]["taskArn"]
    wait_until(lambda: statuses(cluster, [arn]) == ["RUNNING"])
    interrupt(arn)
    wait_until(lambda: statuses(cluster, [arn]) == ["STOPPED"], 25)
    task = ecs().describe_tasks(cluster=cluster, tasks=[arn])["tasks"][0]
    assert task["containers"][0]["exitCode"] == 137
    assert (task["stoppedAt"] - task["stoppingAt"]).total_seconds() >= 5


# --- managed scaling --------------------------------------------------------------------------------------------------


def test_a_task_without_room_waits_and_makes_the_group_grow_from_nothing(asg: str, cluster: str) -> None:
    """With no instance the reservation is 200, and the group, which counts as one, comes to two: as on AWS."""
    name = provider(asg, managedScaling=SCALED)
    ecs().put_cluster_capacity_providers(
        cluster=cluster,
        capacityProviders=[name],
        defaultCapacityProviderStrategy=[{"capacityProvider": name, "weight": 1}],
    )
    on_instances("waits")
    task = ecs().run_task(cluster=cluster, taskDefinition="waits")["tasks"][0]
    assert (task["lastStatus"], task["capacityProviderName"]) == ("PROVISIONING", name)
    wait_until(lambda: len(running(asg)) == 2)
    policy = scaling().describe_policies(AutoScalingGroupName=asg)["ScalingPolicies"][0]
    assert policy["PolicyName"].startswith("ECSManagedAutoScalingPolicy-")
    assert policy["TargetTrackingConfiguration"]["TargetValue"] == 100
    hooks = scaling().describe_lifecycle_hooks(AutoScalingGroupName=asg)["LifecycleHooks"]
    assert [hook["LifecycleHookName"] for hook in hooks] == ["ecs-managed-draining-termination-hook"]
    told = ecs().describe_clusters(clusters=[cluster], include=["ATTACHMENTS"])["clusters"][0]
    assert told["attachmentsStatus"] == "UPDATE_COMPLETE"
    assert [one["type"] for one in told["attachments"]] == ["as_policy", "managed_draining"]
    assert told["attachments"][0]["details"][1]["value"] == policy["PolicyName"]
    assert {one["ProtectedFromScaleIn"] for one in members(asg)} == {True}
    ecs().stop_task(cluster=cluster, task=task["taskArn"], reason="enough")
    wait_until(lambda: statuses(cluster, [task["taskArn"]]) == ["STOPPED"])
    ecs().put_cluster_capacity_providers(cluster=cluster, capacityProviders=[], defaultCapacityProviderStrategy=[])
    wait_until(lambda: not scaling().describe_policies(AutoScalingGroupName=asg)["ScalingPolicies"])
    ecs().delete_capacity_provider(capacityProvider=name)
