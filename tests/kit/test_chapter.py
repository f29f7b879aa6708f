"""A chapter's own words: hints one at a time, solutions shown and not run, every failure a sentence."""

import errno
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import boto3
import pytest

from labs.cloud import server
from labs.kit import open_chapter, progress
from labs.kit.chapter import Chapter

SLUG = "start_here"


@pytest.fixture(autouse=True)
def own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, course: dict[str, str]) -> None:
    for key, value in course.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.jsonl"))


@pytest.fixture
def chapter(capsys: pytest.CaptureFixture[str]) -> Chapter:
    opened = open_chapter(SLUG)
    assert "Docker" in capsys.readouterr().out
    return opened


@pytest.fixture
def name() -> str:
    from labs.kit import exercise

    return exercise.names(SLUG)[0]


def test_hints_come_one_at_a_time_and_are_remembered(chapter: Chapter, name: str, capsys) -> None:
    for number in (1, 2, 3):
        chapter.hint(name)
        assert f"Hint {number} of 3" in capsys.readouterr().out
        chapter = open_chapter(SLUG)
        capsys.readouterr()
    chapter.hint(name)
    assert "All hints" in capsys.readouterr().out


def test_a_solution_is_shown_and_not_run(chapter: Chapter, name: str, capsys) -> None:
    chapter.solution(name)
    assert "```python" in capsys.readouterr().out
    chapter.check(name)
    assert "Not yet" in capsys.readouterr().out


def test_an_unknown_exercise_is_told_with_the_nearest(chapter: Chapter, name: str) -> None:
    with pytest.raises(LookupError, match=f"Did you mean '{name}'"):
        chapter.check(name[:-1])


def test_an_unknown_chapter_is_told_with_the_nearest() -> None:
    with pytest.raises(LookupError, match="start_here"):
        open_chapter("start_hre")


def test_a_check_without_an_engine_is_blind_and_says_the_cure(chapter: Chapter, name: str, capsys, monkeypatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    chapter.check(name)
    said = capsys.readouterr().out
    assert "I cannot look" in said
    assert "python3 -m labs start" in said
    assert progress.events(SLUG)[-1]["state"] == "blind"


def test_a_full_disk_does_not_stop_a_check(chapter: Chapter, name: str, capsys, monkeypatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(progress.os, "write", full)
    chapter.check(name)
    said = capsys.readouterr().out
    assert "Not yet" in said
    assert "Free some space" in said


def test_the_aws_command_is_the_courses_own(chapter: Chapter) -> None:
    """One that the learner has installed elsewhere would not be under the guard."""
    assert Path(shutil.which("aws")).parent == Path(sys.executable).parent


def test_a_killed_local_aws_is_mended_with_a_sentence(chapter: Chapter, capsys) -> None:
    boto3.client("sqs").create_queue(QueueName="test-kept")
    before = server.health()
    assert before
    time.sleep(1.5)  # what the local AWS promises to lose at most
    os.kill(before["pid"], signal.SIGKILL)
    open_chapter(SLUG)
    said = capsys.readouterr().out
    assert "start" in said.lower()
    after = server.health()
    assert after
    assert after["pid"] != before["pid"]
    urls = boto3.client("sqs").list_queues(QueueNamePrefix="test-kept")["QueueUrls"]
    assert len(urls) == 1
    boto3.client("sqs").delete_queue(QueueUrl=urls[0])
