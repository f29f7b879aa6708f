"""The loop that looks after one service: performs its operations one after another, and keeps what it is.

An operation that was under way when this process was killed is performed from its beginning.
"""

import asyncio
import contextlib
import logging
import secrets

from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import DockerException

from labs.cloud.app_runner import (
    auto_scaling,
    building,
    checks,
    environment,
    instances,
    logs,
    metrics,
    operations,
    source,
)
from labs.cloud.app_runner.front import Front
from labs.cloud.app_runner.pool import CannotLaunchError, Pool, Seen, Wanted
from labs.cloud.app_runner.scaler import Scaler
from labs.cloud.app_runner.state import (
    CONFIGURED,
    CREATE_FAILED,
    DELETED,
    PAUSED,
    RUNNING,
    AppRunner,
)
from labs.cloud.engine import admin, docker, proxy
from labs.cloud.engine.output import Output
from labs.cloud.frame import arns, aws, clock, secret_values
from labs.cloud.frame.store import Record

BUSY_SECONDS = 0.2
IDLE_SECONDS = 1.0
RETRY_SECONDS = 1.0
FORGET_SECONDS = 3600.0  # of AWS: how long a deleted service is still told of
_DEPLOYED = ("SourceConfiguration", "InstanceConfiguration", "HealthCheckConfiguration", "NetworkConfiguration")

log = logging.getLogger(__name__)


class FailedError(Exception):
    """A deployment has failed. The text says why."""


