"""The messages of a session, byte by byte, and how long a session waits for its client."""

import asyncio
import hashlib
import json
import socket
import threading

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Request

from labs.cloud.ecs.execute_session import TOKEN_SECONDS, Sessions
from labs.cloud.session import channel, messages


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


def test_a_message_may_come_in_pieces() -> None:
    """The network cuts a stream of bytes wherever it likes: into single ones at worst."""
    words = [
        messages.pack(messages.OUTPUT, text, messages.DATA, number) for number, text in enumerate((b"one ", b"two"))
    ]
    words.append(messages.pack(messages.CHANNEL_CLOSED, b"{}"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        agent = threading.Thread(target=_say_in_single_bytes, args=(listener, words))
        listener.settimeout(10)
        agent.start()
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        session = {"sessionId": "one", "streamUrl": url, "tokenValue": "token"}
        try:
            assert channel.read_all(session) == "one two"
        finally:
            agent.join()


def _say_in_single_bytes(listener: socket.socket, words: list[bytes]) -> None:
    """An agent that takes a session and says these words, one byte in each packet."""
    wire = WSConnection(ConnectionType.SERVER)
    connection, _ = listener.accept()
    connection.settimeout(10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        wire.receive_data(connection.recv(65536))
        assert [type(event) for event in wire.events()] == [Request]
        said = wire.send(AcceptConnection()) + b"".join(wire.send(BytesMessage(data=word)) for word in words)
        for place in range(len(said)):
            connection.sendall(said[place : place + 1])
        while connection.recv(65536):  # the client closes when it has heard all
            pass
