"""When schedules are due, and what happens then.

A schedule's record holds the next occurrence (`_next`) and the moment at which it is invoked (`_fire`), which is later
inside a flexible time window. Both are seconds since the epoch, or None when there is none any more.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-flexible-time-windows.html
"""

import json
import logging
import random
import uuid
from zoneinfo import ZoneInfo

from labs import settings
from labs.cloud.events import deliveries
from labs.cloud.events.state import Events
from labs.cloud.frame import arns, clock
from labs.cloud.frame.expressions import At, Expression, parse
from labs.cloud.frame.store import Record

PRECISION = 60.0  # seconds: AWS invokes within the minute
LONGEST_SLEEP = 30.0  # the computer's clock may be set, or the computer wake up

log = logging.getLogger(__name__)


def plan(schedule: Record, now: float) -> None:
    """Works out the first occurrence of a new or changed schedule.

    One whose only occurrence is over, or lies outside of start and end, has none.
    """
    expression = _expression(schedule)
    schedule["_start"] = max(schedule.get("StartDate", now), now)  # a rate begins with it, and at once if it is over
    earliest = now - PRECISION if isinstance(expression, At) else schedule["_start"] - 0.001
    _set_next(schedule, expression.after(earliest, schedule["_start"]))


async def run(events: Events) -> None:
    """Invokes the targets of schedules that are due, for ever."""
    while True:
        now = clock.now()
        for schedule in events.schedules.values():
            if schedule["_fire"] is not None and schedule["_fire"] <= now:
                try:
                    _pass(events, schedule, now)
                except Exception:  # one schedule must not hold up the others
                    log.exception("the schedule %s broke and is not invoked any more", schedule["Arn"])
                    events.schedules.put(schedule["Arn"], {**schedule, "_next": None, "_fire": None})
        events.store.flush_quietly()
        fires = [schedule["_fire"] for schedule in events.schedules.values() if schedule["_fire"] is not None]
        await events.schedules_changed.wait(min([LONGEST_SLEEP, *(max(fire - clock.now(), 0) for fire in fires)]))


def ended(events: Events, delivery: Record) -> None:
    """An invocation is over: a schedule that was to be deleted after its last one goes."""
    schedule = events.schedules.get(delivery["source"])
    if schedule and schedule["_next"] is None and schedule["ActionAfterCompletion"] == "DELETE":
        events.schedules.drop(schedule["Arn"])
        events.store.flush_quietly()


def _pass(events: Events, schedule: Record, now: float) -> None:
    """Hands an occurrence over to the deliveries and moves the schedule on; both are saved together.

    What was missed while nothing ran is left out, except for an occurrence that is the only one.
    """
    expression, region = _expression(schedule), arns.region(schedule["Arn"])
    in_time = isinstance(expression, At) or now - schedule["_fire"] < PRECISION
    if schedule["State"] == "ENABLED" and in_time:
        content = schedule["Target"].get("Input") or _event(schedule, schedule["_next"], region)
        delivery = deliveries.of_schedule(region, schedule, content, schedule["_next"])
        events.deliveries.put(delivery["id"], delivery)
        events.deliveries_changed.beat()
    over = max(schedule["_next"], now - _window(schedule) - PRECISION)
    _set_next(schedule, expression.after(over, schedule["_start"]))
    events.schedules.put(schedule["Arn"], schedule)


def _set_next(schedule: Record, moment: float | None) -> None:
    if moment is not None and moment > schedule.get("EndDate", moment):
        moment = None
    schedule["_next"] = moment
    delay = random.uniform(0, _window(schedule))  # noqa: S311
    schedule["_fire"] = None if moment is None else moment + delay


def _window(schedule: Record) -> float:
    return schedule["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0) * 60.0


def _expression(schedule: Record) -> Expression:
    return parse(schedule["ScheduleExpression"], ZoneInfo(schedule["ScheduleExpressionTimezone"]))


def _event(schedule: Record, moment: float, region: str) -> str:
    """What a target gets that was given no input."""
    return json.dumps(
        {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": settings.ACCOUNT,
            "time": deliveries.iso(moment),
            "region": region,
            "resources": [schedule["Arn"]],
            "detail": "{}",
        }
    )
