"""The quiz in Python: what the widget is given and hands on, and its twin in plain text."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from labs import settings
from labs.kit import quiz
from labs.kit.questions import Question, shuffled
from tests.browser.samples import MATCH, ONE, ORDER, QUESTIONS, SEVERAL

SEED = "seed"
RIGHT = {
    "port": "`-p 8080:80`",
    "survives": ["a named volume that it used", "its image"],  # as the seed shows them
    "way": [item.text for item in ORDER.items],
    "jobs": {pair.left: pair.right for pair in MATCH.pairs},
}
WRONG = {
    "port": "`-p 80:8080`",
    "survives": ["its image", "its logs"],
    "way": RIGHT["way"][::-1],
    "jobs": dict.fromkeys(RIGHT["jobs"], "keeps images"),
}
by_kind = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.kind)


@dataclass
class Terminal:
    """Somebody at a terminal who types the lines given, then ends the input; and what was answered and printed."""

    lines: Iterable[str]
    printed: list[str] = field(default_factory=list)
    answers: list[tuple[str, Any, bool]] = field(default_factory=list)

    def read(self, prompt: str) -> str:
        try:
            return next(self._typed)
        except StopIteration:
            raise EOFError from None

    def ask(self, questions: list[Question]) -> str:
        self._typed = iter(self.lines)
        quiz.ask(
            questions, SEED, lambda *answer: self.answers.append(answer), input=self.read, print=self.printed.append
        )
        return "\n".join(self.printed)


def typed(question: Question, answer: Any) -> str:
    """What somebody types who reads the question and means this answer."""
    shown = shuffled(question, SEED)
    if question.kind == "match":
        lefts = [pair.left for pair in question.pairs]
        return " ".join(f"{lefts.index(left) + 1}{'abcdef'[shown.index(right)]}" for left, right in answer.items())
    return " ".join(str(shown.index(text) + 1) for text in ([answer] if isinstance(answer, str) else answer))


# --- The widget ---


@pytest.fixture
def heard() -> list[tuple[str, Any, bool]]:
    return []


@pytest.fixture
def widget(heard: list[tuple[str, Any, bool]]) -> Any:
    return quiz.quiz_widget(QUESTIONS, SEED, {}, lambda *answer: heard.append(answer))


def _attempt(widget: Any, question: Question, answer: Any, number: int = 1) -> None:
    """What the browser sends."""
    widget.set_state({"attempt": {"id": question.id, "answer": answer, "number": number}})


@by_kind
@pytest.mark.parametrize(("answers", "right"), [(RIGHT, True), (WRONG, False)], ids=["right", "wrong"])
def test_a_checked_answer_is_handed_on_with_its_grade(
    widget: Any, heard: list[Any], question: Question, answers: dict[str, Any], right: bool
) -> None:
    _attempt(widget, question, answers[question.id])
    assert heard == [(question.id, answers[question.id], right)]


def test_the_same_answer_checked_again_is_handed_on_again(widget: Any, heard: list[Any]) -> None:
    _attempt(widget, ONE, WRONG["port"], 1)
    _attempt(widget, ONE, WRONG["port"], 2)
    assert [right for _, _, right in heard] == [False, False]


def test_earlier_answers_are_shown_again() -> None:
    assert quiz.quiz_widget(QUESTIONS, SEED, {**WRONG}, print).answers == WRONG


def test_answers_that_no_longer_fit_are_left_out() -> None:
    rewritten = replace(ONE, options=tuple(replace(option, text=option.text + " now") for option in ONE.options))
    longer = replace(ORDER, items=(*ORDER.items, replace(ORDER.items[0], text="watch it")))
    questions = [rewritten, SEVERAL, longer, MATCH]
    earlier = {**RIGHT, "jobs": ["keeps images"], "gone": "an answer to a question that is no more"}
    assert quiz.quiz_widget(questions, SEED, earlier, print).answers == {"survives": RIGHT["survives"]}


def test_the_browser_gets_the_options_in_the_order_of_the_seed(widget: Any) -> None:
    assert [entry["shown"] for entry in widget.questions] == [shuffled(question, SEED) for question in QUESTIONS]


def test_a_widget_in_words_is_the_same_in_every_run(widget: Any) -> None:
    assert repr(widget) == repr(quiz.quiz_widget(QUESTIONS, SEED, {}, print)) == "Quiz: 4 questions"


def test_the_plain_quiz_does_not_wait_for_the_widgets() -> None:
    code = "import sys; import labs.kit.quiz, labs.kit.walk; print('anywidget' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=settings.ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


# --- In plain text ---


@by_kind
def test_a_right_answer_typed_is_right_and_recorded(question: Question) -> None:
    terminal = Terminal([typed(question, RIGHT[question.id])])
    said = terminal.ask([question])
    [(name, answer, right)] = terminal.answers
    assert (name, right) == (question.id, True)
    assert quiz.grade(question, answer).right
    assert "\nRight.\n" in said
    assert "1 of 1 answers right; 0 of 1 questions left out." in said


@by_kind
def test_a_wrong_answer_typed_is_told_with_every_reason_and_the_source(question: Question) -> None:
    terminal = Terminal([typed(question, WRONG[question.id])])
    said = terminal.ask([question])
    assert terminal.answers == [(question.id, WRONG[question.id], False)]
    assert "Not right yet." in said
    for part in question.options or question.items or question.pairs:
        assert part.why in said
    assert f"Source: {question.source}, checked 2026-11-22" in said
    assert "0 of 1 answers right" in said


def test_the_verdict_says_which_option_was_chosen_and_which_is_right() -> None:
    said = Terminal([typed(ONE, WRONG["port"])]).ask([ONE])
    places = {text: n for n, text in enumerate(shuffled(ONE, SEED), 1)}
    assert f"{places['`-p 80:8080`']}. [wrong, your choice] -p 80:8080" in said
    assert f"{places['`-p 8080:80`']}. [right] -p 8080:80" in said


def test_what_is_partly_right_is_counted_in_words() -> None:
    assert "You chose 1 of 2 right options and 1 wrong." in Terminal([typed(SEVERAL, WRONG["survives"])]).ask([SEVERAL])
    half = [*RIGHT["way"][:2], *RIGHT["way"][:1:-1]]
    assert "2 of 4 in their places. The right order:" in Terminal([typed(ORDER, half)]).ask([ORDER])
    assert "1 of 3 in their places. The right pairs:" in Terminal([typed(MATCH, WRONG["jobs"])]).ask([MATCH])


NONSENSE: dict[str, list[str]] = {
    "one": ["0", "5", "-1", "1 2", "a", "1.", "²", "yes please", "`-p 8080:80`", "\x00", "9" * 5000],
    "several": ["0", "1 9", "1 1", "1,,x", "a b", "all", "12"],
    "order": ["1 2 3", "1 2 3 4 5", "1 1 2 3", "4321", "a b c d", "1-2-3-4"],
    "match": ["1a", "1a 2b", "1a 2b 3z", "1a 1b 2b 3c", "1a 2b 3c 4a", "abc", "1 2 3", "a1 b2 c3 d", "1a 2b 3c!?x"],
}


@pytest.mark.parametrize(
    ("question", "nonsense"), [(question, line) for question in QUESTIONS for line in NONSENSE[question.kind]]
)
def test_nonsense_is_asked_again_and_never_counted(question: Question, nonsense: str) -> None:
    terminal = Terminal([nonsense, typed(question, RIGHT[question.id])])
    said = terminal.ask([question])
    assert said.count("I cannot read") == 1
    assert [right for _, _, right in terminal.answers] == [True]


@pytest.mark.parametrize(
    ("question", "line"),
    [
        (SEVERAL, lambda line: line.replace(" ", ", ")),
        (ORDER, lambda line: line.replace(" ", ",")),
        (MATCH, lambda line: line.upper()),
        (MATCH, lambda line: line.replace(" ", "")),
        (MATCH, lambda line: re.sub(r"(\d)([a-z])", r"\1: \2;", line)),
    ],
)
def test_answers_may_be_written_in_several_ways(question: Question, line: Callable[[str], str]) -> None:
    terminal = Terminal([f"  {line(typed(question, RIGHT[question.id]))}  "])
    terminal.ask([question])
    assert [right for _, _, right in terminal.answers] == [True]


@pytest.mark.parametrize("lines", [["", "4", "q"], ["", "4"], ["", "4", "Q", "1"]], ids=["q", "end of input", "Q"])
def test_a_question_may_be_left_out_and_the_quiz_ended_anywhere(lines: list[str]) -> None:
    terminal = Terminal(lines)
    said = terminal.ask([replace(ONE, id="first"), ONE, ORDER, MATCH])
    assert [name for name, _, _ in terminal.answers] == ["port"]
    assert "1 of 1 answers right; 3 of 4 questions left out." in said
    assert ORDER.stem in said
    assert MATCH.stem not in said  # after the end nothing is asked


def test_no_input_at_all_ends_in_a_result() -> None:
    assert Terminal([]).ask(QUESTIONS).endswith("0 of 0 answers right; 4 of 4 questions left out.")


def test_input_comes_from_the_place_where_it_runs(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    answers: list[Any] = []
    monkeypatch.setattr("builtins.input", lambda prompt: typed(ONE, RIGHT["port"]))
    quiz.ask([ONE], SEED, lambda *answer: answers.append(answer))
    assert answers == [("port", RIGHT["port"], True)]
    assert "1 of 1 answers right" in capsys.readouterr().out


def test_the_quiz_to_read_asks_all_and_answers_after_the_last_question() -> None:
    asked, answers = quiz.as_text(QUESTIONS, SEED).split("Answers\n=======\n")
    for n, question in enumerate(QUESTIONS, 1):
        assert question.stem.replace("`", "") in asked
        for text in shuffled(question, SEED):
            assert text.replace("`", "") in asked
        assert f"Question {n}: {typed(question, RIGHT[question.id])}\n" in answers
        for part in question.options or question.items or question.pairs:
            assert part.why in answers
            assert part.why not in asked
        assert question.source in answers


def test_plain_text_has_no_marks_of_code() -> None:
    assert "`" not in quiz.as_text(QUESTIONS, SEED)
    assert "`" not in Terminal(["1", "1", "1 2 3 4"]).ask(QUESTIONS)
