"""The learner's copies: never overwritten once changed, and never left behind when not."""

import json
from pathlib import Path

import pytest

from labs.machine import workspace

NAME = "12_ecs_service.ipynb"


def notebook(*sources: str, output: str = "") -> str:
    cells = [
        {"cell_type": "code", "source": [source], "outputs": [{"text": output}], "metadata": {}} for source in sources
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    originals, work = tmp_path / "notebooks", tmp_path / "work"
    originals.mkdir()
    (originals / NAME).write_text(notebook("one"), encoding="utf-8")
    return originals, work


def hows(changes: list[workspace.Change]) -> list[tuple[str, str]]:
    return [(change.how, change.name) for change in changes]


def test_copied_once(folders: tuple[Path, Path]) -> None:
    originals, work = folders
    assert hows(workspace.refresh(originals, work)) == [("copied", NAME)]
    assert (work / NAME).read_text() == (originals / NAME).read_text()
    assert workspace.refresh(originals, work) == []


def test_outputs_are_no_change(folders: tuple[Path, Path]) -> None:
    originals, work = folders
    workspace.refresh(originals, work)
    (work / NAME).write_text(notebook("one", output="ran"), encoding="utf-8")
    assert workspace.refresh(originals, work) == []
    (originals / NAME).write_text(notebook("two"), encoding="utf-8")
    assert hows(workspace.refresh(originals, work)) == [("replaced", NAME)]
    assert json.loads((work / NAME).read_text())["cells"][0]["source"] == ["two"]


def test_a_changed_copy_is_left_alone_and_the_newer_original_offered_once(folders: tuple[Path, Path]) -> None:
    originals, work = folders
    workspace.refresh(originals, work)
    mine = notebook("mine")
    (work / NAME).write_text(mine, encoding="utf-8")
    assert workspace.refresh(originals, work) == [], "no newer original, nothing to say"
    (originals / NAME).write_text(notebook("two"), encoding="utf-8")
    (change,) = workspace.refresh(originals, work)
    assert (change.how, change.name) == ("offered", "12_ecs_service.new.ipynb")
    assert change.name in change.message
    assert (work / NAME).read_text() == mine
    assert (work / change.name).read_text() == notebook("two")
    assert workspace.refresh(originals, work) == []
    (work / change.name).unlink()
    assert workspace.refresh(originals, work) == [], "declined is declined"


def test_an_offer_that_the_learner_works_in_is_theirs_too(folders: tuple[Path, Path]) -> None:
    originals, work = folders
    workspace.refresh(originals, work)
    (work / NAME).write_text(notebook("mine"), encoding="utf-8")
    (originals / NAME).write_text(notebook("two"), encoding="utf-8")
    workspace.refresh(originals, work)
    offered = work / "12_ecs_service.new.ipynb"
    (originals / NAME).write_text(notebook("three"), encoding="utf-8")
    assert hows(workspace.refresh(originals, work)) == [("offered", offered.name)], "an untouched offer is renewed"
    assert offered.read_text() == notebook("three")
    offered.write_text(notebook("mine too"), encoding="utf-8")
    (originals / NAME).write_text(notebook("four"), encoding="utf-8")
    assert hows(workspace.refresh(originals, work)) == [("offered", "12_ecs_service.new-2.ipynb")]
    assert offered.read_text() == notebook("mine too")


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"cells": 3}', notebook("x")[:-20]])
def test_a_broken_copy_counts_as_changed(folders: tuple[Path, Path], broken: str) -> None:
    originals, work = folders
    workspace.refresh(originals, work)
    (work / NAME).write_text(broken, encoding="utf-8")
    (originals / NAME).write_text(notebook("two"), encoding="utf-8")
    assert hows(workspace.refresh(originals, work)) == [("offered", "12_ecs_service.new.ipynb")]
    assert (work / NAME).read_text() == broken


@pytest.mark.parametrize("record", [None, "", "{", "[1]"])
def test_a_lost_record_overwrites_nothing(folders: tuple[Path, Path], record: str | None) -> None:
    originals, work = folders
    workspace.refresh(originals, work)
    (work / NAME).write_text(notebook("mine"), encoding="utf-8")
    if record is None:
        (work / workspace.RECORD).unlink()
    else:
        (work / workspace.RECORD).write_text(record, encoding="utf-8")
    assert hows(workspace.refresh(originals, work)) == [("offered", "12_ecs_service.new.ipynb")]
    assert (work / NAME).read_text() == notebook("mine")


def test_other_files_of_the_learner_are_not_touched(folders: tuple[Path, Path]) -> None:
    originals, work = folders
    work.mkdir()
    (work / "notes.ipynb").write_text("mine", encoding="utf-8")
    workspace.refresh(originals, work)
    assert (work / "notes.ipynb").read_text() == "mine"
