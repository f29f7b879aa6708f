"""The messages of a session, byte by byte, and how long a session waits for its client."""

import asyncio
import hashlib
import json

import pytest

from labs.cloud.ecs.execute_session import TOKEN_SECONDS, Sessions
from labs.cloud.session import messages


def test_a_message_is_laid_out_as_awss_client_reads_it() -> None:
    content = messages.pack(messages.OUTPUT, b"hello", messages.DATA, 7, messages.SYN)
    assert content[:4] == (116).to_bytes(4, "big")
    assert content[4:36] == b"output_stream_data".ljust(32)
    assert content[36:40] == (1).to_bytes(4, "big")
    assert content[48:56] == (7).to_bytes(8, "big")
    assert content[56:64] == (1).to_bytes(8, "big")
    assert content[80:112] == hashlib.sha256(b"hello").digest()
    assert content[112:116] == (1).to_bytes(4, "big")
    assert content[116:120] == (5).to_bytes(4, "big")
    assert content[120:] == b"hello"


def test_an_acknowledgement_names_the_message() -> None:
    content = messages.pack(messages.INPUT, b"x", messages.DATA, 3)
    message = messages.unpack(content)
    assert message.id.bytes == content[72:80] + content[64:72]  # the lower half goes first
    answer = messages.unpack(messages.acknowledge(message))
    assert answer.kind == messages.ACKNOWLEDGE
    assert answer.json()["AcknowledgedMessageSequenceNumber"] == 3
    assert answer.json()["AcknowledgedMessageId"] == str(message.id)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"x" * 119,
        messages.pack(messages.INPUT, b"abc")[:-1],
        messages.pack(messages.INPUT, b"abc")[:-1] + b"d",
        b"\0" * 4 + messages.pack(messages.INPUT, b"abc")[4:],
    ],
)
def test_what_is_no_message_is_refused(broken: bytes) -> None:
    with pytest.raises(messages.MessageError):
        messages.unpack(broken)


def test_a_session_waits_for_a_minute() -> None:
    async def open_after(seconds: float) -> str:
        loop = asyncio.get_running_loop()
        sessions = Sessions()
        offered = sessions.offer("0" * 64, "ls")
        opening = json.dumps({"MessageSchemaVersion": "1.0", "TokenValue": offered["tokenValue"]})
        events = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": opening}])
        sent: list[dict] = []

        async def receive() -> dict:
            return next(events, {"type": "websocket.disconnect"})

        async def send(event: dict) -> None:
            sent.append(event)

        now = loop.time
        loop.time = lambda: now() + seconds  # type: ignore[method-assign]
        path = "/" + offered["streamUrl"].split("/", 3)[3]
        await sessions({"type": "websocket", "path": path}, receive, send)
        return "refused" if any(event.get("code") == 1008 for event in sent) else "opened"

    assert asyncio.run(open_after(TOKEN_SECONDS - 5)) == "opened"
    assert asyncio.run(open_after(TOKEN_SECONDS + 1)) == "refused"
