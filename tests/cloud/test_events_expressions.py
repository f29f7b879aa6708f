"""rate, cron and at: when they are due, and what is none."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from labs.cloud.frame import expressions
from labs.cloud.frame.expressions import ExpressionError

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


def due(text: str, after: str, count: int = 1, zone: ZoneInfo | None = None) -> list[str]:
    """The next occurrences later than a moment, both in UTC, as `2026-11-22T22:00`."""
    expression = expressions.parse(text, zone or UTC)
    moment, found = datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp(), []
    for _ in range(count):
        following = expression.after(moment, 0)
        if following is None:
            break
        moment = following
        found.append(datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M"))
    return found


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("cron(15 10 * * ? *)", "2026-11-22T10:15:00", ["2026-11-23T10:15", "2026-11-24T10:15"]),
        ("cron(15 10 * * ? *)", "2026-11-22T10:14:59", ["2026-11-22T10:15"]),
        ("cron(0/15 8-9 ? * MON-FRI *)", "2026-11-20T09:40:00", ["2026-11-20T09:45", "2026-11-23T08:00"]),
        ("cron(0/10 0 * * ? *)", "2026-11-22T00:45:00", ["2026-11-22T00:50", "2026-11-23T00:00"]),
        ("cron(0 18 ? * mon,FRI *)", "2026-11-22T00:00:00", ["2026-11-23T18:00", "2026-11-27T18:00"]),
        ("cron(0 8 1 * ? *)", "2026-11-22T00:00:00", ["2026-12-01T08:00", "2027-01-01T08:00"]),
        ("cron(0 0 L * ? *)", "2028-01-31T00:00:00", ["2028-02-29T00:00", "2028-03-31T00:00"]),
        ("cron(0 0 31 * ? *)", "2026-11-22T00:00:00", ["2026-12-31T00:00", "2027-01-31T00:00", "2027-03-31T00:00"]),
        ("cron(0 0 15W * ? *)", "2026-08-01T00:00:00", ["2026-08-14T00:00"]),  # the 15th is a Saturday
        ("cron(0 0 15W * ? *)", "2026-11-01T00:00:00", ["2026-11-16T00:00"]),  # a Sunday
        ("cron(0 0 1W * ? *)", "2026-08-01T00:00:00", ["2026-08-03T00:00"]),  # never the month before
        ("cron(0 0 31W 5 ? *)", "2026-05-01T00:00:00", ["2026-05-29T00:00"]),  # nor the month after
        ("cron(0 0 ? * 6L *)", "2026-11-01T00:00:00", ["2026-11-27T00:00", "2026-12-25T00:00"]),
        ("cron(0 0 ? * 3#2 *)", "2026-11-01T00:00:00", ["2026-11-10T00:00", "2026-12-08T00:00"]),
        ("cron(0 0 ? * TUE#5 *)", "2026-11-01T00:00:00", ["2026-12-29T00:00", "2027-03-30T00:00"]),
        ("cron(0 0 ? * 1 *)", "2026-11-22T00:00:00", ["2026-11-29T00:00"]),  # 1 is Sunday
        ("cron(0 0 ? * L *)", "2026-11-22T00:00:00", ["2026-11-28T00:00"]),  # Saturday
        ("cron(0 0 29 FEB ? *)", "2026-11-22T00:00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("cron(0 0 1 JAN ? 2027-2028)", "2026-11-22T00:00:00", ["2027-01-01T00:00", "2028-01-01T00:00"]),
        ("cron(0-15/5 1-1 ? * 2,3 *)", "2026-11-22T00:00:00", ["2026-11-23T01:00", "2026-11-23T01:05"]),
        ("cron(0   12 * *  ? *)", "2026-11-22T00:00:00", ["2026-11-22T12:00"]),
    ],
)
def test_cron(text: str, after: str, expected: list[str]) -> None:
    assert due(text, after, len(expected)) == expected


def test_a_cron_that_is_over_has_no_occurrence() -> None:
    assert due("cron(0 0 1 1 ? 2027)", "2027-01-01T00:00:00") == []
    assert due("cron(0 0 31 2 ? *)", "2026-11-22T00:00:00") == []


def test_cron_follows_the_clock_of_its_time_zone() -> None:
    assert due("cron(0 9 * * ? *)", "2026-07-01T00:00:00", zone=BERLIN) == ["2026-07-01T07:00"]
    assert due("cron(0 9 * * ? *)", "2026-12-01T00:00:00", zone=BERLIN) == ["2026-12-01T08:00"]
    assert due("cron(0 22 * * ? *)", "2026-12-01T00:00:00", zone=NEW_YORK) == ["2026-12-01T03:00"]


def test_a_time_that_the_clock_jumps_over_is_left_out() -> None:
    """New York, 8 March 2026: from 02:00 to 03:00."""
    assert due("cron(30 2 * * ? *)", "2026-03-07T12:00:00", 2, NEW_YORK) == ["2026-03-09T06:30", "2026-03-10T06:30"]


def test_a_time_that_comes_twice_counts_once() -> None:
    """New York, 1 November 2026: 01:30 at 05:30 and at 06:30 UTC."""
    assert due("cron(30 1 * * ? *)", "2026-10-31T12:00:00", 2, NEW_YORK) == ["2026-11-01T05:30", "2026-11-02T06:30"]


def test_at() -> None:
    assert due("at(2027-01-01T12:00:00)", "2026-11-22T00:00:00", 2) == ["2027-01-01T12:00"]
    assert due("at(2027-01-01T12:00:00)", "2026-11-22T00:00:00", 2, NEW_YORK) == ["2027-01-01T17:00"]
    assert due("at(2027-01-01T12:00:00)", "2027-01-01T12:00:00") == []


def test_a_rate_begins_with_its_start_and_does_not_drift() -> None:
    rate = expressions.parse("rate(5 minutes)")
    assert rate.after(99.9, 100) == 100
    assert rate.after(100, 100) == 400
    assert rate.after(1234, 100) == 1300


@pytest.mark.parametrize(
    "text",
    [
        "", "5 minutes", "rate(5)", "rate(0 minutes)", "rate(-1 minutes)", "rate(1.5 hours)", "rate(5 weeks)",
        "rate( 5 minutes)", "rate(5 minutes) ", "Rate(5 minutes)",
        "cron(0 12 * * *)", "cron(0 12 * * * *)", "cron(0 12 ? * ? *)", "cron(0 12 1 * MON *)", "cron(60 12 * * ? *)",
        "cron(0 24 * * ? *)", "cron(0 12 0 * ? *)", "cron(0 12 32 * ? *)", "cron(0 12 * 13 ? *)", "cron(0 12 ? * 8 *)",
        "cron(0 12 ? * 0 *)", "cron(0 12 ? * MON#6 *)", "cron(0 12 ? * XYZ *)", "cron(0 12 * * ? 1969)",
        "cron(0 12 * * ? 2200)", "cron(30-10 12 * * ? *)", "cron(0/0 12 * * ? *)", "cron(a 12 * * ? *)",
        "cron(0,, 12 * * ? *)", "cron(0 12 W * ? *)", "cron(0 12 ? * #2 *)", "0 12 * * ? *", "cron(? 12 * * ? *)",
        "at(2027-13-01T00:00:00)", "at(2027-02-30T00:00:00)", "at(2027-01-01)", "at(2027-01-01T00:00)",
        "at(2027-01-01T00:00:00Z)", "at(2027-01-01 00:00:00)",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        expressions.parse(text)


@pytest.mark.parametrize("text", ["rate(1 minutes)", "rate(5 minute)", "rate(1 hours)", "at(2027-01-01T00:00:00)"])
def test_rules_are_stricter(text: str) -> None:
    expressions.parse(text)
    with pytest.raises(ExpressionError):
        expressions.parse_for_rule(text)


@pytest.mark.parametrize("text", ["rate(1 minute)", "rate(5 minutes)", "rate(1 day)", "cron(0 12 * * ? *)"])
def test_what_rules_take(text: str) -> None:
    expressions.parse_for_rule(text)
