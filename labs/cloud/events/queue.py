"""The queue of ours, one a region, through which the backend hands over events for targets that it does not know.

It is a FIFO queue: the message group tells which target of which rule an event is for, and the message is the event as
it is. (An input transformer could tell both, but LocalStack loses events with quotation marks in them there.)
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_SqsParameters.html
"""

import asyncio
import hashlib
import json
import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs import settings
from labs.cloud import protocol
from labs.cloud.events.bus import Bus
from labs.cloud.events.state import Events
from labs.cloud.frame import arns, aws, http

NAME = f"{settings.COURSE}-rule-targets.fifo"
# One event may be for several targets: what is the same in two groups are two messages.
_ATTRIBUTES = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "true",
    "DeduplicationScope": "messageGroup",
    "FifoThroughputLimit": "perMessageGroupId",
}
WAIT_SECONDS = 1  # a longer wait would hold up a stop
PAUSE_SECONDS = 1.0  # after a failure

log = logging.getLogger(__name__)


def is_ours(arn: str) -> bool:
    """Whether an ARN is that of the queue, in any region."""
    return arn.startswith("arn:aws:sqs:") and arn.endswith(f":{NAME}")


def group(key: str) -> str:
    """The message group of a target, by its key in `Events.targets`."""
    return hashlib.sha256(key.encode()).hexdigest()  # a group's name has 128 characters at most, and no spaces


async def prepare(region: str) -> str:
    """Makes the queue if it is missing; its ARN."""
    await aws.call("sqs", "create_queue", region=region, QueueName=NAME, Attributes=_ATTRIBUTES)
    return arns.make("sqs", region, NAME)


async def run(events: Events, bus: Bus) -> None:
    """Empties the queues of all regions in which a rule has such a target, for ever."""
    running: dict[str, asyncio.Task[Any]] = {}
    while True:
        for region in {record["region"] for record in events.targets.values()}:
            if region not in running or running[region].done():
                running[region] = events.background.spawn(_empty(events, bus, region), f"queue of rules in {region}")
        await events.targets_changed.wait()


async def _empty(events: Events, bus: Bus, region: str) -> None:
    """Empties one queue for as long as it is needed. It ends between two looks: a look that is left behind takes a
    message with it."""
    url = ""
    while any(record["region"] == region for record in events.targets.values()):
        try:
            if not url:
                await prepare(region)
                url = (await aws.call("sqs", "get_queue_url", region=region, QueueName=NAME))["QueueUrl"]
            found = await aws.call(
                "sqs", "receive_message", region=region, QueueUrl=url, MaxNumberOfMessages=10,
                WaitTimeSeconds=WAIT_SECONDS, AttributeNames=["MessageGroupId"],
            )  # fmt: skip
            for message in found.get("Messages", []):
                await _hand_over(events, bus, message["Attributes"]["MessageGroupId"], message["Body"])
                await aws.call(
                    "sqs", "delete_message", region=region, QueueUrl=url, ReceiptHandle=message["ReceiptHandle"]
                )
        except (ClientError, BotoCoreError) as problem:
            log.info("the queue of rules in %s does not answer: %s", region, problem)
            url = ""
            await asyncio.sleep(PAUSE_SECONDS)


async def _hand_over(events: Events, bus: Bus, wanted: str, body: str) -> None:
    """Brings an event to the target of a message group; a target that is gone gets nothing."""
    try:
        event = json.loads(body)
    except ValueError as problem:
        log.warning("a message of a rule cannot be read: %r", problem)
        return
    found = (
        record for record in events.targets.values() if group(f"{record['rule']} {record['target']['Id']}") == wanted
    )
    if record := next(found, None):
        rule = {"Name": record["name"], "Arn": record["rule"]}
        await bus.to_rule_target(record["region"], rule, record["target"], event)


def hiding(backend: http.App) -> http.App:
    """An ASGI app in front of the backend's SQS, in whose lists of queues ours is missing."""

    async def app(scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        if not http.head(scope).headers.get("x-amz-target", "").endswith(".ListQueues"):
            await backend(scope, receive, send)
            return
        answer = await http.ask(backend, scope, await http.body(receive))
        await http.answer(send, _without_ours(answer))

    return app


def _without_ours(answer: protocol.Answer) -> protocol.Answer:
    if answer.status != 200:
        return answer
    content = json.loads(answer.body)
    content["QueueUrls"] = [url for url in content.get("QueueUrls", []) if not url.endswith(f"/{NAME}")]
    return answer._replace(body=json.dumps(content).encode())
