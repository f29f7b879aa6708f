"""What flows through a pipe: messages of a queue are received, filtered, shaped and handed to the target.

A message is deleted when the target has taken it, or when no filter wants it. One that the target did not take becomes
visible again after the queue's visibility timeout, and its redrive policy decides how often.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-sqs.html
"""

import asyncio
import json
import logging
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel

from labs.cloud.events import pipe_shape
from labs.cloud.events.invoke import InvocationError, invoke, members
from labs.cloud.events.state import Events
from labs.cloud.frame import arns, aws, roles
from labs.cloud.frame.store import Record

PRINCIPAL = "pipes.amazonaws.com"
WAIT_SECONDS = 1  # a longer wait would hold up a stop
PAUSE_SECONDS = 1.0  # after a failure
MOST_AT_ONCE = 10  # that ReceiveMessage gives
# Parameters that belong to one kind of target: the service in its ARN, and whether it needs them.
PARAMETERS = {
    "EcsTaskParameters": ("ecs", True),
    "SqsQueueParameters": ("sqs", False),
    "LambdaFunctionParameters": ("lambda", False),
    "EventBridgeEventBusParameters": ("events", False),
    "CloudWatchLogsParameters": ("logs", False),
    "KinesisStreamParameters": ("kinesis", True),
    "StepFunctionStateMachineParameters": ("states", False),
}
FAILED = {"CREATING": "CREATE_FAILED", "STARTING": "START_FAILED", "UPDATING": "UPDATE_FAILED"}
BATCHED = ("lambda", "states")  # what takes a list of events
_SOURCE_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")

log = logging.getLogger(__name__)


def batch_size(pipe: Record) -> int:
    """How many messages a pipe hands over at once."""
    return pipe.get("SourceParameters", {}).get("SqsQueueParameters", {}).get("BatchSize", MOST_AT_ONCE)


async def run(events: Events) -> None:
    """Has every pipe that is to run do so, for ever."""
    running: dict[str, asyncio.Task[Any]] = {}
    while True:
        for arn, pipe in list(events.pipes.items()):
            if arn in running and not running[arn].done():
                continue  # one that is to stop takes what it has received to its end first
            if pipe["DesiredState"] == "STOPPED":
                _say(events, arn, "STOPPED")
            elif _is_to_begin(pipe):
                running[arn] = events.background.spawn(_flow(events, arn), f"pipe {pipe['Name']}")
                running[arn].add_done_callback(lambda _: events.pipes_changed.beat())
        events.store.flush_quietly()
        await events.pipes_changed.wait()


def _is_to_begin(pipe: Record) -> bool:
    return pipe["DesiredState"] == "RUNNING" and not pipe["CurrentState"].endswith("_FAILED")


async def _flow(events: Events, arn: str) -> None:
    """Empties the queue of one pipe for as long as it is to run. It ends between two looks."""
    queue = ""
    while (pipe := events.pipes.get(arn)) and pipe["DesiredState"] == "RUNNING":
        region, (place, name) = arns.region(arn), (pipe["Source"].split(":")[3], pipe["Source"].rpartition(":")[2])
        try:
            if pipe["CurrentState"] != "RUNNING" or not queue:
                for action in _SOURCE_ACTIONS:
                    await roles.require(pipe["RoleArn"], PRINCIPAL, action, pipe["Source"], {})
                queue = (await aws.call("sqs", "get_queue_url", region=place, QueueName=name))["QueueUrl"]
                _say(events, arn, "RUNNING")
            messages = await _receive(pipe, place, queue)
            if messages:
                await _hand_over(events, region, pipe, queue, messages)
        except roles.RoleError as problem:
            if state := FAILED.get(pipe["CurrentState"]):
                _say(events, arn, state, str(problem))
                return
            log.warning("the pipe %s may not read its source any more: %s", arn, problem)
            await asyncio.sleep(PAUSE_SECONDS)
        except (ClientError, BotoCoreError) as problem:
            log.info("the source of the pipe %s does not answer: %s", arn, problem)
            queue = ""
            await asyncio.sleep(PAUSE_SECONDS)


def _say(events: Events, arn: str, state: str, reason: str = "") -> None:
    """Notes the state in which a pipe is now."""
    pipe = events.pipes.get(arn)
    if pipe is not None and pipe["CurrentState"] != state:
        events.pipes.put(arn, {**pipe, "CurrentState": state} | ({"StateReason": reason} if reason else {}))
        events.store.flush_quietly()


