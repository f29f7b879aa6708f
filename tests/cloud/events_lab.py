"""What the tests of EventBridge share: roles, queues, a task to start, plain calls to look at them."""

import json
import time
import uuid
from typing import Any

import boto3
from cloud_lab import ASLEEP, network, wait_until

from labs import settings

CLUSTER = "events-test"
FAMILY = "events-test"
REGION, ACCOUNT = settings.REGION, settings.ACCOUNT
CLUSTER_ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{CLUSTER}"
ANY = {"Effect": "Allow", "Action": "*", "Resource": "*"}
STATES = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]}


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def role(principal: str, *statements: dict[str, Any]) -> str:
    """The ARN of a new role that a service may assume and that allows what the statements say."""
    iam, name = boto3.client("iam"), unique("events-test")
    trust = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust))["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=_document(*statements))
    return arn


def queue(**attributes: str) -> tuple[str, str]:
    """URL and ARN of a new queue."""
    sqs = boto3.client("sqs")
    name = unique("events-test") + (".fifo" if "FifoQueue" in attributes else "")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def take(url: str, count: int = 1, seconds: float = 10.0) -> list[dict[str, Any]]:
    """The next messages of a queue, taken out of it; fails if they do not come in time."""
    sqs, found, deadline = boto3.client("sqs"), [], time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} messages within {seconds} s"
        answer = sqs.receive_message(
            QueueUrl=url,
            WaitTimeSeconds=1,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            AttributeNames=["All"],
        )
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(message)
    return found


def rule(pattern: dict[str, Any], bus: str = "default") -> str:
    """The name of a new rule."""
    name = unique("events-test")
    boto3.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern), EventBusName=bus)
    return name


def put_target(rule_name: str, bus: str = "default", **target: Any) -> None:
    """Gives a rule one target, `t`."""
    answer = boto3.client("events").put_targets(Rule=rule_name, EventBusName=bus, Targets=[{"Id": "t", **target}])
    assert answer["FailedEntryCount"] == 0


def remove(rule_name: str, bus: str = "default") -> None:
    """Removes a rule and its targets."""
    events = boto3.client("events")
    targets = events.list_targets_by_rule(Rule=rule_name, EventBusName=bus)["Targets"]
    if targets:
        events.remove_targets(Rule=rule_name, EventBusName=bus, Ids=[target["Id"] for target in targets])
    events.delete_rule(Name=rule_name, EventBusName=bus)


def register(**more: Any) -> str:
    """The ARN of a task definition that sleeps."""
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    # Short, for a stop may come before the command listens to it.
    container = {"name": "main", "image": settings.BASE_IMAGE, "command": ASLEEP, "stopTimeout": 2}
    answer = ecs.register_task_definition(
        family=FAMILY, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[container], **more,
    )  # fmt: skip
    return answer["taskDefinition"]["taskDefinitionArn"]


def parameters(task_definition: str, **more: Any) -> dict[str, Any]:
    """EcsParameters of a target; both APIs have the same."""
    vpc = {"Subnets": network()["awsvpcConfiguration"]["subnets"], "AssignPublicIp": "ENABLED"}
    return {
        "TaskDefinitionArn": task_definition,
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"awsvpcConfiguration": vpc},
        **more,
    }


def run_task(task_definition: str) -> str:
    """The ARN of a new task."""
    answer = boto3.client("ecs").run_task(
        cluster=CLUSTER, taskDefinition=task_definition, launchType="FARGATE", networkConfiguration=network()
    )
    return answer["tasks"][0]["taskArn"]


def started_by(name: str) -> list[dict[str, Any]]:
    """The running tasks that something started."""
    ecs = boto3.client("ecs")
    arns = ecs.list_tasks(cluster=CLUSTER, startedBy=name)["taskArns"]
    return ecs.describe_tasks(cluster=CLUSTER, tasks=arns, include=["TAGS"])["tasks"] if arns else []


def wait_for_task(name: str, seconds: float = 20.0) -> dict[str, Any]:
    """The task that something starts; stopped again at once."""
    wait_until(lambda: started_by(name), seconds)
    task = started_by(name)[0]
    boto3.client("ecs").stop_task(cluster=CLUSTER, task=task["taskArn"], reason="seen")
    return task


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
