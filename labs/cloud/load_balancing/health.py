"""What HAProxy's health checks mean in AWS's words. Nothing here has effects.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html#target-health-states
"""

from collections.abc import Mapping
from typing import Any

from labs.cloud.frame.store import Record
from labs.cloud.load_balancing import targets

FIRST_CHECKS_SECONDS = 0.5  # between the checks of a target that has not passed one yet
HEALTHY = {"State": "healthy"}
_TIMEOUTS = ("L4TOUT", "L6TOUT", "L7TOUT")


def passed(row: Mapping[str, str]) -> bool | None:
    """Whether the last check of a row of `show stat` succeeded; None before the first one."""
    status = row["check_status"].removeprefix("* ")
    if status in ("", "INI", "UNK"):
        return None
    return status in ("L4OK", "L6OK", "L7OK", "L7OKC")


def failure(row: Mapping[str, str]) -> dict[str, Any]:
    """The health of a target whose last check failed."""
    status = row["check_status"].removeprefix("* ")
    if status == "L7STS" and row["check_code"]:
        reason = "Target.ResponseCodeMismatch"
        words = f"Health checks failed with these codes: [{row['check_code']}]"
    elif status in _TIMEOUTS:
        reason, words = "Target.Timeout", "Request timed out"
    else:
        reason, words = "Target.FailedHealthChecks", "Health checks failed"
    return {"State": "unhealthy", "Reason": reason, "Description": words}


def after_first_checks(target: Record, group: Record, row: Mapping[str, str], now: float) -> dict[str, Any]:
    """The health of a target that has not passed a check yet.

    One success makes it healthy. It stays `initial` as long as AWS would take for so many failures, though it is asked
    more often here, so that a program with a slow start has the time it has on AWS.
    """
    outcome = passed(row)
    if outcome is None:
        return targets.CHECKING
    if outcome:
        return HEALTHY
    patience = (group["UnhealthyThresholdCount"] - 1) * group["HealthCheckIntervalSeconds"]
    return failure(row) if now - target["_since"] >= patience else targets.CHECKING


def settled(target: Record, row: Mapping[str, str]) -> dict[str, Any]:
    """The health of a target that is checked with the learner's own interval and thresholds."""
    if passed(row) is None:
        return target["_health"]
    if row["status"].startswith("UP"):
        return HEALTHY
    if passed(row):  # on its way up
        return target["_health"]
    return failure(row)


def in_rotation(group: Record) -> list[str]:
    """The addresses, with ports, of the targets that get requests: the healthy ones, or all if every one is unhealthy.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-groups.html#target-group-health
    """
    usable = [one for one in group["_targets"].values() if "_draining" not in one and one["_address"]]
    healthy = [address(one) for one in usable if one["_health"]["State"] == "healthy"]
    return healthy or [address(one) for one in usable if one["_health"]["State"] == "unhealthy"]


def address(target: Record) -> str:
    """Where a target answers: `address:port`. Its server in HAProxy has the same name."""
    return f"{target['_address']}:{target['Port']}"
