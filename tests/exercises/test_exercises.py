"""Every grader proved: it refuses the untouched state and each known mistake, each with its own hint."""

import contextlib
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound

from labs import settings
from labs.kit import exercise, syllabus
from labs.kit import world as look
from labs.kit.mistakes import Mistake

EXERCISES = [(slug, name) for slug in syllabus.ready() for name in exercise.names(slug)]
World = tuple[exercise.Exercise, Callable[[str], None]]
WRONG = [(slug, name, mistake) for slug, name in EXERCISES for mistake in exercise.wrong_states(slug, name)]


@pytest.fixture
def world(
    course: dict[str, str], keep_layers: Callable[[], None], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[World]:
    """Runs learner's code for one exercise, from the untouched state, and leaves nothing behind."""
    slug, name = request.node.callspec.params["slug"], request.node.callspec.params["name"]
    lab = importlib.import_module(f"labs.{slug}.lab")
    task = exercise.load(slug, name)
    lab.reset()
    before, ran = things(), []

    def run(code: str) -> None:
        ran.append(code)
        script = tmp_path / "cell.py"
        script.write_text(code, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, script], cwd=tmp_path, env=course, capture_output=True, text=True, timeout=300, check=False
        )
        keep_layers()
        assert done.returncode == 0, f"This ended with {done.returncode}:\n{code}\n{done.stdout}\n{done.stderr}"

    yield task, run
    task.reset()
    lab.reset()
    left = lab.leftovers()
    remove_unlabelled(things().items() - before.items(), "\n".join(ran))
    assert left == []


def things() -> dict[tuple[str, str], str]:
    """Everything in the engine that lacks the course's label, by kind and id, with its name."""
    client = look.docker_client()
    boxes = client.containers.list(all=True, ignore_removed=True)
    images = client.api.images()  # images.list() of the SDK fails where one goes away meanwhile
    return (
        {("container", box.id): box.name for box in boxes if not look.ours(box)}
        | {("image", tag): tag for image in images if not labelled(image) for tag in image["RepoTags"] or ()}
        | {("network", network.id): network.name for network in client.networks.list() if not look.ours(network)}
        | {("volume", volume.id): volume.name for volume in client.volumes.list() if not look.ours(volume)}
    )


def labelled(row: dict[str, Any]) -> bool:
    """Whether a row of the engine's list carries the course's label."""
    return (row.get("Labels") or {}).get(settings.LABEL_KEY) == settings.LABEL_VALUE


def remove_unlabelled(new: Iterable[tuple[tuple[str, str], str]], scripts: str) -> None:
    """Remove what a wrong state made without the course's label, which a reset rightly leaves alone.

    Args:
        new: what was not there before, as `things()` gives it.
        scripts: the code that ran; only what it names is removed, for others use this engine too.
    """
    client = look.docker_client()
    for (kind, id), name in sorted(new):  # containers first
        if name not in scripts:
            continue
        with contextlib.suppress(NotFound):
            if kind == "container":
                client.containers.get(id).remove(force=True, v=True)
            elif kind == "image":
                client.images.remove(id, force=True)
            elif kind == "network":
                client.networks.get(id).remove()
            else:
                client.volumes.get(id).remove(force=True)


@pytest.mark.parametrize(("slug", "name"), EXERCISES)
def test_solution(world: World, slug: str, name: str) -> None:
    """Untouched is refused; the solution is accepted, twice; after the reset it is as untouched as before."""
    task, run = world
    untouched = task.check()
    assert untouched.state == "not_yet"
    run(task.solution)
    for _ in range(2):
        verdict = task.check()
        assert (verdict.state, verdict.message) == ("done", verdict.message), verdict
    task.reset()
    assert task.check() == untouched
    run(task.solution)
    again = task.check()
    assert again.state == "done", f"the solution must work a second time: {again}"


@pytest.mark.parametrize(("slug", "name", "mistake"), WRONG, ids=[f"{s}-{n}-{m.id}" for s, n, m in WRONG])
def test_wrong_state(world: World, slug: str, name: str, mistake: Mistake) -> None:
    """A known mistake is refused, with the hint that names it."""
    task, run = world
    run(mistake.code())
    verdict = task.check()
    assert verdict.state in ("not_yet", "lost"), verdict
    assert verdict.id == mistake.answer, verdict
    assert "```" not in verdict.message, "a hint on a mistake never holds a copyable command"


@pytest.mark.parametrize(("slug", "name"), EXERCISES)
def test_untouched_has_its_own_answer(world: World, slug: str, name: str) -> None:
    """No wrong state hides behind the answer for 'nothing done yet', and nothing else goes unproven."""
    from labs.authoring.check import verdict_ids

    task, _ = world
    proven = {mistake.answer for mistake in exercise.wrong_states(slug, name)}
    unproven = verdict_ids(exercise.folder(slug) / name / "check.py") - proven
    assert unproven <= {task.check().id}
