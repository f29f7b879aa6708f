"""One session of ECS Exec: a WebSocket on one side, a command with a terminal in a container on the other.

The gateway plays the part of Session Manager and of its agent in the container. The protocol is Session Manager's own
(`labs.cloud.session.messages`), so AWS's client works as well as ours. How the agent runs a command:
https://github.com/aws/amazon-ssm-agent/blob/mainline/agent/session/shell/shell_unix.go
"""

import asyncio
import contextlib
import hmac
import json
import logging
import secrets
import shlex
import socket
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException

from labs import settings
from labs.cloud.ecs import engine_calls
from labs.cloud.engine import docker
from labs.cloud.frame.http import Receive, Scope, Send
from labs.cloud.session import messages

PATH = "/_course/session/"
TOKEN_SECONDS = 60.0  # how long a session waits for its client
OPENING_SECONDS = 10.0
IDLE_SECONDS = 20 * 60.0  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
RESEND_SECONDS = 0.3
DRAIN_SECONDS = 5.0
WINDOW = 64  # messages on the way to a client that it has not acknowledged
AGENT_VERSION = "3.3.0.0"
MARK = "ECS_EXEC_SESSION"  # in the command's environment, to find what has to end with its session
REFUSED = 1008  # a WebSocket's close code for a broken policy, RFC 6455, section 7.4.1
ENGINE_PROBLEMS = (DockerException, RequestException, OSError)

log = logging.getLogger(__name__)


class Ticket(NamedTuple):
    """The right to open one session: what it will run, its token, and until when (of the loop's clock)."""

    session_id: str
    token: str
    container_id: str
    command: str
    until: float


class ClientGoneError(Exception):
    """There is nobody left at the other end of the WebSocket."""


