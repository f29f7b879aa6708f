"""The known mistakes of an exercise: its solution with one piece replaced, or a script of its own.

`wrong.yaml` beside `solution.py` holds the first kind: an id, a sentence on the mistake, and what to replace. A mistake
that is another way of doing it altogether is a whole script, `wrong/<id>.py`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from labs.kit import content

SCHEMA = Path(__file__).with_name("schemas") / "wrong.json"


@dataclass(frozen=True)
class Edit:
    """One replacement: the text `find`, which is in the solution exactly once, becomes `put` (empty: it goes)."""

    find: str
    put: str


@dataclass(frozen=True)
class Mistake:
    """One known mistake.

    Args:
        home: the folder of its exercise.
        id: what `check()` must answer it with; a second one for the same answer is `<id>__<variant>`.
        edits: what to replace in the solution; none where it is a script of its own.
    """

    home: Path
    id: str
    edits: tuple[Edit, ...] = ()

    @property
    def answer(self) -> str:
        """The id that it must be answered with: its own up to a double underscore."""
        return self.id.split("__")[0]

    def code(self) -> str:
        """The Python that makes the mistake, complete in itself.

        Raises:
            ValueError: an edit does not fit the solution any more; the message says which, and what to do.
        """
        if not self.edits:
            return (self.home / "wrong" / f"{self.id}.py").read_text(encoding="utf-8")
        solution = (self.home / "solution.py").read_text(encoding="utf-8")
        try:
            return edited(solution, self.edits)
        except ValueError as error:
            raise ValueError(
                f"{self.home / 'wrong.yaml'}: the mistake {self.id!r} does not fit solution.py: {error} "
                "Has the solution been changed? Then write `find` anew, from the text that stands there now."
            ) from error


def load(home: Path) -> list[Mistake]:
    """The known mistakes of the exercise in a folder, sorted by id. What they hold is for `faults` to judge.

    Raises:
        ValueError: `wrong.yaml` cannot be read; the message names the line.
    """
    replaced = [
        Mistake(home, entry["id"], tuple(Edit(edit["find"], edit["put"]) for edit in entry["edits"]))
        for entry in _entries(home)
    ]
    whole = [Mistake(home, script.stem) for script in (home / "wrong").glob("*.py")]
    return sorted([*replaced, *whole], key=lambda mistake: mistake.id)


def edited(text: str, edits: tuple[Edit, ...]) -> str:
    """A text with each edit's `find` replaced by its `put`. All of them are looked for in the text as it was.

    Raises:
        ValueError: a `find` is not there exactly once, or two of them overlap.
    """
    for edit in edits:
        if (count := text.count(edit.find)) != 1:
            raise ValueError(f"{edit.find!r} occurs there {count} times, and not once.{_nearest(edit.find, text)}")
    done, at = "", 0
    for start, edit in sorted(((text.index(edit.find), edit) for edit in edits), key=lambda place: place[0]):
        if start < at:
            raise ValueError(f"{edit.find!r} overlaps the text of another edit.")
        done, at = done + text[at:start] + edit.put, start + len(edit.find)
    return done + text[at:]


def faults(home: Path) -> Iterator[str]:
    """What is wrong with an exercise's `wrong.yaml`, a sentence each. For tests and authors, as it is slow."""
    import jsonschema

    if (home / "wrong.yaml").exists():
        schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
        found = list(jsonschema.Draft202012Validator(schema).iter_errors(content.read(home / "wrong.yaml")))
        yield from (f"wrong.yaml: {error.json_path}: {error.message}" for error in found)
        if found:
            return
    mistakes = load(home)
    counts = Counter(mistake.id for mistake in mistakes)
    yield from (f"{count} wrong states have the id {id!r}" for id, count in counts.items() if count > 1)
    for mistake in mistakes:
        try:
            compile(mistake.code(), mistake.id, "exec")
        except (ValueError, SyntaxError) as error:
            yield f"wrong state {mistake.id!r}: {error}"


def _entries(home: Path) -> list[dict[str, Any]]:
    return content.read(home / "wrong.yaml")["mistakes"] if (home / "wrong.yaml").exists() else []


def _nearest(find: str, text: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    first = find.strip().splitlines()[0] if find.strip() else ""
    near = [] if first in text else get_close_matches(first, lines, n=1)
    return f" The nearest line is {near[0]!r}." if near else ""
