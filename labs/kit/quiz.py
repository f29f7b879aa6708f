"""The quiz of a chapter, twice: as a widget for notebooks, and in plain text for every other place.

`quiz.js` draws the widget and grades it at once, so that it also works on a page without a kernel; every checked answer
comes back through the synced trait `attempt`. The questions stay `labs.kit.questions`' matter.
"""

from __future__ import annotations

import builtins
import re
import string
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labs.kit.browser import with_shared
from labs.kit.questions import Graded, Question, Reason, fits, grade, shuffled

if TYPE_CHECKING:
    import anywidget

OnAnswer = Callable[[str, Any, bool], None]

_HERE = Path(__file__).parent


def quiz_widget(
    questions: list[Question], seed: str, answers: dict[str, Any], on_answer: OnAnswer
) -> anywidget.AnyWidget:
    """The quiz as a widget: one question at a time, reasons after each answer, a result at the end.

    Args:
        questions: what to ask, in this order.
        seed: fixes the order of the options; the same seed shows the same order again.
        answers: earlier answers by question id, to show again. What no longer fits its question is left out.
        on_answer: called with question id, answer and whether it is right, each time that an answer is checked.
    """
    known = {question.id: question for question in questions}
    widget = _widget_class()(
        questions=[_for_browser(question, seed) for question in questions],
        answers={id: answer for id, answer in answers.items() if id in known and fits(known[id], answer)},
    )

    def heard(change: Any) -> None:
        question, answer = known[change.new["id"]], change.new["answer"]
        on_answer(question.id, answer, grade(question, answer).right)

    widget.observe(heard, "attempt")
    return widget


def ask(
    questions: list[Question],
    seed: str,
    on_answer: OnAnswer,
    input: Callable[[str], str] | None = None,
    print: Callable[[str], None] = builtins.print,
) -> None:
    """The quiz in plain text: numbered options, answers typed as numbers, reasons after each, a result at the end.

    An empty line leaves a question out; `q` or the end of input ends the quiz.

    Args:
        questions, seed, on_answer: as for `quiz_widget`.
        input, print: how to read a line and write one; without `input`, the way of this place, a notebook's included.
    """
    read = input or builtins.input  # looked up now: a kernel puts its own in its place while a cell runs
    print(f"{len(questions)} questions. Type your answer and press Enter. Enter alone leaves a question out, q ends.")
    right = answered = 0
    for number, question in enumerate(questions, 1):
        print("\n" + _question_text(question, number, len(questions), seed))
        answer = _read_answer(question, seed, read, print)
        if answer == "q":
            break
        if answer is None:
            continue
        graded = grade(question, answer)
        print(_verdict_text(question, seed, answer, graded))
        on_answer(question.id, answer, graded.right)
        answered += 1
        right += graded.right
    print(f"\n{right} of {answered} answers right; {len(questions) - answered} of {len(questions)} questions left out.")


def as_text(questions: list[Question], seed: str) -> str:
    """The quiz to read, for places that take no input: all questions, and after the last one the answers with reasons.

    Args:
        questions, seed: as for `quiz_widget`.
    """
    asked = [_question_text(question, n, len(questions), seed) for n, question in enumerate(questions, 1)]
    answers = [_key_text(question, n, seed) for n, question in enumerate(questions, 1)]
    return "\n\n".join([*asked, "Answers\n=======", *answers]) + "\n"


@cache
def _widget_class() -> type[anywidget.AnyWidget]:
    # Made on first use: anywidget takes longer to import than everything else that opening a chapter needs.
    import anywidget
    import traitlets

    class Quiz(anywidget.AnyWidget):
        """Traits: the questions as `quiz.js` takes them, the last answer to each, and the latest checked answer."""

        _esm = with_shared(_HERE / "quiz.js")
        _css = with_shared(_HERE / "quiz.css")
        questions = traitlets.List().tag(sync=True)
        answers = traitlets.Dict().tag(sync=True)
        attempt = traitlets.Dict().tag(sync=True)  # {"id": ..., "answer": ..., "number": counts up, so that it changes}

        def __repr__(self) -> str:
            return f"Quiz: {len(self.questions)} questions"

    return Quiz


def _for_browser(question: Question, seed: str) -> dict[str, Any]:
    parts = question.options or question.items or question.pairs
    return {
        "id": question.id,
        "kind": question.kind,
        "stem": question.stem,
        "shown": shuffled(question, seed),
        "parts": [vars(part) for part in parts],
        "source": question.source,
        "checked": question.checked,
    }


def _question_text(question: Question, number: int, of: int, seed: str) -> str:
    lines = [f"Question {number} of {of}", _plain(question.stem), ""]
    if question.kind == "match":
        lines += [f"  {n}. {_plain(pair.left)}" for n, pair in enumerate(question.pairs, 1)]
        lines += ["", *(f"  {letter}. {_plain(text)}" for letter, text in _lettered(question, seed))]
    else:
        lines += [f"  {n}. {_plain(text)}" for n, text in enumerate(shuffled(question, seed), 1)]
    return "\n".join([*lines, "", _how(question)])


