"""The decision aid: a few questions, an answer with its reason, and what another answer would change.

Questions, answers and rules are data, `rules.yaml`. `advise` decides; `show` makes a widget of it, `as_text` words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import anywidget

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Advice:
    """What to take, why, where to read on, and what would change it: question, other option, its result."""

    name: str
    because: str
    source: str
    turns: tuple[tuple[str, str, str], ...]


@cache
def rules() -> dict[str, Any]:
    """The content of `rules.yaml`."""
    import yaml

    words: dict[str, Any] = yaml.safe_load((_HERE / "rules.yaml").read_text(encoding="utf-8"))
    return words


def advise(**given: str) -> Advice:
    """The advice for these answers; a question left out has its first option.

    Args:
        given: option by question, as in `rules.yaml`, e.g. `kubernetes="yes"`.

    Raises:
        ValueError: a question or an option is unknown; the message lists the known ones.
    """
    known = {question["id"]: question for question in rules()["questions"]}
    for id, option in given.items():
        if id not in known:
            raise ValueError(f"There is no question {id!r}. Known: {', '.join(known)}.")
        if option not in known[id]["options"]:
            raise ValueError(f"{id!r} has no option {option!r}. Known: {', '.join(known[id]['options'])}.")
    full = {id: given.get(id, next(iter(question["options"]))) for id, question in known.items()}
    rule = _rule(full)
    turns = []
    for id, question in known.items():
        for option, words in question["options"].items():
            other = _rule({**full, id: option})
            if other["choose"] != rule["choose"]:
                turns.append((question["ask"], words, _name(other)))
    answer = rules()["answers"][rule["choose"]]
    return Advice(answer["name"], rule["because"], answer["source"], tuple(turns))


def reachable() -> set[str]:
    """The ids of all answers that some combination of options leads to."""
    questions = rules()["questions"]
    every = product(*(question["options"] for question in questions))
    ids = [question["id"] for question in questions]
    return {_rule(dict(zip(ids, options, strict=True)))["choose"] for options in every}


def show() -> anywidget.AnyWidget:
    """The widget: a group of radio buttons a question, and the advice below, which a screen reader reads out."""
    questions = [{**question, "options": list(question["options"].items())} for question in rules()["questions"]]
    given = {question["id"]: question["options"][0][0] for question in questions}
    widget = _widget_class()(questions=questions, given=given, advice=_for_browser(given))

    def decide(change: Any) -> None:
        widget.advice = _for_browser(change.new)

    widget.observe(decide, "given")
    return widget


def as_text(**given: str) -> str:
    """The same in words: the answers taken, the advice, and what would change it."""
    advice = advise(**given)
    lines = []
    for question in rules()["questions"]:
        option = given.get(question["id"], next(iter(question["options"])))
        lines.append(f"{question['ask']} {question['options'][option]}.")
    lines += ["", f"Take: {advice.name}", f"Why: {advice.because}", "", "Another answer changes it:"]
    lines += [f"- {words}: {name}" for _, words, name in advice.turns]
    return "\n".join([*lines, "", f"Read on: {advice.source} (checked {rules()['checked']})"])


def _rule(full: dict[str, str]) -> dict[str, Any]:
    fits = (rule for rule in rules()["rules"] if rule["when"].items() <= full.items())
    found: dict[str, Any] = next(fits)
    return found


def _name(rule: dict[str, Any]) -> str:
    name: str = rules()["answers"][rule["choose"]]["name"]
    return name


def _for_browser(given: dict[str, str]) -> dict[str, Any]:
    return {**vars(advise(**given)), "checked": rules()["checked"]}


@cache
def _widget_class() -> type[anywidget.AnyWidget]:
    # Made on first use: anywidget takes longer to import than everything else here.
    import anywidget
    import traitlets

    class Chooser(anywidget.AnyWidget):
        """Traits: the questions with their options, the option chosen for each, and the advice for these."""

        _esm = _HERE / "chooser.js"
        _css = _HERE / "chooser.css"
        questions: Any = traitlets.List().tag(sync=True)
        given: Any = traitlets.Dict().tag(sync=True)
        advice: Any = traitlets.Dict().tag(sync=True)

        def __repr__(self) -> str:
            return f"Decision aid: {len(self.questions)} questions"

    return Chooser
