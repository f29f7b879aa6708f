"""Managed scaling with real container instances: the group grows for tasks that wait, and shrinks when it is empty.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-scaling-behavior.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html
"""

import base64
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import boto3
import instances_lab
import pytest
from auto_scaling_lab import create, described, members, remove, running, scaling, settle, template
from cloud_lab import ASLEEP, wait_until

from labs import settings

pytestmark = pytest.mark.usefixtures("local_aws")


class Place(NamedTuple):
    """A cluster, its capacity provider and that one's Auto Scaling group."""

    cluster: str
    provider: str
    group: str


def ecs() -> Any:
    return boto3.client("ecs")


@pytest.fixture(scope="module")
def profile(local_aws: object) -> str:
    return instances_lab.profile()


@pytest.fixture
def managed(profile: str) -> Iterator[Place]:
    """A cluster whose tasks go to a managed group, which has no instance yet."""
    mark = uuid.uuid4().hex[:8]
    made = Place(f"managed-{mark}", f"provider-{mark}", f"asg-{mark}")
    script = f"#!/bin/bash\necho ECS_CLUSTER={made.cluster} >> /etc/ecs/ecs.config\n"
    source = template(
        ImageId=instances_lab.ami(),
        InstanceType="t3.small",
        IamInstanceProfile={"Name": profile},
        UserData=base64.b64encode(script.encode()).decode(),
    )
    ecs().create_cluster(clusterName=made.cluster)
    create(made.group, 0, 3, LaunchTemplate={"LaunchTemplateName": source}, NewInstancesProtectedFromScaleIn=True)
    ecs().create_capacity_provider(
        name=made.provider,
        autoScalingGroupProvider={
            "autoScalingGroupArn": described(made.group)["AutoScalingGroupARN"],
            "managedScaling": {"status": "ENABLED", "targetCapacity": 100, "instanceWarmupPeriod": 0},
            "managedTerminationProtection": "ENABLED",
        },
    )
    ecs().put_cluster_capacity_providers(
        cluster=made.cluster,
        capacityProviders=[made.provider],
        defaultCapacityProviderStrategy=[{"capacityProvider": made.provider, "weight": 1}],
    )
    yield made
    for service in ecs().list_services(cluster=made.cluster)["serviceArns"]:
        ecs().delete_service(cluster=made.cluster, service=service, force=True)
    instances_lab.stop_all(made.cluster)
    remove(made.group)


def on(task: dict[str, Any], cluster: str) -> str:
    """The EC2 instance that a task is on."""
    answer = ecs().describe_container_instances(cluster=cluster, containerInstances=[task["containerInstanceArn"]])
    return answer["containerInstances"][0]["ec2InstanceId"]


def test_a_group_grows_for_a_task_and_what_stays_empty_goes_again(managed: Place) -> None:
    instances_lab.define("grows", settings.BASE_IMAGE, {"command": ASLEEP})
    task = ecs().run_task(cluster=managed.cluster, taskDefinition="grows")["tasks"][0]
    assert (task["lastStatus"], task.get("containerInstanceArn")) == ("PROVISIONING", None)
    wait_until(lambda: len(running(managed.group)) == 2, 60)
    found = instances_lab.runs(task["taskArn"], managed.cluster)
    assert found["capacityProviderName"] == managed.provider
    used = on(found, managed.cluster)
    assert used in running(managed.group)
    known = instances_lab.registered(managed.cluster)
    assert {one["capacityProviderName"] for one in known} == {managed.provider}

    def protected() -> dict[str, bool]:
        return {one["InstanceId"]: one["ProtectedFromScaleIn"] for one in members(managed.group)}

    wait_until(lambda: sorted(protected().values()) == [False, True])
    assert protected()[used]
    wait_until(lambda: running(managed.group) == {used}, 90)  # 15 minutes of a lesson, and then the empty one goes
    settle(managed.group, 1)
    assert instances_lab.task(task["taskArn"], managed.cluster)["lastStatus"] == "RUNNING"


def test_the_tasks_of_a_service_leave_an_instance_before_it_is_terminated(managed: Place) -> None:
    instances_lab.define("moves", settings.BASE_IMAGE, {"command": ASLEEP})
    ecs().create_service(cluster=managed.cluster, serviceName="moves", taskDefinition="moves", desiredCount=1)

    def tasks() -> list[dict[str, Any]]:
        arns = ecs().list_tasks(cluster=managed.cluster)["taskArns"]
        return ecs().describe_tasks(cluster=managed.cluster, tasks=arns)["tasks"] if arns else []

    wait_until(lambda: [one["lastStatus"] for one in tasks()] == ["RUNNING"], 90)
    wait_until(lambda: len(instances_lab.registered(managed.cluster)) == 2, 30)
    first = tasks()[0]
    left = on(first, managed.cluster)
    scaling().terminate_instance_in_auto_scaling_group(InstanceId=left, ShouldDecrementDesiredCapacity=True)
    wait_until(lambda: left not in running(managed.group), 60)
    now = tasks()
    assert [one["lastStatus"] for one in now] == ["RUNNING"]
    assert on(now[0], managed.cluster) != left
    events = [
        one["message"]
        for one in ecs().describe_services(cluster=managed.cluster, services=["moves"])["services"][0]["events"]
    ]
    assert any("has started 1 tasks" in text for text in events)
    assert not any("unable to" in text for text in events)
