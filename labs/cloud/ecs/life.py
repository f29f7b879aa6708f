"""The life of one task, from PROVISIONING to STOPPED, over real containers.

Every step first looks at what is there, so that a life can begin anywhere: after a kill of the gateway it is adopted
where it stood.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
"""

import asyncio
import logging
from typing import Any

from docker.errors import APIError, DockerException
from docker.models.containers import Container
from docker.models.images import Image
from requests.exceptions import RequestException

from labs.cloud import guard
from labs.cloud.ecs import (
    container_options,
    engine_calls,
    execute,
    logs,
    metadata,
    networking,
    roles,
    secrets,
    spot,
    targets,
    task_network,
    task_state,
    volumes,
    waiting,
)
from labs.cloud.ecs.logs import Logs
from labs.cloud.ecs.state import Ecs
from labs.cloud.engine import docker, images, labels
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.pulse import Pulse
from labs.cloud.relay.relay import Relay

RETRY_SECONDS = 1.0
PORT_SECONDS = 5.0  # for the instance to open the host ports of a task
KILLED = 137  # 128 and SIGKILL
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
EXITED = "Essential container in task exited"

log = logging.getLogger(__name__)


class StartError(Exception):
    """The task cannot start. The text is its `stoppedReason`."""


class StopAskedError(Exception):
    """The task is to stop: there is no point in starting it any further."""


