"""How the agents of container instances keep in touch: each has a question open that waits for news.

The question is the heartbeat: an agent without one for a moment is disconnected. The answer is the table of the host
ports that the instance is to lead to its tasks.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from labs.cloud import protocol
from labs.cloud.ecs import capacity, container_instances, instance_state, lookup, task_state
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, clock, http
from labs.cloud.frame.pulse import Pulse

PATH = "/ecs-agent/"
WAIT_SECONDS = 5.0  # how long a question waits for news
# On AWS an agent is found to be disconnected after a minute or two without a heartbeat.
LOST_SECONDS = clock.lesson(90.0)
SLOWEST_RELAY = 5.0  # seconds that a restart of the gateway may take the agents

_PATH = re.compile(rf"{PATH}([a-z0-9-]+)/([A-Za-z0-9_-]+)/([0-9a-f]+)")


class AgentChannel:
    """The ASGI app for the paths below `PATH`.

    Args:
        ecs: the state.
    """

    def __init__(self, ecs: Ecs) -> None:
        self._ecs = ecs
        self._news = Pulse()
        self._asking: dict[str, int] = {}  # open questions by ARN
        self._applied: dict[str, str] = {}  # the version of the table that each agent has

    def start(self) -> None:
        """Begins: an agent that does not ask again soon was lost while the gateway was away."""
        self._ecs.signals.listen(task_state.TASK_CHANGED, lambda _: self._news.beat())
        self._ecs.forwarded = self.forwarded
        for arn in self._ecs.container_instances:
            self._watch(arn, SLOWEST_RELAY)

    def stop(self) -> None:
        """Ends: no agent is there when the local AWS starts again."""
        for arn, record in self._ecs.container_instances.items():
            record["agentConnected"] = False
            self._ecs.container_instances.put(arn, record)
        self._ecs.store.flush_quietly()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Callable, send: Callable) -> None:
        """ASGI: one question of an agent."""
        incoming = http.head(scope)
        record = self._record(incoming)
        if record is None:
            await http.answer(send, protocol.error(None, incoming.headers, 404, "NotFound", "No such instance."))
            return
        arn = record["containerInstanceArn"]
        asked = {key: values[0] for key, values in parse_qs(incoming.query).items()}
        self._note_boot(record, asked.get("boot", ""))
        self._applied[arn] = asked.get("applied", "")
        self._news.beat()
        self._asking[arn] = self._asking.get(arn, 0) + 1
        try:
            instance_state.connected(self._ecs, record, True)
            left = asyncio.ensure_future(_disconnected(receive))
            try:
                table = await self._table(arn, asked.get("applied", ""), left)
            finally:
                left.cancel()
        finally:
            self._asking[arn] -= 1
            self._watch(arn, LOST_SECONDS)
        if table is not None:
            body = json.dumps(table).encode()
            await http.answer(send, protocol.Answer(200, {"content-type": "application/json"}, body))

    async def forwarded(self, task: dict[str, Any], seconds: float) -> bool:
        """Waits until the agent of a task's instance has opened the task's host ports; whether it has in time."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        arn = task["containerInstanceArn"]
        self._news.beat()
        while self._applied.get(arn) != _version(self._forwards(arn)):
            if loop.time() >= end:
                return False
            await self._news.wait(end - loop.time())
        return True

    async def _table(self, arn: str, applied: str, left: asyncio.Future[None]) -> dict[str, Any] | None:
        """The ports of an instance, when they are others than it has, or after a while; None if the agent has gone."""
        loop = asyncio.get_running_loop()
        end = loop.time() + WAIT_SECONDS
        while not left.done():
            news = self._news.next()
            forwards = self._forwards(arn)
            if _version(forwards) != applied or loop.time() >= end:
                return {"version": _version(forwards), "forwards": forwards}
            await asyncio.wait([news, left], timeout=end - loop.time(), return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
        return None

    def _forwards(self, arn: str) -> list[list[Any]]:
        """[protocol, host port, address, container port] of every published port of an instance."""
        return [
            [one["protocol"], one["hostPort"], record["_address"], one["containerPort"]]
            for task in capacity.tasks_on(self._ecs, arn)
            for record in task["containers"]
            if record.get("_address") and record["lastStatus"] != "STOPPED"
            for one in task.get("_ports", {}).get(record["name"], [])
        ]

    def _record(self, incoming: http.Incoming) -> dict[str, Any] | None:
        """The instance that asks, if it is registered and is the one that it says it is."""
        found = _PATH.fullmatch(incoming.path)
        if not found:
            return None
        arn = arns.make("ecs", found[1], f"container-instance/{found[2]}/{found[3]}")
        record = self._ecs.container_instances.get(arn)
        if record is None or record["status"] not in container_instances.STATES:
            return None
        given = incoming.headers.get("x-instance-signature", "")
        return record if record.get("_signature") == hashlib.sha256(given.encode()).hexdigest() else None

    def _note_boot(self, record: dict[str, Any], boot: str) -> None:
        """An instance that was started anew has lost its tasks."""
        before = record.get("_boot")
        if before == boot:
            return
        record["_boot"] = boot
        self._ecs.container_instances.put(record["containerInstanceArn"], record)
        if before:
            reason = f"Host EC2 (instance {record['ec2InstanceId']}) stopped."
            instance_state.lose_tasks(self._ecs, record, reason)

    def _watch(self, arn: str, seconds: float) -> None:
        """Looks in a moment whether an agent has asked again."""
        asyncio.get_running_loop().call_later(seconds, self._check, arn)

    def _check(self, arn: str) -> None:
        record = self._ecs.container_instances.get(arn)
        if record is not None and not self._asking.get(arn) and record["status"] != lookup.INACTIVE:
            instance_state.connected(self._ecs, record, False)


async def _disconnected(receive: Callable) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _version(forwards: list[list[Any]]) -> str:
    return hashlib.sha256(json.dumps(sorted(forwards)).encode()).hexdigest()[:16]
