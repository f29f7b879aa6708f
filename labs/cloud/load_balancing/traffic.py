"""What went through a load balancer: HAProxy's counters as numbers since the last look. Nothing here has effects."""

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

from labs.cloud.frame import clock
from labs.cloud.frame.store import Record
from labs.cloud.load_balancing import config

KEEP_SECONDS = 900.0
_CODES = ("2xx", "3xx", "4xx", "5xx")
_COUNTED = ("req_tot", "stot", "econ", "bin", "bout", *(f"hrsp_{code}" for code in _CODES))


class Traffic:
    """The traffic of one load balancer."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, str], int] = {}
        self._known = False
        self._history: deque[tuple[float, dict[str, int]]] = deque()
        self._sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))

    def begin_anew(self) -> None:
        """HAProxy counts from zero again."""
        self._seen.clear()
        self._known = True

    def count(self, table: list[Mapping[str, str]], groups: Mapping[str, Record]) -> None:
        """Takes in HAProxy's table.

        Args:
            table: the rows of `show stat`.
            groups: the target groups, by ARN.
        """
        of_backend = {config.backend(arn): arn for arn in groups}
        requests: dict[str, int] = defaultdict(int)
        of_targets = 0
        for row in table:
            new = self._new(row)
            if row["type"] == "0" and row["svname"] == "FRONTEND":
                self._add("", {"req_tot": new["req_tot"], "stot": new["stot"], "bin": new["bin"] + new["bout"]})
                self._sums[""]["all_5xx"] += new["hrsp_5xx"]
                self._sums[""]["all_4xx"] += new["hrsp_4xx"]
            elif row["type"] == "2" and row["pxname"] in of_backend:
                arn = of_backend[row["pxname"]]
                answered = sum(new[f"hrsp_{code}"] for code in _CODES)
                self._add(arn, {f"hrsp_{code}": new[f"hrsp_{code}"] for code in _CODES})
                self._add(arn, {"req_tot": new["req_tot"] or answered, "stot": new["stot"]})
                of_targets += new["hrsp_5xx"]
                requests[arn] += new["req_tot"] or answered
                if answered and row["rtime"]:
                    self._sums[arn]["rtime"] += int(row["rtime"]) / 1000 * answered
                    self._sums[arn]["rtime_count"] += answered
        self._sums[""]["target_5xx"] += of_targets
        self._known = True
        if requests := {arn: number for arn, number in requests.items() if number}:
            self._history.append((clock.now(), requests))
        while self._history and self._history[0][0] < clock.now() - KEEP_SECONDS:
            self._history.popleft()

    def requests(self, group: str, since: float) -> int:
        """How many requests the targets of a group got since a time (seconds since the epoch; 15 minutes at most)."""
        return sum(found.get(group, 0) for when, found in self._history if when >= since)

    def take(self) -> dict[str, dict[str, float]]:
        """The sums since the last call: by target group ARN, and under '' for the load balancer itself."""
        sums = {key: dict(values) for key, values in self._sums.items()}
        self._sums.clear()
        return sums

    def _new(self, row: Mapping[str, str]) -> dict[str, int]:
        """What each counter of a row has grown by. Counters found at the first look are of another time."""
        found = {}
        for name in _COUNTED:
            key = row["pxname"], row["svname"], name
            value = int(row[name] or 0)
            before = self._seen.get(key, 0 if self._known else value)
            found[name] = value - before if value >= before else value
            self._seen[key] = value
        return found

    def _add(self, key: str, numbers: Mapping[str, Any]) -> None:
        for name, number in numbers.items():
            self._sums[key][name] += number
