"""What a container prints reaches CloudWatch Logs, as by the awslogs driver.

The engine keeps a container's output, with times. A thread for each container waits for more of it, and a few threads
send what came. How far it got is asked of the log stream itself, which only this container writes to: so after a kill
of the gateway nothing is sent twice, and nothing is left out that the engine still has.
https://docs.docker.com/engine/logging/drivers/awslogs/
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

import calendar
import contextlib
import functools
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import docker as sdk
from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from labs.cloud.frame import aws

BATCH_SECONDS = 0.25  # how long a line waits for company
BATCH_EVENTS = 10_000
BATCH_BYTES = 1_048_576
EVENT_OVERHEAD = 26
EVENT_BYTES = 262_118  # the Docker driver's limit; a longer line becomes several events
BACKLOG_BYTES = 8 * BATCH_BYTES  # then reading waits; the engine keeps the rest
MULTILINE_SECONDS = 1.0  # an event of several lines is complete when nothing follows for so long
SLACK_SECONDS = 1.0  # lines of two streams can be a little out of order
SENDERS = 4
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
FINISH_SECONDS = 15.0
RECONNECT_SECONDS = 0.25
MOST_FOLLOWED = 500

_PART = re.compile(rb"(?<=[^\n]{16384})\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")
_FINAL = ("ResourceNotFoundException", "InvalidParameterException", "AccessDeniedException")
_ENGINE_ERRORS = (DockerException, RequestException, HTTPError, OSError, ValueError)
_BACKEND_ERRORS = (ClientError, BotoCoreError)

log = logging.getLogger(__name__)


class Place(NamedTuple):
    """A log stream."""

    region: str
    group: str
    stream: str


class Line(NamedTuple):
    """A line, or an event of CloudWatch Logs: milliseconds since the epoch, and the text."""

    timestamp: int
    message: str

    @property
    def size(self) -> int:
        return len(self.message.encode()) + EVENT_OVERHEAD


class Position(NamedTuple):
    """How far it got: the time of the last event, and how many events have that time."""

    timestamp: int = 0
    count: int = 0


START = Position()


# --- the followed containers ------------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Followed:
    """One container's output on its way. `changed` guards what is below it."""

    container_id: str
    place: Place
    tty: bool
    starts: re.Pattern[str] | None  # where an event of several lines begins
    changed: threading.Condition = field(default_factory=threading.Condition)
    resume: Position = START  # events up to here are in the stream, and are skipped
    skipped: int = 0  # of those at the time of `resume`
    latest: int = 0  # the time of the last event read
    position: Position = START  # of the last event that waits or was sent
    sent: Position = START
    lines: list[Line] = field(default_factory=list)  # of an event that may go on
    timer: threading.Timer | None = None  # which ends that event
    waiting: deque[Line] = field(default_factory=deque)
    waiting_bytes: int = 0
    sending: bool = False
    read: bool = False  # the container has ended, and all its output was read
    dropped: bool = False  # the stream is gone
    source: Any = None

    def is_idle(self) -> bool:
        return not self.waiting and not self.sending

    def is_done(self) -> bool:
        return self.read and self.is_idle()


