"""EventBridge Scheduler through boto3, against a running local AWS."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

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
    parameters,
    put_target,
    queue,
    register,
    remove,
    role,
    rule,
    take,
    unique,
    wait_for_task,
)

from labs.cloud import server

OFF = {"Mode": "OFF"}
ROLE = "arn:aws:iam::{}:role/{}"


@pytest.fixture(scope="module", autouse=True)
def invoker(local_aws: Path) -> str:
    """A role with which schedules may do anything."""
    return role("scheduler.amazonaws.com", ANY)


@pytest.fixture
def group() -> Iterator[str]:
    """A group of schedules; removed with them."""
    scheduler, name = boto3.client("scheduler"), unique("events-test")
    scheduler.create_schedule_group(Name=name)
    yield name
    scheduler.delete_schedule_group(Name=name)


def at(seconds: float, zone: str = "UTC") -> str:
    """The expression of a moment so many seconds from now, by the clock of a time zone."""
    moment = datetime.now(ZoneInfo(zone)) + timedelta(seconds=seconds)
    return f"at({moment:%Y-%m-%dT%H:%M:%S})"


def create(group: str, expression: str, target: dict[str, Any], **more: Any) -> str:
    """The name of a new schedule."""
    name = unique("s")
    boto3.client("scheduler").create_schedule(
        **{
            "Name": name,
            "GroupName": group,
            "ScheduleExpression": expression,
            "FlexibleTimeWindow": OFF,
            "Target": target,
            **more,
        }
    )
    return name


def refusal(operation: str, **arguments: Any) -> tuple[str, str, int]:
    """Code, words and HTTP status with which Scheduler refuses a call."""
    with pytest.raises(ClientError) as caught:
        getattr(boto3.client("scheduler"), operation)(**arguments)
    error, status = caught.value.response["Error"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]
    return error["Code"], error["Message"], status


def facts(message: dict[str, Any]) -> dict[str, str]:
    """The attributes of a message of a dead-letter queue."""
    return {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}


# --- invocations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_at_is_read_in_its_time_zone_and_fires_within_a_second(group: str, invoker: str, zone: str) -> None:
    url, arn = queue()
    expression = at(3, zone)
    due = datetime.fromisoformat(expression[3:-1]).replace(tzinfo=ZoneInfo(zone)).timestamp()
    name = create(group, expression, {"Arn": arn, "RoleArn": invoker, "Input": "now"}, ScheduleExpressionTimezone=zone)
    message = take(url)[0]
    assert message["Body"] == "now"
    assert 0 <= int(message["Attributes"]["SentTimestamp"]) / 1000 - due < 1
    assert boto3.client("scheduler").get_schedule(Name=name, GroupName=group)["State"] == "ENABLED"


def test_at_starts_a_task_with_overrides(group: str, invoker: str) -> None:
    definition = register()
    override = {"name": "main", "command": ["sleep", "300"], "environment": [{"name": "DAY", "value": "monday"}]}
    name = create(
        group,
        at(2, "Europe/Berlin"),
        {
            "Arn": CLUSTER_ARN,
            "RoleArn": invoker,
            "EcsParameters": parameters(definition, TaskCount=1, Tags=[{"key": "by", "value": "schedule"}]),
            "Input": json.dumps({"containerOverrides": [override]}),
        },
        ScheduleExpressionTimezone="Europe/Berlin",
        ActionAfterCompletion="DELETE",
    )
    task = wait_for_task(f"chronos-schedule/{name}")
    assert task["taskDefinitionArn"] == definition
    assert task["overrides"]["containerOverrides"] == [override]
    assert {"key": "by", "value": "schedule"} in task["tags"]
    scheduler = boto3.client("scheduler")
    wait_until(lambda: not scheduler.list_schedules(GroupName=group)["Schedules"], 5)


def test_a_universal_target_starts_a_task(group: str, invoker: str) -> None:
    vpc = {"AwsvpcConfiguration": parameters("")["NetworkConfiguration"]["awsvpcConfiguration"]}
    wanted = {"Cluster": CLUSTER, "TaskDefinition": register(), "LaunchType": "FARGATE", "NetworkConfiguration": vpc}
    by = unique("universal")
    target = {
        "Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask",
        "RoleArn": invoker,
        "Input": json.dumps({**wanted, "StartedBy": by, "Count": 1}),
    }
    create(group, at(1), target)
    assert wait_for_task(by)["launchType"] == "FARGATE"


def test_universal_targets_of_other_services(group: str, invoker: str) -> None:
    url, _ = queue()
    content = {"QueueUrl": url, "MessageBody": "<aws.scheduler.scheduled-time> <aws.scheduler.attempt-number>"}
    expression = at(1)
    target = {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "RoleArn": invoker, "Input": json.dumps(content)}
    create(group, expression, target)
    assert take(url)[0]["Body"] == f"{expression[3:-1]}Z 1"


def test_topic_bus_and_fifo_queue_are_reached(group: str, invoker: str) -> None:
    sns = boto3.client("sns")
    topic_url, topic_queue = queue()
    topic = sns.create_topic(Name=unique("events-test"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=topic_queue, Attributes={"RawMessageDelivery": "true"})
    create(group, at(1), {"Arn": topic, "RoleArn": invoker, "Input": "to the topic"})
    bus_url, bus_queue = queue()
    name = rule({"source": ["events.schedule"], "detail-type": ["Reminder"], "detail": {"n": [1]}})
    put_target(name, Arn=bus_queue, InputPath="$.detail")
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    kind = {"Source": "events.schedule", "DetailType": "Reminder"}
    create(group, at(1), {"Arn": bus, "RoleArn": invoker, "Input": '{"n": 1}', "EventBridgeParameters": kind})
    fifo_url, fifo = queue(FifoQueue="true", ContentBasedDeduplication="true")
    create(group, at(1), {"Arn": fifo, "RoleArn": invoker, "Input": "x", "SqsParameters": {"MessageGroupId": "g"}})
    assert take(topic_url)[0]["Body"] == "to the topic"
    assert json.loads(take(bus_url)[0]["Body"]) == {"n": 1}
    assert take(fifo_url)[0]["Attributes"]["MessageGroupId"] == "g"
    remove(name)


def test_without_an_input_the_target_gets_an_event(group: str, invoker: str) -> None:
    url, arn = queue()
    expression = at(1)
    name = create(group, expression, {"Arn": arn, "RoleArn": invoker})
    event = json.loads(take(url)[0]["Body"])
    assert event["source"] == "aws.scheduler"
    assert event["detail-type"] == "Scheduled Event"
    assert event["time"] == f"{expression[3:-1]}Z"
    assert event["resources"] == [f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{name}"]


def test_a_rate_begins_at_once_or_with_its_start_date(group: str, invoker: str) -> None:
    url, arn = queue()
    begin = time.time()
    create(group, "rate(1 hours)", {"Arn": arn, "RoleArn": invoker, "Input": "at once"})
    start = datetime.now(UTC) + timedelta(seconds=4)
    create(group, "rate(5 minutes)", {"Arn": arn, "RoleArn": invoker, "Input": "later"}, StartDate=start)
    first, second = take(url), take(url)
    assert first[0]["Body"] == "at once"
    assert int(first[0]["Attributes"]["SentTimestamp"]) / 1000 - begin < 2
    assert second[0]["Body"] == "later"
    assert 0 <= int(second[0]["Attributes"]["SentTimestamp"]) / 1000 - int(start.timestamp()) < 2


def test_disabled_changed_and_ended_schedules(group: str, invoker: str) -> None:
    scheduler = boto3.client("scheduler")
    url, arn = queue()
    target = {"Arn": arn, "RoleArn": invoker, "Input": "never"}
    create(group, at(2), target, State="DISABLED")
    over = datetime.now(UTC) - timedelta(hours=1)
    create(group, "rate(1 minutes)", target, EndDate=over)
    create(group, at(-3600), target)
    later = create(group, at(2), target)
    scheduler.delete_schedule(Name=create(group, at(2), target), GroupName=group)
    scheduler.update_schedule(
        Name=later,
        GroupName=group,
        ScheduleExpression=at(4),
        FlexibleTimeWindow=OFF,
        Target={**target, "Input": "changed"},
    )
    assert take(url)[0]["Body"] == "changed"
    assert "Messages" not in boto3.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert scheduler.get_schedule(Name=later, GroupName=group)["Target"]["Input"] == "changed"


def test_a_missing_cluster_goes_to_the_dead_letter_queue(group: str, invoker: str) -> None:
    dead_url, dead = queue()
    target = {
        "Arn": CLUSTER_ARN.replace(CLUSTER, "missing"),
        "RoleArn": invoker,
        "EcsParameters": parameters(register()),
        "DeadLetterConfig": {"Arn": dead},
        "RetryPolicy": {"MaximumRetryAttempts": 0},
        "Input": "{}",
    }
    name = create(group, at(1), target)
    message = take(dead_url)[0]
    assert message["Body"] == "{}"
    assert facts(message)["ERROR_CODE"] == "ClusterNotFoundException"
    assert facts(message)["TARGET_ARN"] == target["Arn"]
    assert facts(message)["SCHEDULE_ARN"] == f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{name}"


def test_a_role_without_the_permission_goes_to_the_dead_letter_queue(group: str) -> None:
    (url, arn), (dead_url, dead) = queue(), queue()
    reader = role("scheduler.amazonaws.com", {**ANY, "Action": "sqs:ReceiveMessage"})
    create(group, at(1), {"Arn": arn, "RoleArn": reader, "Input": "x", "DeadLetterConfig": {"Arn": dead}})
    found = facts(take(dead_url)[0])
    assert found["ERROR_CODE"] == "AccessDeniedException"
    assert "sqs:SendMessage" in found["ERROR_MESSAGE"]
    assert "Messages" not in boto3.client("sqs").receive_message(QueueUrl=url)


# --- the API ----------------------------------------------------------------------------------------------------------


def test_what_was_created_is_told(group: str, invoker: str) -> None:
    scheduler = boto3.client("scheduler")
    _, arn = queue()
    start = datetime(2030, 1, 1, tzinfo=UTC)
    name = create(
        group,
        "cron(0 9 ? * MON-FRI *)",
        {"Arn": arn, "RoleArn": invoker},
        Description="office",
        ScheduleExpressionTimezone="Europe/Berlin",
        StartDate=start,
        EndDate=start + timedelta(days=1),
    )
    found = scheduler.get_schedule(Name=name, GroupName=group)
    assert found["Arn"] == f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{name}"
    assert found["State"] == "ENABLED"
    assert found["ActionAfterCompletion"] == "NONE"
    assert found["Description"] == "office"
    assert found["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert found["StartDate"] == start
    assert found["FlexibleTimeWindow"] == OFF
    assert found["Target"] == {
        "Arn": arn,
        "RoleArn": invoker,
        "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
    }
    assert abs((datetime.now(UTC) - found["CreationDate"]).total_seconds()) < 10
    assert not [key for key in found if key.startswith("_")]


def test_lists_are_paged_and_filtered(group: str, invoker: str) -> None:
    scheduler = boto3.client("scheduler")
    target = {"Arn": queue()[1], "RoleArn": invoker}
    names = sorted(create(group, at(3600), target) for _ in range(3))
    pages = list(scheduler.get_paginator("list_schedules").paginate(GroupName=group, PaginationConfig={"PageSize": 2}))
    assert [len(page["Schedules"]) for page in pages] == [2, 1]
    assert [one["Name"] for page in pages for one in page["Schedules"]] == names
    assert pages[0]["Schedules"][0]["Target"] == {"Arn": target["Arn"]}
    assert scheduler.list_schedules(GroupName=group, State="DISABLED")["Schedules"] == []
    assert len(scheduler.list_schedules(NamePrefix=names[0])["Schedules"]) == 1
    other = boto3.client("scheduler", region_name="eu-central-1")
    assert other.list_schedules()["Schedules"] == []


def test_groups_and_their_tags(invoker: str) -> None:
    scheduler, name = boto3.client("scheduler"), unique("events-test")
    arn = scheduler.create_schedule_group(Name=name, Tags=[{"Key": "a", "Value": "1"}])["ScheduleGroupArn"]
    assert arn == f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{name}"
    assert refusal("create_schedule_group", Name=name)[0] == "ConflictException"
    scheduler.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    scheduler.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    names = [one["Name"] for one in scheduler.list_schedule_groups()["ScheduleGroups"]]
    assert {"default", name} <= set(names)
    schedule = create(name, at(3600), {"Arn": queue()[1], "RoleArn": invoker})
    scheduler.delete_schedule_group(Name=name)
    assert refusal("get_schedule_group", Name=name)[::2] == ("ResourceNotFoundException", 404)
    assert refusal("get_schedule", Name=schedule, GroupName=name)[0] == "ResourceNotFoundException"
    assert refusal("delete_schedule_group", Name="default")[0] == "ValidationException"


def test_names_are_taken_once(group: str, invoker: str) -> None:
    target = {"Arn": queue()[1], "RoleArn": invoker}
    wanted = {
        "Name": "once", "GroupName": group, "ScheduleExpression": at(3600), "FlexibleTimeWindow": OFF,
        "Target": target,
    }  # fmt: skip
    scheduler = boto3.client("scheduler")
    first = scheduler.create_schedule(**wanted, ClientToken="same")
    assert scheduler.create_schedule(**wanted, ClientToken="same")["ScheduleArn"] == first["ScheduleArn"]
    assert refusal("create_schedule", **wanted)[::2] == ("ConflictException", 409)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ScheduleExpression": "rate(5 weeks)"}, "Invalid Schedule Expression rate(5 weeks)."),
        ({"ScheduleExpression": "cron(0 12 * * * *)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpression": "at(2030-02-30T00:00:00)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpressionTimezone": "Europe/Bielefeld"}, "Europe/Bielefeld"),
        ({"ScheduleExpressionTimezone": "../../etc/passwd"}, "../../etc/passwd"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes"),
        ({"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}}, "MaximumWindowInMinutes"),
        ({"FlexibleTimeWindow": {"Mode": "SOMETIMES"}}, "enum value set"),
        ({"StartDate": datetime(2030, 1, 2, tzinfo=UTC), "EndDate": datetime(2030, 1, 1, tzinfo=UTC)}, "StartDate"),
        ({"State": "PAUSED"}, "enum value set"),
        ({"Name": "not a name"}, "regular expression"),
        ({"Target": {"RoleArn": "unknown"}}, "regular expression"),
        ({"Target": {"RoleArn": ROLE.format(ACCOUNT, "unknown")}}, "must allow AWS EventBridge Scheduler to assume"),
        ({"Target": {"RoleArn": "for events"}}, "must allow AWS EventBridge Scheduler to assume"),
        ({"Target": {"Arn": "queue"}}, "not in correct format"),
        ({"Target": {"Arn": CLUSTER_ARN}}, "EcsParameters"),
        ({"Target": {"Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"}}, "EventBridgeParameters"),
        ({"Target": {"EcsParameters": {"TaskDefinitionArn": "td"}}}, "EcsParameters"),
        ({"Target": {"Arn": CLUSTER_ARN, "EcsParameters": {"TaskDefinitionArn": "t", "TaskCount": 11}}}, "to 10"),
        ({"Target": {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q.fifo"}}, "MessageGroupId"),
        ({"Target": {"RetryPolicy": {"MaximumRetryAttempts": 186}}}, "less than or equal to 185"),
        ({"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:describeTasks"}}, "read-only"),
        ({"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:flyTask"}}, "does not exist"),
        ({"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:nothing:runTask"}}, "does not exist"),
        ({"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "Input": "[]"}}, "JSON object"),
    ],
)
def test_what_aws_refuses_is_refused(group: str, invoker: str, changes: dict[str, Any], words: str) -> None:
    target = {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "RoleArn": invoker, **changes.get("Target", {})}
    if target["RoleArn"] == "for events":
        target["RoleArn"] = role("events.amazonaws.com", ANY)
    wanted = {
        "Name": "refused", "GroupName": group, "ScheduleExpression": at(3600), "FlexibleTimeWindow": OFF,
        **changes, "Target": target,
    }  # fmt: skip
    # Without boto3's own checks, the request reaches the local AWS.
    scheduler = boto3.client("scheduler", config=boto3.session.Config(parameter_validation=False))
    with pytest.raises(ClientError) as caught:
        scheduler.create_schedule(**wanted)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert words in caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert scheduler.list_schedules(GroupName=group)["Schedules"] == []


def test_what_is_not_there_is_not_found(group: str, invoker: str) -> None:
    target = {"Arn": queue()[1], "RoleArn": invoker}
    wanted = {"ScheduleExpression": at(60), "FlexibleTimeWindow": OFF, "Target": target}
    for operation in ("get_schedule", "delete_schedule"):
        assert refusal(operation, Name="none", GroupName=group)[::2] == ("ResourceNotFoundException", 404)
    assert refusal("update_schedule", Name="none", **wanted)[0] == "ResourceNotFoundException"
    assert refusal("create_schedule", Name="a", GroupName="none", **wanted)[0] == "ResourceNotFoundException"
    assert refusal("list_schedules", GroupName="none")[0] == "ResourceNotFoundException"
    assert refusal("list_schedules", NextToken="guess")[0] == "ValidationException"


# --- after a restart --------------------------------------------------------------------------------------------------


def test_schedules_survive_a_kill_and_one_that_was_missed_comes_late(invoker: str, local_aws: Path) -> None:
    scheduler = boto3.client("scheduler")
    (url, arn), name = queue(), unique("events-test")
    scheduler.create_schedule_group(Name=name, Tags=[{"Key": "a", "Value": "1"}])
    late = create(name, at(2), {"Arn": arn, "RoleArn": invoker, "Input": "late"}, ActionAfterCompletion="DELETE")
    kept = create(name, "cron(0 9 * * ? *)", {"Arn": arn, "RoleArn": invoker, "Input": "daily"})
    server.stop()
    due = time.time() + 2
    wait_until(lambda: time.time() > due)
    server.ensure_running()
    assert take(url)[0]["Body"] == "late"
    wait_until(lambda: [one["Name"] for one in scheduler.list_schedules(GroupName=name)["Schedules"]] == [kept], 5)
    assert refusal("get_schedule", Name=late, GroupName=name)[0] == "ResourceNotFoundException"
    assert "Messages" not in boto3.client("sqs").receive_message(QueueUrl=url)
    scheduler.delete_schedule_group(Name=name)
