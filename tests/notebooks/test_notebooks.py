"""Every notebook executed and compared by nbval, as shipped and with the solutions put in."""

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labs import settings
from labs.authoring import notebooks
from labs.kit import exercise, syllabus

SANITIZE = Path(__file__).with_name("sanitize.cfg")


def nbval(notebook: Path, env: dict[str, str]) -> float:
    """Run one notebook under nbval; the seconds it took."""
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300", f"--nbval-sanitize-with={SANITIZE}"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        *options,
        str(notebook),
    ]
    begun = time.monotonic()
    done = subprocess.run(command, cwd=notebook.parent, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{notebook.name}:\n{done.stdout[-8000:]}\n{done.stderr[-2000:]}"
    return time.monotonic() - begun


def checked(progress: Path) -> dict[str, str]:
    """The last verdict of each exercise, from a progress file."""
    events = [json.loads(line) for line in progress.read_text(encoding="utf-8").splitlines()]
    return {event["exercise"]: event["state"] for event in events if event["event"] == "check"}


@pytest.fixture
def learner(course: dict[str, str], tmp_path: Path, slug: str):
    """One learner at one chapter: progress of their own; nothing of the chapter before or after."""
    lab = importlib.import_module(f"labs.{slug}.lab")
    lab.reset()
    yield course | {"COURSE_PROGRESS": str(tmp_path / "progress.jsonl")}, tmp_path / "progress.jsonl"
    left = lab.leftovers()
    lab.reset()
    assert left == [], "the notebook's own clean-up left something"


@pytest.mark.slow
@pytest.mark.parametrize("slug", syllabus.ready())
def test_as_shipped(learner, slug: str) -> None:
    """Exercises untouched: every cell runs, every compared output is right, no exercise is done, nothing is left."""
    env, progress = learner
    nbval(syllabus.notebook_path(slug), env)
    states = checked(progress)
    assert sorted(states) == exercise.names(slug)
    assert set(states.values()) == {"not_yet"}
    assert not list(settings.NOTEBOOKS.glob("*/*")), "the notebook left files beside itself"


@pytest.mark.slow
@pytest.mark.parametrize("slug", syllabus.ready())
def test_with_solutions(learner, slug: str, tmp_path: Path) -> None:
    """Solutions put in: the whole chapter completes."""
    env, progress = learner
    notebook = notebooks.read(syllabus.notebook_path(slug))
    notebooks.put_solutions(notebook, slug)
    copy = tmp_path / "work" / syllabus.notebook_path(slug).name
    copy.parent.mkdir()
    notebooks.write(notebook, copy)
    nbval(copy, env)
    assert checked(progress) == dict.fromkeys(exercise.names(slug), "done")