class Output:
    """All containers whose output is sent to CloudWatch Logs. Its methods block: for threads."""

    def __init__(self) -> None:
        self._followed: dict[str, _Followed] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="awslogs")

    def follow(
        self, where: Place, container_id: str, *, tty: bool = False, starts: re.Pattern[str] | None = None
    ) -> None:
        """Sends what a container prints, from where its stream ends. Safe to call again: after each start of the
        container, and for every running container when the gateway starts.

        Args:
            where: its log stream.
            container_id: Docker's id; the container has been started.
            tty: whether it has a terminal.
            starts: where an event of several lines begins.
        """
        followed = _Followed(container_id, where, tty, starts)
        while True:
            known = self._followed.get(container_id)
            if known and known.read:  # it was started again: two readers of one stream would not agree
                _wait(known, known.is_done, FINISH_SECONDS)
            with self._lock:
                if self._ended.is_set() or (known and not known.read):
                    return
                if self._followed.get(container_id) is known:
                    self._followed.pop(container_id, None)
                    self._followed[container_id] = followed
                    self._forget()
                    break
        thread = threading.Thread(target=self._read, args=(followed,), name=f"logs-{container_id[:12]}", daemon=True)
        thread.start()

    def finish(self, where: Place, container_id: str, seconds: float = FINISH_SECONDS) -> bool:
        """Waits until all output of a container that has ended is sent. Before it is removed.

        Returns:
            Whether it was, within so many seconds.
        """
        if container_id not in self._followed:
            self.follow(where, container_id)
        followed = self._followed.get(container_id)
        done = followed is None or _wait(followed, followed.is_done, seconds)
        if not done:
            log.warning("the last output of the container %s was not sent within %s s", container_id[:12], seconds)
        return done

    def end(self, seconds: float = 3.0) -> None:
        """Stops following, and sends what was read. The containers may run on."""
        self._ended.set()
        deadline = time.monotonic() + seconds
        for followed in list(self._followed.values()):
            _close(followed)
        for followed in list(self._followed.values()):
            _wait(followed, followed.is_idle, deadline - time.monotonic())
        self._senders.shutdown(wait=False, cancel_futures=True)

    def _forget(self) -> None:
        """Lets go of the oldest that are done. Called with the lock held."""
        done = [key for key, one in self._followed.items() if one.is_done()]
        for key in done[: max(0, len(self._followed) - MOST_FOLLOWED)]:
            del self._followed[key]

    # --- reading: one thread a container

    def _read(self, followed: _Followed) -> None:
        try:
            reached = self._delivered(followed.place)
            if reached is None:
                _make_stream(followed.place)
            reached = reached or START
            followed.resume = followed.position = followed.sent = reached
            while not self._read_on(followed):
                self._ended.wait(RECONNECT_SECONDS)
            with followed.changed:
                if not self._ended.is_set():
                    self._end_event(followed)
        except Exception:  # a thread that dies silently would hold up its container's end
            log.exception("the output of the container %s is not sent on", followed.container_id[:12])
        with followed.changed:
            followed.read = True
            followed.changed.notify_all()

    def _read_on(self, followed: _Followed) -> bool:
        """Reads until the engine says no more. A container that has ended is then read again: the engine may end its
        stream before all of it was there.

        Returns:
            Whether all is read, or we end.
        """
        running = True
        try:
            self._read_from_engine(followed, follow=True)
            running = _engine().api.inspect_container(followed.container_id)["State"]["Running"]
            if not running and not self._ended.is_set():
                self._read_from_engine(followed, follow=False)
        except NotFound:
            return True
        except _ENGINE_ERRORS as problem:
            log.debug("the output of %s ended: %s", followed.container_id[:12], problem)
            return self._ended.is_set()
        return not running or self._ended.is_set()

    def _read_from_engine(self, followed: _Followed, *, follow: bool) -> None:
        """Reads from where it got so far.

        Raises:
            docker.errors.DockerException, OSError: the engine is away, or the container.
        """
        with followed.changed:
            followed.resume, followed.skipped = followed.position, 0
            followed.latest, followed.lines = 0, []
        since = followed.resume.timestamp / 1000 - SLACK_SECONDS if followed.resume.timestamp else None
        followed.source = _engine().api.logs(
            followed.container_id, stream=True, follow=follow, timestamps=True, since=since
        )
        read = _lines_of_terminal if followed.tty else _lines
        for line in read(followed.source, to_the_end=not follow):
            if self._ended.is_set():
                return
            self._take(followed, line)

    def _delivered(self, where: Place) -> Position | None:
        """How far a stream got, as soon as the backend answers; None if there is no such stream, or we end."""
        for pause in _pauses():
            try:
                return _end_of(where)
            except _BACKEND_ERRORS as problem:
                if _is_final(problem):
                    return None
                log.debug("the log stream %s cannot be read: %s", where.stream, problem)
            if self._ended.wait(pause):
                break
        return None

    def _take(self, followed: _Followed, line: Line) -> None:
        """A line becomes an event, or a part of one."""
        with followed.changed:
            if followed.starts is None:
                self._queue(followed, line)
                return
            held = followed.lines
            if held and (
                followed.starts.search(line.message)
                or line.timestamp - held[-1].timestamp > MULTILINE_SECONDS * 1000
                or sum(len(one.message) for one in held) > EVENT_BYTES
            ):
                self._end_event(followed)
            followed.lines.append(line)
            if followed.timer is None:
                self._arm(followed, MULTILINE_SECONDS)

    def _arm(self, followed: _Followed, seconds: float) -> None:
        followed.timer = threading.Timer(seconds, self._ring, (followed,))
        followed.timer.daemon = True
        followed.timer.start()

    def _ring(self, followed: _Followed) -> None:
        """Ends an event of several lines to which nothing was added for a while."""
        with followed.changed:
            followed.timer = None
            if not followed.lines or self._ended.is_set():
                return
            rest = followed.lines[-1].timestamp / 1000 + MULTILINE_SECONDS - time.time()
            if 0 < rest <= MULTILINE_SECONDS:
                self._arm(followed, rest)
            else:
                self._end_event(followed)

    def _end_event(self, followed: _Followed) -> None:
        held, followed.lines = followed.lines, []
        if held:
            self._queue(followed, Line(held[0].timestamp, "".join(f"{one.message}\n" for one in held)))

    # --- sending: a few threads for all

    def _queue(self, followed: _Followed, event: Line) -> None:
        """Puts an event in the line of those to send, unless the stream has it. Called with `changed` held."""
        followed.changed.wait_for(lambda: followed.waiting_bytes < BACKLOG_BYTES or self._ended.is_set())
        followed.latest = max(followed.latest, event.timestamp)  # times never go back, as CloudWatch Logs wants it
        for message in _pieces(event.message):
            self._queue_piece(followed, Line(followed.latest, message))

    def _queue_piece(self, followed: _Followed, piece: Line) -> None:
        if piece.timestamp < followed.resume.timestamp:
            return
        if piece.timestamp == followed.resume.timestamp and followed.skipped < followed.resume.count:
            followed.skipped += 1
            return
        followed.position = _advanced(followed.position, piece)
        followed.waiting.append(piece)
        followed.waiting_bytes += piece.size
        if not followed.sending and not self._ended.is_set():
            followed.sending = True
            self._senders.submit(self._send_all, followed)

    def _send_all(self, followed: _Followed) -> None:
        """Sends until nothing waits. For one sender at a time."""
        try:
            while True:
                if not followed.read:
                    self._ended.wait(BATCH_SECONDS)
                with followed.changed:
                    batch = _batch(followed.waiting)
                self._send(followed, batch)
                with followed.changed:
                    followed.waiting_bytes -= sum(event.size for event in batch)
                    for _ in batch:
                        followed.waiting.popleft()
                    followed.sending = bool(followed.waiting)
                    followed.changed.notify_all()
                    if not followed.sending:
                        return
        except Exception:
            log.exception("the output of the container %s was not sent", followed.container_id[:12])
            with followed.changed:
                followed.waiting.clear()
                followed.waiting_bytes, followed.sending = 0, False
                followed.changed.notify_all()

    def _send(self, followed: _Followed, batch: list[Line]) -> None:
        where = followed.place
        events = [{"timestamp": event.timestamp, "message": event.message} for event in batch]
        for pause in _pauses():
            try:
                aws.client("logs", where.region).put_log_events(
                    logGroupName=where.group, logStreamName=where.stream, logEvents=events
                )
            except _BACKEND_ERRORS as problem:
                if _is_final(problem):
                    if not followed.dropped:
                        log.warning("the output for %s in %s is dropped: %s", where.stream, where.group, problem)
                    followed.dropped = True
                    return
                log.debug("the backend took no log events: %s", problem)
                # The answer may have been lost, and not the call. The stream knows.
                if isinstance(problem, BotoCoreError) and self._delivered(where) not in (None, followed.sent):
                    break
            else:
                break
            if self._ended.wait(pause):
                return
        for event in batch:
            followed.sent = _advanced(followed.sent, event)


