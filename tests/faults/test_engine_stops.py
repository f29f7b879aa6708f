"""Docker stops in mid-chapter: every check says so with its cure, nothing is lost, and later it goes on."""

import contextlib
import gc
import os
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs.kit import exercise, open_chapter, progress

# The Docker SDK forgets the sockets of an engine that went away without closing them.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SLUG = "getting_started_with_docker"


class Engine:
    """A door to the real engine that can be shut: what a learner sees when the daemon is stopped and started again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open()

    def open(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._pairs: list[socket.socket] = []
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        self.path.unlink()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._pairs:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect("/var/run/docker.sock")
                self._pairs += [near, far]
                threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    @staticmethod
    def _pass_on(near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        with contextlib.suppress(OSError), near, far:
            while True:
                for end in select.select([near, far], [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    other[end].sendall(data)


@pytest.fixture
def engine(tmp_path: Path, course: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    door = Engine(tmp_path / "d.sock")
    for key, value in course.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{door.path}")
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.jsonl"))
    yield door
    if door.path.exists():
        door.shut()
    gc.collect()  # here, and not in the middle of another test


def test_a_check_goes_on_when_the_engine_is_back(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    chapter = open_chapter(SLUG)
    name = exercise.names(SLUG)[0]
    chapter.check(name)
    assert "Not yet" in capsys.readouterr().out

    engine.shut()
    chapter.check(name)
    said = capsys.readouterr().out
    assert "I cannot look" in said
    assert "The Docker engine does not answer. Start Docker, or run `python3 -m labs start`" in said
    chapter.clean_up()
    assert "The clean-up did not finish: The Docker engine does not answer." in capsys.readouterr().out

    engine.open()
    chapter.check(name)
    assert "Not yet" in capsys.readouterr().out
    assert [event["state"] for event in progress.events(SLUG) if event["event"] == "check"] == [
        "not_yet",
        "blind",
        "not_yet",
    ]


def test_without_an_engine_a_chapter_opens_to_be_read(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    engine.shut()
    chapter = open_chapter(SLUG)
    said = capsys.readouterr().out
    assert "No Docker engine answers" in said
    assert "python3 -m labs start" in said
    chapter.walk(plain=True)
    assert "1." in capsys.readouterr().out
    assert "questions" in repr(chapter.quiz()).lower()
    assert os.environ["DOCKER_HOST"].endswith("d.sock"), "the learner's own choice of an engine is kept"
