"""A chapter says what the chosen backend lacks, and never resets a real account by names."""

import json
from pathlib import Path

import pytest

from labs import settings
from labs.kit import chapter, syllabus


@pytest.fixture(autouse=True)
def learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.delenv("COURSE_BACKEND", raising=False)
    return tmp_path


def choose(**choice: str) -> None:
    settings.chosen_backend_file().write_text(json.dumps(choice))


def opened(slug: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What a chapter says when it is opened, everything else being there."""
    monkeypatch.setattr(chapter, "_docker", lambda: (True, "Docker answers."))
    monkeypatch.setattr(chapter, "_cloud", lambda: (True, "The local AWS answers."))
    chapter.Chapter(syllabus.chapter(slug)).prepare()
    return capsys.readouterr().out


def test_what_the_backend_lacks_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "The local AWS answers." in opened("ecs_service", monkeypatch, capsys)
    choose(backend="localstack")
    assert "The local AWS answers." in opened("ecs_service", monkeypatch, capsys)
    said = opened("ecs_data_volumes", monkeypatch, capsys)
    assert "The backend 'localstack' has not all that this chapter needs: elasticfilesystem." in said
    assert "You can read on" in said
    choose(backend="aws", account="111122223333", region="us-east-1")
    assert "images built on this machine" in opened("ecs_service", monkeypatch, capsys)


def test_a_real_account_is_not_reset_by_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    choose(backend="aws", account="111122223333", region="us-east-1")
    called: list[str] = []
    monkeypatch.setattr(chapter.Chapter, "_failed", lambda _self, what, _action: bool(called.append(what)))
    start_here = chapter.Chapter(syllabus.chapter("start_here"))
    start_here.clean_up()
    start_here.reset("mailbox")
    assert called == []
    assert capsys.readouterr().out.count("python3 -m labs clean_up") == 2
