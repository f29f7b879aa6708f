"""Deliveries to targets: tried at once, tried again for as long as the target's retry policy says, then given up.

What has failed is a record, so that a restart does not lose it. A delivery that is given up goes to the target's
dead-letter queue if it has one, and in any case to the log.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

import logging
import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.events.invoke import InvocationError, invoke
from labs.cloud.events.state import Events
from labs.cloud.frame import aws, clock
from labs.cloud.frame.store import Record

MOST_RETRIES = 185
MOST_AGE = 86400  # seconds
LONGEST_WAIT = 60.0  # seconds between two attempts

log = logging.getLogger(__name__)


def of_rule(region: str, rule: dict[str, Any], target: dict[str, Any], content: str, event: str) -> Record:
    """A delivery of an event to a target of a rule.

    Args:
        region: of the rule.
        rule: its `Name` and `Arn`.
        target: with `Arn` and what EventBridge keeps beside it.
        content: what the target gets.
        event: the whole event as JSON, for the dead-letter queue.
    """
    return {
        "id": str(uuid.uuid4()),
        "kind": "rule",
        "source": rule["Arn"],
        "region": region,
        "target": target,
        "content": content,
        "dead": event,
        "startedBy": f"events-rule/{rule['Name']}",
        "principal": "events.amazonaws.com",
        "first": clock.now(),
        "next": clock.now(),
        "attempts": 0,
    }


def of_schedule(region: str, schedule: dict[str, Any], content: str, when: float) -> Record:
    """An invocation of a schedule's target.

    Args:
        region: of the schedule.
        schedule: its `Name`, `Arn` and `Target`.
        content: what the target gets; keywords such as `<aws.scheduler.attempt-number>` are replaced at each attempt.
        when: the occurrence, seconds since the epoch.
    """
    return {
        "id": str(uuid.uuid4()),
        "kind": "schedule",
        "source": schedule["Arn"],
        "region": region,
        "target": schedule["Target"],
        "content": content,
        "dead": content,
        "scheduled": iso(when),
        "startedBy": f"chronos-schedule/{schedule['Name']}",
        "principal": "scheduler.amazonaws.com",
        "first": clock.now(),
        "next": clock.now(),
        "attempts": 0,
    }


def iso(moment: float) -> str:
    """A time as events have it, e.g. `2030-01-01T00:00:00Z`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def deliver(events: Events, delivery: Record) -> bool:
    """One attempt. What fails and may succeed later is kept, what is over is forgotten.

    Returns:
        Whether it is over, done or given up.
    """
    delivery["attempts"] += 1
    try:
        await invoke(
            events,
            delivery["region"],
            delivery["target"],
            _content(delivery),
            started_by=delivery["startedBy"],
            principal=delivery["principal"],
        )
    except InvocationError as problem:
        over = await _failed(events, delivery, problem)
    except Exception as problem:
        log.exception("an attempt to deliver to %s broke", delivery["target"].get("Arn"))
        over = await _failed(events, delivery, InvocationError(type(problem).__name__, str(problem), again=False))
    else:
        over = True
    if over:
        events.deliveries.drop(delivery["id"])
    else:
        events.deliveries.put(delivery["id"], delivery)
        events.deliveries_changed.beat()
    events.store.flush_quietly()
    return over


async def run(events: Events, ended: Callable[[Record], None]) -> None:
    """Tries what is due, for ever.

    Args:
        ended: told of each delivery that is over.
    """
    flying: set[str] = set()

    async def one(delivery: Record) -> None:
        try:
            if await deliver(events, delivery):
                ended(delivery)
        finally:
            flying.discard(delivery["id"])
            events.deliveries_changed.beat()

    while True:
        now = clock.now()
        waiting = [delivery for key, delivery in events.deliveries.items() if key not in flying]
        for delivery in waiting:
            if delivery["next"] <= now:
                flying.add(delivery["id"])
                events.background.spawn(one(delivery), f"delivery to {delivery['target'].get('Arn')}")
        soonest = min((delivery["next"] for delivery in waiting if delivery["next"] > now), default=None)
        await events.deliveries_changed.wait(None if soonest is None else soonest - now)


def _content(delivery: Record) -> str:
    if delivery["kind"] == "rule":
        return delivery["content"]
    keywords = {
        "<aws.scheduler.schedule-arn>": delivery["source"],
        "<aws.scheduler.scheduled-time>": delivery["scheduled"],
        "<aws.scheduler.execution-id>": delivery["id"].replace("-", "")[:16],
        "<aws.scheduler.attempt-number>": str(delivery["attempts"]),
    }
    content = delivery["content"]
    for keyword, value in keywords.items():
        content = content.replace(keyword, value)
    return content


async def _failed(events: Events, delivery: Record, problem: InvocationError) -> bool:
    """Decides about the next attempt; True if there is none."""
    policy = delivery["target"].get("RetryPolicy", {})
    wait = min(LONGEST_WAIT, 2.0 ** min(delivery["attempts"] - 1, 10)) * random.uniform(0.5, 1)  # noqa: S311
    if not problem.again:
        exhausted = None
    elif delivery["attempts"] > policy.get("MaximumRetryAttempts", MOST_RETRIES):
        exhausted = "MaximumRetryAttempts"
    elif clock.now() + wait - delivery["first"] > policy.get("MaximumEventAgeInSeconds", MOST_AGE):
        exhausted = "MaximumEventAgeInSeconds"
    else:
        delivery["next"] = clock.now() + wait
        log.info("%s did not reach %s and is tried again: %s", delivery["source"], delivery["target"]["Arn"], problem)
        return False
    log.warning("%s did not reach %s: %s", delivery["source"], delivery["target"].get("Arn"), problem)
    if queue := delivery["target"].get("DeadLetterConfig", {}).get("Arn"):
        await _bury(delivery, queue, problem, exhausted)
    return True


async def _bury(delivery: Record, queue: str, problem: InvocationError, exhausted: str | None) -> None:
    """Sends a delivery that was given up to the dead-letter queue."""
    facts = {
        "TARGET_ARN": delivery["target"]["Arn"],
        "ERROR_MESSAGE": problem.message or problem.code,
        "RETRY_ATTEMPTS": str(delivery["attempts"] - 1),
    }
    if exhausted:
        facts["EXHAUSTED_RETRY_CONDITION"] = exhausted
    if delivery["kind"] == "rule":
        facts |= {"RULE_ARN": delivery["source"], "ERROR_CODE": problem.kind}
    else:
        facts |= {
            "SCHEDULE_ARN": delivery["source"],
            "SCHEDULED_TIME": delivery["scheduled"],
            "EXECUTION_ID": delivery["id"].replace("-", "")[:16],
            "IS_PAYLOAD_TRUNCATED": "false",
            "ERROR_CODE": problem.code,
        }
    place, name = queue.split(":")[3], queue.rpartition(":")[2]
    attributes = {key: {"DataType": "String", "StringValue": value} for key, value in facts.items()}
    try:
        url = (await aws.call("sqs", "get_queue_url", region=place, QueueName=name))["QueueUrl"]
        await aws.call(
            "sqs",
            "send_message",
            region=place,
            QueueUrl=url,
            MessageBody=delivery["dead"],
            MessageAttributes=attributes,
        )
    except (ClientError, BotoCoreError) as failure:
        log.warning("the dead-letter queue %s of %s did not take it: %s", queue, delivery["source"], failure)
