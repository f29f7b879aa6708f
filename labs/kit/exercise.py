"""Exercises as folders: `labs/<slug>/exercises/<name>/` (the contract is in labs/README.md)."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from labs import settings
from labs.kit import content, mistakes
from labs.kit.verdict import Verdict


@dataclass(frozen=True)
class Exercise:
    """One exercise, loaded.

    Args:
        slug: its chapter.
        name: its folder.
        title, task, debrief: Markdown for the learner.
        hints: three of them, from 'where to look' to 'nearly the answer'.
        solution: Python that a learner could have typed.
        check: looks at the world and answers.
        reset: removes what the exercise makes.
    """

    slug: str
    name: str
    title: str
    task: str
    hints: tuple[str, ...]
    debrief: str
    solution: str
    check: Callable[[], Verdict]
    reset: Callable[[], None]


def folder(slug: str) -> Path:
    """Where the exercises of a chapter live."""
    return settings.LABS / slug / "exercises"


def names(slug: str) -> list[str]:
    """The names of a chapter's exercises, sorted."""
    return sorted(path.parent.name for path in folder(slug).glob("*/exercise.yaml"))


def load(slug: str, name: str) -> Exercise:
    """Read an exercise from its folder.

    Raises:
        LookupError: the chapter has no exercise of that name; the message names the nearest one.
    """
    known = names(slug)
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(known) or 'none'}."
        raise LookupError(f"Chapter {slug!r} has no exercise {name!r}. {hint}")
    home = folder(slug) / name
    words = content.read(home / "exercise.yaml")
    module = _module(home / "check.py", f"labs.{slug}.exercises.{name}.check")
    return Exercise(
        slug=slug,
        name=name,
        title=words["title"],
        task=words["task"],
        hints=tuple(words["hints"]),
        debrief=words["debrief"],
        solution=(home / "solution.py").read_text(encoding="utf-8"),
        check=module.check,
        reset=module.reset,
    )


def faults(slug: str, name: str) -> list[str]:
    """What is wrong with an exercise's words and its wrong states. For tests and authors.

    Not at every load: importing jsonschema takes longer than a learner likes to wait for a check.
    """
    import json

    import jsonschema

    home = folder(slug) / name
    schema = json.loads((settings.LABS / "kit/schemas/exercise.json").read_text(encoding="utf-8"))
    found = jsonschema.Draft202012Validator(schema).iter_errors(content.read(home / "exercise.yaml"))
    return [*(f"{error.json_path}: {error.message}" for error in found), *mistakes.faults(home)]


def wrong_states(slug: str, name: str) -> list[mistakes.Mistake]:
    """The known mistakes of an exercise, sorted by id."""
    return mistakes.load(folder(slug) / name)


def _module(file: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file} cannot be loaded as Python.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
