"""Events of our services reach rules, and rules start tasks: through boto3, against a running local AWS."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cloud_lab import wait_until
from events_lab import (
    ACCOUNT,
    ANY,
    CLUSTER,
    CLUSTER_ARN,
    REGION,
    STATES,
    parameters,
    put_target,
    queue,
    register,
    remove,
    role,
    rule,
    run_task,
    started_by,
    take,
    unique,
    wait_for_task,
)

from labs import settings
from labs.cloud.events import bus

OWN = {"source": ["events.test"]}
SLOW = 60.0  # seconds that a task may need to stop on a busy machine
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
LIFE = [
    "PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def task_definition(local_aws: Path) -> str:
    """The ARN of a task definition."""
    return register()


@pytest.fixture(scope="module")
def starter(local_aws: Path) -> str:
    """A role with which rules may start tasks."""
    return role("events.amazonaws.com", ANY)


@pytest.fixture
def task(task_definition: str) -> Iterator[str]:
    """A running task; its states reach the default bus."""
    arn = run_task(task_definition)
    yield arn
    boto3.client("ecs").stop_task(cluster=CLUSTER, task=arn)


def send(**detail: Any) -> None:
    """An event of the learner's own."""
    entry = {"Source": "events.test", "DetailType": "Own", "Detail": json.dumps(detail)}
    assert boto3.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def stop(arn: str) -> float:
    """Stops a task; when that was."""
    boto3.client("ecs").stop_task(cluster=CLUSTER, task=arn, reason="test")
    return time.monotonic()


def of_task(url: str, arn: str, status: str) -> dict[str, Any]:
    """The event in a queue that tells of a task's state."""
    while True:
        for event in (json.loads(message["Body"]) for message in take(url, seconds=SLOW)):
            if event["detail"]["taskArn"] == arn and event["detail"]["lastStatus"] == status:
                return event


