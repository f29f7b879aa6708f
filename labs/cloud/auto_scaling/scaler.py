"""The loop that scales groups: each lesson minute it looks at the metrics of their policies, and at their schedules.

While there is neither a policy nor a scheduled action, it sleeps.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scale-based-on-demand.html
"""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.auto_scaling import activities, cooldowns, metrics, policies, processes, resizing, schedules
from labs.cloud.auto_scaling.state import IN_SERVICE, AutoScaling, is_active
from labs.cloud.frame import alarm_states, alarms, clock, series, sizes, tracking
from labs.cloud.frame.alarms import Evaluations, Seen
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.series import Datapoint
from labs.cloud.frame.store import Record

MINUTE_SECONDS = clock.lesson(60)
TIDY_SECONDS = 3600.0
_AGGREGATIONS = {"Minimum": min, "Maximum": max, "Average": lambda values: sum(values) / len(values)}
_STEP = clock.lesson(tracking.PERIOD)

log = logging.getLogger(__name__)


class Scaler:
    """Moves the desired capacities of groups to where their policies and schedules want them.

    Args:
        scaling: the state.
    """

    def __init__(self, scaling: AutoScaling) -> None:
        self._scaling = scaling
        self._evaluations = Evaluations()
        self._points: dict[tuple[str, float], deque[Datapoint]] = {}  # by policy ARN, and since when it is so
        self._minute = int(clock.now() // MINUTE_SECONDS)

    async def run(self) -> None:
        """Scales, for ever."""
        while True:
            now = clock.now()
            try:
                schedules.run_due(self._scaling, now)
                activities.forget_old(self._scaling)
                if int(now // MINUTE_SECONDS) != self._minute:
                    self._minute = int(now // MINUTE_SECONDS)
                    await self._look(now)
            except (ClientError, BotoCoreError, AwsError) as problem:
                log.warning("the scaling of groups could not look at everything: %s", problem)
            except Exception:  # a loop that ends would leave all groups unscaled for good
                log.exception("the scaling of groups failed")
            self._scaling.store.flush_quietly()
            await self._scaling.policies_changed.wait(self._wait())

    def _wait(self) -> float | None:
        now = clock.now()
        waits = [MINUTE_SECONDS - now % MINUTE_SECONDS] if self._enabled() else []
        due = schedules.next_due(self._scaling)
        return min([*waits, *([max(0.01, due - now)] if due is not None else []), TIDY_SECONDS])

    def _enabled(self) -> list[Record]:
        return [one for one in self._scaling.policies.values() if one["Enabled"]]

    async def _look(self, now: float) -> None:
        by_region: dict[str, list[Record]] = {}
        for policy in self._enabled():
            by_region.setdefault(policy["_group"].split(" ")[0], []).append(policy)
        known: set[str] = set()
        for region, found in by_region.items():
            running = await alarms.with_actions(region, [one["PolicyARN"] for one in found])
            known |= {one["AlarmArn"] for one in running}
            for key in {one["_group"] for one in found}:
                await self._scale(key, [one for one in found if one["_group"] == key], running, now)
            await self._evaluations.correct(region, running)
        self._evaluations.keep_only(known)
        kept = {(one["PolicyARN"], one["_since"]) for one in self._scaling.policies.values()}
        self._points = {key: points for key, points in self._points.items() if key in kept}

    async def _scale(self, key: str, found: list[Record], running: list[dict[str, Any]], now: float) -> None:
        """Asks the policies of one group; the one that wants most counts, and more goes before less."""
        more: list[tuple[int, str]] = []
        less: list[tuple[int, str]] = []
        agreed: list[tuple[int, str]] | None = []
        for policy in found:
            group = self._scaling.groups.get(key)
            if group is None:
                return
            mine = [one for one in running if alarms.runs(one, policy["PolicyARN"])]
            try:
                if policy["PolicyType"] == policies.TRACKING:
                    out, smaller = await self._track(group, policy, mine, now)
                    more += out
                    never_in = policy["TargetTrackingConfiguration"].get("DisableScaleIn")
                    if agreed is not None and (smaller or never_in):
                        agreed += smaller
                    else:
                        agreed = None  # "scales in only if all of the target tracking policies are ready"
                else:
                    for count, cause in await self._by_alarms(group, policy, mine, now):
                        (more if count > group["DesiredCapacity"] else less).append((count, cause))
            except ClientError as problem:
                log.warning("the metric of %s could not be read: %s", policy["PolicyARN"], problem)
                agreed = None
        group = self._scaling.groups.get(key)
        if group is None or not processes.runs(group, "AlarmNotification"):
            return
        wanted = more or [*less, *(agreed or [])]
        if wanted:
            count, cause = max(wanted)
            resizing.within_bounds(self._scaling, group, count, cause)

    async def _track(
        self, group: Record, policy: Record, mine: list[dict[str, Any]], now: float
    ) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
        """What a target tracking policy asks for: more, or less."""
        points = self._points.setdefault((policy["PolicyARN"], policy["_since"]), deque(maxlen=tracking.LOW_PERIODS))
        metric = metrics.of_policy(policy)
        read = await series.read(
            group["_region"], metric, metric["Statistic"], period=tracking.PERIOD, number=tracking.LOW_PERIODS, now=now
        )
        last = points[-1].when if points else policy["_since"]
        warm, warming = self._capacity(group, policy, now)
        fresh = [point for point in read if point.when > last]
        points.extend(point._replace(tasks=self._serving(group, point.when - _STEP)) for point in fresh)
        configuration, by_name = policy["TargetTrackingConfiguration"], {one["AlarmName"]: one for one in mine}
        more: list[tuple[int, str]] = []
        less: list[tuple[int, str]] = []
        for kind, name in policy["_alarms"].items():
            if name not in by_name:  # deleted by hand: the policy cannot be triggered by it any more
                continue
            number = tracking.HIGH_PERIODS if kind == tracking.HIGH else tracking.LOW_PERIODS
            own = {
                "Threshold": tracking.threshold(configuration["TargetValue"], kind, metrics.low_share(policy)),
                "ComparisonOperator": tracking.comparison(kind),
                "EvaluationPeriods": number,
            }
            seen = self._evaluations.evaluate({**by_name[name], **own}, series.window(points, number, _STEP, now))
            if seen.state != alarm_states.ALARM or not by_name[name].get("ActionsEnabled", True) or not points:
                continue
            if kind == tracking.HIGH:
                # What came after the datapoint or is warming up is not in it, and a group without any counts as one.
                load = [points[-1]._replace(tasks=max(1, min(points[-1].tasks, warm)))]
                count = sizes.tracked(load, configuration["TargetValue"])
                if count and count > group["DesiredCapacity"]:
                    more.append((count, _cause(name, seen, policy)))
            elif not warming:
                count = sizes.tracked(points, configuration["TargetValue"])
                if count is not None and count < group["DesiredCapacity"]:
                    less.append((count, _cause(name, seen, policy)))
        return more, less

    async def _by_alarms(
        self, group: Record, policy: Record, mine: Sequence[Mapping[str, Any]], now: float
    ) -> list[tuple[int, str]]:
        """What a step scaling policy asks for, or nothing from a simple one, which acts at once."""
        wanted: list[tuple[int, str]] = []
        for alarm in mine:
            seen = await self._evaluations.look(alarm, now)
            if seen is None:
                continue
            known = [value for value in seen.values if value is not None]
            runs = policy["PolicyARN"] in alarm.get(alarms.ACTIONS[seen.state], [])
            if not runs or not known or not alarm.get("ActionsEnabled", True):
                continue
            cause = _cause(alarm["AlarmName"], seen, policy)
            if policy["PolicyType"] == policies.SIMPLE:
                self._simple(group, policy, cause)
                continue
            measured = _AGGREGATIONS[policy["MetricAggregationType"]](known)
            breach, falls = measured - alarm["Threshold"], alarm["ComparisonOperator"].startswith("Less")
            desired = group["DesiredCapacity"]
            _, warming = self._capacity(group, policy, now)
            count = sizes.stepped(policy, breach, falls, desired)
            if count is not None and count > desired and warming:
                count = sizes.stepped(policy, breach, falls, desired - warming)
            if count is not None and (count > desired or (count < desired and not warming)):
                wanted.append((count, cause))
        return wanted

    def _simple(self, group: Record, policy: Record, cause: str) -> None:
        """A simple policy acts when its alarm triggers it, and after each cooldown while that lasts."""
        if not cooldowns.lasts(group) and processes.runs(group, "AlarmNotification"):
            policies.run_simple(self._scaling, group, policy, cause)

    def _capacity(self, group: Record, policy: Record, now: float) -> tuple[int, int]:
        """How many instances are warmed up, and how many are on their way or warming up."""
        seconds = policy.get("EstimatedInstanceWarmup", group.get("DefaultInstanceWarmup", group["DefaultCooldown"]))
        warm = self._serving(group, now - clock.lesson(seconds))
        return warm, sum(map(is_active, self._scaling.members(group))) - warm

    def _serving(self, group: Record, moment: float) -> int:
        """How many of the instances in service were so at a moment."""
        members = self._scaling.members(group)
        return sum(one["LifecycleState"] == IN_SERVICE and one["_in_service"] <= moment for one in members)


def _cause(alarm: str, seen: Seen, policy: Record) -> str:
    return f"a monitor alarm {alarm} in state {seen.state} triggered policy {policy['PolicyName']}"
