"""How many instances the tasks of a capacity provider need. Nothing here has effects.

https://aws.amazon.com/blogs/containers/deep-dive-on-amazon-ecs-cluster-auto-scaling/
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-auto-scaling.html
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

EMPTY, FULL, FROM_ZERO = 0.0, 100.0, 200.0


class Size(NamedTuple):
    """What a task needs, or what an instance has: CPU units, MiB."""

    cpu: int
    memory: int


def instances_needed(waiting: Iterable[Size], instance: Size) -> int:
    """How many new instances the tasks that wait for room need at the least.

    As AWS does it, tasks of the same size are put together, each group is packed on instances of its own kind, and the
    group that needs most counts: a lower bound, from which the next look goes on.

    Args:
        waiting: the sizes of the tasks that wait.
        instance: what one instance has.

    Returns:
        How many; 0 if no instance can ever hold one of them.
    """
    most = 0
    for size, number in Counter(waiting).items():
        room = [have // need for have, need in zip(instance, size, strict=True) if need > 0]
        fits = min(room) if room else number
        if fits:
            most = max(most, -(-number // fits))
    return most


def wanted(present: int, empty: int, waiting: int, settings: Mapping[str, Any]) -> int:
    """M: how many instances the capacity provider is to have.

    Args:
        present: N, how many instances it has.
        empty: how many of them run no task, daemons not counted.
        waiting: how many new ones the tasks that wait for room need; 0 if none waits.
        settings: `minimumScalingStepSize` and `maximumScalingStepSize`.
    """
    if waiting:
        step = max(waiting, settings["minimumScalingStepSize"])
        return present + min(step, settings["maximumScalingStepSize"])
    return present - empty


def percent(present: int, needed: int) -> float:
    """CapacityProviderReservation: M / N * 100, with 100 for none of none and 200 for some of none."""
    if present == 0:
        return FROM_ZERO if needed else FULL
    return needed / present * 100.0
