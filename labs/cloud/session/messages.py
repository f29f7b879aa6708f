"""The messages of a Session Manager session. Standard library only.

A session is a WebSocket. The client's first message is JSON text that opens it with the token; all others are binary:
a header of 120 bytes (numbers big-endian) and a payload. Facts from the source of AWS's client:
https://github.com/aws/session-manager-plugin/blob/mainline/src/message/clientmessage.go
https://github.com/aws/session-manager-plugin/blob/mainline/src/message/messageparser.go
"""

import hashlib
import json
import struct
import time
import uuid
from typing import Any, NamedTuple

# Message types.
INPUT = "input_stream_data"  # from the client
OUTPUT = "output_stream_data"  # from the agent
ACKNOWLEDGE = "acknowledge"
CHANNEL_CLOSED = "channel_closed"

# Payload types of stream messages.
DATA = 1
SIZE = 3
HANDSHAKE_REQUEST = 5
HANDSHAKE_RESPONSE = 6
HANDSHAKE_COMPLETE = 7
FLAG = 10
TERMINATE = struct.pack(">I", 2)  # the one flag that means something to a shell

SCHEMA = "1.0"  # of the opening message
DATA_BYTES = 1024  # the most that one stream message carries
SYN, FIN = 1, 2  # flags of a header: the first message of a stream, the last one

# Header length (of all before the payload's length), type, schema version, created (ms), sequence number, flags,
# message id, SHA-256 of the payload, payload type, payload length.
_HEADER = struct.Struct(">I32sIQqQ16s32sII")
_LENGTH_BYTES = 4


class MessageError(ValueError):
    """Bytes that are no message of the protocol. The text says why."""


class Message(NamedTuple):
    """A binary message: its type, payload type, payload, number in its stream, and id."""

    kind: str
    payload_type: int
    payload: bytes
    sequence: int
    id: uuid.UUID

    def json(self) -> dict[str, Any]:
        """The payload as a JSON object.

        Raises:
            MessageError: it is none.
        """
        try:
            found = json.loads(self.payload)
        except (ValueError, RecursionError):
            raise MessageError("The payload is no JSON.") from None
        if not isinstance(found, dict):
            raise MessageError("The payload is no JSON object.")
        return found


def pack(kind: str, payload: bytes, payload_type: int = 0, sequence: int = 0, flags: int = 0) -> bytes:
    """A message with a new id, as it goes over the wire.

    Args:
        kind: the message type, e.g. `OUTPUT`.
        payload: its content.
        payload_type: e.g. `DATA`; 0 where the type has only one.
        sequence: its number in its stream, from 0.
        flags: `SYN`, `FIN` or both.
    """
    head = _HEADER.pack(
        _HEADER.size - _LENGTH_BYTES,
        kind.encode("ascii").ljust(32),
        1,
        int(time.time() * 1000),
        sequence,
        flags,
        _swapped(uuid.uuid4().bytes),
        hashlib.sha256(payload).digest(),
        payload_type,
        len(payload),
    )
    return head + payload


def unpack(content: bytes) -> Message:
    """The message that these bytes are.

    Raises:
        MessageError: they are none, or the payload has another digest.
    """
    if len(content) < _HEADER.size:
        raise MessageError("The message is shorter than its header.")
    length, kind, _, _, sequence, _, number, digest, payload_type, size = _HEADER.unpack_from(content)
    payload = content[length + _LENGTH_BYTES :]
    if length < _HEADER.size - _LENGTH_BYTES or len(payload) != size:
        raise MessageError("The message is not as long as it says.")
    if size and hashlib.sha256(payload).digest() != digest:
        raise MessageError("The payload does not have the digest that the header says.")
    try:
        name = kind.decode("ascii").strip("\0 ")
    except UnicodeDecodeError:
        raise MessageError("The message type is no text.") from None
    return Message(name, payload_type, payload, sequence, uuid.UUID(bytes=_swapped(number)))


def acknowledge(message: Message) -> bytes:
    """The answer to a stream message that was taken."""
    content = {
        "AcknowledgedMessageType": message.kind,
        "AcknowledgedMessageId": str(message.id),
        "AcknowledgedMessageSequenceNumber": message.sequence,
        "IsSequentialMessage": True,
    }
    return pack(ACKNOWLEDGE, json.dumps(content).encode(), flags=SYN | FIN)


def channel_closed(session_id: str, output: str = "") -> bytes:
    """The end of a session.

    Args:
        session_id: its id.
        output: why, in a sentence for the user; empty for an ordinary end.
    """
    content = {
        "MessageId": str(uuid.uuid4()),
        "CreatedDate": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "DestinationId": "",
        "SessionId": session_id,
        "MessageType": CHANNEL_CLOSED,
        "SchemaVersion": 1,
        "Output": output,
    }
    return pack(CHANNEL_CLOSED, json.dumps(content).encode(), flags=SYN | FIN)


def _swapped(number: bytes) -> bytes:
    """A message id with its halves exchanged: the lower eight bytes go over the wire first."""
    return number[8:] + number[:8]
