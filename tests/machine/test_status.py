"""What `status` counts is what is in the files."""

import json
from pathlib import Path

import pytest

from labs import settings
from labs.machine import status

ENTRY = {"number": 3, "slug": "demo", "title": "Demo", "state": "ready", "minutes": 25}


@pytest.fixture
def chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, folder in {"LABS": "labs", "NOTEBOOKS": "notebooks", "DIAGRAMS": "diagrams"}.items():
        (tmp_path / folder).mkdir()
        monkeypatch.setattr(settings, name, tmp_path / folder)
    return tmp_path


def test_an_empty_chapter_counts_nothing(chapter: Path) -> None:
    counts = status.chapter_counts(ENTRY)
    assert {key: counts[key] for key in ("words", "exercises", "wrong_states", "questions", "pictures")} == {
        "words": 0,
        "exercises": 0,
        "wrong_states": 0,
        "questions": 0,
        "pictures": 0,
    }


def test_counted_from_the_files(chapter: Path) -> None:
    cells = [
        {
            "cell_type": "markdown",
            "source": ["# Three small words\n", "and [a link](https://example.org/not/counted)\n"],
        },
        {"cell_type": "markdown", "source": "```\nno code counts\n```\n<b>Bold</b> it's 42"},
        {"cell_type": "code", "source": ["print('nor', 'this')"]},
    ]
    (chapter / "notebooks" / "03_demo.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    for name, wrongs in {"one": 2, "two": 3}.items():
        folder = chapter / "labs/demo/exercises" / name
        (folder / "wrong").mkdir(parents=True)
        (folder / "exercise.yaml").write_text("title: x")
        for number in range(wrongs):
            (folder / "wrong" / f"w{number}.py").write_text("")
    (chapter / "labs/demo/exercises/two/wrong.yaml").write_text("mistakes: [{id: a}, {id: b}]")
    (chapter / "labs/demo/exercises/__pycache__").mkdir()
    (chapter / "labs/demo/questions.yaml").write_text("questions: [{id: a}, {id: b}]")
    (chapter / "diagrams/demo_flow.svg").write_text("")
    (chapter / "diagrams/demonstration_other.svg").write_text("")
    counts = status.chapter_counts(ENTRY)
    assert counts["words"] == len(["Three", "small", "words", "and", "a", "link", "Bold", "it's"])
    assert (counts["exercises"], counts["wrong_states"], counts["questions"], counts["pictures"]) == (2, 7, 2, 1)


def test_the_course_itself_and_its_text() -> None:
    found = status.collect()
    rows = {row["slug"]: row for row in found["chapters"]}
    assert rows["start_here"]["exercises"] > 0
    assert rows["eks"]["words"] == 0
    text = status.as_text(found)
    assert all(slug in text for slug in rows)
    assert json.loads(json.dumps(found)) == found
