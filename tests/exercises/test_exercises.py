"""Every grader proved: it refuses the untouched state and each known mistake, each with its own hint."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from labs.kit import exercise
from tests.conftest import ready_chapters

EXERCISES = [(slug, name) for slug in ready_chapters() for name in exercise.names(slug)]
WRONG = [(slug, name, script) for slug, name in EXERCISES for script in exercise.wrong_states(slug, name)]


@pytest.fixture
def world(course: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest):
    """Runs learner's code for one exercise, from the untouched state, and leaves nothing behind."""
    slug, name = request.node.callspec.params["slug"], request.node.callspec.params["name"]
    lab = importlib.import_module(f"labs.{slug}.lab")
    task = exercise.load(slug, name)
    task.reset()

    def run(script: Path) -> None:
        done = subprocess.run(
            [sys.executable, script], cwd=tmp_path, env=course, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{script} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"

    yield task, run
    task.reset()
    lab.reset()
    assert lab.leftovers() == []


@pytest.mark.parametrize(("slug", "name"), EXERCISES)
def test_solution(world, slug: str, name: str) -> None:
    """Untouched is refused; the solution is accepted, twice; after the reset it is as untouched as before."""
    task, run = world
    untouched = task.check()
    assert untouched.state == "not_yet"
    solution = exercise.folder(slug) / name / "solution.py"
    run(solution)
    for _ in range(2):
        verdict = task.check()
        assert (verdict.state, verdict.message) == ("done", verdict.message), verdict
    task.reset()
    assert task.check() == untouched
    run(solution)
    assert task.check().state == "done", "the solution must work a second time"


@pytest.mark.parametrize(("slug", "name", "script"), WRONG, ids=[f"{s}-{n}-{w.stem}" for s, n, w in WRONG])
def test_wrong_state(world, slug: str, name: str, script: Path) -> None:
    """A known mistake is refused, with the hint that names it, twice."""
    task, run = world
    run(script)
    for _ in range(2):
        verdict = task.check()
        assert verdict.state in ("not_yet", "lost"), verdict
        assert verdict.id == exercise.expected_id(script), verdict
    assert "```" not in verdict.message, "a hint on a mistake never holds a copyable command"


@pytest.mark.parametrize(("slug", "name"), EXERCISES)
def test_untouched_has_its_own_answer(world, slug: str, name: str) -> None:
    """No wrong state hides behind the answer for 'nothing done yet', and nothing else goes unproven."""
    from labs.authoring.check import verdict_ids

    task, _ = world
    proven = {exercise.expected_id(script) for script in exercise.wrong_states(slug, name)}
    unproven = verdict_ids(exercise.folder(slug) / name / "check.py") - proven
    assert unproven <= {task.check().id}
