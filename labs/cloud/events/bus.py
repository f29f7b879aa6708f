"""The events of our services on their way: which rules want an event, and to whom it goes.

PutEvents refuses events of AWS's own services, so ours are matched here with the public ListRules, TestEventPattern and
ListTargetsByRule, and sent to the targets. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events.html
"""

import asyncio
import json
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from labs import settings
from labs.cloud.events import deliveries, inputs
from labs.cloud.events.state import Events
from labs.cloud.frame import aws, clock
from labs.cloud.frame.pulse import Pulse

DEFAULT = "default"
FRESH_SECONDS = 1.0  # a rule can also be made without passing the gateway, by CloudFormation
_ENABLED = ("ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")

log = logging.getLogger(__name__)


class _Listed(NamedTuple):
    since: float  # monotonic
    items: "asyncio.Future[list[dict[str, Any]]]"


class Rules:
    """The rules of the buses and their targets, read from the backend and kept for a second.

    `changed` beats when a rule or a target may have changed.
    """

    def __init__(self) -> None:
        self.changed = Pulse()
        self._listed: dict[tuple[str, ...], _Listed] = {}

    def forget(self) -> None:
        """A rule or a target has changed."""
        self._listed.clear()
        self.changed.beat()

    async def could_want(self, region: str, bus: str, wants: Callable[[dict[str, Any]], bool]) -> bool:
        """Whether an enabled rule of a bus has a pattern that could want something.

        Args:
            region: of the bus.
            bus: its name.
            wants: judges a pattern.
        """
        rules = await self._list("list_rules", "Rules", region, EventBusName=bus)
        patterns = [rule["EventPattern"] for rule in rules if rule["State"] in _ENABLED and rule.get("EventPattern")]
        return any(wants(json.loads(pattern)) for pattern in patterns)

    async def matching(self, region: str, bus: str, event: dict[str, Any]) -> list[dict[str, Any]]:
        """The enabled rules of a bus whose pattern fits an event."""
        rules = await self._list("list_rules", "Rules", region, EventBusName=bus)
        text = json.dumps(event)
        return [
            rule
            for rule in rules
            if rule["State"] in _ENABLED and rule.get("EventPattern") and await _fits(region, rule, event, text)
        ]

    async def targets(self, region: str, bus: str, rule: str) -> list[dict[str, Any]]:
        """The targets of a rule, as the learner sees them."""
        return await self._list("list_targets_by_rule", "Targets", region, EventBusName=bus, Rule=rule)

    async def _list(self, operation: str, member: str, region: str, **parameters: str) -> list[dict[str, Any]]:
        key = (operation, region, *parameters.values())
        listed = self._listed.get(key)
        if not listed or time.monotonic() - listed.since >= FRESH_SECONDS:
            asked = asyncio.ensure_future(_all(operation, member, region, parameters))
            asked.add_done_callback(lambda one: one.cancelled() or one.exception())  # whoever waited may be gone
            listed = self._listed[key] = _Listed(time.monotonic(), asked)  # all who come meanwhile wait for the same
        try:
            return await asyncio.shield(listed.items)
        except (ClientError, BotoCoreError):
            if self._listed.get(key) is listed:
                del self._listed[key]
            raise


async def _all(operation: str, member: str, region: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
    """All pages of a list."""
    items: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        answer = await aws.call("events", operation, region=region, **parameters, **more)
        items += answer[member]
        if not answer.get("NextToken"):
            return items
        more = {"NextToken": answer["NextToken"]}


class Bus:
    """Takes events and brings them to the targets. Events of one resource stay in their order.

    Args:
        events: the state.
        rules: of the buses.
    """

    def __init__(self, events: Events, rules: Rules) -> None:
        self._events = events
        self._rules = rules
        self._lines: dict[str, deque[dict[str, Any]]] = {}
        self._closed = False

    def publish(
        self, region: str, detail_type: str, resources: list[str], detail: dict[str, Any], source: str = "aws.ecs"
    ) -> None:
        """Sends an event to the default bus of a region. Returns at once; on the event loop only.

        Args:
            region: where it happened.
            detail_type: e.g. `ECS Task State Change`.
            resources: the ARNs it is about; the first one decides on the order.
            detail: the event's own content, JSON.
            source: e.g. `aws.ecs`.
        """
        if self._closed:
            return
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": settings.ACCOUNT,
            "time": deliveries.iso(clock.now()),
            "region": region,
            "resources": list(resources),
            "detail": json.loads(json.dumps(detail)),  # as it is now: the caller may go on changing it
        }
        key = resources[0] if resources else source
        if key in self._lines:
            self._lines[key].append(event)
        else:
            self._lines[key] = deque([event])
            self._events.background.spawn(self._empty(key), f"events of {key}")

    def close(self) -> None:
        """Takes no events any more."""
        self._closed = True

    async def to_rule_target(self, region: str, rule: dict[str, Any], target: dict[str, Any], event: Any) -> None:
        """Brings an event to one target of a rule."""
        content = inputs.render(target, event, rule, deliveries.iso(clock.now()))
        await deliveries.deliver(self._events, deliveries.of_rule(region, rule, target, content, json.dumps(event)))

    async def _empty(self, key: str) -> None:
        line = self._lines[key]
        try:
            while line:
                event = line.popleft()
                try:
                    await self._route(event["region"], DEFAULT, event, ())
                except (ClientError, BotoCoreError) as problem:
                    log.warning("an event '%s' of %s was not sent: %s", event["detail-type"], key, problem)
        finally:
            del self._lines[key]

    async def _route(self, region: str, bus: str, event: dict[str, Any], passed: tuple[str, ...]) -> None:
        """Brings an event to all targets of the rules of a bus, and on to the buses among them."""
        for rule in await self._rules.matching(region, bus, event):
            for target in await self._rules.targets(region, bus, rule["Name"]):
                if ":event-bus/" not in target["Arn"]:
                    await self.to_rule_target(region, rule, target, event)
                elif target["Arn"] not in passed:
                    place, name = target["Arn"].split(":")[3], target["Arn"].rpartition("/")[2]
                    await self._route(place, name, event, (*passed, target["Arn"]))


async def _fits(region: str, rule: dict[str, Any], event: dict[str, Any], text: str) -> bool:
    """Whether a rule's pattern fits. Most do not, and that is mostly seen without asking."""
    pattern = rule["EventPattern"]
    if misses(json.loads(pattern), event):
        return False
    answer = await aws.call("events", "test_event_pattern", region=region, EventPattern=pattern, Event=text)
    return answer["Result"]


def misses(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether a pattern asks somewhere for one of some texts, and the event has another one there, or none.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern.html
    """
    for key, wanted in pattern.items():
        found = event.get(key)
        if isinstance(wanted, dict):
            if isinstance(found, dict) and misses(wanted, found):
                return True
        elif isinstance(wanted, list) and all(isinstance(one, str) for one in wanted):
            texts = found if isinstance(found, list) else [found]
            if all(text is None or isinstance(text, str) for text in texts) and not set(wanted) & set(texts):
                return True
    return False
