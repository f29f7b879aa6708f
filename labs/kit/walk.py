"""The walk through a picture, step by step: as a widget for notebooks, and in plain text for every other place.

A picture carries its own walk: `<metadata id="walk">` holds JSON with `title`, `description` and `steps`, each with its
number `n`, a sentence `text`, and `targets`, the ids of the elements of the picture that the sentence speaks of.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labs.kit.browser import with_shared

if TYPE_CHECKING:
    import anywidget

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Step:
    """One step: its number from 1, its sentence, and the ids of what it speaks of."""

    n: int
    text: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Walk:
    """What a picture says about itself."""

    title: str
    description: str
    steps: tuple[Step, ...]


def read_walk(svg_path: Path) -> Walk:
    """Read the walk of a picture.

    Raises:
        FileNotFoundError: there is no such picture.
        ValueError: it is no SVG, has no walk, or a step names what is not in the picture; the message says which.
    """
    # The standard library's parser does: pictures are files of the course, not of strangers.
    from xml.etree import ElementTree as ET

    try:
        root = ET.fromstring(svg_path.read_bytes())  # noqa: S314
    except ET.ParseError as error:
        raise ValueError(f"{svg_path.name} is no well-formed SVG: {error}.") from error
    if root.tag != "{http://www.w3.org/2000/svg}svg":
        raise ValueError(f"{svg_path.name} is no SVG: its outermost element is <{root.tag}>.")
    ids = {element.get("id"): element for element in root.iter() if element.get("id")}
    if "walk" not in ids:
        raise ValueError(f'{svg_path.name} has no walk: no <metadata id="walk"> is in it.')
    try:
        data = json.loads(ids["walk"].text or "")
        walk = Walk(
            data["title"],
            data["description"],
            tuple(Step(step["n"], step["text"], tuple(step["targets"])) for step in data["steps"]),
        )
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"The walk of {svg_path.name} cannot be read: {error!r}") from error
    if not walk.steps:
        raise ValueError(f"The walk of {svg_path.name} has no steps.")
    if [step.n for step in walk.steps] != list(range(1, len(walk.steps) + 1)):
        raise ValueError(f"The steps of {svg_path.name} are not numbered 1, 2, 3 and so on without a gap.")
    for step in walk.steps:
        if not step.targets:
            raise ValueError(f"Step {step.n} of {svg_path.name} points at nothing.")
        if lost := [target for target in step.targets if target not in ids]:
            raise ValueError(f"Step {step.n} of {svg_path.name} points at what is not in it: {', '.join(lost)}.")
    return walk


def walk_text(svg_path: Path) -> str:
    """A picture in words: its title, its description, and its numbered sentences, one a line.

    Raises:
        FileNotFoundError, ValueError: as `read_walk`.
    """
    walk = read_walk(svg_path)
    steps = [f"{step.n}. {step.text}" for step in walk.steps]
    return "\n".join([walk.title, "=" * len(walk.title), walk.description, "", *steps])


def walk_widget(svg_path: Path) -> anywidget.AnyWidget:
    """The picture as a widget that steps through its sentences and lights up what each speaks of.

    Raises:
        FileNotFoundError, ValueError: as `read_walk`.
    """
    walk = read_walk(svg_path)
    return _widget_class()(
        svg=svg_path.read_text(encoding="utf-8"),
        title=walk.title,
        description=walk.description,
        steps=[{"n": step.n, "text": step.text, "targets": list(step.targets)} for step in walk.steps],
    )


@cache
def _widget_class() -> type[anywidget.AnyWidget]:
    # Made on first use: anywidget takes longer to import than everything else that opening a chapter needs.
    import anywidget
    import traitlets

    class PictureWalk(anywidget.AnyWidget):
        """Traits: the picture's SVG, its walk, and the step shown (0 is the whole picture)."""

        _esm = with_shared(_HERE / "walk.js")
        _css = with_shared(_HERE / "walk.css")
        svg = traitlets.Unicode().tag(sync=True)
        title = traitlets.Unicode().tag(sync=True)
        description = traitlets.Unicode().tag(sync=True)
        steps: Any = traitlets.List().tag(sync=True)
        step = traitlets.Int(0).tag(sync=True)

        def __repr__(self) -> str:
            return f"Picture: {self.title} ({len(self.steps)} steps)"

    return PictureWalk
