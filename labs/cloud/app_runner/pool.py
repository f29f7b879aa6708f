"""The instances of one service: as many of each revision as are wanted, checked, and in rotation or on their way out.

Each look compares Docker's containers and HAProxy's table with what is wanted and sends what is missing, so it does
not matter whether something was started now, found after a crash of this process, or taken away by somebody.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from docker.errors import DockerException

from labs.cloud.app_runner import front_config, instances
from labs.cloud.app_runner.front import Front, Row
from labs.cloud.app_runner.front_config import SERVICE, Server
from labs.cloud.app_runner.instances import Instance
from labs.cloud.app_runner.state import AppRunner
from labs.cloud.engine import docker
from labs.cloud.frame import clock
from labs.cloud.frame.store import Record

START_GRACE = 60.0  # seconds of AWS that an application has for its start, before its checks count
FIRST = "-first"  # the end of the name of a check before the first success
CRASHES = 3
LONGEST_PAUSE = 15.0  # seconds between tries of what keeps ending
_EXPECTED = ("New server registered", "Server deleted")

log = logging.getLogger(__name__)


class CannotLaunchError(Exception):
    """An instance cannot be started. The text says why."""


@dataclass
class Wanted:
    """What is wanted of a service.

    Args:
        revisions: those that are to run, by id.
        sizes: how many instances of each.
        serving: the revision that gets the requests; None for none.
        most: how many requests an instance gets at once.
    """

    revisions: Mapping[str, Record]
    sizes: Mapping[str, int]
    serving: str | None
    most: int


@dataclass
class Seen:
    """What a look has found.

    Args:
        healthy: how many instances of each revision have passed their checks.
        failed: why a revision cannot become healthy, by its id.
        concurrency: requests that are answered or wait just now.
        busy: whether something is on its way.
        rows: HAProxy's table.
    """

    healthy: Counter[str]
    failed: dict[str, str]
    concurrency: int
    busy: bool
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)


class Pool:
    """The instances of the service with this ARN.

    Args:
        runner: the state.
        arn: the service.
        front: its HAProxy.
        launch: starts an instance of a revision, in a thread of Docker; returns Docker's id.
        ended: told of an instance's id that has ended or is to go, before it is removed. For a thread.
    """

    def __init__(
        self,
        runner: AppRunner,
        arn: str,
        front: Front,
        launch: Callable[[Record], Any],
        ended: Callable[[str], Any],
    ) -> None:
        self._runner = runner
        self._arn = arn
        self._front = front
        self._launch = launch
        self._ended = ended
        self._since: dict[str, float] = {}  # when an instance was first seen
        self._healthy: set[str] = set()
        self._leaving: dict[str, float] = {}
        self._stopping: set[str] = set()
        self._crashes: Counter[str] = Counter()
        self._tried = 0.0
        self._reasons: dict[str, str] = {}
        self.present: list[Instance] = []

    async def look(self, wanted: Wanted) -> Seen:
        """One look; what is wrong is mended."""
        await self._count(wanted)
        service = self._runner.services[self._arn]
        checks = {key: one["HealthCheckConfiguration"] for key, one in wanted.revisions.items()}
        await self._front.ensure(service["_door"], checks, self._serving(wanted), wanted.most)
        rows = await self._front.table()
        failed = self._learn(wanted, rows)
        self._choose_leaving(wanted, failed)
        commands = self._check_commands(wanted, rows) + self._serving_commands(wanted, rows)
        if commands:
            said = await self._front.ask(commands)
            if odd := [
                line for line in said.splitlines() if line and not line.startswith(("New server", "Server del"))
            ]:
                log.info("HAProxy of %s says: %s", service["ServiceName"], "; ".join(odd))
        self._let_go(rows)
        healthy = Counter(one.revision for one in self._usable() if one.id in self._healthy)
        backend = rows.get(SERVICE, {}).get("BACKEND", {})
        concurrency = int(backend.get("scur") or 0)
        settled = all(healthy[key] == size for key, size in wanted.sizes.items())
        return Seen(healthy, failed, concurrency, bool(commands or self._leaving or not settled), rows)

    async def clear(self) -> None:
        """Ends all instances: SIGTERM to each, at the same time."""
        for one in await docker.run(instances.found, self._arn):
            self._end(one)

    async def is_clear(self) -> bool:
        """Whether no instance is left."""
        return not await docker.run(instances.found, self._arn)

    # --- containers

    async def _count(self, wanted: Wanted) -> None:
        """Removes instances that have ended, and starts those that are missing."""
        now = clock.now()
        self.present = []
        for one in await docker.run(instances.found, self._arn):
            if one.id in self._stopping:
                continue
            if one.running and one.address:
                self._since.setdefault(one.id, now)
                self.present.append(one)
            else:
                self._crashes[one.revision] += 1
                self._forget(one)
                self._stopping.add(one.id)
                self._runner.background.spawn(self._bury(one.id), "an ended instance")
        for key, size in wanted.sizes.items():
            running = [one for one in self._usable() if one.revision == key]
            crashes = self._crashes[key]
            if crashes >= CRASHES and (key != wanted.serving or now < self._tried + min(crashes, LONGEST_PAUSE)):
                continue
            for _ in range(size - len(running)):
                self._tried = now
                try:
                    await self._launch(wanted.revisions[key])
                except (CannotLaunchError, DockerException) as problem:
                    log.warning("an instance of %s could not be started: %s", self._arn, problem)
                    self._reasons[key] = str(problem)
                    self._crashes[key] += 1
                    break

    def _usable(self) -> list[Instance]:
        return [one for one in self.present if one.id not in self._leaving]

    def _choose_leaving(self, wanted: Wanted, failed: Mapping[str, str]) -> None:
        """Instances of a revision that is not wanted any more, those beyond a size, and unhealthy ones leave."""
        now = clock.now()
        for key in {one.revision for one in self.present}:
            running = [one for one in self._usable() if one.revision == key]
            size = wanted.sizes.get(key, 0)
            surplus = running[size:] if size else running
            for one in surplus:
                self._leaving[one.id] = now

    def _let_go(self, rows: Mapping[str, Mapping[str, Row]]) -> None:
        """Ends what is leaving and has no request any more."""
        serving = rows.get(SERVICE, {})
        for one in self.present:
            if one.id not in self._leaving:
                continue
            row = serving.get(one.name)
            empty = row is None or (row["status"].startswith("MAINT") and row["scur"] == "0")
            if empty or clock.now() - self._leaving[one.id] > front_config.REQUEST_SECONDS:
                self._end(one)

    def _end(self, one: Instance) -> None:
        if one.id in self._stopping:
            return
        self._forget(one)
        self._stopping.add(one.id)
        self._runner.background.spawn(self._stop(one.id), "the end of an instance")

    async def _stop(self, container_id: str) -> None:
        try:
            await docker.run(instances.stop, container_id, self._ended)
        finally:
            self._stopping.discard(container_id)
            self._runner.wake(self._arn)

    async def _bury(self, container_id: str) -> None:
        try:
            await docker.run(self._ended, container_id)
            await docker.run(instances.remove, container_id)
        finally:
            self._stopping.discard(container_id)
            self._runner.wake(self._arn)

    def _forget(self, one: Instance) -> None:
        self._since.pop(one.id, None)
        self._leaving.pop(one.id, None)
        self._healthy.discard(one.id)

    # --- HAProxy

    def _serving(self, wanted: Wanted) -> list[Server]:
        """The servers that get requests: the healthy instances of the serving revision."""
        check = (wanted.revisions.get(wanted.serving or "") or {}).get("_port")
        return [
            Server(one.name, f"{one.address}:{check}")
            for one in self._usable()
            if one.revision == wanted.serving and one.id in self._healthy
        ]

    def _learn(self, wanted: Wanted, rows: Mapping[str, Mapping[str, Row]]) -> dict[str, str]:
        """Notes which instances are healthy. Returns why revisions have failed; an unhealthy instance leaves."""
        failed: dict[str, str] = {}
        now = clock.now()
        for one in self._usable():
            revision = wanted.revisions.get(one.revision)
            if revision is None:
                continue
            check = revision["HealthCheckConfiguration"]
            row = rows.get(f"check-{one.revision}", {})
            if one.name in rows.get(SERVICE, {}) and one.id not in self._healthy and one.name not in row:
                self._healthy.add(one.id)  # found in rotation after a start of this process
            elif f"{one.name}{FIRST}" in row:
                if row[f"{one.name}{FIRST}"]["status"].startswith("UP") and _passed(row[f"{one.name}{FIRST}"]):
                    self._healthy.add(one.id)
                    continue
                patience = check["Interval"] * check["UnhealthyThreshold"] + clock.lesson(START_GRACE)
                if now - self._since[one.id] > patience:
                    failed[one.revision] = (
                        f"Health check failed on protocol `{check['Protocol']}` [Port: '{revision['_port']}']. "
                        "Check your configured port number. For more information, see the application logs."
                    )
                    if one.revision == wanted.serving:
                        self._leaving[one.id] = now  # another one is started in its place
            elif one.name in row and row[one.name]["status"].startswith("DOWN"):
                self._healthy.discard(one.id)
                self._leaving[one.id] = now
        for key, number in self._crashes.items():
            if number >= CRASHES and key in wanted.revisions:
                said = self._reasons.get(key)
                failed.setdefault(
                    key, said or "Your application stopped or failed to start. See logs for more information."
                )
        return failed

    def _check_commands(self, wanted: Wanted, rows: Mapping[str, Mapping[str, Row]]) -> list[str]:
        """What makes the health checks those that the instances need now."""
        commands = []
        for key, revision in wanted.revisions.items():
            backend = f"check-{key}"
            present = {name for name in rows.get(backend, {}) if name != "BACKEND"}
            missing: dict[str, Instance] = {}
            for one in self._usable():
                if one.revision == key:
                    missing[one.name if one.id in self._healthy else f"{one.name}{FIRST}"] = one
            for name in present:
                if name in missing:
                    del missing[name]
                else:
                    commands += [f"disable server {backend}/{name}", f"del server {backend}/{name}"]
            for name, one in missing.items():
                commands += _new_check(revision, f"{backend}/{name}", one, settled=one.id in self._healthy)
        return commands

    def _serving_commands(self, wanted: Wanted, rows: Mapping[str, Mapping[str, Row]]) -> list[str]:
        """What makes the servers in rotation those that are to get requests now."""
        commands = []
        present = {name: row for name, row in rows.get(SERVICE, {}).items() if name != "BACKEND"}
        servers = {one.name: one for one in self._serving(wanted)}
        if not servers and any(one.revision == wanted.serving for one in self.present):
            return []  # nothing better is there: what was in rotation stays
        for name, one in servers.items():
            server = f"{SERVICE}/{name}"
            if name not in present:
                commands.append(f"add server {server} {one.address} {front_config.settings(wanted.most)}")
            elif present[name]["slim"] != str(wanted.most):
                commands.append(f"set maxconn server {server} {wanted.most}")
            if name not in present or present[name]["status"].startswith("MAINT"):
                commands.append(f"enable server {server}")
        for name, row in present.items():
            if name in servers:
                continue
            if not row["status"].startswith("MAINT"):
                commands.append(f"disable server {SERVICE}/{name}")
            elif row["scur"] == "0":
                commands.append(f"del server {SERVICE}/{name}")
        return commands


def _new_check(revision: Record, server: str, one: Instance, *, settled: bool) -> list[str]:
    check = revision["HealthCheckConfiguration"]
    every = f"{check['Interval']}s" if settled else f"{front_config.FIRST_CHECKS_MILLISECONDS}ms"
    fall = check["UnhealthyThreshold"] if settled else 1
    settings = f"inter {every} rise {check['HealthyThreshold']} fall {fall}"
    return [
        f"add server {server} {one.address}:{revision['_port']} check {settings}",
        f"enable health {server}",
        f"enable server {server}",
        f"set server {server} health {'up' if settled else 'down'}",
    ]


def _passed(row: Row) -> bool:
    """Whether the last check of a row of `show stat` succeeded."""
    return row["check_status"].removeprefix("* ") in ("L4OK", "L6OK", "L7OK", "L7OKC")
