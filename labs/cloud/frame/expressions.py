"""When a schedule is due: `rate(...)`, `cron(...)` and `at(...)`.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

_RATE = re.compile(r"rate\((\d+) (minutes?|hours?|days?)\)")
_AT = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)")
_CRON = re.compile(r"cron\((\S+(?: +\S+){5})\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = {
    "JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6,
    "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11, "DEC": 12,
}  # fmt: skip
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_FIRST_YEAR, _LAST_YEAR = 1970, 2199

Days = Callable[[int, int], set[int]]  # (year, month) to days of the month


class ExpressionError(ValueError):
    """It is no schedule expression."""


@dataclass(frozen=True)
class Rate:
    """Every so many seconds from a moment on."""

    seconds: int

    def after(self, moment: float, start: float) -> float | None:
        """The first occurrence later than `moment`; the first of all is at `start`. Seconds since the epoch."""
        if moment < start:
            return start
        return start + ((moment - start) // self.seconds + 1) * self.seconds


@dataclass(frozen=True)
class At:
    """Once."""

    when: float

    def after(self, moment: float, start: float) -> float | None:
        """The moment itself if it is later than `moment`, and None afterwards. Seconds since the epoch."""
        return self.when if self.when > moment else None


@dataclass(frozen=True)
class Cron:
    """At the minutes of the wall clock of a time zone that the fields name."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    years: frozenset[int]
    days: Days
    zone: tzinfo

    def after(self, moment: float, start: float) -> float | None:
        """The first occurrence later than `moment` and not before `start`; None if there is none any more.

        A time that the clock jumps over in spring is left out, and one that comes twice in autumn counts once.
        """
        earliest = max(moment, start - 1e-6)
        for day in self._days_from(datetime.fromtimestamp(earliest, self.zone).date() - timedelta(days=1)):
            for hour in self.hours:
                for minute in self.minutes:
                    when = _instant(datetime(day.year, day.month, day.day, hour, minute), self.zone)
                    if when is not None and when > earliest:
                        return when
        return None

    def _days_from(self, first: date) -> Iterator[date]:
        for year in sorted(year for year in self.years if year >= first.year):
            for month in sorted(self.months):
                if (year, month) >= (first.year, first.month):
                    days = (date(year, month, day) for day in sorted(self.days(year, month)))
                    yield from (day for day in days if day >= first)


Expression = Rate | At | Cron


def parse(text: str, zone: tzinfo = UTC) -> Expression:
    """A schedule expression.

    Args:
        text: e.g. `rate(5 minutes)`, `cron(0 12 ? * MON-FRI *)`, `at(2030-01-01T00:00:00)`.
        zone: in which `cron` and `at` are read.

    Raises:
        ExpressionError: it is none.
    """
    if found := _RATE.fullmatch(text):
        if int(found[1]) < 1:
            raise ExpressionError(text)
        return Rate(int(found[1]) * _SECONDS[found[2].rstrip("s")])
    if found := _AT.fullmatch(text):
        try:
            return At(datetime.fromisoformat(found[1]).replace(tzinfo=zone).timestamp())
        except (ValueError, OverflowError):
            raise ExpressionError(text) from None
    if found := _CRON.fullmatch(text):
        return _cron(found[1].upper().split(), zone)
    raise ExpressionError(text)


def parse_for_rule(text: str) -> Expression:
    """The schedule expression of a rule: rate or cron, in UTC. One is a `minute`, two are `minutes`.

    Raises:
        ExpressionError: it is none.
    """
    found = _RATE.fullmatch(text)
    if text.startswith("at(") or (found and (int(found[1]) == 1) == found[2].endswith("s")):
        raise ExpressionError(text)
    return parse(text)


def _instant(local: datetime, zone: tzinfo) -> float | None:
    """A time of the wall clock in seconds since the epoch; None if the clock jumps over it."""
    when = local.replace(tzinfo=zone).timestamp()
    return when if datetime.fromtimestamp(when, zone).replace(tzinfo=None) == local else None


def _cron(fields: list[str], zone: tzinfo) -> Cron:
    minutes, hours, day, month, weekday, year = fields
    if (day == "?") == (weekday == "?"):
        raise ExpressionError("one of day-of-month and day-of-week must be ?")
    return Cron(
        tuple(sorted(_numbers(minutes, 0, 59))),
        tuple(sorted(_numbers(hours, 0, 23))),
        frozenset(_numbers(month, 1, 12, _MONTHS)),
        frozenset(_numbers(year, _FIRST_YEAR, _LAST_YEAR)),
        _any_of([_weekdays(part) for part in weekday.split(",")])
        if day == "?"
        else _any_of([_month_days(part) for part in day.split(",")]),
        zone,
    )


def _numbers(field: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    """The numbers that a field stands for: lists, ranges, steps, `*`."""
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            begin, end = low, high
        else:
            begin = _number(first, low, high, names)
            end = _number(last, low, high, names) if dash else high if slash else begin
        width = _number(step, 1, high, None) if slash else 1
        if end < begin:
            raise ExpressionError(part)
        found.update(range(begin, end + 1, width))
    return found


def _number(text: str, low: int, high: int, names: dict[str, int] | None) -> int:
    number = (names or {}).get(text)
    if number is None:
        if not re.fullmatch(r"[0-9]+", text):
            raise ExpressionError(text)
        number = int(text)
    if not low <= number <= high:
        raise ExpressionError(text)
    return number


def _any_of(choices: list[Days]) -> Days:
    return lambda year, month: set().union(*(choice(year, month) for choice in choices))


def _month_days(part: str) -> Days:
    """Day-of-month: numbers, `L` the last day, `15W` the weekday nearest to the 15th, `LW` the last weekday."""
    if part == "L":
        return lambda year, month: {_length(year, month)}
    if part == "LW":
        return lambda year, month: {_nearest_weekday(year, month, _length(year, month))}
    if part.endswith("W"):
        wanted = _number(part[:-1], 1, 31, None)
        return lambda year, month: {_nearest_weekday(year, month, wanted)} if wanted <= _length(year, month) else set()
    numbers = _numbers(part, 1, 31)
    return lambda year, month: {day for day in numbers if day <= _length(year, month)}


def _weekdays(part: str) -> Days:
    """Day-of-week, 1 is Sunday: numbers, `L` Saturday, `5L` the last Thursday, `3#2` the second Tuesday."""
    if part == "L":
        part = "7"
    if "#" in part:
        name, _, place = part.partition("#")
        weekday, number = _number(name, 1, 7, _WEEKDAYS), _number(place, 1, 5, None)
        return lambda year, month: set(_days_of({weekday}, year, month)[number - 1 : number])
    if part.endswith("L"):
        weekday = _number(part[:-1], 1, 7, _WEEKDAYS)
        return lambda year, month: {_days_of({weekday}, year, month)[-1]}
    numbers = _numbers(part, 1, 7, _WEEKDAYS)
    return lambda year, month: set(_days_of(numbers, year, month))


def _days_of(weekdays: set[int], year: int, month: int) -> list[int]:
    days = range(1, _length(year, month) + 1)
    return [day for day in days if (calendar.weekday(year, month, day) + 1) % 7 + 1 in weekdays]


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """The day from Monday to Friday nearest to a day, in the same month."""
    weekday = calendar.weekday(year, month, day)
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == calendar.SUNDAY:
        return day + 1 if day < _length(year, month) else day - 2
    return day


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]