class Sessions:
    """The sessions that were offered and are not opened yet, and the door at which they are opened."""

    def __init__(self) -> None:
        self._tickets: dict[str, Ticket] = {}

    def offer(self, container_id: str, command: str) -> dict[str, str]:
        """A session that may be opened once, for a minute.

        Args:
            container_id: the container in Docker.
            command: the command line.

        Returns:
            `session` of ExecuteCommand's answer.
        """
        now = asyncio.get_running_loop().time()
        self._tickets = {key: one for key, one in self._tickets.items() if one.until > now}
        session_id = f"ecs-execute-command-{secrets.token_hex(9)[:17]}"
        ticket = Ticket(session_id, secrets.token_urlsafe(48), container_id, command, now + TOKEN_SECONDS)
        self._tickets[session_id] = ticket
        url = f"ws://{settings.GATEWAY_HOST}:{settings.gateway_port()}{PATH}{session_id}"
        return {"sessionId": session_id, "streamUrl": url, "tokenValue": ticket.token}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: a WebSocket at `PATH`. Whether it may come from where it comes from, the gateway has looked at."""
        if (await receive())["type"] != "websocket.connect":
            return
        await send({"type": "websocket.accept"})
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                opening = await receive()
        except TimeoutError:
            opening = {}
        ticket = self._redeem(scope["path"].removeprefix(PATH), opening.get("text"))
        if ticket is None:
            reason = "The token is not valid (any more): it opens one session, once, within a minute."
            await send({"type": "websocket.close", "code": REFUSED, "reason": reason})
            return
        await Session(ticket, receive, send).run()

    def _redeem(self, session_id: str, opening: str | None) -> Ticket | None:
        """The ticket that an opening message has the token of. It is used up."""
        try:
            content = json.loads(opening or "")
            token = str(content["TokenValue"]) if content["MessageSchemaVersion"] == messages.SCHEMA else ""
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        ticket = self._tickets.get(session_id)
        if ticket is None or not hmac.compare_digest(ticket.token.encode(), token.encode("utf-8", "replace")):
            return None
        del self._tickets[session_id]
        return ticket if ticket.until > asyncio.get_running_loop().time() else None


class Session:
    """An open session.

    Args:
        ticket: what was offered.
        receive: ASGI, of the accepted WebSocket.
        send: ASGI, of the same.
    """

    def __init__(self, ticket: Ticket, receive: Receive, send: Send) -> None:
        self._ticket = ticket
        self._receive = receive
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._sending = asyncio.Lock()
        self._input: asyncio.Queue[messages.Message] = asyncio.Queue()
        self._next_input = 0
        self._next_output = 0
        self._unanswered: dict[int, tuple[float, bytes]] = {}
        self._answered = asyncio.Event()
        self._alive_at = self._loop.time()  # the last time that anything was typed or printed
        self._gone = False

    async def run(self) -> None:
        """Opens it, passes bytes both ways, and ends it with the command, the client or the idle time."""
        helpers = [asyncio.ensure_future(work()) for work in (self._listen, self._resend)]
        try:
            words = await self._run()
            await self._drain()
            await self._write(messages.channel_closed(self._ticket.session_id, words))
            await self._send({"type": "websocket.close", "code": 1000, "reason": ""})
        except ClientGoneError:
            log.debug("session %s: the client has gone", self._ticket.session_id)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _run(self) -> str:
        """The session without its end; what is to be said at the end."""
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                await self._shake_hands()
        except TimeoutError:
            return "The client did not answer the handshake."
        try:
            arguments = shlex.split(self._ticket.command)
            command = await docker.run(Command, self._ticket.container_id, arguments, self._ticket.session_id)
        except ValueError as problem:
            return f"Failed to parse commands input: {problem}"
        except APIError as problem:
            return f"Unable to start command: {problem.explanation or problem}"
        except ENGINE_PROBLEMS as problem:
            return f"Unable to start command: {problem}"
        try:
            return await self._pass_on(command)
        finally:
            await asyncio.shield(docker.run(command.end))

    async def _shake_hands(self) -> None:
        action = {"ActionType": "SessionType", "ActionParameters": {"SessionType": "InteractiveCommands"}}
        request = {"AgentVersion": AGENT_VERSION, "RequestedClientActions": [action]}
        await self._print(json.dumps(request).encode(), messages.HANDSHAKE_REQUEST)
        while (await self._take()).payload_type != messages.HANDSHAKE_RESPONSE:
            pass
        complete = {"HandshakeTimeToComplete": 0, "CustomerMessage": ""}
        await self._print(json.dumps(complete).encode(), messages.HANDSHAKE_COMPLETE)

    async def _pass_on(self, command: "Command") -> str:
        ended = self._loop.create_future()
        command.follow(self._print_from_thread, lambda: self._loop.call_soon_threadsafe(_settle, ended))
        typing = asyncio.ensure_future(self._type(command))
        try:
            while not ended.done():
                left = self._alive_at + IDLE_SECONDS - self._loop.time()
                if left <= 0:
                    return "The session has ended: nothing was typed or printed for 20 minutes."
                await asyncio.wait([ended, typing], timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if typing.done() and not ended.done():
                    typing.result()
                    return "The session was terminated."
        finally:
            typing.cancel()
            await asyncio.gather(typing, return_exceptions=True)
        return "" if await docker.run(command.container_runs) else "The container has stopped."

    async def _type(self, command: "Command") -> None:
        """Hands what the client sends to the command; returns when the client wants the session to end."""
        while True:
            message = await self._take()
            self._alive_at = self._loop.time()
            if message.payload_type == messages.DATA:
                await docker.run(command.write, message.payload)
            elif message.payload_type == messages.SIZE:
                await docker.run(command.resize, message.payload)
            elif message.payload_type == messages.FLAG and message.payload == messages.TERMINATE:
                return

    async def _take(self) -> messages.Message:
        """The next message of the client's stream."""
        message = await self._input.get()
        if self._gone:
            raise ClientGoneError
        return message

    async def _listen(self) -> None:
        """Reads the WebSocket: keeps the client's stream in order and acknowledges it."""
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                break
            try:
                message = messages.unpack(event.get("bytes") or b"")
                if message.kind == messages.ACKNOWLEDGE:
                    self._unanswered.pop(message.json().get("AcknowledgedMessageSequenceNumber", -1), None)
                    self._answered.set()
                # A later message than the next one is not acknowledged, so the client sends it again.
                elif message.kind == messages.INPUT and message.sequence <= self._next_input:
                    if message.sequence == self._next_input:
                        self._next_input += 1
                        self._input.put_nowait(message)
                    await self._write(messages.acknowledge(message))
            except (messages.MessageError, TypeError) as problem:
                log.info("session %s: %s", self._ticket.session_id, problem)
            except ClientGoneError:
                break
        self._gone = True
        self._answered.set()
        self._input.put_nowait(messages.Message("", 0, b"", 0, uuid.UUID(int=0)))  # wakes who waits

    async def _resend(self) -> None:
        """Sends again what the client has not acknowledged: it drops what comes before it is ready."""
        while True:
            await asyncio.sleep(RESEND_SECONDS)
            late = self._loop.time() - RESEND_SECONDS
            for content in [content for sent, content in self._unanswered.values() if sent < late]:
                await self._write(content)

    async def _print(self, payload: bytes, payload_type: int = messages.DATA) -> None:
        """Sends the client a message of the output; waits while too many are on the way."""
        while len(self._unanswered) >= WINDOW:
            await self._await_answer()
        number = self._next_output
        self._next_output += 1
        flags = 0 if number else messages.SYN
        content = messages.pack(messages.OUTPUT, payload, payload_type, number, flags)
        self._unanswered[number] = (self._loop.time(), content)
        await self._write(content)

    async def _print_data(self, data: bytes) -> None:
        self._alive_at = self._loop.time()
        for start in range(0, len(data), messages.DATA_BYTES):
            await self._print(data[start : start + messages.DATA_BYTES])

    def _print_from_thread(self, data: bytes) -> None:
        """`_print_data` for the thread that reads the command's output; returns when the client has room for more."""
        asyncio.run_coroutine_threadsafe(self._print_data(data), self._loop).result()

    async def _drain(self) -> None:
        """Waits until the client has acknowledged everything."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while self._unanswered:
                    await self._await_answer()
        except TimeoutError:
            log.info("session %s: the client did not take the last output", self._ticket.session_id)

    async def _await_answer(self) -> None:
        if self._gone:
            raise ClientGoneError
        self._answered.clear()
        await self._answered.wait()

    async def _write(self, content: bytes) -> None:
        if self._gone:
            raise ClientGoneError
        async with self._sending:
            await self._send({"type": "websocket.send", "bytes": content})


class Command:
    """A command with a terminal in a container. For threads.

    It runs as root, whoever the container's own user is, and is split as a shell would split it, without a shell: so
    does the agent in a container of ECS.

    Args:
        container_id: the container.
        arguments: the command.
        session_id: its session.

    Raises:
        docker.errors.DockerException: it cannot be started.
    """

    def __init__(self, container_id: str, arguments: list[str], session_id: str) -> None:
        self._api = docker.client().api
        self._container_id = container_id
        self._session_id = session_id
        environment = {"TERM": "xterm-256color", MARK: session_id}
        given = self._api.inspect_container(container_id)["Config"].get("Env") or []
        if not any(one.startswith("LANG=") for one in given):
            environment["LANG"] = "C.UTF-8"
        options: dict[str, Any] = {"stdin": True, "tty": True, "user": "0", "environment": environment}
        self._id = self._api.exec_create(container_id, arguments, **options)["Id"]
        stream = self._api.exec_start(self._id, tty=True, socket=True)
        self._response = stream._response
        # The engine's first bytes may have been read together with the headers of its answer: they wait in here.
        self._reader = self._response.raw._fp.fp
        self._socket = getattr(stream, "_sock", stream)
        self._socket.settimeout(None)

    def follow(self, heard: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        """Calls `heard` with all output, in a thread of its own, and `ended` after it."""
        threading.Thread(target=self._follow, args=(heard, ended), name=self._session_id, daemon=True).start()

    def write(self, data: bytes) -> None:
        """Types these bytes. A command that has ended takes none."""
        try:
            self._socket.sendall(data)
        except OSError as problem:
            log.debug("session %s: %s", self._session_id, problem)

    def resize(self, payload: bytes) -> None:
        """Sets the terminal's size, `{"cols": ..., "rows": ...}`."""
        try:
            size = json.loads(payload)
            self._api.exec_resize(self._id, height=int(size["rows"]), width=int(size["cols"]))
        except (ValueError, KeyError, TypeError, RecursionError, *ENGINE_PROBLEMS) as problem:
            log.debug("session %s: no new size: %s", self._session_id, problem)

    def container_runs(self) -> bool:
        """Whether the container is still there. When it dies, its commands are gone a moment before."""
        try:
            killed = self._api.exec_inspect(self._id).get("ExitCode") in (None, 137)
            if killed and self._api.inspect_container(self._container_id)["State"]["Running"]:
                self._api.wait(self._container_id, timeout=1)
            state = engine_calls.state(self._container_id)
        except NotFound:
            return False
        except ENGINE_PROBLEMS:  # it did not end within a second
            return True
        return bool(state and state["Running"])

    def end(self) -> None:
        """Ends the command, if it still runs, as a closed terminal does: SIGHUP, and SIGKILL for who ignores it."""
        try:
            for signal in ("HUP", "KILL"):
                if not self._running():
                    break
                self._signal(signal)
        except ENGINE_PROBLEMS as problem:
            log.info("session %s: what it ran may be left: %s", self._session_id, problem)
        finally:
            with contextlib.suppress(OSError, AttributeError):  # closed already, or a named pipe
                self._socket.shutdown(socket.SHUT_RDWR)
            self._response.close()

    def _follow(self, heard: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        try:
            while data := self._reader.read1(65536):
                heard(data)
        except Exception as problem:
            log.debug("session %s: the output ended: %s", self._session_id, problem)
        finally:
            ended()

    def _running(self) -> bool:
        try:
            return bool(self._api.exec_inspect(self._id)["Running"])
        except NotFound:
            return False

    def _signal(self, signal: str) -> None:
        """Signals the session's processes, from inside, for Docker has no call for it; waits for a second."""
        leader = _inner_process(self._api.exec_inspect(self._id).get("Pid") or 0, self._container_id)
        if leader:  # a terminal's first process leads a process group of the same number
            script = f"kill -{signal} -{leader} || kill -{signal} {leader}; sleep 1"
        else:
            script = (
                "for place in /proc/[0-9]*; do "
                f'case "$(tr "\\0" "\\n" < $place/environ)" in *{MARK}={self._session_id}*) '
                f"kill -{signal} ${{place##*/}};; esac; done; sleep 1"
            )
        killer = self._api.exec_create(self._container_id, ["sh", "-c", f"({script}) 2>/dev/null"], user="0")["Id"]
        self._api.exec_start(killer)


def _inner_process(number: int, container_id: str) -> int | None:
    """The number inside its container of a process of this machine; None where the engine runs in a machine of its own.

    https://man7.org/linux/man-pages/man5/proc_pid_status.5.html (NSpid)
    """
    try:
        status = Path(f"/proc/{number}/status").read_text("utf-8")
        if container_id not in Path(f"/proc/{number}/cgroup").read_text("utf-8"):
            return None
    except OSError:
        return None
    numbers = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
    return int(numbers[-1]) if len(numbers) > 1 else None


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