def _how(question: Question) -> str:
    if question.kind == "one":
        return "One is right. Its number, for example: 2"
    if question.kind == "several":
        return f"{sum(option.right for option in question.options)} are right. Their numbers, for example: 1 3"
    if question.kind == "order":
        return f"All {len(question.items)} numbers in the right order, for example: 3 1 2 ..."
    return "Each number with its letter, for example: 1b 2a 3c ..."


def _read_answer(question: Question, seed: str, input: Callable[[str], str], print: Callable[[str], None]) -> Any:
    """An answer that fits; None for an empty line; "q" for the wish to end."""
    while True:
        try:
            line = input("> ").strip().lower()
        except EOFError:
            return "q"
        if not line:
            return None
        if line == "q":
            return "q"
        answer = _parse(question, line, seed)
        if answer is not None:
            return answer
        print(f"I cannot read {line!r} as an answer. {_how(question)}")


def _parse(question: Question, line: str, seed: str) -> Any | None:
    """The answer that a typed line means, or None."""
    if question.kind == "match":
        rights = dict(_lettered(question, seed))
        found = re.findall(r"(\d+)\W*([a-z])", line)
        lefts = {str(n): pair.left for n, pair in enumerate(question.pairs, 1)}
        if re.sub(r"\d+\W*[a-z]|[\s,;]", "", line) or len({number for number, _ in found}) != len(found):
            return None
        answer: Any = {lefts.get(number): rights.get(letter) for number, letter in found}
    else:
        shown = {str(n): text for n, text in enumerate(shuffled(question, seed), 1)}
        chosen = [shown.get(word) for word in re.split(r"[\s,;]+", line) if word]
        answer = chosen if question.kind != "one" else chosen[0] if len(chosen) == 1 else None
    return answer if fits(question, answer) else None


def _verdict_text(question: Question, seed: str, answer: Any, graded: Graded) -> str:
    lines = ["Right." if graded.right else f"Not right yet. {_score(question, answer, graded)}", ""]
    if question.options:
        chosen = [answer] if question.kind == "one" else answer
        shown = shuffled(question, seed)
        for reason in sorted(graded.reasons, key=lambda reason: shown.index(reason.text)):
            mark = ("right" if reason.right else "wrong") + (", your choice" if reason.text in chosen else "")
            lines += _reason_lines(f"{shown.index(reason.text) + 1}. [{mark}]", reason)
    elif question.kind == "order":
        for place, reason in enumerate(graded.reasons, 1):
            lines += _reason_lines(
                f"{place}. [{'you had it here' if reason.right else 'you had it elsewhere'}]", reason
            )
    else:
        for number, reason in enumerate(graded.reasons, 1):
            lines += _reason_lines(f"{number}. [{'you had it' if reason.right else 'you had another'}]", reason)
    return "\n".join([*lines, "", f"  {_source(question)}"])


def _reason_lines(mark: str, reason: Reason) -> list[str]:
    return [f"  {mark} {_plain(reason.text)}", f"     {_plain(reason.why)}"]


def _score(question: Question, answer: Any, graded: Graded) -> str:
    hits, of = sum(reason.right for reason in graded.reasons), len(graded.reasons)
    if question.kind == "one":
        return "Here is why:"
    if question.kind == "several":
        keys = {option.text for option in question.options if option.right}
        wrong = len(set(answer) - keys)
        return f"You chose {len(keys & set(answer))} of {len(keys)} right options and {wrong} wrong."
    return f"{hits} of {of} in their places. The right {'order' if question.kind == 'order' else 'pairs'}:"


def _key_text(question: Question, number: int, seed: str) -> str:
    shown = shuffled(question, seed)
    letters = {text: letter for letter, text in _lettered(question, seed)}
    if question.kind == "match":
        key = " ".join(f"{n}{letters[pair.right]}" for n, pair in enumerate(question.pairs, 1))
        reasons = [(f"{n}{letters[pair.right]}", pair.why) for n, pair in enumerate(question.pairs, 1)]
    elif question.kind == "order":
        reasons = [(str(shown.index(item.text) + 1), item.why) for item in question.items]
        key = " ".join(place for place, _ in reasons)
    else:
        numbered = sorted((shown.index(option.text) + 1, option) for option in question.options)
        key = " ".join(str(n) for n, option in numbered if option.right)
        reasons = [(f"{n}, {'right' if option.right else 'wrong'}", option.why) for n, option in numbered]
    lines = [f"Question {number}: {key}", *(f"  {place}: {_plain(why)}" for place, why in reasons)]
    return "\n".join([*lines, f"  {_source(question)}"])


def _source(question: Question) -> str:
    return f"Source: {question.source}, checked {question.checked}"


def _lettered(question: Question, seed: str) -> list[tuple[str, str]]:
    return list(zip(string.ascii_lowercase, shuffled(question, seed), strict=False))


def _plain(text: str) -> str:
    """Text without the marks of code spans, which a screen reader would spell out."""
    return text.replace("`", "")
