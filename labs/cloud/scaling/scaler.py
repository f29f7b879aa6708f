"""The loop that scales: each second it looks at the services that are scalable targets, each lesson minute at their
metrics. While there are no targets it sleeps.
"""

import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.frame import alarms as cloudwatch
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record
from labs.cloud.scaling import activities, deciding, ecs, schedules, targets
from labs.cloud.scaling.ecs import Service
from labs.cloud.scaling.state import Scaling
from labs.cloud.scaling.watch import Watch

TICK_SECONDS = 1.0
MINUTE_SECONDS = clock.lesson(60)

log = logging.getLogger(__name__)


class Scaler:
    """Moves services towards what their policies and schedules want.

    Args:
        scaling: the state.
    """

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        self._watch = Watch(scaling)
        self._minute = int(clock.now() // MINUTE_SECONDS)

    async def run(self) -> None:
        """Scales, for ever."""
        while True:
            if not self._scaling.targets:
                await self._scaling.changed.wait()
                continue
            try:
                await self._tick(clock.now())
            except (ClientError, BotoCoreError, AwsError) as problem:
                log.warning("auto scaling could not look at everything: %s", problem)
            except Exception:  # a loop that ends would leave all services unscaled for good
                log.exception("auto scaling failed")
            self._scaling.store.flush_quietly()
            await self._scaling.changed.wait(TICK_SECONDS)

    async def _tick(self, now: float) -> None:
        schedules.run_due(self._scaling, now)
        activities.forget_old(self._scaling)
        services: dict[str, Service] = {}
        for key, target in self._scaling.targets.items():
            service = await ecs.look(self._scaling, target["_region"], target["ResourceId"])
            if service is None:  # deleted: AWS forgets its scalable target then
                await targets.remove(self._scaling, target)
            elif key in self._scaling.targets:
                services[key] = service
                self._follow(key, service, now)
                await self._hold(key, service)
        minute = int(now // MINUTE_SECONDS)
        await self._look(services, now, minute != self._minute)
        self._minute = minute

    async def _look(self, services: dict[str, Service], now: float, metrics_too: bool) -> None:
        """The alarms of all policies: their metrics once a lesson minute, their states at the backend each time."""
        by_region: dict[str, list[Record]] = {}
        for policy in self._scaling.policies.values():
            by_region.setdefault(policy["_target"].split(" ")[0], []).append(policy)
        everywhere: list[Any] = []
        for region, policies in by_region.items():
            found = await cloudwatch.with_actions(region, [policy["PolicyARN"] for policy in policies])
            everywhere += found
            if metrics_too:
                for key, service in services.items():
                    if key.startswith(f"{region} ") and key in self._scaling.targets:
                        await self._scale(key, service, found, now)
            await self._watch.correct(region, found)
        self._watch.forget_others(list(self._scaling.policies.values()), everywhere)

    async def _scale(self, key: str, service: Service, found: list[Any], now: float) -> None:
        proposals = await self._watch.look(self._scaling.targets[key], service, found, now)
        target = self._scaling.targets.get(key)
        decision = deciding.decide(target, service, proposals, now) if target else None
        if target is None or decision is None:
            return
        wish = decision.proposal
        if decision.count is None:
            activities.not_scaled(self._scaling, target, wish.cause, decision.code, **decision.numbers)
        elif await self._set(key, decision.count, wish.cause):
            cooldown = {"base": service.desired, "seconds": wish.cooldown, "ended": None}
            if not wish.out:
                self._update(key, _in=cooldown)
                return
            before = target.get("_out")
            if before and deciding.cooling(before, now):
                cooldown["base"] = before["base"]
            self._update(key, _out=cooldown, _in=None)  # a scale-out ends the cooldown of a scale-in

    def _follow(self, key: str, service: Service, now: float) -> None:
        """Ends the activity that has got there; its cooldown begins."""
        target = self._scaling.targets[key]
        if activities.follow(self._scaling, target, service.desired, service.running) is None:
            return
        for name in ("_out", "_in"):
            if (cooldown := target.get(name)) and cooldown["ended"] is None:
                self._update(key, **{name: {**cooldown, "ended": now}})

    async def _hold(self, key: str, service: Service) -> None:
        """Brings a desired count within bounds that were told just now."""
        target = self._scaling.targets[key]
        if not target["_hold"]:
            return
        low, high = target["MinCapacity"], target["MaxCapacity"]
        if service.desired < low:
            await self._set(key, low, f"minimum capacity was set to {low}")
        elif service.desired > high:
            await self._set(key, high, f"maximum capacity was set to {high}")
        self._update(key, _hold=self._bounds(key) != (low, high))  # told again meanwhile: held at the next look

    def _bounds(self, key: str) -> tuple[int, int]:
        target = self._scaling.targets.get(key, {"MinCapacity": 0, "MaxCapacity": 0})
        return target["MinCapacity"], target["MaxCapacity"]

    async def _set(self, key: str, count: int, cause: str) -> bool:
        """Sets a desired count and writes down how that went."""
        target = self._scaling.targets[key]
        try:
            await ecs.set_desired(self._scaling, target["_region"], target["ResourceId"], count)
        except AwsError as problem:
            activities.fail(self._scaling, target, count, cause, problem.message)
            return False
        activities.begin(self._scaling, target, count, cause)
        log.info("%s: desired count %d, because %s", target["ResourceId"], count, cause)
        return True

    def _update(self, key: str, **changes: Any) -> None:
        """Changes a target as it is now: requests may have changed it during an await."""
        if (target := self._scaling.targets.get(key)) is not None:
            self._scaling.targets.put(key, {**target, **changes})
