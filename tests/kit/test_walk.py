"""The walk in Python: what a picture says about itself, in words and as a widget, and which pictures are refused."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from labs import settings
from labs.kit.walk import read_walk, walk_text, walk_widget
from tests.browser.samples import PICTURE, STEPS, WALK, write_picture

PICTURES = sorted(settings.DIAGRAMS.glob("*.svg"))
each_picture = pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)


def test_there_are_pictures() -> None:
    assert len(PICTURES) >= 3


@each_picture
def test_a_picture_of_the_course_in_words(picture: Path) -> None:
    walk = read_walk(picture)
    lines = walk_text(picture).splitlines()
    assert lines[:3] == [walk.title, "=" * len(walk.title), walk.description]
    assert [line for line in lines if re.match(r"\d+\. \S", line)] == [f"{step.n}. {step.text}" for step in walk.steps]
    assert len(walk.steps) >= 3


@each_picture
def test_a_picture_of_the_course_as_a_widget(picture: Path) -> None:
    walk, widget = read_walk(picture), walk_widget(picture)
    assert widget.svg == picture.read_text(encoding="utf-8")
    assert [(step["n"], step["text"], tuple(step["targets"])) for step in widget.steps] == [
        (step.n, step.text, step.targets) for step in walk.steps
    ]
    assert (widget.title, widget.description, widget.step) == (walk.title, walk.description, 0)
    assert repr(widget) == repr(walk_widget(picture)) == f"Picture: {walk.title} ({len(walk.steps)} steps)"


def test_the_small_picture_in_words(tmp_path: Path) -> None:
    assert walk_text(write_picture(tmp_path / "small.svg")) == (
        "A request\n=========\nHow a request reaches a load balancer.\n\n"
        "1. A user sends a request.\n"
        "2. The request goes to the load balancer.\n"
        "3. The load balancer lives in the Region."
    )


def _walk(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(WALK), **changes}


def _steps(n: int, /, **changes: Any) -> list[dict[str, Any]]:
    return [{**step, **changes} if step["n"] == n else step for step in STEPS]


BAD_WALKS = {
    "no steps": (_walk(steps=[]), "The walk of small.svg has no steps."),
    "no title": ({key: WALK[key] for key in ("description", "steps")}, "cannot be read: KeyError('title')"),
    "a list": ([WALK], "cannot be read: TypeError"),
    "steps no list": (_walk(steps=3), "cannot be read: TypeError"),
    "a gap": (_walk(steps=_steps(3, n=4)), "not numbered 1, 2, 3"),
    "nothing lit": (_walk(steps=_steps(2, targets=[])), "Step 2 of small.svg points at nothing."),
    "lost": (
        _walk(steps=_steps(2, targets=["node-alb", "node-gone"])),
        "Step 2 of small.svg points at what is not in it: node-gone.",
    ),
}


@pytest.mark.parametrize(("walk", "told"), BAD_WALKS.values(), ids=BAD_WALKS.keys())
@pytest.mark.parametrize("show", [walk_text, walk_widget])
def test_a_walk_that_cannot_be_walked_is_refused(tmp_path: Path, show: Any, walk: Any, told: str) -> None:
    picture = write_picture(tmp_path / "small.svg", walk)
    with pytest.raises(ValueError, match=re.escape(told)):
        show(picture)


BROKEN_FILES = {
    "cut": (PICTURE[:400].encode(), "small.svg is no well-formed SVG: "),
    "empty": (b"", "small.svg is no well-formed SVG: "),
    "bytes": (b"\x89PNG\r\n\x1a\n\xff\xfe", "small.svg is no well-formed SVG: "),
    "a page": (b"<html><body id='walk'/></html>", "small.svg is no SVG: its outermost element is <html>."),
    "no walk": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "small.svg has no walk"),
    "empty walk": (
        b'<svg xmlns="http://www.w3.org/2000/svg"><metadata id="walk"/></svg>',
        "The walk of small.svg cannot be read: JSONDecodeError",
    ),
}


@pytest.mark.parametrize(("content", "told"), BROKEN_FILES.values(), ids=BROKEN_FILES.keys())
@pytest.mark.parametrize("show", [walk_text, walk_widget])
def test_a_broken_picture_is_refused(tmp_path: Path, show: Any, content: bytes, told: str) -> None:
    picture = tmp_path / "small.svg"
    picture.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(told)):
        show(picture)


def test_a_picture_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.svg"):
        walk_text(tmp_path / "gone.svg")