def _make_stream(where: Place) -> None:
    """Makes a stream that is named by the container's id, or that the backend lost when it was killed."""
    client = aws.client("logs", where.region)
    try:
        unless_there(client.create_log_stream, logGroupName=where.group, logStreamName=where.stream)
    except _BACKEND_ERRORS as problem:
        log.warning("the log stream %s in %s cannot be made: %s", where.stream, where.group, problem)


def _wait(followed: _Followed, condition: Callable[[], bool], seconds: float) -> bool:
    with followed.changed:
        return followed.changed.wait_for(condition, timeout=max(seconds, 0))


def _close(followed: _Followed) -> None:
    """Ends a reader's wait for the engine, and any wait for room."""
    with followed.changed:
        followed.changed.notify_all()
    if followed.source is not None:
        with contextlib.suppress(AttributeError, *_ENGINE_ERRORS):
            followed.source.close()


def _pauses() -> Iterator[float]:
    yield from RETRY_SECONDS
    while True:
        yield RETRY_SECONDS[-1]


def _is_final(problem: Exception) -> bool:
    """Whether to try again is of no use."""
    return isinstance(problem, ClientError) and problem.response["Error"]["Code"] in _FINAL


def _batch(waiting: Iterable[Line]) -> list[Line]:
    """As many events as one call takes, from the front."""
    found: list[Line] = []
    size = 0
    for event in waiting:
        size += event.size
        if len(found) == BATCH_EVENTS or size > BATCH_BYTES:
            break
        found.append(event)
    return found


