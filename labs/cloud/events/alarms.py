"""The events of CloudWatch's alarms: the backend changes their states and tells nobody.

As long as a rule could want such an event, the alarms are looked at once a second and after each request that may
change one, and what has changed is sent. The shape of the event:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
"""

import asyncio
import contextlib
import logging
import re
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.events.bus import DEFAULT, Bus, Rules, misses
from labs.cloud.frame import aws, http
from labs.cloud.frame.pulse import Pulse

SOURCE = "aws.cloudwatch"
TYPE = "CloudWatch Alarm State Change"
EVERY_SECONDS = 1.0
LONGEST_SECONDS = 2.0  # that a request waits for a look
_CHANGING = re.compile(rb"SetAlarmState|PutMetricData|PutMetricAlarm|PutCompositeAlarm|DeleteAlarms")

State = dict[str, Any]

log = logging.getLogger(__name__)


class Alarms:
    """The alarms of a region, and the door to the backend's CloudWatch (an ASGI app).

    Args:
        bus: takes the events.
        rules: of the region's buses.
        region: e.g. `us-east-1`.
        backend: the ASGI app of the backend.
    """

    def __init__(self, bus: Bus, rules: Rules, region: str, backend: http.App) -> None:
        self._bus, self._rules, self._region, self._backend = bus, rules, region, backend
        self._looked = asyncio.Event()  # since a rule has changed last
        self._passed = Pulse()  # beats when a request may have changed an alarm
        self._known: dict[str, State] | None = None  # None while no rule wants the events

    async def __call__(self, scope: http.Scope, receive: http.Receive, send: http.Send) -> None:
        """ASGI: one HTTP request. One that may change an alarm waits until its state before is known."""
        body = await http.body(receive)
        if not _CHANGING.search(
            body + scope["path"].encode() + http.head(scope).headers.get("x-amz-target", "").encode()
        ):
            await http.answer(send, await http.ask(self._backend, scope, body))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_SECONDS):
                await self._looked.wait()
        await http.answer(send, await http.ask(self._backend, scope, body))
        self._passed.beat()

    async def watch(self) -> None:
        """Sends the changes of the alarms, for ever. Costs nothing while no rule wants them."""
        changed, passed = self._changed(), self._passed.next()
        while True:
            if changed.done():
                changed = self._changed()
            if passed.done():
                passed = self._passed.next()
            try:
                await self._look()
            except (ClientError, BotoCoreError) as problem:
                log.info("the alarms of %s could not be looked at: %s", self._region, problem)
            if not changed.done():
                self._looked.set()
            wanted = {changed} if self._known is None else {changed, passed}
            await asyncio.wait(
                wanted,
                timeout=None if self._known is None else EVERY_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )

    def _changed(self) -> "asyncio.Future[None]":
        """The next change of a rule; from then on until the next look nothing is known for sure."""
        future = self._rules.changed.next()
        future.add_done_callback(lambda _: self._looked.clear())
        return future

    async def _look(self) -> None:
        if not await self._rules.could_want(self._region, DEFAULT, _wants):
            self._known = None
            return
        found = await _alarms(self._region)
        _tell(self._bus, self._region, found, self._known)
        self._known = {arn: _state(alarm) for arn, alarm in found.items()}


def _wants(pattern: dict[str, Any]) -> bool:
    return not misses({key: pattern[key] for key in ("source", "detail-type") if key in pattern},
                      {"source": SOURCE, "detail-type": TYPE})  # fmt: skip


async def _alarms(region: str) -> dict[str, dict[str, Any]]:
    """All alarms by ARN."""
    found: dict[str, dict[str, Any]] = {}
    more: dict[str, str] = {}
    while True:
        answer = await aws.call(
            "cloudwatch", "describe_alarms", region=region, AlarmTypes=["MetricAlarm", "CompositeAlarm"], **more
        )
        for one in [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]:
            found[one["AlarmArn"]] = one
        if not answer.get("NextToken"):
            return found
        more = {"NextToken": answer["NextToken"]}


def _tell(bus: Bus, region: str, found: dict[str, dict[str, Any]], known: dict[str, State] | None) -> None:
    """Sends an event for each alarm that is in another state than it was."""
    for arn, alarm in found.items() if known is not None else ():
        before = known.get(arn) or {"value": "INSUFFICIENT_DATA"}  # as a new alarm begins
        after = _state(alarm)
        if after["value"] != before["value"]:
            detail = {
                "alarmName": alarm["AlarmName"],
                "state": after,
                "previousState": before,
                "configuration": _configuration(alarm),
            }
            bus.publish(region, TYPE, [arn], detail, SOURCE)


def _state(alarm: dict[str, Any]) -> State:
    moment = alarm["StateUpdatedTimestamp"].strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
    found = {"value": alarm["StateValue"], "reason": alarm.get("StateReason", ""), "timestamp": moment}
    data = alarm.get("StateReasonData")
    return found | ({"reasonData": data} if data else {})


def _configuration(alarm: dict[str, Any]) -> dict[str, Any]:
    """What an alarm watches, in the words of its events."""
    found: dict[str, Any] = {"description": text} if (text := alarm.get("AlarmDescription")) else {}
    if "AlarmRule" in alarm:
        return found | {"alarmRule": alarm["AlarmRule"]}
    if alarm.get("Metrics"):
        return found | {"metrics": [_query(one) for one in alarm["Metrics"]]}
    metric = {key: alarm[key] for key in ("Namespace", "MetricName", "Dimensions") if key in alarm}
    stat = {"Metric": metric, "Period": alarm.get("Period"), "Stat": alarm.get("Statistic", "Average")}
    return found | {"metrics": [_query({"Id": "m1", "MetricStat": stat, "ReturnData": True})]}


def _query(one: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"id": one["Id"], "returnData": one.get("ReturnData", True)}
    if "Expression" in one:
        return found | {"expression": one["Expression"], "label": one.get("Label", "")}
    stat = one["MetricStat"]
    metric = {
        "namespace": stat["Metric"].get("Namespace"),
        "name": stat["Metric"].get("MetricName"),
        "dimensions": {each["Name"]: each["Value"] for each in stat["Metric"].get("Dimensions", [])},
    }
    return found | {"metricStat": {"metric": metric, "period": stat["Period"], "stat": stat["Stat"]}}