def refusal(operation: str, **arguments: Any) -> tuple[str, str]:
    """Code and words with which EventBridge refuses a call."""
    with pytest.raises(ClientError) as caught:
        getattr(boto3.client("events"), operation)(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


# --- events of ECS ----------------------------------------------------------------------------------------------------


def test_a_state_of_a_task_reaches_a_queue_within_two_seconds(task_definition: str) -> None:
    url, arn = queue()
    name = rule({**STATES, "detail": {"clusterArn": [CLUSTER_ARN]}})
    put_target(name, Arn=arn)
    begin = time.monotonic()
    task = run_task(task_definition)
    event = json.loads(take(url)[0]["Body"])
    assert time.monotonic() - begin < 2
    stop(task)
    assert event["version"] == "0"
    assert event["source"] == "aws.ecs"
    assert event["account"] == ACCOUNT
    assert event["region"] == REGION
    assert event["resources"] == [task]
    assert event["detail"]["taskArn"] == task
    when = datetime.strptime(event["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - when).total_seconds()) < 10
    remove(name)


def test_events_of_a_task_stay_in_order(task_definition: str) -> None:
    url, arn = queue(FifoQueue="true", ContentBasedDeduplication="true")
    name = rule(STATES)
    put_target(name, Arn=arn, SqsParameters={"MessageGroupId": "g"})
    task = run_task(task_definition)
    stop(task)
    seen: list[str] = []
    while "STOPPED" not in seen:
        details = [json.loads(message["Body"])["detail"] for message in take(url, seconds=SLOW)]
        seen += [detail["lastStatus"] for detail in details if detail["taskArn"] == task]
    order = [
        "PROVISIONING",
        "PENDING",
        "ACTIVATING",
        "RUNNING",
        "DEACTIVATING",
        "STOPPING",
        "DEPROVISIONING",
        "STOPPED",
    ]
    assert seen == sorted(seen, key=order.index)
    assert len(seen) > 1
    remove(name)


def test_only_what_fits_the_pattern_of_an_enabled_rule_is_sent(task: str) -> None:
    events = boto3.client("events")
    url, arn = queue()
    other = rule({**STATES, "detail": {"clusterArn": [{"anything-but": CLUSTER_ARN}]}})
    off = rule({**STATES, "detail": {"taskArn": [task]}})
    events.disable_rule(Name=off)
    fitting = rule({"source": [{"prefix": "aws.e"}], "detail": {"lastStatus": ["STOPPED"], "taskArn": [task]}})
    for name in (other, off, fitting):
        put_target(name, Arn=arn, Input=json.dumps(name))
    stop(task)
    assert json.loads(take(url, seconds=SLOW)[0]["Body"]) == fitting
    left = boto3.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10)
    assert [json.loads(message["Body"]) for message in left.get("Messages", [])] == []
    for name in (other, off, fitting):
        remove(name)


@pytest.mark.parametrize(
    ("pattern", "seen"),
    [
        ({"source": ["aws.ecs"]}, False),
        ({"source": ["aws.ec2"]}, True),
        ({"source": ["aws.ec2", "aws.ecs"]}, False),
        ({"source": [{"prefix": "aws.ec2"}]}, False),
        ({"source": [{"prefix": "aws.ec2"}, "aws.ec2"]}, False),
        ({"resources": ["arn:b"]}, False),
        ({"resources": ["arn:c"]}, True),
        ({"detail": {"lastStatus": ["RUNNING"]}}, True),
        ({"detail": {"lastStatus": ["STOPPED"], "stopCode": ["UserInitiated"]}}, True),
        ({"detail": {"stopCode": [{"exists": False}]}}, False),
        ({"detail": {"stopCode": [None]}}, False),
        ({"detail": {"containers": {"name": ["web"]}}}, False),
        ({"detail": {"containers": {"exitCode": [1]}}}, False),
        ({"detail": {"containers": {"exitCode": [{"numeric": [">", 1]}]}}}, False),
        ({"detail": {"version": [3]}}, False),
        ({"detail": {"version": ["3"]}}, False),
        ({"detail": {"nested": {"key": ["y"]}}}, True),
        ({"$or": [{"source": ["aws.ec2"]}, {"detail": {"lastStatus": ["STOPPED"]}}]}, False),
        ({"source": ["aws.ec2"], "$or": [{"region": ["a"]}, {"region": ["us-east-1"]}]}, True),
    ],
)
def test_what_is_seen_not_to_fit_does_not_fit(pattern: dict[str, Any], seen: bool) -> None:
    """A pattern that is sorted out without asking is one that EventBridge would sort out too."""
    detail = {
        "lastStatus": "STOPPED", "version": 3, "containers": [{"name": "web", "exitCode": 1}], "nested": {"key": "x"},
    }  # fmt: skip
    event = {
        "version": "0", "id": "1", "detail-type": "t", "source": "aws.ecs", "account": ACCOUNT, "region": REGION,
        "time": "2026-11-22T22:00:00Z", "resources": ["arn:a", "arn:b"], "detail": detail,
    }  # fmt: skip
    answer = boto3.client("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))
    assert bus.misses(pattern, event) is seen
    assert not (seen and answer["Result"])


def test_a_new_rule_and_a_removed_target_count_at_once(task_definition: str) -> None:
    events = boto3.client("events")
    url, arn = queue()
    name = rule(STATES)
    first = run_task(task_definition)  # the rule is known, without a target
    put_target(name, Arn=arn)
    stop(first)
    assert of_task(url, first, "STOPPED")
    events.remove_targets(Rule=name, Ids=["t"])
    boto3.client("sqs").purge_queue(QueueUrl=url)
    stop(run_task(task_definition))
    assert "Messages" not in boto3.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=2)
    remove(name)


def test_topic_log_group_and_another_bus_are_reached(task_definition: str) -> None:
    events, sns, logs = boto3.client("events"), boto3.client("sns"), boto3.client("logs")
    url, arn = queue()
    topic = sns.create_topic(Name=unique("events-test"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    group = f"/aws/events/{unique('events-test')}"
    logs.create_log_group(logGroupName=group)
    other, bus_url = unique("events-test"), queue()
    bus_arn = events.create_event_bus(Name=other)["EventBusArn"]
    task = run_task(task_definition)
    behind = rule({**STATES, "detail": {"lastStatus": ["STOPPED"]}}, other)
    put_target(behind, other, Arn=bus_url[1], Input='"by the bus"')
    name = rule({**STATES, "detail": {"lastStatus": ["STOPPED"], "taskArn": [task]}})
    events.put_targets(
        Rule=name,
        Targets=[
            {"Id": "topic", "Arn": topic, "InputPath": "$.detail.stoppedReason"},
            {"Id": "logs", "Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"},
            {"Id": "bus", "Arn": bus_arn, "RoleArn": role("events.amazonaws.com", ANY)},
        ],
    )
    stop(task)
    assert json.loads(take(url, seconds=SLOW)[0]["Body"]) == "test"
    assert take(bus_url[0])[0]["Body"] == '"by the bus"'
    wait_until(lambda: logs.filter_log_events(logGroupName=group)["events"], 5)
    line = json.loads(logs.filter_log_events(logGroupName=group)["events"][0]["message"])
    assert line["detail"]["taskArn"] == task
    remove(name)
    remove(behind, other)
    events.delete_event_bus(Name=other)
    logs.delete_log_group(logGroupName=group)


def test_a_missing_target_goes_to_the_dead_letter_queue_and_holds_up_nobody(task: str) -> None:
    events = boto3.client("events")
    url, arn = queue()
    dead_url, dead_arn = queue()
    gone = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{unique('gone')}"
    name = rule({**STATES, "detail": {"lastStatus": ["STOPPED"], "taskArn": [task]}})
    events.put_targets(
        Rule=name,
        Targets=[
            {"Id": "gone", "Arn": gone, "DeadLetterConfig": {"Arn": dead_arn}},
            {"Id": "there", "Arn": arn},
        ],
    )
    stop(task)
    assert of_task(url, task, "STOPPED")
    message = take(dead_url)[0]
    facts = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert facts["TARGET_ARN"] == gone
    assert facts["RULE_ARN"] == f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"
    assert facts["ERROR_CODE"] == "NO_RESOURCE"
    assert facts["RETRY_ATTEMPTS"] == "0"
    assert json.loads(message["Body"])["detail"]["taskArn"] == task
    remove(name)


# --- tasks as targets -------------------------------------------------------------------------------------------------


def test_an_event_starts_a_task(starter: str) -> None:
    name, task_definition = rule(OWN), register(taskRoleArn=role("ecs-tasks.amazonaws.com"))
    template = '{"containerOverrides": [{"name": "main", "environment": [{"name": "FILE", "value": <file>}]}]}'
    put_target(
        name,
        Arn=CLUSTER_ARN,
        RoleArn=starter,
        EcsParameters=parameters(task_definition, Tags=[{"Key": "by", "Value": "rule"}], EnableExecuteCommand=True),
        InputTransformer={"InputPathsMap": {"file": "$.detail.key"}, "InputTemplate": template},
    )
    begin = time.monotonic()
    send(key="photo.jpg", said='"quoted" and \\n')
    task = wait_for_task(f"events-rule/{name}")
    assert time.monotonic() - begin < 10
    assert task["taskDefinitionArn"] == task_definition
    assert task["clusterArn"] == CLUSTER_ARN
    assert task["launchType"] == "FARGATE"
    assert task["enableExecuteCommand"] is True
    assert {"key": "by", "value": "rule"} in task["tags"]
    assert task["overrides"]["containerOverrides"] == [
        {"name": "main", "environment": [{"name": "FILE", "value": "photo.jpg"}]}
    ]
    remove(name)


def test_an_event_of_ecs_starts_a_task(task: str, task_definition: str, starter: str) -> None:
    name = rule({**STATES, "detail": {"lastStatus": ["STOPPED"], "taskArn": [task]}})
    put_target(name, Arn=CLUSTER_ARN, RoleArn=starter, EcsParameters=parameters(task_definition))
    stop(task)
    assert wait_for_task(f"events-rule/{name}", SLOW)
    remove(name)


@pytest.mark.slow
def test_a_scheduled_rule_starts_a_task(task_definition: str, starter: str) -> None:
    name = unique("events-test")
    boto3.client("events").put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    put_target(name, Arn=CLUSTER_ARN, RoleArn=starter, EcsParameters=parameters(task_definition))
    begin = time.monotonic()
    assert wait_for_task(f"events-rule/{name}", 90)
    soonest = 55 if settings.backend() == "embedded" else 0  # LocalStack counts from its own start, not the rule's
    assert soonest < time.monotonic() - begin < 80
    remove(name)


def test_the_learner_sees_the_target_as_given(task_definition: str, starter: str) -> None:
    events = boto3.client("events")
    name, (_, queue_arn) = rule(OWN), queue()
    task = {"Id": "task", "Arn": CLUSTER_ARN, "RoleArn": starter, "EcsParameters": parameters(task_definition)}
    plain = {"Id": "plain", "Arn": queue_arn}
    events.put_targets(Rule=name, Targets=[task, plain])
    listed = events.list_targets_by_rule(Rule=name)["Targets"]
    assert sorted(listed, key=lambda one: one["Id"]) == [plain, task]
    assert name in events.list_rule_names_by_target(TargetArn=CLUSTER_ARN)["RuleNames"]
    assert events.describe_rule(Name=name)["State"] == "ENABLED"
    urls = boto3.client("sqs").list_queues().get("QueueUrls", [])
    assert [url for url in urls if settings.COURSE in url] == []

    changed = {**task, "EcsParameters": parameters(task_definition, TaskCount=2)}
    events.put_targets(Rule=name, Targets=[changed])
    assert changed in events.list_targets_by_rule(Rule=name)["Targets"]
    events.put_targets(Rule=name, Targets=[{"Id": "task", "Arn": queue_arn}])
    assert {"Id": "task", "Arn": queue_arn} in events.list_targets_by_rule(Rule=name)["Targets"]
    assert name not in events.list_rule_names_by_target(TargetArn=CLUSTER_ARN)["RuleNames"]
    remove(name)
    assert refusal("describe_rule", Name=name)[0] == "ResourceNotFoundException"


def test_a_removed_target_starts_nothing(task_definition: str, starter: str) -> None:
    events = boto3.client("events")
    name, (url, arn) = rule(OWN), queue()
    put_target(name, Arn=CLUSTER_ARN, RoleArn=starter, EcsParameters=parameters(task_definition))
    events.remove_targets(Rule=name, Ids=["t"])
    assert events.list_targets_by_rule(Rule=name)["Targets"] == []
    put_target(name, Arn=arn)
    send()
    take(url)
    time_to_start = time.monotonic() + 2
    wait_until(lambda: started_by(f"events-rule/{name}") or time.monotonic() > time_to_start)
    assert started_by(f"events-rule/{name}") == []
    put_target(name, Arn=CLUSTER_ARN, RoleArn=starter, EcsParameters=parameters(task_definition))
    send()
    assert wait_for_task(f"events-rule/{name}", 5)
    remove(name)


@pytest.mark.parametrize(
    ("principal", "statements", "words"),
    [
        ("events.amazonaws.com", [], "ecs:RunTask"),
        ("ecs-tasks.amazonaws.com", [ANY], "cannot assume"),
        ("events.amazonaws.com", [{**ANY, "Resource": "arn:aws:ecs:*:*:task-definition/other"}], "ecs:RunTask"),
        ("events.amazonaws.com", [ANY, {**ANY, "Effect": "Deny", "Action": "ecs:*"}], "ecs:RunTask"),
        (
            "events.amazonaws.com",
            [{**ANY, "Condition": {"ArnLike": {"ecs:cluster": "arn:aws:ecs:*:*:cluster/other"}}}],
            "ecs:RunTask",
        ),
    ],
)
def test_a_role_that_may_not_start_tasks(
    task_definition: str, principal: str, statements: list[dict[str, Any]], words: str
) -> None:
    name, (url, arn) = rule(OWN), queue()
    put_target(
        name,
        Arn=CLUSTER_ARN,
        RoleArn=role(principal, *statements),
        EcsParameters=parameters(task_definition),
        DeadLetterConfig={"Arn": arn},
    )
    send(key="x")
    message = take(url)[0]
    assert json.loads(message["Body"])["detail"] == {"key": "x"}
    facts = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert facts["ERROR_CODE"] == "NO_PERMISSIONS"
    assert words in facts["ERROR_MESSAGE"]
    assert started_by(f"events-rule/{name}") == []
    remove(name)


def test_the_roles_of_the_task_must_be_passed() -> None:
    execution = role("ecs-tasks.amazonaws.com", ANY)
    definition = register(executionRoleArn=execution)
    run_only = {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "*"}
    passing = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": execution,
        "Condition": {"StringLike": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    }
    name, (url, arn) = rule(OWN), queue()
    target = {"Arn": CLUSTER_ARN, "EcsParameters": parameters(definition), "DeadLetterConfig": {"Arn": arn}}
    put_target(name, RoleArn=role("events.amazonaws.com", run_only), **target)
    send()
    facts = take(url)[0]["MessageAttributes"]
    assert "iam:PassRole" in facts["ERROR_MESSAGE"]["StringValue"]
    put_target(name, RoleArn=role("events.amazonaws.com", run_only, passing), **target)
    send()
    assert wait_for_task(f"events-rule/{name}")
    remove(name)


def test_a_cluster_that_is_gone_goes_to_the_dead_letter_queue(task_definition: str, starter: str) -> None:
    name, (url, arn) = rule(OWN), queue()
    put_target(
        name,
        Arn=CLUSTER_ARN + "-missing",
        RoleArn=starter,
        EcsParameters=parameters(task_definition),
        DeadLetterConfig={"Arn": arn},
    )
    send()
    facts = take(url)[0]["MessageAttributes"]
    assert facts["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"
    remove(name)


# --- what is refused --------------------------------------------------------------------------------------------------


def _without(*names: str, **more: Any) -> dict[str, Any]:
    target = {
        "Id": "t",
        "Arn": CLUSTER_ARN,
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r",
        "EcsParameters": {"TaskDefinitionArn": "td"},
        **more,
    }
    return {key: value for key, value in target.items() if key not in names}


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (_without("RoleArn"), f"RoleArn is required for target {CLUSTER_ARN}."),
        (_without("EcsParameters"), "EcsParameters"),
        (_without(Arn=f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/x"), "is not valid"),
        (_without(Input="{"), "JSON syntax error"),
        (_without(EcsParameters={"TaskDefinitionArn": "td", "LaunchType": "CLOUD"}), "enum value set"),
        (_without(EcsParameters={"TaskDefinitionArn": "td", "TaskCount": 0}), "greater than or equal to 1"),
    ],
)
def test_a_target_that_aws_refuses(target: dict[str, Any], words: str) -> None:
    name = rule(OWN)
    # Without boto3's own checks, the request reaches the local AWS.
    events = boto3.client("events", config=boto3.session.Config(parameter_validation=False))
    with pytest.raises(ClientError) as caught:
        events.put_targets(Rule=name, Targets=[target])
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert words in caught.value.response["Error"]["Message"]
    assert boto3.client("events").list_targets_by_rule(Rule=name)["Targets"] == []
    remove(name)


def test_a_target_of_an_unknown_rule_is_refused() -> None:
    assert refusal("put_targets", Rule="missing", Targets=[_without()])[0] == "ResourceNotFoundException"
    assert "missing" not in boto3.client("events").list_rule_names_by_target(TargetArn=CLUSTER_ARN)["RuleNames"]


def test_a_rule_with_targets_cannot_be_deleted() -> None:
    name = rule(OWN)
    put_target(name, Arn=queue()[1])
    assert refusal("delete_rule", Name=name) == (
        "ValidationException",
        "Rule can't be deleted since it has targets.",
    )
    assert boto3.client("events").describe_rule(Name=name)["Name"] == name
    remove(name)


@pytest.mark.parametrize(
    "text", ["rate(1 minutes)", "rate(0 minutes)", "cron(0 12 * * * *)", "at(2030-01-01T00:00:00)"]
)
def test_a_schedule_that_is_none_is_refused(text: str) -> None:
    assert refusal("put_rule", Name="none", ScheduleExpression=text) == (
        "ValidationException",
        "Parameter ScheduleExpression is not valid.",
    )
    assert refusal("describe_rule", Name="none")[0] == "ResourceNotFoundException"


def test_a_rule_needs_a_pattern_or_a_schedule_and_a_schedule_the_default_bus() -> None:
    events, other = boto3.client("events"), unique("events-test")
    events.create_event_bus(Name=other)
    assert refusal("put_rule", Name="none")[0] == "ValidationException"
    code, words = refusal("put_rule", Name="none", ScheduleExpression="rate(5 minutes)", EventBusName=other)
    assert code == "ValidationException"
    assert "default event bus" in words
    events.delete_event_bus(Name=other)


def test_an_alarm_that_changes_its_state_sends_an_event(local_aws: Path) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html"""
    cloudwatch, name = boto3.client("cloudwatch"), unique("events-test")
    dimensions = [{"Name": "ServiceName", "Value": "shop"}]
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="AWS/ECS", MetricName="CPUUtilization", Dimensions=dimensions, Statistic="Average",
        Period=60, EvaluationPeriods=1, Threshold=50.0, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="before anybody listens")
    url, arn = queue()
    listens = rule({"source": ["aws.cloudwatch"], "detail": {"alarmName": [name], "state": {"value": ["ALARM"]}}})
    put_target(listens, Arn=arn)
    alarm = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["AlarmArn"]
    begin = time.monotonic()
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="too much")
    [message] = take(url)
    assert time.monotonic() - begin < 3  # a look each second, and the way
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"]) == ("aws.cloudwatch", "CloudWatch Alarm State Change")
    assert event["resources"] == [alarm]
    detail = event["detail"]
    assert (detail["state"]["value"], detail["state"]["reason"]) == ("ALARM", "too much")
    assert detail["previousState"]["value"] == "OK"
    [metric] = detail["configuration"]["metrics"]
    assert metric["metricStat"]["metric"] == {
        "namespace": "AWS/ECS", "name": "CPUUtilization", "dimensions": {"ServiceName": "shop"}
    }  # fmt: skip
    remove(listens)
    cloudwatch.delete_alarms(AlarmNames=[name])
