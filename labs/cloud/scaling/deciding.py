"""What becomes of a target when its policies were asked: who wins, what holds it back, how much. Without effects.

https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from labs.cloud.frame import clock
from labs.cloud.scaling.ecs import Service

COOLDOWN = 300  # seconds, for ECS, where a policy says none


class Proposal(NamedTuple):
    """What a triggered policy asks for.

    Attributes:
        count: the desired count.
        out: whether it is about more tasks, or about fewer.
        cause: why, for the scaling activity.
        cooldown: the policy's, in seconds as the learner set it.
    """

    count: int
    out: bool
    cause: str
    cooldown: float


class Decision(NamedTuple):
    """What to do: set the desired count to `count`, or nothing because of `code`."""

    proposal: Proposal
    count: int | None
    code: str = ""
    numbers: Mapping[str, int] = {}


def cooling(cooldown: Mapping[str, Any] | None, now: float) -> bool:
    """Whether a cooldown lasts: from the begin of a scaling activity until its seconds (of a lesson) after its end."""
    if not cooldown:
        return False
    return cooldown["ended"] is None or now - cooldown["ended"] < clock.lesson(cooldown["seconds"])


def decide(target: Mapping[str, Any], service: Service, proposals: Sequence[Proposal], now: float) -> Decision | None:
    """Whether and how to scale: more goes before less, and of several proposals the one with most tasks counts.

    Args:
        target: the scalable target's record.
        service: what it scales.
        proposals: of the policies that are triggered now.
        now: seconds since the epoch.

    Returns:
        What to do; None if there is nothing to do or to tell.
    """
    more = [one for one in proposals if one.out]
    suspended = target["SuspendedState"]
    if more:
        return None if suspended["DynamicScalingOutSuspended"] else _out(target, service, _largest(more), now)
    if not proposals or suspended["DynamicScalingInSuspended"] or service.deploying or cooling(target.get("_in"), now):
        return None
    return _in(target, service, _largest(proposals))


def _out(target: Mapping[str, Any], service: Service, best: Proposal, now: float) -> Decision | None:
    count = min(best.count, target["MaxCapacity"])
    if count > service.desired:
        return Decision(best, count)
    if service.desired >= target["MaxCapacity"] and not cooling(target.get("_out"), now):
        return Decision(best, None, "AlreadyAtMaxCapacity", {"MaxCapacity": target["MaxCapacity"]})
    return None


def _in(target: Mapping[str, Any], service: Service, best: Proposal) -> Decision:
    count = max(best.count, target["MinCapacity"])
    if count < service.desired:
        return Decision(best, count)
    if service.desired <= target["MinCapacity"]:
        return Decision(best, None, "AlreadyAtMinCapacity", {"MinCapacity": target["MinCapacity"]})
    return Decision(best, None, "AutoScalingAnticipatedFlapping", {"CurrentCapacity": service.desired})


def _largest(proposals: Sequence[Proposal]) -> Proposal:
    return max(proposals, key=lambda one: one.count)