async def _receive(pipe: Record, region: str, queue: str) -> list[dict[str, Any]]:
    """The next batch: what is there, or what comes within the batching window."""
    size, found = batch_size(pipe), []
    source = pipe.get("SourceParameters", {}).get("SqsQueueParameters", {})
    end = time.monotonic() + source.get("MaximumBatchingWindowInSeconds", 0)
    while True:
        answer = await aws.call(
            "sqs", "receive_message", region=region, QueueUrl=queue, WaitTimeSeconds=WAIT_SECONDS,
            MaxNumberOfMessages=min(MOST_AT_ONCE, size - len(found)), AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )  # fmt: skip
        found += answer.get("Messages", [])
        if len(found) >= size or time.monotonic() >= end or not found:
            return found


async def _hand_over(events: Events, region: str, pipe: Record, queue: str, messages: list[dict[str, Any]]) -> None:
    """Brings messages to the target, one by one or as a list, and deletes those that are over."""
    wanted, place = [], pipe["Source"].split(":")[3]
    for message in messages:
        event = pipe_shape.event(pipe, message)
        if await _passes(pipe, region, event):
            wanted.append((message, event))
        else:
            await _delete(place, queue, message)
    batches = [wanted] if pipe["Target"].split(":")[2] in BATCHED else [[one] for one in wanted]
    for batch in batches:
        try:
            await _send(events, region, pipe, [event for _, event in batch])
        except InvocationError as problem:
            log.warning("the target of the pipe %s did not take it: %s", pipe["Name"], problem)
            continue
        for message, _ in batch:
            await _delete(place, queue, message)


async def _delete(region: str, queue: str, message: dict[str, Any]) -> None:
    await aws.call("sqs", "delete_message", region=region, QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


async def _passes(pipe: Record, region: str, event: dict[str, Any]) -> bool:
    """Whether a filter wants an event, or there is none. A filter on parts of the body reads it as JSON."""
    filters = pipe.get("SourceParameters", {}).get("FilterCriteria", {}).get("Filters", [])
    for one in filters:
        pattern = json.loads(one["Pattern"])
        seen = {**event, "body": pipe_shape.parsed(event["body"])} if isinstance(pattern.get("body"), dict) else event
        whole = {
            "id": event["messageId"], "account": "000000000000", "source": "pipe", "time": "2000-01-01T00:00:00Z",
            "region": region, "resources": [], "detail-type": "pipe", "detail": seen,
        }  # fmt: skip
        answer = await aws.call(
            "events", "test_event_pattern", region=region, EventPattern=json.dumps({"detail": pattern}),
            Event=json.dumps(whole),
        )  # fmt: skip
        if answer["Result"]:
            return True
    return not filters


async def _send(events: Events, region: str, pipe: Record, batch: list[dict[str, Any]]) -> None:
    """One call of the target.

    Raises:
        InvocationError: it did not take it.
    """
    parameters = pipe.get("TargetParameters", {})
    template = parameters.get("InputTemplate")
    shaped = [pipe_shape.shape(template, pipe, event) if template else json.dumps(event) for event in batch]
    content = f"[{','.join(shaped)}]" if pipe["Target"].split(":")[2] in BATCHED else shaped[0]
    target: dict[str, Any] = {"Arn": pipe["Target"], "RoleArn": pipe["RoleArn"]}
    values = {name: pipe_shape.filled(parameters[name], batch[0]) for name in PARAMETERS if name in parameters}
    if "EcsTaskParameters" in values:
        ecs = values["EcsTaskParameters"]
        target["EcsParameters"] = ecs
        content = json.dumps(members(ecs.get("Overrides", {}), _overrides())) if ecs.get("Overrides") else content
    if group := values.get("SqsQueueParameters", {}).get("MessageGroupId"):
        target["SqsParameters"] = {"MessageGroupId": group}
    if pipe["Target"].split(":")[2] == "events":
        bus = values.get("EventBridgeEventBusParameters", {})
        target["EventBridgeParameters"] = {
            "Source": bus.get("Source", f"Pipe {pipe['Name']}"),
            "DetailType": bus.get("DetailType", "Event from aws:sqs"),
        }
    if "KinesisStreamParameters" in values:
        target["KinesisParameters"] = values["KinesisStreamParameters"]
    await invoke(events, region, target, content, started_by=f"pipes/{pipe['Name']}"[:36], principal=PRINCIPAL)


def _overrides() -> Any:
    model = ServiceModel(Loader().load_service_model("ecs", "service-2"), service_name="ecs")
    return model.shape_for("TaskOverride")
