"""A client of one session: from the answer of ExecuteCommand to the bytes of a terminal.

Without a terminal, from Python:

    session = boto3.client("ecs").execute_command(..., command="ls /", interactive=True)["session"]
    print(channel.read_all(session))
"""

import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Message, Ping, RejectConnection, Request
from wsproto.utilities import RemoteProtocolError

from labs.cloud.session import messages

VERSION = "1.2.0.0"  # a client of these tells the agent that it knows the handshake
CONNECT_SECONDS = 10.0
RESEND_SECONDS = 0.5


class ChannelError(Exception):
    """The session could not be opened, or broke. The text says why."""


class Channel:
    """An open session. `output()` belongs to one thread; everything else may be called from others.

    Args:
        session: `sessionId`, `streamUrl` and `tokenValue`, as ExecuteCommand answers them (in the CLI's spelling,
            `SessionId` and so on, too).

    Raises:
        ChannelError: nobody answers at the URL, or the token is refused.
    """

    def __init__(self, session: Mapping[str, Any]) -> None:
        known = {name[:1].lower() + name[1:]: value for name, value in session.items()}
        try:
            self.session_id: str = known["sessionId"]
            url, token = urlsplit(known["streamUrl"]), known["tokenValue"]
        except KeyError as missing:
            raise ChannelError(f"The session has no {missing}: this is no answer of ExecuteCommand.") from None
        if url.scheme != "ws" or not url.hostname:
            raise ChannelError(
                f"The session is at {url.scheme}://{url.hostname}, and this program only speaks to the local AWS. "
                "For a session of a real account install AWS's own Session Manager plugin."
            )
        self.closing_words: str | None = None  # what the agent said at the end; None before it
        self.ready = threading.Event()  # keys and sizes are taken from now on
        self._writing = threading.Lock()
        self._next_input = 0
        self._unanswered: dict[int, tuple[float, bytes]] = {}
        self._next_output = 0
        self._wire = WSConnection(ConnectionType.CLIENT)
        try:
            self._socket = socket.create_connection((url.hostname, url.port or 80), CONNECT_SECONDS)
        except OSError as problem:
            raise ChannelError(f"Nothing answers at {url.netloc} ({problem}). Is the local AWS running?") from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._send(Request(host=url.netloc, target=url.path))
        opening = {
            "MessageSchemaVersion": messages.SCHEMA,
            "RequestId": str(uuid.uuid4()),
            "TokenValue": token,
            "ClientId": str(uuid.uuid4()),
            "ClientVersion": VERSION,
        }
        self._opening = json.dumps(opening)
        self._socket.settimeout(RESEND_SECONDS)

    def output(self) -> Iterator[bytes]:
        """What the command prints, piece by piece, until the session ends.

        Raises:
            ChannelError: it ended otherwise than by a word of the agent.
        """
        parts = bytearray()  # one message may come in several, wherever the network cut it
        try:
            for event in self._events():
                if isinstance(event, AcceptConnection):
                    self._send(Message(data=self._opening))
                elif isinstance(event, RejectConnection):
                    raise ChannelError(f"The local AWS has refused the session (HTTP status {event.status_code}).")
                elif isinstance(event, CloseConnection):
                    raise ChannelError(event.reason or "The session was closed without a reason.")
                elif isinstance(event, Ping):
                    self._send(event.response())
                elif isinstance(event, BytesMessage):
                    parts += event.data
                    if event.message_finished:
                        content, parts = bytes(parts), bytearray()
                        yield from self._take(messages.unpack(content))
                if self.closing_words is not None:
                    return
        except (RemoteProtocolError, messages.MessageError) as problem:
            raise ChannelError(f"The session's messages cannot be read: {problem}") from None
        finally:
            self._socket.close()

    def send(self, data: bytes) -> None:
        """Types these bytes. Call it when `ready` is set."""
        for start in range(0, len(data), messages.DATA_BYTES):
            self._send_stream(messages.DATA, data[start : start + messages.DATA_BYTES])

    def resize(self, columns: int, rows: int) -> None:
        """Tells the size of the terminal, in characters. Call it when `ready` is set."""
        self._send_stream(messages.SIZE, json.dumps({"cols": columns, "rows": rows}).encode())

    def _take(self, message: messages.Message) -> Iterator[bytes]:
        if message.kind == messages.ACKNOWLEDGE:
            with self._writing:
                self._unanswered.pop(message.json().get("AcknowledgedMessageSequenceNumber", -1), None)
        elif message.kind == messages.CHANNEL_CLOSED:
            self.closing_words = str(message.json().get("Output") or "")
        elif message.kind == messages.OUTPUT and message.sequence <= self._next_output:
            self._send(BytesMessage(data=messages.acknowledge(message)))
            if message.sequence == self._next_output:
                self._next_output += 1
                if message.payload_type == messages.HANDSHAKE_REQUEST:
                    self._answer_handshake(message.json())
                elif message.payload_type == messages.HANDSHAKE_COMPLETE:
                    self.ready.set()
                elif message.payload_type == messages.DATA:
                    yield message.payload

    def _answer_handshake(self, request: dict[str, Any]) -> None:
        """Says which of the actions asked for are done: a terminal is there; encryption with a KMS key is not."""
        done = []
        for action in request.get("RequestedClientActions", []):
            known = action.get("ActionType") == "SessionType"
            error = "" if known else f"{action.get('ActionType')} is not supported."
            done.append(
                {
                    "ActionType": action.get("ActionType"),
                    "ActionStatus": 1 if known else 3,
                    "ActionResult": None,
                    "Error": error,
                }
            )
        answer = {"ClientVersion": VERSION, "ProcessedClientActions": done, "Errors": []}
        self._send_stream(messages.HANDSHAKE_RESPONSE, json.dumps(answer).encode())

    def _send_stream(self, payload_type: int, payload: bytes) -> None:
        with self._writing:
            flags = 0 if self._next_input else messages.SYN
            content = messages.pack(messages.INPUT, payload, payload_type, self._next_input, flags)
            self._unanswered[self._next_input] = (time.monotonic(), content)
            self._next_input += 1
            self._write(BytesMessage(data=content))

    def _send(self, event: Any) -> None:
        with self._writing:
            self._write(event)

    def _write(self, event: Any) -> None:
        try:
            self._socket.sendall(self._wire.send(event))
        except OSError:  # `output()` sees the same and says it
            return

    def _events(self) -> Iterator[Any]:
        """What comes over the wire. What the agent does not acknowledge is sent again meanwhile."""
        while True:
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                self._resend()
                continue
            except OSError:
                data = b""
            if not data:
                raise ChannelError("The connection to the local AWS broke: it was stopped, or this session was ended.")
            with self._writing:
                self._wire.receive_data(data)
            yield from self._wire.events()

    def _resend(self) -> None:
        late = time.monotonic() - RESEND_SECONDS
        with self._writing:
            for _, content in [one for one in self._unanswered.values() if one[0] < late]:
                self._write(BytesMessage(data=content))


def read_all(session: Mapping[str, Any]) -> str:
    """Everything that the command of a session prints until it ends, with plain line ends. For a command that ends
    by itself and asks nothing.

    Args:
        session: the member `session` of ExecuteCommand's answer.

    Raises:
        ChannelError: the session could not be opened, or ended otherwise than by the command's end.
    """
    channel = Channel(session)
    printed = b"".join(channel.output()).decode("utf-8", "replace").replace("\r\n", "\n")
    if channel.closing_words:
        raise ChannelError(channel.closing_words)
    return printed
