"""EventBridge Pipes: messages of a queue reach a target, filtered and shaped; what fails comes back.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes.html
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cloud_lab import network, wait_until
from events_lab import ANY, CLUSTER, CLUSTER_ARN, queue, register, role, take, unique

from labs.cloud import server

Make = Callable[..., str]


@pytest.fixture(scope="module")
def own_role(local_aws: Path) -> str:
    return role("pipes.amazonaws.com", ANY)


@pytest.fixture
def make(own_role: str) -> Iterator[Make]:
    """Makes pipes, and deletes them afterwards."""
    made: list[str] = []

    def pipe(source: str, target: str, state: str = "RUNNING", **more: Any) -> str:
        name = unique("pipe")
        boto3.client("pipes").create_pipe(
            Name=name, Source=source, Target=target, RoleArn=more.pop("RoleArn", own_role), **more
        )
        made.append(name)
        wait_until(lambda: describe(name)["CurrentState"] == state, 10)
        return name

    yield pipe
    for name in made:
        with contextlib.suppress(ClientError):
            boto3.client("pipes").delete_pipe(Name=name)


def describe(name: str) -> dict[str, Any]:
    return boto3.client("pipes").describe_pipe(Name=name)


def send(url: str, body: Any) -> None:
    boto3.client("sqs").send_message(QueueUrl=url, MessageBody=body if isinstance(body, str) else json.dumps(body))


def waiting(url: str) -> int:
    """How many messages are in a queue, seen or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def refused(**changes: Any) -> str:
    """The message with which a pipe is refused."""
    whole = {"Name": unique("pipe"), **changes}
    with pytest.raises(ClientError) as caught:
        boto3.client("pipes").create_pipe(**whole)
    with pytest.raises(ClientError, match="NotFoundException"):
        describe(whole["Name"])
    return caught.value.response["Error"]["Message"]


def test_a_message_starts_a_task_with_what_it_says(make: Make) -> None:
    definition, ecs = register(), boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    url, arn = queue()
    overrides = {"ContainerOverrides": [{"Name": "main", "Environment": [{"name": "ORDER", "value": "$.body.order"}]}]}
    place = network()["awsvpcConfiguration"]
    task = {
        "TaskDefinitionArn": definition,
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"awsvpcConfiguration": {
            "Subnets": place["subnets"], "AssignPublicIp": place["assignPublicIp"],
        }},
        "Overrides": overrides,
    }  # fmt: skip
    name = make(arn, CLUSTER_ARN, TargetParameters={"EcsTaskParameters": task})
    send(url, {"order": "4711"})

    def started() -> list[str]:
        return ecs.list_tasks(cluster=CLUSTER, startedBy=f"pipes/{name}"[:36])["taskArns"]

    wait_until(started, 10)
    found = ecs.describe_tasks(cluster=CLUSTER, tasks=started())["tasks"][0]
    assert found["overrides"]["containerOverrides"][0]["environment"] == [{"name": "ORDER", "value": "4711"}]
    wait_until(lambda: waiting(url) == 0, 10)
    ecs.stop_task(cluster=CLUSTER, task=found["taskArn"])
    ecs.get_waiter("tasks_stopped").wait(cluster=CLUSTER, tasks=[found["taskArn"]], WaiterConfig={"Delay": 1})


def test_filters_choose_and_a_template_shapes(make: Make) -> None:
    (source, arn), (target, target_arn) = queue(), queue()
    filters = {"Filters": [{"Pattern": json.dumps({"body": {"kind": ["order"], "sum": [{"numeric": [">", 10]}]}})}]}
    template = '{"who": "<$.body.name>", "sum": <$.body.sum>, "note": "pipe <aws.pipes.pipe-name>, <$.messageId>"}'
    name = make(
        arn, target_arn, SourceParameters={"FilterCriteria": filters}, TargetParameters={"InputTemplate": template}
    )
    for kind, total in (("order", 5), ("letter", 50), ("order", 20)):
        send(source, {"kind": kind, "sum": total, "name": 'a "quoted" name'})
    send(source, "no JSON at all")
    [message] = take(target)
    body = json.loads(message["Body"])
    assert (body["who"], body["sum"]) == ('a "quoted" name', 20)
    assert body["note"].startswith(f"pipe {name}, ")
    wait_until(lambda: waiting(source) == 0, 10)  # what no filter wants is over too
    assert waiting(target) == 0


def test_what_the_target_does_not_take_comes_back_until_the_queue_gives_up(make: Make) -> None:
    (dead, dead_arn), (gone, gone_arn) = queue(), queue()
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": "2"})
    source, arn = queue(RedrivePolicy=policy, VisibilityTimeout="1")
    make(arn, gone_arn)
    boto3.client("sqs").delete_queue(QueueUrl=gone)
    send(source, "unwanted")
    [message] = take(dead, seconds=20)
    assert message["Body"] == "unwanted"


def test_it_stops_starts_and_survives_a_kill(make: Make) -> None:
    pipes = boto3.client("pipes")
    (source, arn), (target, target_arn) = queue(), queue()
    name = make(arn, target_arn, Tags={"team": "shop"})
    pipes.stop_pipe(Name=name)
    wait_until(lambda: describe(name)["CurrentState"] == "STOPPED", 10)
    send(source, "later")
    time.sleep(1)  # the backend loses what is younger
    os.kill(server.health()["pid"], signal.SIGKILL)
    server.ensure_running()
    assert (describe(name)["CurrentState"], describe(name)["Tags"]) == ("STOPPED", {"team": "shop"})
    assert waiting(source) == 1
    pipes.start_pipe(Name=name)
    assert json.loads(take(target)[0]["Body"])["body"] == "later"
    listed = pipes.list_pipes(NamePrefix=name)["Pipes"]
    assert [(one["Name"], one["CurrentState"]) for one in listed] == [(name, "RUNNING")]
    pipes.tag_resource(resourceArn=describe(name)["Arn"], tags={"team": "desk", "cost": "1"})
    pipes.untag_resource(resourceArn=describe(name)["Arn"], tagKeys=["cost"])
    assert pipes.list_tags_for_resource(resourceArn=describe(name)["Arn"])["tags"] == {"team": "desk"}
    pipes.delete_pipe(Name=name)
    with pytest.raises(ClientError, match="NotFoundException"):
        describe(name)


def test_a_role_that_may_not_read_the_queue_is_told(make: Make, local_aws: Path) -> None:
    (_, arn), (_, target_arn) = queue(), queue()
    weak = role("pipes.amazonaws.com", {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"})
    name = make(arn, target_arn, "CREATE_FAILED", RoleArn=weak)
    assert "sqs:ReceiveMessage" in describe(name)["StateReason"]


def test_what_cannot_be_is_refused(own_role: str) -> None:
    _, arn = queue()
    whole = {"Source": arn, "Target": arn, "RoleArn": own_role}
    assert "SQS queues only" in refused(
        **{**whole, "Source": "arn:aws:dynamodb:us-east-1:000000000000:table/a/stream/b"}
    )
    assert "EcsTaskParameters is required" in refused(**{**whole, "Target": CLUSTER_ARN})
    assert "pipes.amazonaws.com" in refused(**{**whole, "RoleArn": role("events.amazonaws.com", ANY)})
    filters = {"FilterCriteria": {"Filters": [{"Pattern": "no pattern"}]}}
    assert "filter pattern" in refused(**whole, SourceParameters=filters)
    assert "reserved" in refused(**whole, Tags={"aws:mine": "1"})