@functools.cache
def _engine() -> sdk.DockerClient:
    """A client of its own: each container followed holds a connection."""
    return sdk.DockerClient.from_env(timeout=60, max_pool_size=200)


# --- how far it got ---------------------------------------------------------------------------------------------------


def _end_of(where: Place) -> Position:
    """The time of a stream's last event, and how many events have it.

    Raises:
        botocore.exceptions.ClientError: there is no such stream.
    """
    client = aws.client("logs", where.region)
    names = {"logGroupName": where.group, "logStreamName": where.stream}
    last, count, token = 0, 0, None
    while True:
        more = {"nextToken": token} if token else {}
        answer = client.get_log_events(**names, startFromHead=False, limit=BATCH_EVENTS, **more)
        times = [event["timestamp"] for event in answer["events"]]
        last = max([last, *times])
        count += times.count(last)
        if not times or min(times) < last or answer["nextBackwardToken"] == token:
            return Position(last, count)
        token = answer["nextBackwardToken"]


def _advanced(position: Position, event: Line) -> Position:
    return Position(event.timestamp, position.count + 1 if event.timestamp == position.timestamp else 1)


# --- lines and events -------------------------------------------------------------------------------------------------


def _lines(frames: Iterable[bytes], *, to_the_end: bool) -> Iterator[Line]:
    """The lines in the engine's frames, which look like `2026-01-31T12:00:00.123456789Z text`.

    The engine keeps a long line in parts of 16 KiB. Each comes with its time, and only the last one ends the line.

    Args:
        frames: the engine's frames.
        to_the_end: whether a line without an end is one.
    """
    parts: list[bytes] = []
    started = 0
    for frame in frames:
        when, text = _split(frame)
        started = started if parts else when
        parts.append(text)
        if text.endswith(b"\n"):
            yield Line(started, _text(b"".join(parts)))
            parts = []
    if parts and to_the_end:
        yield Line(started, _text(b"".join(parts)))


def _lines_of_terminal(chunks: Iterable[bytes], *, to_the_end: bool) -> Iterator[Line]:
    """The lines of a container with a pseudo-terminal, whose output has no frames."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        while b"\n" in rest:
            line, rest = rest.split(b"\n", 1)
            when, text = _split(line)
            yield Line(when, _text(_PART.sub(b"", text)))
    if rest and to_the_end:
        when, text = _split(rest)
        yield Line(when, _text(_PART.sub(b"", text)))


def _split(data: bytes) -> tuple[int, bytes]:
    """The time in milliseconds, and the rest."""
    stamp, _, text = data.partition(b" ")
    whole, _, fraction = stamp.decode("ascii", "replace").rstrip("Z").partition(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1000 + int(fraction[:3].ljust(3, "0")), text


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").rstrip("\n").rstrip("\r")


def _pieces(message: str) -> Iterator[str]:
    """A message in pieces that CloudWatch Logs takes; none of an empty one, which it does not take."""
    data = message.encode()
    while data:
        piece = data[:EVENT_BYTES].decode("utf-8", "ignore") or data[:EVENT_BYTES].decode("utf-8", "replace")
        yield piece
        data = data[len(piece.encode()) :]


def unless_there(create: Callable[..., Any], **parameters: str) -> None:
    """Makes a log group or a log stream that may exist already."""
    try:
        create(**parameters)
    except ClientError as problem:
        if problem.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
