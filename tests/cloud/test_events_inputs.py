"""What targets are sent, and the REST JSON protocol that Scheduler speaks."""

import json
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from labs.cloud.events import inputs, run_task
from labs.cloud.frame import wire
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.http import Incoming

EVENT = {
    "version": "0", "id": "1", "detail-type": "ECS Task State Change", "source": "aws.ecs", "account": "000000000000",
    "time": "2026-11-22T22:00:00Z", "region": "us-east-1", "resources": ["arn:task"],
    "detail": {"lastStatus": "STOPPED", "containers": [{"name": "web", "exitCode": 1}], "ok": True, "odd-key": "x"},
}  # fmt: skip
RULE = {"Name": "nightly", "Arn": "arn:aws:events:us-east-1:000000000000:rule/nightly"}


def render(**target: Any) -> str:
    return inputs.render(target, EVENT, RULE, "2026-11-22T22:00:01Z")


def transform(template: str, **paths: str) -> str:
    return render(InputTransformer={"InputPathsMap": paths, "InputTemplate": template})


def test_without_an_input_the_target_gets_the_event() -> None:
    assert json.loads(render()) == EVENT


def test_a_constant_is_sent_as_it_is() -> None:
    assert render(Input='{"a":  1}') == '{"a":  1}'


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.detail.lastStatus", "STOPPED"),
        ("$.detail.containers[0].exitCode", 1),
        ("$.detail['odd-key']", "x"),
        ("$.detail.odd-key", "x"),
        ("$.resources[0]", "arn:task"),
        ("$.detail.containers", [{"name": "web", "exitCode": 1}]),
    ],
)
def test_a_path_sends_a_part(path: str, expected: Any) -> None:
    assert json.loads(render(InputPath=path)) == expected


def test_a_template_of_json_gets_its_quotes_where_they_are_needed() -> None:
    paths = {"s": "$.detail.lastStatus", "c": "$.detail.containers[0].exitCode", "ok": "$.detail.ok", "all": "$.detail"}
    template = '{"bare": <s>, "quoted": "<s>", "in": "it <s> with <c>", "number": <c>, "flag": <ok>, "object": <all>}'
    assert json.loads(transform(template, **paths)) == {
        "bare": "STOPPED",
        "quoted": "STOPPED",
        "in": "it STOPPED with 1",
        "number": 1,
        "flag": True,
        "object": EVENT["detail"],
    }


def test_a_template_of_text() -> None:
    assert (
        transform("Task <s> of <missing>.", s="$.detail.lastStatus", missing="$.detail.nothing") == "Task STOPPED of ."
    )
    assert transform('"Task <s>"', s="$.detail.lastStatus") == '"Task STOPPED"'


def test_the_reserved_names() -> None:
    found = json.loads(
        transform(
            '{"r": <aws.events.rule-name>, "a": "<aws.events.rule-arn>", "e": <aws.events.event.json>, '
            '"h": <aws.events.event>, "t": <aws.events.event.ingestion-time>}'
        )
    )
    assert (found["r"], found["a"], found["t"]) == ("nightly", RULE["Arn"], "2026-11-22T22:00:01Z")
    assert found["e"] == EVENT
    assert found["h"] == {key: value for key, value in EVENT.items() if key != "detail"}


def test_ecs_parameters_become_the_input_of_run_task() -> None:
    given = {
        "TaskDefinitionArn": "td",
        "TaskCount": 2,
        "Group": "g",
        "PlatformVersion": "1.4.0",
        "NetworkConfiguration": {
            "awsvpcConfiguration": {"Subnets": ["s"], "SecurityGroups": ["sg"], "AssignPublicIp": "ENABLED"}
        },
        "CapacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
        "PropagateTags": "TASK_DEFINITION",
        "EnableECSManagedTags": True,
        "EnableExecuteCommand": True,
        "PlacementConstraints": [{"type": "distinctInstance"}],
        "PlacementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}],
        "ReferenceId": "r",
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    content = json.dumps({"containerOverrides": [{"name": "web", "command": ["x"]}], "cpu": "512", "other": 1})
    wanted = run_task.parameters("cluster", given, content, "events-rule/x")
    assert wanted == {
        "cluster": "cluster",
        "taskDefinition": "td",
        "count": 2,
        "startedBy": "events-rule/x",
        "group": "g",
        "platformVersion": "1.4.0",
        "networkConfiguration": {
            "awsvpcConfiguration": {"subnets": ["s"], "securityGroups": ["sg"], "assignPublicIp": "ENABLED"}
        },
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
        "propagateTags": "TASK_DEFINITION",
        "enableECSManagedTags": True,
        "enableExecuteCommand": True,
        "placementConstraints": [{"type": "distinctInstance"}],
        "placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}],
        "referenceId": "r",
        "tags": [{"key": "a", "value": "b"}],
        "overrides": {"containerOverrides": [{"name": "web", "command": ["x"]}], "cpu": "512"},
    }
    assert "overrides" not in run_task.parameters("c", {"TaskDefinitionArn": "t"}, json.dumps(EVENT), "x")


@pytest.fixture(scope="module")
def scheduler() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("scheduler", "service-2"), service_name="scheduler")


@pytest.mark.parametrize(
    ("incoming", "operation", "expected"),
    [
        (
            Incoming("GET", "/schedules", "ScheduleGroup=g&MaxResults=3", {}), "ListSchedules",
            {"GroupName": "g", "MaxResults": 3},
        ),
        (Incoming("GET", "/schedules/a", "groupName=g", {}), "GetSchedule", {"Name": "a", "GroupName": "g"}),
        (
            Incoming("DELETE", "/tags/arn%3Aaws%3Ag%2Fx", "TagKeys=a&TagKeys=b%20c", {}), "UntagResource",
            {"ResourceArn": "arn:aws:g/x", "TagKeys": ["a", "b c"]},
        ),
        (
            Incoming("POST", "/schedule-groups/g", "", {}, b'{"ClientToken": "t", "Tags": null, "Name": "other"}'),
            "CreateScheduleGroup", {"Name": "g", "ClientToken": "t"},
        ),
    ],
)  # fmt: skip
def test_rest_json_is_read(
    scheduler: ServiceModel, incoming: Incoming, operation: str, expected: dict[str, Any]
) -> None:
    rest = wire.for_model(scheduler)
    assert rest.operation(incoming) == operation
    assert rest.read(scheduler.operation_model(operation), incoming) == expected


@pytest.mark.parametrize("line", ["PATCH /schedules/a", "GET /nothing", "GET /schedules/a/b"])
def test_what_the_model_does_not_have_is_no_operation(scheduler: ServiceModel, line: str) -> None:
    method, _, path = line.partition(" ")
    assert wire.for_model(scheduler).operation(Incoming(method, path, "", {})) == ""


@pytest.mark.parametrize("query", ["MaxResults=many", "MaxResults="])
def test_a_number_that_is_none_is_refused(scheduler: ServiceModel, query: str) -> None:
    with pytest.raises(AwsError):
        wire.for_model(scheduler).read(
            scheduler.operation_model("ListSchedules"), Incoming("GET", "/schedules", query, {})
        )


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"Tags": "x"}'])
def test_a_body_of_another_kind_is_refused(scheduler: ServiceModel, body: bytes) -> None:
    with pytest.raises(AwsError) as caught:
        wire.for_model(scheduler).read(
            scheduler.operation_model("CreateScheduleGroup"), Incoming("POST", "/schedule-groups/g", "", {}, body)
        )
    assert caught.value.code == "SerializationException"
