"""The data plane of one load balancer: makes HAProxy what the records say, and the records what HAProxy has seen.

One loop for each load balancer. Each look compares HAProxy's own table (`show stat`) with the records and sends what
is missing, so it does not matter whether HAProxy was started anew, reloaded, or found running after a crash of this
process.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Mapping
from typing import Any

from docker.errors import DockerException

from labs.cloud.engine import admin, connections, docker, proxy
from labs.cloud.frame import clock
from labs.cloud.frame.store import Record
from labs.cloud.load_balancing import certificates, config, container, health, target_groups, targets, tls
from labs.cloud.load_balancing.state import LoadBalancing
from labs.cloud.load_balancing.traffic import Traffic

IDLE_SECONDS = 1.0
NOTHING_SECONDS = 600.0  # without a listener there is nothing to look at
RETRY_SECONDS = 2.0
START_SECONDS = 15.0
FULL_DRAIN_DELAY = "deregistration_delay.timeout_seconds"

Row = Mapping[str, str]

log = logging.getLogger(__name__)


class Plane:
    """The data plane of the load balancer with this ARN.

    Args:
        lb: the state.
        arn: the load balancer.
    """

    def __init__(self, lb: LoadBalancing, arn: str) -> None:
        self._lb = lb
        self._arn = arn
        self._woken = asyncio.Event()
        self._spec: container.Spec | None = None  # what runs, as far as known
        self._channel: admin.Sockets | admin.Executed | None = None
        self._loaded = ""  # the digest of the configuration that HAProxy has
        self._reloaded = 0.0
        self._bundles: dict[str, str] = {}  # the private keys and chains that it needs, by file name
        self.traffic = Traffic()

    def wake(self) -> None:
        """Has the records looked at now."""
        self._woken.set()

    async def run(self) -> None:
        """Goes on until the load balancer is deleted."""
        while self._arn in self._lb.load_balancers:
            self._woken.clear()
            try:
                pause = await self._look()
            except (DockerException, OSError, admin.NoAnswerError) as problem:
                log.warning("the load balancer %s: %s", self._arn, problem)
                self._spec = None
                pause = RETRY_SECONDS
            except Exception:  # a loop that ends would leave the load balancer alone for good
                log.exception("the load balancer %s could not be looked after", self._arn)
                pause = RETRY_SECONDS
            self._lb.store.flush_quietly()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), pause)
        await self._remove()

    async def _look(self) -> float:
        """One look; what is wrong is mended. Returns the seconds to the next one."""
        record = self._lb.load_balancers[self._arn]
        # one whose keys are gone from the disk stays away, and the others go on
        listeners = [
            one for one in self._lb.listeners_of(self._arn) if one["Protocol"] not in tls.PROTOCOLS or tls.bundles(one)
        ]
        self._take_groups(self._lb.groups_of(self._arn))
        if not listeners:
            return await self._without_listeners(record)
        spec = self._wanted(record, [one["Port"] for one in listeners])
        bundles = {one["Port"]: tls.bundles(one) for one in listeners if one["Protocol"] in tls.PROTOCOLS}
        plan = config.Plan(
            record,
            [(one, self._lb.rules_of(one["ListenerArn"])) for one in listeners],
            {arn: self._lb.target_groups[arn] for arn in self._lb.groups_of(self._arn)},
            {port: [certificates.file_name(bundle) for bundle in found] for port, found in bundles.items()},
        )
        self._bundles = {certificates.file_name(bundle): bundle for found in bundles.values() for bundle in found}
        text = config.render(plan)
        if self._spec != spec:
            await self._start(spec, plan, text)
        try:
            await self._load(plan, text)
            table = admin.rows(await self._ask(["show stat -1 7 -1"]))
        except admin.NoAnswerError:
            self._spec = None  # the next look finds out whether the container is still there
            return 0.05
        self.traffic.count(table, plan.groups)
        busy = await self._sync(plan, table)
        self._activate()
        return self._channel.poll_seconds if busy else IDLE_SECONDS

    # --- the container ------------------------------------------------------------------------------------------------

    async def _without_listeners(self, record: Record) -> float:
        spec = self._wanted(record, [])
        self._spec = None
        await docker.run(container.remove, spec.container)
        await docker.run(container.prepare, spec)
        self._activate()
        return NOTHING_SECONDS

    def _wanted(self, record: Record, ports: list[int]) -> container.Spec:
        """What the container is to be. A new listener gets a port on this machine, and keeps it.

        The port of a listener that is gone goes with the next new container: it is not worth one of its own.
        """
        doors = {int(port): door for port, door in record["_doors"].items()}
        if not ports or not set(ports) <= set(doors):
            taken = {door for one in self._lb.load_balancers.values() for door in one["_doors"].values()}
            doors = {port: doors.get(port) or proxy.free_door(taken) for port in ports}
        doors = dict(sorted(doors.items()))
        kept = {str(port): door for port, door in doors.items()}
        if kept != record["_doors"]:
            self._lb.load_balancers.put(self._arn, {**record, "_doors": kept})
        place = record["_network"]
        return container.Spec(self._arn, record["DNSName"], place["vpc"], place["cidr"], doors)

    async def _start(self, spec: container.Spec, plan: config.Plan, text: str) -> None:
        """Finds the container running, or makes it."""
        shared = await docker.run(proxy.shares_our_files)
        if not await docker.run(container.runs, spec):
            if not shared:  # keys are brought once it runs
                plan = plan._replace(
                    listeners=[one for one in plan.listeners if one[0]["Protocol"] not in tls.PROTOCOLS]
                )
                text = config.render(plan)
            try:
                files = {**self._bundles, proxy.CONFIGURATION: _complete(plan, text)}
                await docker.run(container.start, spec, files)
            except DockerException as problem:
                if "address already in use" in str(problem) or "already allocated" in str(problem):
                    self._give_up_doors()
                raise
            self.traffic.begin_anew()
        self._channel = admin.Sockets(container.folder(self._arn)) if shared else admin.Executed(spec.container)
        self._loaded = ""
        self._spec = spec
        if not await self._answers():
            words = await docker.run(container.last_words, spec.container)
            raise admin.NoAnswerError(f"HAProxy did not start: {words}")

    def _give_up_doors(self) -> None:
        """Another program has taken a port of ours: the next look chooses new ones."""
        record = self._lb.load_balancers.get(self._arn)
        if record:
            self._lb.load_balancers.put(self._arn, {**record, "_doors": {}})

    async def _answers(self) -> bool:
        end = asyncio.get_running_loop().time() + START_SECONDS
        while asyncio.get_running_loop().time() < end:
            try:
                await self._description()
            except admin.NoAnswerError:
                await asyncio.sleep(0.05)
            else:
                return True
        return False

    def _take_groups(self, wanted: list[str]) -> None:
        """Notes which target groups are in use here. Targets of one that was not, or is no more, begin anew."""
        for arn, group in self._lb.target_groups.items():
            mine = group.get("_user") == self._arn
            if mine != (arn in wanted):
                targets.begin_anew(self._lb, group, None if mine else self._arn)

    async def _remove(self) -> None:
        self._take_groups([])
        name = self._arn.rpartition("loadbalancer/")[2]
        spec = container.Spec(self._arn, name, "", None, {})
        for _ in range(5):
            try:
                await docker.run(container.remove, spec.container)
            except DockerException as problem:
                log.warning("the container of %s is still there: %s", name, problem)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                break
        container.forget(self._arn)

    def _activate(self) -> None:
        record = self._lb.load_balancers.get(self._arn)
        if record and record["State"]["Code"] != "active":
            self._lb.load_balancers.put(self._arn, {**record, "State": {"Code": "active"}})

    # --- the configuration --------------------------------------------------------------------------------------------

    async def _load(self, plan: config.Plan, text: str) -> None:
        """Has HAProxy take the configuration if it has another one. No connection is lost.

        Raises:
            NoAnswerError: it does not answer, or did not take it.
        """
        wanted = config.digest(text)
        if not self._loaded:
            self._loaded = await self._description()
        if self._loaded == wanted:
            return
        whole = _complete(plan, text)
        for name, content in {**self._bundles, proxy.CONFIGURATION: whole}.items():
            if isinstance(self._channel, admin.Executed):
                await self._channel.write(name, content)
            else:
                await asyncio.to_thread(proxy.write, container.folder(self._arn), name, content)
        with connections.renewed(self._spec.doors.values()):
            await self._reload(wanted)
        self._loaded = wanted
        if isinstance(self._channel, admin.Sockets):
            await asyncio.to_thread(container.forget_keys, self._arn, set(self._bundles))
        self.traffic.begin_anew()

    async def _reload(self, wanted: str) -> None:
        """Has HAProxy read its files, and waits until it works by the configuration with this digest."""
        await self._channel.ask("master", ["reload"])
        self._reloaded = clock.now()
        end = asyncio.get_running_loop().time() + START_SECONDS
        while asyncio.get_running_loop().time() < end:
            if await self._description() == wanted:  # a worker always answers; if none does, the container is gone
                return
            await asyncio.sleep(0.05)
        words = await docker.run(container.last_words, self._spec.container)
        log.error("HAProxy did not take the configuration of %s: %s", self._arn, words)
        raise admin.NoAnswerError("HAProxy did not take its new configuration.")

    async def _description(self) -> str:
        found = re.search(r"^description: (\S*)", await self._ask(["show info"]), re.MULTILINE)
        if not found:
            raise admin.NoAnswerError("HAProxy answered with nothing.")
        return found[1]

    async def _ask(self, commands: list[str]) -> str:
        return await self._channel.ask("admin", commands)

    # --- the targets --------------------------------------------------------------------------------------------------

    async def _sync(self, plan: config.Plan, table: list[Row]) -> bool:
        """Brings HAProxy's servers and the targets' records together. Returns whether something is on its way."""
        servers: dict[str, dict[str, Row]] = {}
        for row in table:
            if row["type"] == "2":
                servers.setdefault(row["pxname"], {})[row["svname"]] = row
        old_workers = await self._has_old_workers(plan)
        commands: list[str] = []
        learned: dict[str, dict[str, dict[str, Any] | None]] = {}
        busy = False
        for arn, group in plan.groups.items():
            checks = servers.get(config.check_backend(arn), {})
            serving = servers.get(config.backend(arn), {})
            found = _learn(group, checks, serving, old_workers)
            after = _with(group, found)
            for target in after["_targets"].values():
                busy = busy or target["_health"]["State"] in ("initial", "draining")
            commands += _check_commands(after, checks)
            serving_commands = _serving_commands(after, serving)
            commands += serving_commands
            busy = busy or bool(serving_commands)
            learned[arn] = found
        if commands:
            said = await self._ask(commands)
            if problems := [line for line in said.splitlines() if line and not line.startswith(_EXPECTED)]:
                log.info("HAProxy of %s says: %s", self._arn, "; ".join(problems))
        for arn, found in learned.items():
            self._note(plan.groups[arn], found)
        return busy

    def _note(self, before: Record, found: dict[str, dict[str, Any] | None]) -> None:
        """Keeps what was learned, except of targets that a request has changed meanwhile."""
        group = self._lb.target_groups.get(before["TargetGroupArn"])
        if group is None:
            return
        same = {
            key: value
            for key, value in found.items()
            if key in group["_targets"] and _identity(group["_targets"][key]) == _identity(before["_targets"][key])
        }
        if targets.set_health(self._lb, group, same):
            self._lb.store.flush_quietly()

    async def _has_old_workers(self, plan: config.Plan) -> bool:
        """Whether a worker from before a reload may still have requests of a target that is being deregistered."""
        draining = [
            target["_draining"]
            for group in plan.groups.values()
            for target in group["_targets"].values()
            if "_draining" in target
        ]
        if not any(since <= self._reloaded for since in draining):
            return False
        return "# old workers" in await self._channel.ask("master", ["show proc"])


_EXPECTED = ("New server registered", "Server deleted", "Server still has connections")


def _complete(plan: config.Plan, text: str) -> str:
    serving = {arn: health.in_rotation(group) for arn, group in plan.groups.items()}
    return config.complete(text, serving, {arn: config.server_settings(group) for arn, group in plan.groups.items()})


def _identity(target: Record) -> tuple[Any, Any]:
    return target["_since"], target.get("_draining")


def _with(group: Record, found: Mapping[str, dict[str, Any] | None]) -> Record:
    """The group's record with what was learned."""
    after = {
        key: target | {"_health": found.get(key) or target["_health"]}
        for key, target in group["_targets"].items()
        if found.get(key, target) is not None
    }
    return {**group, "_targets": after}


