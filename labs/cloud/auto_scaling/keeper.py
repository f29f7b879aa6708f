"""The loop that keeps a group at its size: each step compares what is wanted with what EC2 says, and moves on.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-capacity-limits.html
"""

import logging

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.auto_scaling import (
    balancing,
    choosing,
    ec2,
    groups,
    launching,
    leaving,
    lifecycle,
    processes,
    refreshes,
)
from labs.cloud.auto_scaling.ec2 import Subnet
from labs.cloud.auto_scaling.state import IN_SERVICE, STANDBY, AutoScaling, is_active, is_leaving, stamp
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.pulse import Pulse
from labs.cloud.frame.store import Record

HEALTH_SECONDS = clock.lesson(60)  # EC2's status checks are made every minute
MOVING_SECONDS = 0.5  # while an instance is on its way
RETRY_SECONDS = 3.0

log = logging.getLogger(__name__)


class Keeper:
    """Looks after every group.

    Args:
        scaling: the state.
    """

    def __init__(self, scaling: AutoScaling) -> None:
        self._scaling = scaling
        self._pulses: dict[str, Pulse] = {}
        self._dirty: set[str] = set()
        self._ready = False
        scaling.begin = self.wake

    def start(self) -> None:
        """Begins, with the groups that the state knows. EC2 answers by now."""
        self._ready = True
        for key in self._scaling.groups:
            self.wake(key)

    def wake(self, key: str) -> None:
        """Something about a group has changed."""
        self._dirty.add(key)
        if key in self._pulses:
            self._pulses[key].beat()
        elif self._ready and key in self._scaling.groups:
            self._pulses[key] = Pulse()
            self._scaling.background.spawn(self._keep(key), f"Auto Scaling group {key}")

    async def _keep(self, key: str) -> None:
        """Looks after one group until it is deleted."""
        scaling, pulse = self._scaling, self._pulses[key]
        try:
            while key in scaling.groups:
                self._dirty.discard(key)
                try:
                    wait = await step(scaling, key)
                except (ClientError, BotoCoreError, AwsError) as problem:
                    log.warning("Auto Scaling group %s: %s", key, problem)
                    wait = RETRY_SECONDS
                except Exception:  # a loop that ends would leave the group alone for good
                    log.exception("Auto Scaling group %s", key)
                    wait = RETRY_SECONDS
                scaling.store.flush_quietly()
                if key not in self._dirty:
                    await pulse.wait(wait)
        finally:
            del self._pulses[key]


async def step(scaling: AutoScaling, key: str) -> float | None:
    """Moves a group one step towards what is wanted of it.

    Returns:
        Seconds until it has to be looked at again without any news; None for never.
    """
    group = scaling.groups[key]
    region, name = group["_region"], group["AutoScalingGroupName"]
    known = [one["InstanceId"] for one in scaling.members(group)]
    found = await ec2.look(region, name, known)
    launching.adopt(scaling, group, found)
    sick = await balancing.unhealthy(scaling, group) if lifecycle.asks_balancer(group) else set()
    for instance in scaling.members(group):
        if instance["InstanceId"] in found or instance["InstanceId"] in known:
            await lifecycle.move(scaling, scaling.groups[key], instance, found.get(instance["InstanceId"]), sick)
    group = scaling.groups.get(key)
    if group is None:
        return None
    members = scaling.members(group)
    if group.get("Status") == groups.DELETING and not members and key not in scaling.launching:
        await groups.forget(scaling, group)
        return None
    refreshing = refreshes.move(scaling, group)
    await _balance(scaling, scaling.groups[key])
    wait = _wait(scaling, key)
    return min(wait or MOVING_SECONDS, MOVING_SECONDS) if refreshing else wait


async def _balance(scaling: AutoScaling, group: Record) -> None:
    """Launches what is missing and lets go what is too many."""
    if group.get("Status") == groups.DELETING:
        _empty(scaling, group)
        return
    active = [one for one in scaling.members(group) if is_active(one)]
    desired = group["DesiredCapacity"]
    subnets = [Subnet(*one) for one in group["_subnets"]]
    settled = all(one["LifecycleState"] == IN_SERVICE for one in active)
    if len(active) > desired:
        if processes.runs(group, "Terminate"):
            _shrink(scaling, group, active, desired)
        return
    missing = desired - len(active)
    why = group.get("_why", "")
    if not missing and settled:
        if why:
            scaling.groups.put(group["_key"], {k: v for k, v in group.items() if k != "_why"})
        if processes.runs(group, "AZRebalance") and choosing.is_unbalanced(subnets, active):
            missing = 1
            why = f"At {stamp()} an instance was launched to aid in balancing the group's zones."
    if missing and processes.runs(group, "Launch") and group.get("_not_before", 0.0) <= clock.now():
        await launching.launch(scaling, group, missing, why)


def _empty(scaling: AutoScaling, group: Record) -> None:
    """Lets go all instances of a group that is deleted."""
    for instance in scaling.members(group):
        if not is_leaving(instance):
            which = f"instance {instance['InstanceId']}"
            text = f"At {stamp()} {which} was taken out of service in response to a user request."
            leaving.begin(scaling, group, instance, text)


def _shrink(scaling: AutoScaling, group: Record, active: list[Record], desired: int) -> None:
    now = clock.now()
    template = group.get("LaunchTemplate")
    before = len(active)
    chosen = choosing.to_terminate(active, before - desired, group["TerminationPolicies"], template, now)
    for number, instance in enumerate(chosen):
        parts = [
            group.get("_why", ""),
            f"At {stamp(now)} an instance was taken out of service in response to a difference between desired and "
            f"actual capacity, shrinking the capacity from {before - number} to {before - number - 1}.",
            f"At {stamp(now)} instance {instance['InstanceId']} was selected for termination.",
        ]
        leaving.begin(scaling, group, instance, "  ".join(part for part in parts if part))


def _wait(scaling: AutoScaling, key: str) -> float | None:
    """Seconds until the next look."""
    group = scaling.groups[key]
    members = scaling.members(group)
    moving = [one for one in members if one["LifecycleState"] not in (IN_SERVICE, STANDBY)]
    waiting = [one for one in moving if one["LifecycleState"].endswith(":Wait")]
    if len(waiting) < len(moving):
        return MOVING_SECONDS
    waits = [HEALTH_SECONDS] if members else []
    waits += [lifecycle.seconds_left(one) for one in waiting]
    if sum(is_active(one) for one in members) < group["DesiredCapacity"] and processes.runs(group, "Launch"):
        waits.append(max(MOVING_SECONDS, group.get("_not_before", 0.0) - clock.now()))
    return min(waits) if waits else None