class Life:
    """One task.

    Args:
        ecs: the state.
        relay: the way from the task to the local AWS.
        senders: what sends containers' output to CloudWatch Logs.
        task: the task's record.
    """

    def __init__(self, ecs: Ecs, relay: Relay, senders: Logs, task: dict[str, Any]) -> None:
        self.ecs = ecs
        self.task = task
        self.arn: str = task["taskArn"]
        self.pulse = Pulse()
        self.hurry = False  # the local AWS itself stops: no grace for anybody
        self._relay = relay
        self._logs = senders
        self._region = arns.region(self.arn)
        self._definition = ecs.task_definitions[task["taskDefinitionArn"]]
        self._containers = {one["name"]: one for one in self._definition["containerDefinitions"]}
        self._records = {one["name"]: one for one in task["containers"]}
        self._mode: str = self._definition.get("networkMode", "bridge")
        self._has_host_ports = self._mode == "bridge" and any(task.get("_ports", {}).values())
        self._unseen: set[str] = set(self._containers)  # containers whose state has to be looked at
        self._given_up = False  # a container could not start, so the others need not
        self._exits: dict[str, int] = {}  # exit codes that events told, by container id
        self._starved: set[str] = set()  # containers of which an event told that memory was not enough

    async def run(self) -> None:
        """Lives."""
        try:
            if self.task["lastStatus"] in task_state.STARTING:
                await self._start()
            if self.task["lastStatus"] == task_state.RUNNING:
                await self._watch()
        except StartError as problem:
            task_state.ask_to_stop(self.ecs, self.task, "TaskFailedToStart", str(problem))
        except StopAskedError:
            pass
        except Exception:
            log.exception("task %s", self.arn)
            text = "The local AWS failed while it ran this task. Its log says where."
            task_state.ask_to_stop(self.ecs, self.task, "TaskFailedToStart", text)
        await self._wind_down()

    def hear(self, event: dict[str, Any]) -> None:
        """Something happened to a container of this task."""
        attributes = event["Actor"]["Attributes"]
        if event["status"] == "die" and "exitCode" in attributes:
            self._exits[event["id"]] = int(attributes["exitCode"])
        if event["status"] == "oom":  # it may come after the end, and after Docker was asked about that
            self._starved.add(event["id"])
            for record in self._records.values():
                if record.get("runtimeId") == event["id"] and record.get("exitCode") == KILLED:
                    record.setdefault("reason", OUT_OF_MEMORY)
        self._unseen.add(attributes.get("com.amazonaws.ecs.container-name", ""))
        self.pulse.beat()

    def look_again(self) -> None:
        """Events may have been missed."""
        self._unseen.update(self._containers, [task_network.PAUSE])
        self.pulse.beat()

    # --- start --------------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        await self._await_room()
        place = await self._place()
        if self.task["lastStatus"] == "PROVISIONING":
            task_state.change(self.ecs, self.task, "PENDING")
        self._stop_if_asked()
        try:
            await roles.check(self.task, self._definition)
        except roles.RoleError as problem:
            raise StartError(str(problem)) from None
        self._stop_if_asked()
        self.task.setdefault("pullStartedAt", clock.now())
        task_state.change(self.ecs, self.task, "ACTIVATING")
        await self._pull()
        self._stop_if_asked()
        made = await asyncio.gather(*(docker.run(self._environment, one) for one in self._containers.values()))
        environments = dict(zip(self._containers, made, strict=True))
        self._stop_if_asked()
        if place and len(self._containers) > 1:
            await self._ensure_pause(place)
        await self._launch_all(place, environments)
        if self._has_host_ports and not await self.ecs.forwarded(self.task, PORT_SECONDS):
            log.warning("task %s: its instance has not opened its host ports yet", self.arn)
        await self._register()
        self._stop_if_asked()
        now = clock.now()
        self.task["healthStatus"] = task_state.health(self.task, self._definition)
        self.task.update(startedAt=now, connectivity="CONNECTED", connectivityAt=now)
        task_state.change(self.ecs, self.task, task_state.RUNNING)

    async def _await_room(self) -> None:
        """Waits until the task's capacity provider has an instance with room for it."""
        loop = asyncio.get_running_loop()
        end = loop.time() + waiting.PATIENCE_SECONDS - (clock.now() - self.task["createdAt"])
        while waiting.needs_room(self.task):
            self._stop_if_asked()
            if reason := waiting.place(self.ecs, self.task):
                if loop.time() >= end:
                    raise StartError(reason)
                await self.pulse.wait(max(0.0, end - loop.time()))
        self._has_host_ports = self._mode == "bridge" and any(self.task.get("_ports", {}).values())

    async def _register(self) -> None:
        try:
            await targets.register(self.ecs, self.task)
        except AwsError as problem:
            raise StartError(f"Task failed to register with a load balancer: {problem.message}") from None

    async def _launch_all(self, place: task_network.Place | None, environments: dict[str, dict[str, str]]) -> None:
        """Starts the containers. If one cannot start, those that wait give up.

        What Docker is doing is waited for, so that no container is removed while it starts.
        """

        async def launch(name: str) -> None:
            try:
                await self._launch(name, place, environments[name])
            except BaseException:
                self._given_up = True
                self.pulse.beat()
                raise

        done = await asyncio.gather(*(launch(name) for name in self._containers), return_exceptions=True)
        problems = [one for one in done if isinstance(one, BaseException)]
        if problems:
            raise next((one for one in problems if not isinstance(one, StopAskedError)), problems[0])

    async def _place(self) -> task_network.Place | None:
        """The subnet of an awsvpc task; None for other network modes."""
        if self._definition.get("networkMode") != "awsvpc":
            return None
        chosen = networking.detail(self.task, "subnetId")
        try:
            subnet = (await networking.subnets(self._region, [chosen or ""]))[0]
        except AwsError as problem:
            raise StartError(
                f"Unexpected EC2 error while attempting to create Network Interface: {problem.message}"
            ) from None
        used = (networking.detail(task, "privateIPv4Address") for task in self.ecs.tasks.values())
        return task_network.Place(subnet, frozenset(ip for ip in used if ip))

    async def _pull(self) -> None:
        """Makes sure of every image."""
        found = await asyncio.gather(*(docker.run(self._image, one) for one in self._containers.values()))
        for name, image in zip(self._containers, found, strict=True):
            self._records[name]["imageDigest"] = images.digest(image) or image.id
        self.task["pullStoppedAt"] = clock.now()

    def _image(self, container: dict[str, Any]) -> Image:
        """The image of a container. For a thread."""
        try:
            credentials = secrets.registry_credentials(container, self._region)
            return images.ensure(container["image"], credentials=credentials)
        except (images.CannotPullError, secrets.SecretError) as problem:
            raise StartError(str(problem)) from None
        except (DockerException, RequestException, guard.RealAwsRefused) as problem:
            raise StartError(f"CannotPullContainerError: {problem}") from None

    def _environment(self, container: dict[str, Any]) -> dict[str, str]:
        """What the definition does not say of a container's environment: secrets, files, our own. For a thread."""
        try:
            found = secrets.resolve(self._definition, container, self._region, self.task)
        except secrets.SecretError as problem:
            raise StartError(str(problem)) from None
        return found | metadata.environment(self.task, container, found)

    async def _ensure_pause(self, place: task_network.Place) -> None:
        name = self._pause_name()
        try:
            pause = await docker.run(task_network.existing, name)
            if pause is None:
                pause = await docker.run(task_network.create_pause, self.task, name, place, self._relay)
            await docker.run(pause.start)
            self._attach(await docker.run(task_network.address, pause))
        except (DockerException, RequestException) as problem:
            raise StartError(f"ResourceInitializationError: the task's network could not be made: {problem}") from None

    async def _launch(self, name: str, place: task_network.Place | None, environment: dict[str, str]) -> None:
        """Starts a container when those that it depends on are as far as it wants them."""
        container, record = self._containers[name], self._records[name]
        for other, condition in _needs(container):
            await self._await_dependency(container, other, condition)
        if record.get("runtimeId"):
            await self._look()
            if record["lastStatus"] != "PENDING":
                return
        try:
            await docker.run(logs.prepare, self.task, container)
            made = await self._create(container, record, place, environment)
            await docker.run(made.start)
            await docker.run(self._logs.follow_task, self.task, container, made.id)
            address = await docker.run(task_network.address, made)
            if place and len(self._containers) == 1:
                self._attach(address)
            elif place:
                record["networkInterfaces"] = self._interfaces()
            elif self._mode == "bridge":
                record["_address"] = address.ip
            if not place:
                record["networkBindings"] = self._bindings(name)
        except APIError as problem:
            text = f"CannotStartContainerError: Error response from daemon: {problem.explanation or problem}"
            record["reason"] = text
            raise StartError(text if container.get("essential", True) else "Task failed to start") from None
        except (logs.LogsError, volumes.VolumeError, container_options.CannotCreateContainerError) as problem:
            raise StartError(str(problem)) from None
        except (DockerException, RequestException) as problem:
            raise StartError(f"ResourceInitializationError: {problem}") from None
        record["lastStatus"] = "RUNNING"
        execute.keep_agent(self.task, container, record)
        self._unseen.add(name)
        self.pulse.beat()

    async def _create(
        self, container: dict[str, Any], record: dict[str, Any], place: task_network.Place | None, env: dict[str, str]
    ) -> Container:
        """The container in Docker, not yet started: the one of an earlier try, or a new one."""
        alone = place is not None and len(self._containers) == 1

        def make() -> Container:
            if alone:
                mode = {"network": task_network.network_of(place)}
            elif place:
                mode = {"network_mode": f"container:{self._pause_name()}"}
            else:
                mode = self._instance_network(container)
            options = container_options.options(
                self.task, self._definition, container, network_mode_args=mode, environment=env
            )
            options["image"] = images.local_reference(container["image"])
            found = task_network.existing(options["name"])
            if found is not None:
                return found
            if alone:
                return task_network.create(options, place, self._relay)
            if "network" in options:
                links = container_options.links(self.task, self._definition, container) or []
                return task_network.create_bridged(options, links, self._relay)
            return docker.client().containers.create(**options)

        made = await docker.run(make)
        record["runtimeId"] = made.id
        self.ecs.tasks.put(self.arn, self.task)
        self.ecs.store.flush_quietly()
        return made

    def _instance_network(self, container: dict[str, Any]) -> dict[str, str]:
        """Where a container of a task without an address of its own is in the network. For a thread.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-networking.html
        """
        if self._mode == "host":
            return {"network_mode": f"container:{labels.instance_container(self.task['_instance'])}"}
        if self._mode == "none" or container.get("disableNetworking"):
            return {"network_mode": "none"}
        return {"network": task_network.network_of_instance(self.task["_instance"])}

    def _bindings(self, name: str) -> list[dict[str, Any]]:
        """The published ports of a container, as ECS tells them."""
        return [{"bindIP": "0.0.0.0", **one} for one in self.task.get("_ports", {}).get(name, [])]  # noqa: S104

    async def _await_dependency(self, container: dict[str, Any], other: str, condition: str) -> None:
        """Waits until another container of the task has come as far as this one wants it.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
        """
        record = self._records[other]
        loop = asyncio.get_running_loop()
        end = loop.time() + container.get("startTimeout", 1_000_000)
        while True:
            self._stop_if_asked()
            await self._look()
            status, code, healthy = record["lastStatus"], record.get("exitCode"), record.get("healthStatus")
            met = {
                "START": status in ("RUNNING", "STOPPED"),
                "COMPLETE": status == "STOPPED",
                "SUCCESS": status == "STOPPED" and code == 0,
                "HEALTHY": healthy == "HEALTHY",
            }[condition]
            if met:
                return
            never = status == "STOPPED" or (condition == "HEALTHY" and healthy == "UNHEALTHY")
            if never or loop.time() >= end:
                what = f"exit code {code}" if status == "STOPPED" else (healthy or status)
                self._records[container["name"]]["reason"] = (
                    f"ContainerDependencyError: waited for container {other} to be {condition}; it has {what}"
                )
                raise StartError(f"Task failed to start: dependency {other} of {container['name']} was not {condition}")
            await self.pulse.wait(max(0.0, end - loop.time()))

    def _attach(self, address: task_network.Address) -> None:
        """Writes the task's address into its records."""
        for entry in self.task.get("attachments", []):
            if entry["type"] == networking.ATTACHMENT and address.ip:
                networking.attach(entry, address.ip, address.mac)
        for record in self._records.values():
            record["networkInterfaces"] = self._interfaces()

    def _interfaces(self) -> list[dict[str, Any]]:
        ip = networking.detail(self.task, "privateIPv4Address")
        entry = next((one for one in self.task.get("attachments", []) if one["type"] == networking.ATTACHMENT), None)
        return [{"attachmentId": entry["id"], "privateIpv4Address": ip}] if entry and ip else []

    # --- run ----------------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Until an essential container has ended, or the task is to stop."""
        for name, record in self._records.items():
            if record.get("runtimeId"):
                await docker.run(self._logs.follow_task, self.task, self._containers[name], record["runtimeId"])
        while True:
            self._stop_if_asked()
            if await self._look():
                status = task_state.health(self.task, self._definition)
                self.task["healthStatus"] = status
                task_state.change(self.ecs, self.task)
            ended = [
                record
                for name, record in self._records.items()
                if record["lastStatus"] == "STOPPED" and self._containers[name].get("essential", True)
            ]
            if ended:
                task_state.ask_to_stop(self.ecs, self.task, "EssentialContainerExited", EXITED)
                return
            await self.pulse.wait(RETRY_SECONDS if self._unseen else None)

    def _stop_if_asked(self) -> None:
        if self.task["desiredStatus"] == task_state.STOPPED or self._given_up:
            raise StopAskedError

    async def _look(self) -> bool:
        """Looks at the containers of which something was heard.

        Returns:
            Whether anything that ECS tells of has changed.
        """
        changed = False
        for name in list(self._unseen):
            self._unseen.discard(name)
            if name == task_network.PAUSE and len(self._containers) > 1:
                changed |= await self._look_at_pause()
            record = self._records.get(name)
            if record is None or not record.get("runtimeId") or record["lastStatus"] == "STOPPED":
                continue
            try:
                state = await docker.run(engine_calls.state, record["runtimeId"])
            except (DockerException, RequestException, OSError):
                self._unseen.add(name)  # the engine is away: look again in a moment
                continue
            changed |= self._apply(record, state)
        if changed:
            self.pulse.beat()  # others may wait for what was seen here
        return changed

    async def _look_at_pause(self) -> bool:
        """Without the pause container the task has no network any more, so it is over."""
        try:
            pause = await docker.run(task_network.existing, self._pause_name())
        except (DockerException, RequestException, OSError):
            self._unseen.add(task_network.PAUSE)
            return False
        if pause is not None and pause.status == "running":
            return False
        task_state.ask_to_stop(self.ecs, self.task, "EssentialContainerExited", EXITED)
        return True

    def _apply(self, record: dict[str, Any], state: dict[str, Any] | None) -> bool:
        """Writes what Docker says of a container into its record; whether anything has changed."""
        before = dict(record)
        if state is None:  # removed behind our back
            record["lastStatus"] = "STOPPED"
            record["exitCode"] = self._exits.get(record["runtimeId"], KILLED)
        elif state["Status"] in ("exited", "dead"):
            record["lastStatus"] = "STOPPED"
            record["exitCode"] = state["ExitCode"]
            if state.get("OOMKilled") or (state["ExitCode"] == KILLED and record["runtimeId"] in self._starved):
                record["reason"] = OUT_OF_MEMORY
            elif state.get("Error"):
                record["reason"] = f"CannotStartContainerError: {state['Error']}"
        elif state["Status"] in ("running", "paused"):
            record["lastStatus"] = "RUNNING"
        if state and state.get("Health") and record["lastStatus"] == "RUNNING":
            words = {"healthy": "HEALTHY", "unhealthy": "UNHEALTHY"}
            record["healthStatus"] = words.get(state["Health"]["Status"], "UNKNOWN")
        execute.keep_agent(self.task, self._containers[record["name"]], record)
        return record != before

    # --- stop ---------------------------------------------------------------------------------------------------------

    async def _wind_down(self) -> None:
        """Ends the task in order: no new requests, SIGTERM, SIGKILL, and nothing left."""
        if self.task.get("_targets") and not self.hurry:
            if self.task["lastStatus"] in (task_state.RUNNING, "ACTIVATING"):
                task_state.change(self.ecs, self.task, "DEACTIVATING")
            await targets.deregister(self.ecs, self.task, self._waits)
        task_state.change(self.ecs, self.task, "STOPPING")
        await asyncio.gather(*(self._end(name) for name in self._containers))
        self.task["executionStoppedAt"] = clock.now()
        if not self.hurry:
            await asyncio.gather(*(self._finish_logs(name) for name in self._containers))
        task_state.change(self.ecs, self.task, "DEPROVISIONING")
        await self._remove()
        for name, record in self._records.items():
            record["lastStatus"] = "STOPPED"
            execute.keep_agent(self.task, self._containers[name], record)
        for entry in self.task.get("attachments", []):
            entry["status"] = "DELETED"
        self.task["stoppedAt"] = clock.now()
        self.task["connectivity"] = "DISCONNECTED"
        task_state.change(self.ecs, self.task, task_state.STOPPED)

    async def _end(self, name: str) -> None:
        """Ends a container after those that depend on it: its stop signal, its stop timeout, SIGKILL."""
        record = self._records[name]
        dependents = [
            self._records[other["name"]]
            for other in self._containers.values()
            if any(needed == name for needed, _ in _needs(other))
        ]
        while any(one["lastStatus"] == "RUNNING" for one in dependents) and not self.hurry:
            await self.pulse.wait(RETRY_SECONDS)
        if not record.get("runtimeId"):
            return
        self._unseen.add(name)
        await self._look()
        if record["lastStatus"] != "RUNNING":
            return
        loop = asyncio.get_running_loop()
        grace = 0 if self.hurry else container_options.stop_seconds(self._containers[name])
        if spot.is_interrupted(self.task):
            grace = min(grace, spot.seconds_left(self.task))
        end = loop.time() + grace
        if grace:
            await self._signal(record, None)
        while record["lastStatus"] == "RUNNING" and loop.time() < end and not self.hurry:
            await self.pulse.wait(min(RETRY_SECONDS, max(0.0, end - loop.time())))
            self._unseen.add(name)
            await self._look()
        while record["lastStatus"] == "RUNNING":
            await self._signal(record, "SIGKILL")
            await self.pulse.wait(0.2)
            self._unseen.add(name)
            await self._look()
        self.pulse.beat()

    async def _finish_logs(self, name: str) -> None:
        """Waits until the last line that a container has printed is in CloudWatch Logs."""
        if container_id := self._records[name].get("runtimeId"):
            await asyncio.to_thread(self._logs.finish_task, self.task, self._containers[name], container_id)

    async def _signal(self, record: dict[str, Any], signal: str | None) -> None:
        try:
            await docker.run(engine_calls.send_signal, record["runtimeId"], signal)
        except (DockerException, RequestException, OSError) as problem:
            log.info("container %s: %s", record["runtimeId"][:12], problem)

    async def _remove(self) -> None:
        """Removes the task's containers and volumes. If the engine is away, the agent does it when it is back."""
        try:
            await docker.run(engine_calls.remove_all, self.arn)
            await docker.run(volumes.remove, self.task)
        except (DockerException, RequestException, OSError) as problem:
            log.info("task %s: %s", self.arn, problem)

    async def _waits(self) -> bool:
        """Waits for a change, a moment at most; False if there is no time to wait."""
        if self.hurry or spot.is_interrupted(self.task):
            return False
        await self.pulse.wait(RETRY_SECONDS)
        return not self.hurry

    def _pause_name(self) -> str:
        family, _, revision = self.task["taskDefinitionArn"].rpartition("/")[2].rpartition(":")
        return f"ecs-{family}-{revision}-internalecspause-{self.arn.rpartition('/')[2][:12]}"


def _needs(container: dict[str, Any]) -> list[tuple[str, str]]:
    """What a container waits for: names and conditions. Whose volumes or address it uses has to be there before it."""
    found = [(need["containerName"], need["condition"]) for need in container.get("dependsOn", [])]
    found += [(one["sourceContainer"], "START") for one in container.get("volumesFrom", [])]
    return found + [(link.partition(":")[0], "START") for link in container.get("links", [])]