def _learn(
    group: Record, checks: Mapping[str, Row], serving: Mapping[str, Row], old_workers: bool
) -> dict[str, dict[str, Any] | None]:
    """What HAProxy's table says of a group's targets: key to health, or None for one whose deregistration is over."""
    found: dict[str, dict[str, Any] | None] = {}
    now = clock.now()
    delay = int(group["_attributes"][FULL_DRAIN_DELAY])
    for key, target in group["_targets"].items():
        if target["_address"] is None:
            found[key] = targets.STOPPED
            continue
        name = health.address(target)
        if "_draining" in target:
            row = serving.get(name)
            empty = row is None or (row["status"].startswith("MAINT") and row["scur"] == "0")
            over = (empty and not old_workers) or now - target["_draining"] >= delay
            found[key] = None if over else targets.DRAINING
            continue
        row = checks.get(name)
        if row is None:
            continue
        if _is_first(row):
            if target["_health"]["State"] not in ("healthy", "unhealthy"):
                found[key] = health.after_first_checks(target, group, row, now)
        elif target["_health"]["State"] in ("healthy", "unhealthy"):
            found[key] = health.settled(target, row)
    return found


def _is_first(row: Row) -> bool:
    """Whether a check is one of those before the first success; a learner's thresholds are two at least."""
    return row["check_rise"] == "1"


