"""The decision aid: a few questions, an answer with its reason, and what another answer would change.

Questions, answers and rules are data, `rules.yaml`. `advise` decides; `show` makes a widget of it, `as_text` words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import product
from pathlib import Path
from typing import Any


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

    words: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("rules.yaml").read_text(encoding="utf-8"))
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


def show() -> Any:
    """The widget: a group of radio buttons a question, and the advice below, which a screen reader reads out."""
    import ipywidgets as widgets

    buttons = {}
    for question in rules()["questions"]:
        options = [(words, id) for id, words in question["options"].items()]
        buttons[question["id"]] = widgets.RadioButtons(
            options=options, layout={"width": "auto"}, description="", tooltip=question["ask"]
        )
    result = widgets.HTML()

    def decide(_: Any = None) -> None:
        result.value = _html(advise(**{id: button.value for id, button in buttons.items()}))

    for button in buttons.values():
        button.observe(decide, "value")
    decide()
    asked = [
        widgets.VBox([widgets.HTML(f"<b>{escape(question['ask'])}</b>"), buttons[question["id"]]])
        for question in rules()["questions"]
    ]
    return widgets.VBox([*asked, result])


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


def _html(advice: Advice) -> str:
    turns = "".join(
        f"<li>{escape(ask)} <em>{escape(words)}</em>: {escape(name)}</li>" for ask, words, name in advice.turns
    )
    return (
        '<div role="status" style="border-left:5px solid #0969da;padding:.55em .9em;line-height:1.5;'
        'background:var(--jp-layout-color2,#f6f8fa);color:var(--jp-content-font-color1,#1f2328)">'
        f"<strong>Take: {escape(advice.name)}.</strong> {escape(advice.because)}"
        f"<p>Another answer changes it:</p><ul>{turns}</ul>"
        f'<a href="{escape(advice.source)}">Read on at AWS</a> (checked {rules()["checked"]})</div>'
    )
