"""What CloudWatch is told of a service.

https://docs.aws.amazon.com/apprunner/latest/dg/monitor-cw.html
"""

from collections.abc import Mapping
from typing import Any

from labs.cloud.app_runner.front import Row
from labs.cloud.app_runner.front_config import SERVICE

EVERY_SECONDS = 10.0
NAMESPACE = "AWS/AppRunner"
_CODES = ("2xx", "4xx", "5xx")
_COUNTED = ("req_tot", *(f"hrsp_{code}" for code in _CODES))


class Traffic:
    """The requests of one service since they were last told."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._new: dict[str, int] = dict.fromkeys(_COUNTED, 0)
        self._latency: list[tuple[int, float]] = []
        self.concurrency = 0

    def count(self, rows: Mapping[str, Mapping[str, Row]], concurrency: int) -> None:
        """Takes in HAProxy's table. Counters that are found at the first look are of another time."""
        row = rows.get(SERVICE, {}).get("BACKEND")
        if row is None:
            return
        for name in _COUNTED:
            value = int(row[name] or 0)
            before = self._seen.get(name, value)
            new = value - before if value >= before else value
            self._new[name] += new
            self._seen[name] = value
            if name == "req_tot" and new and row["ttime"]:
                self._latency.append((new, float(row["ttime"])))
        self.concurrency = max(self.concurrency, concurrency)

    def take(self, service: Mapping[str, Any], instances: int) -> list[dict[str, Any]]:
        """The `MetricData` since the last call."""
        dimensions = [
            {"Name": "ServiceName", "Value": service["ServiceName"]},
            {"Name": "ServiceID", "Value": service["ServiceId"]},
        ]
        found = [
            _metric("ActiveInstances", dimensions, instances),
            _metric("Concurrency", dimensions, self.concurrency),
        ]
        if self._new["req_tot"]:
            found.append(_metric("Requests", dimensions, self._new["req_tot"]))
            found += [
                _metric(f"{code}StatusResponses", dimensions, self._new[f"hrsp_{code}"])
                for code in _CODES
                if self._new[f"hrsp_{code}"]
            ]
        if number := sum(count for count, _ in self._latency):
            average = sum(count * milliseconds for count, milliseconds in self._latency) / number
            found.append(_metric("RequestLatency", dimensions, average, "Milliseconds"))
        self._new = dict.fromkeys(_COUNTED, 0)
        self._latency, self.concurrency = [], 0
        return found


def _metric(name: str, dimensions: list[dict[str, str]], value: float, unit: str = "Count") -> dict[str, Any]:
    return {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": unit}
