"""The learner's progress survives a crash, a cut file, a full disk and two writers; only its owner reads it."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labs.kit import progress


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "päth with späces" / "progress.jsonl"
    monkeypatch.setenv("COURSE_PROGRESS", str(path))
    return path


def test_events_come_back_in_order(file: Path) -> None:
    progress.record("a", "check", exercise="one", state="done")
    progress.record("b", "hint", exercise="two", number=1)
    assert [event["chapter"] for event in progress.events()] == ["a", "b"]
    assert progress.events("b")[0]["number"] == 1


def test_a_file_cut_in_half_costs_one_line_and_no_more(file: Path) -> None:
    for number in range(10):
        progress.record("a", "hint", number=number)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    kept = [event["number"] for event in progress.events()]
    assert kept == list(range(len(kept)))
    assert len(kept) >= 4
    progress.record("a", "hint", number=99)
    assert [event["number"] for event in progress.events()] == [*kept, 99]


def test_garbage_is_passed_over(file: Path) -> None:
    progress.record("a", "opened")
    with file.open("ab") as stream:
        stream.write(b'\xff\xfe\x00garbage\n{"v": 1}\n[]\n17\n{"v": 2, "chapter": "x", "event": "from the future"}\n')
    progress.record("a", "opened")
    assert len(progress.events()) == 2


def test_only_the_owner_can_read_it(file: Path) -> None:
    progress.record("a", "opened")
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0


def test_two_processes_do_not_mix_their_lines(file: Path) -> None:
    code = "from labs.kit import progress\nfor n in range(200): progress.record('a', 'hint', text='x' * 500, number=n)"
    writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(progress.events()) == 400


def test_a_full_disk_is_told_and_loses_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    progress.record("a", "opened")
    write, room = os.write, [7]

    def full(descriptor: int, data: bytes) -> int:
        """Seven more bytes fit on the disk."""
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[: room.pop()])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(progress.ProgressError, match=r"No space left.*Free some space"):
            progress.record("a", "check")
    assert [event["event"] for event in progress.events()] == ["opened"]
    progress.record("a", "hint")
    assert [event["event"] for event in progress.events()] == ["opened", "hint"]


def test_a_folder_that_cannot_be_made_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.parent.mkdir()
    (file.parent / "in the way").write_text("a file")
    monkeypatch.setenv("COURSE_PROGRESS", str(file.parent / "in the way" / "progress.jsonl"))
    with pytest.raises(progress.ProgressError, match="could not be saved"):
        progress.record("a", "check")


def test_the_shuffle_seed_is_made_once(file: Path) -> None:
    seed = progress.shuffle_seed()
    assert seed == progress.shuffle_seed()
    assert len(seed) == 16
    file.unlink()
    assert progress.shuffle_seed() != seed
