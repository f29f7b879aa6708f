"""Deliveries are tried again, are kept meanwhile, and end; windows delay. Without a local AWS, on own tables."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labs.cloud.events import deliveries, due
from labs.cloud.events.state import Events
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record, Store

TARGET = {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask"}
SCHEDULE = {"Name": "s", "Arn": "arn:aws:scheduler:us-east-1:000000000000:schedule/default/s"}


class Ecs:
    """The services of ours, of which ECS answers with these refusals first."""

    def __init__(self, *refusals: AwsError) -> None:
        self.refusals = list(refusals)
        self.calls: list[dict[str, Any]] = []

    def __contains__(self, name: str) -> bool:
        return name == "ecs"

    async def call(self, _service: str, _operation: str, _region: str, **parameters: Any) -> dict[str, Any]:
        self.calls.append(parameters)
        if self.refusals:
            raise self.refusals.pop(0)
        return {}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state.sqlite")
    yield store
    store.close()


def invocation(content: str = "{}", **target: Any) -> Record:
    schedule = {**SCHEDULE, "Target": {**TARGET, **target}}
    return deliveries.of_schedule("us-east-1", schedule, content, 0)


def test_what_fails_for_a_while_is_kept_and_tried_again(store: Store) -> None:
    ecs, ended = Ecs(AwsError("ThrottlingException", "Rate exceeded", 429), AwsError("ServerException", "x", 500)), []
    events = Events(store, ecs)
    delivery = invocation('{"StartedBy": "<aws.scheduler.attempt-number>"}')

    async def scenario() -> None:
        assert not await deliveries.deliver(events, delivery)
        assert list(events.deliveries) == [delivery["id"]]
        done = asyncio.Event()

        def over(one: Record) -> None:
            ended.append(one["id"])
            done.set()

        events.background.spawn(deliveries.run(events, over), "deliveries")
        await asyncio.wait_for(done.wait(), 10)
        await events.background.end()

    asyncio.run(scenario())
    assert [call["startedBy"] for call in ecs.calls] == ["1", "2", "3"]
    assert ended == [delivery["id"]]
    assert list(events.deliveries) == []


@pytest.mark.parametrize(
    ("refusal", "policy"),
    [
        (AwsError("ClusterNotFoundException", "Cluster not found."), {}),
        (AwsError("InvalidParameterException", "x"), {}),
        (AwsError("ServerException", "x", 500), {"MaximumRetryAttempts": 0}),
        (AwsError("ServerException", "x", 500), {"MaximumEventAgeInSeconds": 0}),
    ],
)
def test_what_cannot_succeed_ends_at_once(store: Store, refusal: AwsError, policy: dict[str, int]) -> None:
    ecs = Ecs(refusal)
    events = Events(store, ecs)
    assert asyncio.run(deliveries.deliver(events, invocation(RetryPolicy=policy)))
    assert len(ecs.calls) == 1
    assert list(events.deliveries) == []


def test_a_broken_input_ends_too(store: Store) -> None:
    events = Events(store, Ecs())
    assert asyncio.run(deliveries.deliver(events, invocation("{")))
    assert list(events.deliveries) == []


def test_what_waits_for_another_attempt_is_on_disk(store: Store, tmp_path: Path) -> None:
    events = Events(store, Ecs(AwsError("ServerException", "x", 500)))
    delivery = invocation()
    asyncio.run(deliveries.deliver(events, delivery))
    again = Store(tmp_path / "state.sqlite")
    assert Events(again, Ecs()).deliveries[delivery["id"]]["attempts"] == 1
    again.close()


def test_a_flexible_window_delays_and_never_hastens() -> None:
    fires = []
    for _ in range(200):
        schedule = {
            "ScheduleExpression": "at(2030-01-01T00:00:00)",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        }
        due.plan(schedule, 0)
        fires.append(schedule["_fire"] - schedule["_next"])
    assert all(0 <= delay <= 900 for delay in fires)
    assert min(fires) < 450 < max(fires)
