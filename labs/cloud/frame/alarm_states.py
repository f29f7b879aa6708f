"""The state of an alarm from the datapoints of its metric, as CloudWatch evaluates it. Nothing here has effects.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from collections.abc import Sequence

ALARM, OK, INSUFFICIENT_DATA = "ALARM", "OK", "INSUFFICIENT_DATA"
COMPARISONS = {
    "GreaterThanOrEqualToThreshold": (lambda value, threshold: value >= threshold, "greater than or equal to"),
    "GreaterThanThreshold": (lambda value, threshold: value > threshold, "greater than"),
    "LessThanThreshold": (lambda value, threshold: value < threshold, "less than"),
    "LessThanOrEqualToThreshold": (lambda value, threshold: value <= threshold, "less than or equal to"),
}


def state(
    values: Sequence[float | None], threshold: float, comparison: str, *, needed: int, missing: str, before: str
) -> str:
    """An alarm's state.

    Args:
        values: its datapoints, as many as its evaluation periods, the newest last; None for a missing one.
        threshold: the alarm's.
        comparison: its comparison operator.
        needed: how many datapoints have to break the threshold.
        missing: what a missing one counts as: `missing`, `ignore`, `breaching` or `notBreaching`.
        before: its state so far, kept while nothing can be said.

    Returns:
        `ALARM`, `OK` or `INSUFFICIENT_DATA`.
    """
    breaks = COMPARISONS[comparison][0]
    found = [breaks(value, threshold) for value in values if value is not None]
    gaps = len(values) - len(found)
    if missing in ("breaching", "notBreaching"):
        found += [missing == "breaching"] * gaps
    elif not found:
        return before if missing == "ignore" else INSUFFICIENT_DATA
    if sum(found) >= needed:
        return ALARM
    if all(found) and gaps and missing in ("missing", "ignore"):
        return before  # too few to say: all that is there breaks the threshold
    return OK


def reason(values: Sequence[float | None], threshold: float, comparison: str, needed: int, new: str) -> str:
    """Why an alarm is in a state, as CloudWatch words it."""
    known = [value for value in values if value is not None]
    if not known:
        return f"Insufficient Data: {len(values)} datapoints were unknown."
    text = COMPARISONS[comparison][1]
    breaks = COMPARISONS[comparison][0]
    telling = [value for value in known if breaks(value, threshold) == (new == ALARM)] or known
    numbers = ", ".join(f"{value:.6g}" for value in reversed(telling))
    plural = "s" if len(telling) > 1 else ""
    negation = "" if breaks(telling[-1], threshold) else "not "
    change = "OK -> ALARM" if new == ALARM else "ALARM -> OK"
    least = needed if new == ALARM else max(1, len(values) - needed + 1)
    return (
        f"Threshold Crossed: {len(telling)} out of the last {len(values)} datapoint{plural} [{numbers}] "
        f"{'were' if plural else 'was'} {negation}{text} the threshold ({threshold}) "
        f"(minimum {least} datapoint{'s' if least > 1 else ''} for {change} transition)."
    )
