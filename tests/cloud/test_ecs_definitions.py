"""Task definitions: what is registered, described, listed, deregistered and deleted.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from labs.cloud.ecs import task_definitions
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import clock
from labs.cloud.frame.service import Request, Services
from labs.cloud.frame.signals import Signals
from labs.cloud.frame.store import Store

WEB = {"name": "web", "image": "web:1", "memory": 128}
ARN = "arn:aws:ecs:us-east-1:000000000000:task-definition"
TASK_ROLE = "arn:aws:iam::000000000000:role/app"
EXECUTION_ROLE = "arn:aws:iam::000000000000:role/ecsTaskExecutionRole"

pytestmark = pytest.mark.usefixtures("local_aws")


def register(family: str, *containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Registers a task definition; what is answered."""
    return boto3.client("ecs").register_task_definition(
        family=family, containerDefinitions=list(containers) or [WEB], **more
    )["taskDefinition"]


def refusal(operation: str, **parameters: Any) -> tuple[str, str]:
    """The code and the words with which ECS refuses something."""
    with pytest.raises(ClientError) as refused:
        getattr(boto3.client("ecs"), operation)(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_defaults_are_filled_in() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html"""
    check = {"command": ["CMD-SHELL", "true"]}
    made = register("defaults", {**WEB, "healthCheck": check, "portMappings": [{"containerPort": 80}]})
    described = boto3.client("ecs").describe_task_definition(taskDefinition="defaults")["taskDefinition"]
    assert described == made
    assert datetime.now(UTC) - described.pop("registeredAt") < timedelta(minutes=1)
    assert described == {
        "taskDefinitionArn": f"{ARN}/defaults:1",
        "family": "defaults",
        "revision": 1,
        "status": "ACTIVE",
        "volumes": [],
        "placementConstraints": [],
        "compatibilities": ["EXTERNAL", "EC2"],
        "requiresAttributes": [
            {"name": "com.amazonaws.ecs.capability.docker-remote-api.1.24"},
            {"name": "ecs.capability.container-health-check"},
        ],
        "registeredBy": "arn:aws:iam::000000000000:root",
        "containerDefinitions": [
            {
                "name": "web",
                "image": "web:1",
                "cpu": 0,
                "memory": 128,
                "essential": True,
                "portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}],
                "environment": [],
                "mountPoints": [],
                "volumesFrom": [],
                "systemControls": [],
                "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 30, "timeout": 5, "retries": 3},
            }
        ],
    }


@pytest.mark.parametrize(("mode", "port"), [("awsvpc", 80), ("host", 80), ("bridge", 0)])
def test_the_host_port_follows_the_network_mode(mode: str, port: int) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html"""
    made = register("ports", {**WEB, "portMappings": [{"containerPort": 80}]}, networkMode=mode)
    assert made["containerDefinitions"][0]["portMappings"] == [
        {"containerPort": 80, "hostPort": port, "protocol": "tcp"}
    ]
    assert made["networkMode"] == mode


def test_volumes_come_back_as_aws_writes_them() -> None:
    efs = {"name": "shared", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678"}}
    docker = {"name": "docker", "dockerVolumeConfiguration": {"labels": {"a": "b"}}}
    made = register("volumes", volumes=[{"name": "scratch"}, efs, docker])
    assert made["volumes"] == [
        {"name": "scratch", "host": {}},
        {"name": "shared", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678", "rootDirectory": "/"}},
        {"name": "docker", "dockerVolumeConfiguration": {"scope": "task", "driver": "local", "labels": {"a": "b"}}},
    ]


@pytest.mark.parametrize(
    ("cpu", "memory", "units", "mebibytes"),
    [
        ("256", "512", "256", "512"),
        (".25 vCPU", "0.5 GB", "256", "512"),
        ("1 vCPU", "2 GB", "1024", "2048"),
        ("1vcpu", "2gb", "1024", "2048"),
        ("32 VCPU", "244GB", "32768", "249856"),
    ],
)
def test_sizes_can_be_written_with_units(cpu: str, memory: str, units: str, mebibytes: str) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html"""
    made = register("units", cpu=cpu, memory=memory, networkMode="awsvpc", requiresCompatibilities=["FARGATE"])
    assert (made["cpu"], made["memory"]) == (units, mebibytes)


@pytest.mark.parametrize(
    ("members", "compatible"),
    [
        ({}, ["EXTERNAL", "EC2"]),
        ({"networkMode": "host"}, ["EXTERNAL", "EC2", "MANAGED_INSTANCES"]),
        ({"networkMode": "awsvpc"}, ["EC2", "MANAGED_INSTANCES"]),
        ({"networkMode": "awsvpc", "cpu": "256", "memory": "512"}, ["EC2", "MANAGED_INSTANCES", "FARGATE"]),
        ({"networkMode": "awsvpc", "cpu": "256", "memory": "4096"}, ["EC2", "MANAGED_INSTANCES"]),
        (
            {
                "networkMode": "awsvpc", "cpu": "256", "memory": "512",
                "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}],
            },
            ["EC2", "MANAGED_INSTANCES"],
        ),
    ],
)  # fmt: skip
def test_it_is_worked_out_what_can_run_it(members: dict[str, Any], compatible: list[str]) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html (compatibilities)"""
    made = register("compatible", **members)
    assert made["compatibilities"] == compatible
    assert "requiresCompatibilities" not in made


def test_it_is_worked_out_what_an_instance_must_have() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html"""
    log = {"awslogs-group": "/g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}
    made = register(
        "attributes",
        {
            "name": "web",
            "image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/web:1",
            "memoryReservation": 128,
            "logConfiguration": {"logDriver": "awslogs", "options": log},
            "secrets": [
                {"name": "A", "valueFrom": "/a"},
                {"name": "B", "valueFrom": "arn:aws:secretsmanager:us-east-1:000000000000:secret:b"},
            ],
            "mountPoints": [{"sourceVolume": "shared", "containerPath": "/data"}],
            "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}],
        },
        {"name": "init", "image": "init:1", "memory": 64, "essential": False},
        networkMode="awsvpc",
        taskRoleArn=TASK_ROLE,
        executionRoleArn=EXECUTION_ROLE,
        volumes=[{"name": "shared", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678"}}],
    )
    names = [attribute["name"].removeprefix("com.amazonaws.") for attribute in made["requiresAttributes"]]
    assert sorted(names) == sorted(set(names))
    assert set(names) == {
        "ecs.capability.docker-remote-api.1.17",
        "ecs.capability.docker-remote-api.1.18",
        "ecs.capability.docker-remote-api.1.19",
        "ecs.capability.docker-remote-api.1.21",
        "ecs.capability.docker-remote-api.1.25",
        "ecs.capability.task-eni",
        "ecs.capability.task-iam-role",
        "ecs.capability.efs",
        "ecs.capability.ecr-auth",
        "ecs.capability.execution-role-ecr-pull",
        "ecs.capability.logging-driver.awslogs",
        "ecs.capability.execution-role-awslogs",
        "ecs.capability.secrets.ssm.environment-variables",
        "ecs.capability.secrets.asm.environment-variables",
        "ecs.capability.container-ordering",
    }


def test_revisions_count_on_whatever_happened_to_the_earlier_ones() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html"""
    ecs = boto3.client("ecs")
    assert [register("counted")["revision"] for _ in range(3)] == [1, 2, 3]
    ecs.deregister_task_definition(taskDefinition="counted:3")
    ecs.delete_task_definitions(taskDefinitions=["counted:3"])
    for revision in (1, 2):
        ecs.deregister_task_definition(taskDefinition=f"counted:{revision}")
    assert register("counted")["revision"] == 4
    assert register("counted-2")["revision"] == 1
    assert (
        boto3.client("ecs", region_name="eu-west-1")
        .register_task_definition(family="counted", containerDefinitions=[WEB])["taskDefinition"]["taskDefinitionArn"]
        .endswith(":task-definition/counted:1")
    )


def test_a_family_stands_for_its_latest_active_revision() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html"""
    ecs = boto3.client("ecs")
    for _ in range(11):  # 9 and 10 are in the order of numbers, not of letters
        register("latest")
    ecs.deregister_task_definition(taskDefinition="latest:11")
    for text in ("latest", f"{ARN}/latest", "latest:10", f"{ARN}/latest:10"):
        assert ecs.describe_task_definition(taskDefinition=text)["taskDefinition"]["revision"] == 10
    assert ecs.describe_task_definition(taskDefinition="latest:11")["taskDefinition"]["status"] == "INACTIVE"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no-such-family", "Unable to describe task definition."),
        ("no-such-family:1", "Unable to describe task definition."),
        ("described:999", "Unable to describe task definition."),
        (f"{ARN}/no-such-family:1", "Unable to describe task definition."),
        (f"{ARN.replace('us-east-1', 'eu-west-1')}/described:1", "Unable to describe task definition."),
        ("arn:aws:ecs:us-east-1:000000000000:cluster/default", "Unable to describe task definition."),
        ("described:latest", "Invalid revision number. Number: latest"),
        ("described:", "Invalid revision number. Number: "),
        ("described:1:1", "Invalid revision number. Number: 1:1"),
    ],
)
def test_what_is_not_there_cannot_be_described(text: str, message: str) -> None:
    register("described")
    assert refusal("describe_task_definition", taskDefinition=text) == ("ClientException", message)


def test_tags_are_told_on_request() -> None:
    ecs = boto3.client("ecs")
    tags = [{"key": "team", "value": "a"}]
    made = ecs.register_task_definition(family="tagged", containerDefinitions=[WEB], tags=tags)
    assert made["tags"] == tags
    assert "tags" not in made["taskDefinition"]
    assert "tags" not in ecs.describe_task_definition(taskDefinition="tagged")
    assert ecs.describe_task_definition(taskDefinition="tagged", include=["TAGS"])["tags"] == tags


def test_lists() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitions.html"""
    ecs = boto3.client("ecs")
    for family in ("list-b", "list-a", "list"):
        for _ in range(11 if family == "list-a" else 1):
            register(family)
    ecs.deregister_task_definition(taskDefinition="list-b:1")
    ecs.deregister_task_definition(taskDefinition="list-a:2")

    def listed(**more: Any) -> list[str]:
        pages = ecs.get_paginator("list_task_definitions").paginate(**more, PaginationConfig={"PageSize": 4})
        arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
        return [arn.rpartition("/")[2] for arn in arns if "/list" in arn]

    active = ["list:1", "list-a:1", *(f"list-a:{number}" for number in range(3, 12))]
    assert listed() == active
    assert listed(sort="DESC") == active[::-1]
    assert listed(familyPrefix="list") == ["list:1"]
    assert listed(familyPrefix="list-a", status="INACTIVE") == ["list-a:2"]
    assert listed(status="INACTIVE") == ["list-a:2", "list-b:1"]

    def families(**more: Any) -> list[str]:
        pages = ecs.get_paginator("list_task_definition_families").paginate(
            familyPrefix="list", **more, PaginationConfig={"PageSize": 1}
        )
        return [name for page in pages for name in page["families"]]

    assert families() == families(status="ALL") == ["list", "list-a", "list-b"]
    assert families(status="ACTIVE") == ["list", "list-a"]
    assert families(status="INACTIVE") == ["list-b"]
    ecs.delete_task_definitions(taskDefinitions=["list-b:1"])
    assert listed(status="DELETE_IN_PROGRESS") == ["list-b:1"]
    assert families(status="INACTIVE") == ["list-b"]


@pytest.mark.parametrize("operation", ["list_task_definitions", "list_task_definition_families"])
def test_pages_out_of_bounds(operation: str) -> None:
    assert refusal(operation, maxResults=101)[0] == "InvalidParameterException"
    assert refusal(operation, maxResults=0)[0] == "InvalidParameterException"
    assert refusal(operation, nextToken="x") == ("InvalidParameterException", "Invalid token in request.")


def test_deregistering() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html"""
    ecs = boto3.client("ecs")
    register("dereg")
    gone = ecs.deregister_task_definition(taskDefinition="dereg:1")["taskDefinition"]
    assert gone["status"] == "INACTIVE"
    assert gone["deregisteredAt"] >= gone["registeredAt"]
    assert ecs.deregister_task_definition(taskDefinition=f"{ARN}/dereg:1")["taskDefinition"] == gone
    assert refusal("deregister_task_definition", taskDefinition="dereg")[0] == "ClientException"
    assert refusal("deregister_task_definition", taskDefinition="dereg:9")[0] == "ClientException"
    assert refusal("describe_task_definition", taskDefinition="dereg")[0] == "ClientException"


def test_deleting() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html"""
    ecs = boto3.client("ecs")
    register("deleted")
    register("deleted")
    ecs.deregister_task_definition(taskDefinition="deleted:1")
    answer = ecs.delete_task_definitions(taskDefinitions=["deleted:1", "deleted:2", "deleted:3", "deleted"])
    assert [(one["revision"], one["status"]) for one in answer["taskDefinitions"]] == [(1, "DELETE_IN_PROGRESS")]
    assert answer["taskDefinitions"][0]["deleteRequestedAt"]
    assert [failure["arn"].rpartition("/")[2] for failure in answer["failures"]] == [
        "deleted:2", "deleted:3", "deleted",
    ]  # fmt: skip
    assert "ACTIVE" in answer["failures"][0]["reason"]
    described = ecs.describe_task_definition(taskDefinition="deleted:1")["taskDefinition"]
    assert described["status"] == "DELETE_IN_PROGRESS"
    assert refusal("deregister_task_definition", taskDefinition="deleted:1")[0] == "ClientException"
    for count in (0, 11):
        parameters = {"taskDefinitions": [f"deleted:{number}" for number in range(count)]}
        assert refusal("delete_task_definitions", **parameters)[0] == "InvalidParameterException"


def test_a_deleted_revision_is_forgotten_when_nothing_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/delete-task-definition-v2.html"""
    store = Store(tmp_path / "state.sqlite")
    ecs = Ecs(store, Services(), Signals(), lambda *_: None)
    for revision in (1, 2, 3):
        task_definitions.register_task_definition(ecs, Request({"family": "f", "containerDefinitions": [dict(WEB)]}))
        task_definitions.deregister_task_definition(ecs, Request({"taskDefinition": f"f:{revision}"}))
    wanted = [f"f:{revision}" for revision in (1, 2, 3)]
    task_definitions.delete_task_definitions(ecs, Request({"taskDefinitions": wanted}))
    ecs.tasks.put("task", {"taskDefinitionArn": f"{ARN}/f:1", "lastStatus": "DEPROVISIONING"})
    good = {"taskDefinition": f"{ARN}/f:2"}
    ecs.service_records.put("service", {"taskDefinition": f"{ARN}/g:1", "_last_good": good, "status": "ACTIVE"})

    def told() -> list[str]:
        request = Request({"status": "DELETE_IN_PROGRESS"})
        arns = task_definitions.list_task_definitions(ecs, request)["taskDefinitionArns"]
        return [arn.rpartition("/")[2] for arn in arns]

    assert told() == wanted
    later = clock.now() + 3600.0
    monkeypatch.setattr(clock, "now", lambda: later)
    assert told() == ["f:1", "f:2"]
    ecs.tasks.put("task", {"taskDefinitionArn": f"{ARN}/f:1", "lastStatus": "STOPPED"})
    ecs.service_records.put("service", {"taskDefinition": f"{ARN}/f:2", "status": "INACTIVE"})
    assert told() == []
    assert task_definitions.list_task_definition_families(ecs, Request({}))["families"] == []
    again = Request({"family": "f", "containerDefinitions": [dict(WEB)]})
    assert task_definitions.register_task_definition(ecs, again)["taskDefinition"]["revision"] == 4
    store.close()


def test_nothing_is_run_from_a_revision_that_was_deregistered() -> None:
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName="definitions")
    register("inactive")
    register("inactive")
    for revision in (1, 2):
        ecs.deregister_task_definition(taskDefinition=f"inactive:{revision}")
    ecs.delete_task_definitions(taskDefinitions=["inactive:2"])
    for text in ("inactive:1", "inactive:2"):
        assert refusal("run_task", cluster="definitions", taskDefinition=text) == (
            "InvalidParameterException", "TaskDefinition is inactive",
        )  # fmt: skip
    assert refusal("run_task", cluster="definitions", taskDefinition="inactive") == (
        "ClientException", "TaskDefinition not found.",
    )  # fmt: skip


def test_a_refused_registration_takes_no_number() -> None:
    register("numbered")
    assert refusal("register_task_definition", family="numbered", containerDefinitions=[])[0] == "ClientException"
    assert refusal("register_task_definition", family="fresh", containerDefinitions=[])[0] == "ClientException"
    assert register("numbered")["revision"] == 2
    assert "fresh" not in boto3.client("ecs").list_task_definition_families()["families"]