class Keeper:
    """Looks after the service with this ARN.

    Args:
        runner: the state.
        arn: the service.
        output: which sends on what instances print.
    """

    def __init__(self, runner: AppRunner, arn: str, output: Output) -> None:
        self._runner = runner
        self._arn = arn
        self._woken = asyncio.Event()
        self.front = Front(arn, runner.services[arn]["ServiceUrl"])
        self._scaler = Scaler()
        self._traffic = metrics.Traffic()
        self._told = clock.now()
        self._output = output
        self.pool = Pool(runner, arn, self.front, self._launch, self._ended)

    def wake(self) -> None:
        """Has the service looked at now."""
        self._woken.set()

    @property
    def _service(self) -> Record:
        return self._runner.services[self._arn]

    async def run(self) -> None:
        """Goes on until the service is forgotten."""
        while self._arn in self._runner.services:
            self._woken.clear()
            try:
                pause = await self._step()
            except (DockerException, OSError, admin.NoAnswerError) as problem:
                log.warning("the service %s: %s", self._arn, problem)
                self.front.lost()
                pause = RETRY_SECONDS
            except Exception:  # a loop that ends would leave the service alone for good
                log.exception("the service %s could not be looked after", self._arn)
                pause = RETRY_SECONDS
            self._runner.store.flush_quietly()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), pause)

    async def _step(self) -> float | None:
        """One step. Returns the seconds to the next one, or None until something happens."""
        if operation := self._runner.operation_of(self._arn):
            await self._perform(operation)
            return 0
        if self._service["Status"] == RUNNING:
            seen = await self._look(self._wanted())
            self._scale(seen)
            await self._tell()
            return BUSY_SECONDS if seen.busy else IDLE_SECONDS
        await self._empty()
        if self._service["Status"] == DELETED:
            over = self._service["DeletedAt"] + clock.lesson(FORGET_SECONDS) - clock.now()
            if over <= 0:
                self._forget()
                return 0
            return over
        return None

    # --- operations

    async def _perform(self, operation: Record) -> None:
        kind = operation["Type"]
        if kind == "PAUSE_SERVICE":
            await self._empty()
            operations.end(self._runner, operation, "SUCCEEDED", PAUSED)
        elif kind == "DELETE_SERVICE":
            await self._empty()
            await docker.run(building.remove, self._arn)
            self._runner.change(self._arn, DeletedAt=clock.now())
            operations.end(self._runner, operation, "SUCCEEDED", DELETED)
        elif kind == "RESUME_SERVICE":
            await self._deploy(operation, self._service.get("_active"))
        elif kind == "UPDATE_SERVICE" and not self._needs_instances():
            active = {**self._service["_active"], **self._configured()}
            self._runner.change(self._arn, _active=active)
            operations.end(self._runner, operation, "SUCCEEDED", RUNNING)
        else:
            await self._deploy(operation, None)

    async def _deploy(self, operation: Record, revision: Record | None) -> None:
        """Brings a revision into service: the one of the records, or a given one."""
        candidate = revision
        await self._say(f"Deployment with ID : {operation['Id'].replace('-', '')} started.", operation)
        try:
            candidate = candidate or await self._revision(operation)
            check = candidate["HealthCheckConfiguration"]["Protocol"]
            await self._say("Successfully pulled your application image.", operation)
            await self._say(f"Performing health check on protocol `{check}` [Port: '{candidate['_port']}'].", operation)
            await self._until_healthy(candidate)
            await self._say("Health check is successful. Routing traffic to application.", operation)
        except FailedError as problem:
            log.info("a deployment of %s failed: %s", self._service["ServiceName"], problem)
            await self._say(str(problem), operation)
            await self._say(f"Deployment with ID : {operation['Id'].replace('-', '')} failed.", operation)
            await self._roll_back(operation)
            return
        self._runner.change(self._arn, _active=candidate, _size=0)
        await self._look(self._wanted())  # requests go to it before the operation is told to be over
        operations.end(self._runner, operation, "SUCCEEDED", RUNNING)

    async def _revision(self, operation: Record) -> Record:
        """What is deployed now: the records, with the image that they mean at this moment."""
        if (known := operation.get("_candidate")) is not None:
            return known
        try:
            image = await source.image(self._runner, self._service)
        except source.SourceError as problem:
            raise FailedError(str(problem)) from problem
        found = {"id": secrets.token_hex(6), **image, **self._configured()}
        found["_port"] = checks.port(found)
        current = self._runner.operations[operation["Id"]]
        self._runner.operations.put(operation["Id"], {**current, "_candidate": found})
        self._runner.store.flush_quietly()
        return found

    async def _until_healthy(self, candidate: Record) -> None:
        """Starts instances of a revision and waits until they have passed their checks. The old ones serve on.

        Raises:
            FailedError: they do not.
        """
        most, least, _ = auto_scaling.numbers(self._runner, self._service)
        active = self._active()
        if active and active["id"] == candidate["id"]:
            active = None
        while True:
            sizes = {candidate["id"]: least}
            revisions = {candidate["id"]: candidate}
            if active:
                revisions[active["id"]] = active
                sizes[active["id"]] = self._size()
            seen = await self._look(Wanted(revisions, sizes, active["id"] if active else candidate["id"], most))
            if reason := seen.failed.get(candidate["id"]):
                raise FailedError(reason)
            if seen.healthy[candidate["id"]] >= least:
                return
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), BUSY_SECONDS)

    async def _roll_back(self, operation: Record) -> None:
        """What was before goes on. A service that never ran has failed for good."""
        active = self._active()
        if active is None:
            await self._empty()
            kind = operation["Type"]
            operations.end(self._runner, operation, "FAILED", PAUSED if kind == "RESUME_SERVICE" else CREATE_FAILED)
            return
        if operation["Type"] == "UPDATE_SERVICE":
            operation = operations.move(self._runner, operation, "ROLLBACK_IN_PROGRESS")
            self._runner.change(self._arn, **{name: active[name] for name in CONFIGURED if name in active})
        await self._look(self._wanted())
        ended = "ROLLBACK_SUCCEEDED" if operation["Type"] == "UPDATE_SERVICE" else "FAILED"
        operations.end(self._runner, operation, ended, RUNNING)

    # --- looks

    async def _look(self, wanted: Wanted) -> Seen:
        self._ensure_door()
        try:
            return await self.pool.look(wanted)
        except admin.NoAnswerError:
            self.front.lost()
            return await self.pool.look(wanted)
        except DockerException as problem:
            if "address already in use" in str(problem) or "already allocated" in str(problem):
                self._runner.change(self._arn, _door=None)  # another program has taken it
            raise

    def _scale(self, seen: Seen) -> None:
        """Notes how many instances the requests of now need."""
        most, least, largest = auto_scaling.numbers(self._runner, self._service)
        size = self._scaler.size(seen.concurrency, most, least, largest, clock.now())
        self._traffic.count(seen.rows, seen.concurrency)
        if size != self._size():
            self._runner.change(self._arn, _size=size)
            self.wake()

    async def _tell(self) -> None:
        """Tells CloudWatch how the service is, now and then."""
        if clock.now() - self._told < metrics.EVERY_SECONDS:
            return
        self._told = clock.now()
        data = self._traffic.take(self._service, len(self.pool.present))
        region = arns.region(self._arn)
        try:
            await aws.call("cloudwatch", "put_metric_data", region=region, Namespace=metrics.NAMESPACE, MetricData=data)
        except (ClientError, BotoCoreError) as problem:
            log.warning("the metrics of %s were not taken: %s", self._service["ServiceName"], problem)

    def _wanted(self) -> Wanted:
        most, _, _ = auto_scaling.numbers(self._runner, self._service)
        active = self._service["_active"]
        return Wanted({active["id"]: active}, {active["id"]: self._size()}, active["id"], most)

    def _size(self) -> int:
        _, least, largest = auto_scaling.numbers(self._runner, self._service)
        return min(max(self._service.get("_size") or 0, least), largest)

    def _active(self) -> Record | None:
        """The revision that takes requests; None where nothing does."""
        running = self._service.get("_active")
        operation = self._runner.operation_of(self._arn)
        return None if operation and operation["Type"] == "RESUME_SERVICE" else running

    def _configured(self) -> Record:
        return {name: self._service[name] for name in CONFIGURED if name in self._service}

    def _needs_instances(self) -> bool:
        """Whether an update changes what runs, and not only how it scales or who reaches it."""
        active = self._service.get("_active")
        return active is None or any(active[name] != self._service[name] for name in _DEPLOYED)

    async def _empty(self) -> None:
        """Takes instances and HAProxy away."""
        await self.pool.clear()
        await self.front.remove()
        while not await self.pool.is_clear():
            await asyncio.sleep(BUSY_SECONDS)

    def _forget(self) -> None:
        for one in list(self._runner.operations.values()):
            if one["_service"] == self._arn:
                self._runner.operations.drop(one["Id"])
        self._runner.services.drop(self._arn)

    def _ensure_door(self) -> None:
        if not self._service.get("_door"):
            taken = {one.get("_door") for one in self._runner.services.values()}
            self._runner.change(self._arn, _door=proxy.free_door(taken))
            self._runner.store.flush_quietly()

    async def _launch(self, revision: Record) -> None:
        service = self._service
        connector = self._runner.connectors.get(
            revision["NetworkConfiguration"]["EgressConfiguration"].get("VpcConnectorArn", "")
        )
        wanted = checks.image_configuration(revision).get("RuntimeEnvironmentSecrets") or {}
        try:
            values = await asyncio.to_thread(secret_values.resolve, wanted, arns.region(self._arn))
        except secret_values.SecretError as problem:
            raise CannotLaunchError(str(problem)) from problem
        found = environment.variables(service, revision, values)
        vpc = connector["_vpc"] if connector else None
        made = await docker.run(instances.start, service, revision, found, self._runner.way, vpc)
        await docker.run(logs.follow, self._output, service, made)

    def _ended(self, container_id: str) -> None:
        """An instance has ended: all that it has printed is sent."""
        self._output.finish(logs.place(self._service, container_id), container_id)

    async def _say(self, message: str, operation: Record) -> None:
        await logs.say(self._service, message, operation["Id"])