def _check_commands(group: Record, present: Mapping[str, Row]) -> list[str]:
    """What makes the health checks those that the targets need now."""
    commands = []
    backend = config.check_backend(group["TargetGroupArn"])
    wanted: dict[str, Record] = {}
    for target in group["_targets"].values():
        if "_draining" not in target and target["_address"]:
            wanted[health.address(target)] = target
    for name, row in present.items():
        target = wanted.get(name)
        first = target is not None and target["_health"]["State"] not in ("healthy", "unhealthy")
        if target is None or first != _is_first(row):
            commands += [f"disable server {backend}/{name}", f"del server {backend}/{name}"]
        else:
            del wanted[name]
    for name, target in wanted.items():
        commands += _new_check(group, f"{backend}/{name}", target)
    return commands


def _new_check(group: Record, server: str, target: Record) -> list[str]:
    port = target["Port"] if group["HealthCheckPort"] == "traffic-port" else group["HealthCheckPort"]
    state = target["_health"]["State"]
    secure = "check-ssl verify none " if group["HealthCheckProtocol"] == "HTTPS" else ""
    if state in ("healthy", "unhealthy"):
        settings = (
            f"inter {group['HealthCheckIntervalSeconds']}s rise {group['HealthyThresholdCount']} "
            f"fall {group['UnhealthyThresholdCount']}"
        )
    else:
        settings = f"inter {int(health.FIRST_CHECKS_SECONDS * 1000)}ms rise 1 fall 1"
    commands = [
        f"add server {server} {target['_address']}:{port} check {secure}{settings}",
        f"enable health {server}",
        f"enable server {server}",
    ]
    if state in ("healthy", "unhealthy"):
        commands.append(f"set server {server} health {'up' if state == 'healthy' else 'down'}")
    return commands


def _serving_commands(group: Record, present: Mapping[str, Row]) -> list[str]:
    """What makes the servers in rotation those that are to get requests now."""
    commands = []
    backend = config.backend(group["TargetGroupArn"])
    wanted = health.in_rotation(group)
    registered = {health.address(target) for target in group["_targets"].values() if target["_address"]}
    for name in wanted:
        if name not in present:
            commands.append(f"add server {backend}/{name} {name} {config.server_settings(group)}")
        if name not in present or present[name]["status"].startswith("MAINT"):
            commands.append(f"enable server {backend}/{name}")
    for name, row in present.items():
        if name in wanted:
            continue
        if not row["status"].startswith("MAINT"):
            commands.append(f"disable server {backend}/{name}")
        if name in registered:
            continue
        if row["scur"] != "0" and group["Protocol"] in target_groups.HTTP and row["status"].startswith("MAINT"):
            commands.append(f"shutdown sessions server {backend}/{name}")  # its time is over
        commands.append(f"del server {backend}/{name}")
    return commands
