"""Questions: what can be loaded, every rule that a bad question breaks, grading, and an order that a seed fixes."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from labs import settings
from labs.kit import questions, syllabus
from labs.kit.questions import Item, Option, Pair, Question, faults, grade, load, shuffled
from tests.browser.samples import MATCH, ONE, ORDER, QUESTIONS, SEVERAL, entry, write_questions


def _ten(*changed: Question) -> list[Question]:
    """The questions given, and good ones to make ten."""
    return [*changed, *(replace(SEVERAL, id=f"good-{n}") for n in range(10 - len(changed)))]


# --- Loading ---


def test_a_file_becomes_its_questions(tmp_path: Path) -> None:
    assert load(write_questions(tmp_path / "questions.yaml"))[:4] == QUESTIONS


def test_a_date_stays_the_text_that_it_is_with_and_without_quotes(tmp_path: Path) -> None:
    file = write_questions(tmp_path / "questions.yaml")
    assert "'2026-11-22'" in file.read_text()
    file.write_text(file.read_text().replace("'2026-11-22'", "2026-11-22"))
    assert load(file)[0].checked == "2026-11-22"


@pytest.mark.parametrize("slug", syllabus.ready())
def test_questions_of_a_chapter_keep_all_rules(slug: str) -> None:
    assert faults(load(settings.LABS / slug / "questions.yaml")) == []


def test_loading_does_not_wait_for_the_schema(tmp_path: Path) -> None:
    file = write_questions(tmp_path / "questions.yaml")
    code = (
        "import sys; from pathlib import Path; from labs.kit import questions; "
        f"print(len(questions.load(Path({str(file)!r}))), 'jsonschema' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=settings.ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["10", "False"]


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in entry(ONE).items() if key != name}


NOT_LOADED = {
    "no YAML": ("questions: [", "no valid YAML"),
    "empty": ("", "None is not of type 'object'"),
    "a list": (yaml.safe_dump([entry(ONE)]), "is not of type 'object'"),
    "more than questions": (yaml.safe_dump({"questions": [], "answers": []}), "'answers' was unexpected"),
    "a word for a question": ([entry(ONE), "what?"], "question 2: 'what?' is not of type 'object'"),
    "without topics": ([_without("topics")], "question port: 'topics' is a required property"),
    "without exams": ([_without("exams")], "question port: 'exams' is a required property"),
    "without a source": ([_without("source")], "question port: 'source' is a required property"),
    "without options": ([_without("options")], "question port: kind 'one' takes 'options', and no other"),
    "a key nobody knows": ([entry(ONE, hint="think")], "'hint' was unexpected"),
    "a list for a kind": ([entry(ONE, kind=["one"])], "question port, kind: ['one'] is not one of"),
    "a kind nobody knows": ([entry(ONE, kind="guess")], "question port, kind: 'guess' is not one of"),
    "items for options": ([entry(ORDER, kind="one")], "question way: kind 'one' takes 'options', and no other"),
    "an option without a reason": (
        [entry(ONE, options=[{"text": "yes", "right": True}, *entry(ONE)["options"]])],
        "question port, options, no. 1: 'why' is a required property",
    ),
}


@pytest.mark.parametrize(("content", "told"), NOT_LOADED.values(), ids=NOT_LOADED.keys())
def test_what_is_no_question_is_refused_with_its_place(tmp_path: Path, content: Any, told: str) -> None:
    file = tmp_path / "questions.yaml"
    if isinstance(content, str):
        file.write_text(content)
    else:
        write_questions(file, content)
    with pytest.raises(ValueError, match=re.escape(told)) as raised:
        load(file)
    assert "questions.yaml" in str(raised.value)


# --- The rules ---


def _options(*texts: str, right: int = 0) -> tuple[Option, ...]:
    return tuple(Option(text, n == right, f"Reason {n}.") for n, text in enumerate(texts))


BROKEN: dict[str, tuple[Question, str]] = {
    # the schema's
    "id": (replace(ONE, id="Port 80"), "question Port 80, id: 'Port 80' does not match"),
    "topic": (replace(ONE, topics=("docker",)), "question port, topics, no. 1: 'docker' does not match"),
    "no topic": (replace(ONE, topics=()), "question port, topics: [] should be non-empty"),
    "source": (replace(ONE, source="http://docs.docker.com"), "question port, source: "),
    "date": (replace(ONE, checked="22.11.2026"), "question port, checked: '22.11.2026' is not a 'date'"),
    "difficulty": (replace(ONE, difficulty=4), "question port, difficulty: 4 is greater than the maximum of 3"),
    "no stem": (replace(ONE, stem=" "), "question port, stem: ' ' does not match"),
    "stem no text": (replace(ONE, stem=80), "question port, stem: 80 is not of type 'string'"),  # type: ignore[arg-type]
    "two options": (replace(ONE, options=ONE.options[:2]), "question port, options: "),
    "no reason": (
        replace(ONE, options=(*ONE.options[:3], Option("`-P`", False, ""))),
        "question port, options, no. 4, why: '' should be non-empty",
    ),
    "right no truth": (
        replace(ONE, options=(*ONE.options[:3], Option("`-P`", "no", "It picks ports."))),  # type: ignore[arg-type]
        "question port, options, no. 4, right: 'no' is not of type 'boolean'",
    ),
    "two kinds in one": (replace(ONE, items=ORDER.items), "question port: kind 'one' takes 'options'"),
    # the rules beyond it
    "nothing right": (
        replace(ONE, options=_options("one", "two", "three", right=9)),
        "port: exactly one option must be right, not 0.",
    ),
    "two right of one": (
        replace(ONE, options=tuple(replace(option, right=n < 2) for n, option in enumerate(ONE.options))),
        "port: exactly one option must be right, not 2.",
    ),
    "one right of several": (
        replace(SEVERAL, options=_options("one", "two", "three")),
        "survives: two or more options must be right and at least one wrong; 1 are right.",
    ),
    "all right of several": (
        replace(SEVERAL, options=tuple(replace(option, right=True) for option in SEVERAL.options)),
        "survives: two or more options must be right and at least one wrong; 4 are right.",
    ),
    "lengths": (
        replace(ONE, options=_options("short", "brief", "a text that goes on and on " * 3)),
        "port: the longest option has 81 characters and the shortest 5,",
    ),
    "a text twice": (
        replace(ONE, options=_options("one", "two", "two")),
        "port: the text 'two' is there more than once.",
    ),
    "an item twice": (
        replace(ORDER, items=(*ORDER.items, Item("create the service", "Again."))),
        "way: the text 'create the service' is there more than once.",
    ),
    "a reason twice": (
        replace(ONE, options=(*ONE.options[:3], Option("`-P`", False, ONE.options[2].why))),
        "port: the reason 'This only documents a port. Nothing is published.' is there more than once.",
    ),
    "a left twice": (
        replace(MATCH, pairs=(*MATCH.pairs, Pair("Amazon ECR", "scans images", "It can."))),
        "jobs: the left 'Amazon ECR' is there more than once.",
    ),
    "a right twice": (
        replace(MATCH, pairs=(*MATCH.pairs, Pair("Docker Hub", "keeps images", "It can."))),
        "jobs: the right 'keeps images' is there more than once.",
    ),
}


@pytest.mark.parametrize(("bad", "told"), BROKEN.values(), ids=BROKEN.keys())
def test_a_rule_finds_the_question_that_breaks_it(bad: Question, told: str) -> None:
    found = faults(_ten(bad))
    assert [line for line in found if line.startswith(told)], found


def test_good_questions_have_no_fault() -> None:
    assert faults(_ten(*QUESTIONS)) == []


def test_fewer_than_ten_questions_are_too_few() -> None:
    assert [line for line in faults(_ten()[:9]) if "too short" in line]


def test_an_id_is_used_once() -> None:
    assert faults(_ten(ONE, replace(ORDER, id=ONE.id))) == ["port: this id is used 2 times."]


NEGATIVE = [
    "Which of these is NOT a volume?",
    "All of these hold, except",
    "Which of these is not a volume?",
    "Which command does not publish a port?",
    "What isn't removed with a container?",
    "What isn’t removed with a container?",
    "Which statement is false?",
    "Which of the answers is incorrect?",
]
POSITIVE = [
    "Why does the task not start?",
    "A task cannot pull its image. What is missing?",
    "Which of these keeps data?",
    "A client is not reached. Which option of `docker run` mends that?",
]


@pytest.mark.parametrize("stem", NEGATIVE)
def test_a_stem_does_not_ask_for_what_is_wrong(stem: str) -> None:
    assert [line for line in faults(_ten(replace(ONE, stem=stem))) if "asks for what is wrong" in line]


@pytest.mark.parametrize("stem", POSITIVE)
def test_a_stem_may_tell_of_what_does_not_work(stem: str) -> None:
    assert faults(_ten(replace(ONE, stem=stem))) == []


@pytest.mark.parametrize(
    "text", ["All of the above", "None of these.", "Both of these answers", "none of those options", "any of the above"]
)
def test_an_option_does_not_speak_of_the_others(text: str) -> None:
    bad = replace(ONE, options=_options("`-p 8080:80`", "`-p 80:8080`", text))
    assert [line for line in faults(_ten(bad)) if "speaks of other options" in line]


def test_the_right_option_is_the_longest_in_half_of_the_questions_at_most() -> None:
    def one(n: int, *, longest: bool) -> Question:
        right = "the longest of them all" if longest else "short"
        return replace(ONE, id=f"one-{n}", options=_options(right, "one of them", "two of them"))

    half = _ten(one(1, longest=True), one(2, longest=True), one(3, longest=False), one(4, longest=False))
    more = _ten(one(1, longest=True), one(2, longest=True), one(3, longest=False))
    assert faults(half) == []
    assert [line for line in faults(more) if line.startswith("The right option is the longest one in 2 of 3")]


# --- Grading ---

RIGHT = {
    "one": "`-p 8080:80`",
    "several": ["a named volume that it used", "its image"],
    "order": ["build the image", "push it to the registry", "register a task definition", "create the service"],
    "match": {
        "AWS Fargate": "provides CPU and memory",
        "Amazon ECR": "keeps images",
        "Amazon ECS": "starts and replaces tasks",
    },
}
by_kind = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.kind)


@by_kind
def test_the_right_answer_is_right_with_a_reason_for_each_part(question: Question) -> None:
    graded = grade(question, RIGHT[question.kind])
    parts = question.options or question.items or question.pairs
    assert graded.right
    assert graded.share == 1
    assert [reason.why for reason in graded.reasons] == [part.why for part in parts]


PARTLY = {
    "wrong option": (ONE, "`--expose 8080`", 0),
    "half of several": (SEVERAL, ["its image"], 1 / 2),
    "half of several and one wrong": (SEVERAL, ["its image", "its logs"], 0),
    "all of several and one wrong": (SEVERAL, ["its logs", *RIGHT["several"]], 1 / 2),
    "everything": (SEVERAL, [option.text for option in SEVERAL.options], 0),
    "only wrong ones": (SEVERAL, ["its logs", "its writable layer"], 0),
    "two items in their places": (ORDER, [*RIGHT["order"][:2], *RIGHT["order"][:1:-1]], 1 / 2),
    "all items moved by one": (ORDER, [*RIGHT["order"][1:], RIGHT["order"][0]], 0),
    "one pair of three": (
        MATCH,
        {**RIGHT["match"], "AWS Fargate": "keeps images", "Amazon ECR": "provides CPU and memory"},
        1 / 3,
    ),
    "one right for all": (MATCH, dict.fromkeys(RIGHT["match"], "keeps images"), 1 / 3),
}


@pytest.mark.parametrize(("question", "answer", "share"), PARTLY.values(), ids=PARTLY.keys())
def test_what_is_partly_right_is_not_right_and_has_its_share(question: Question, answer: Any, share: float) -> None:
    graded = grade(question, answer)
    assert not graded.right
    assert graded.share == pytest.approx(share)


def test_reasons_of_an_order_say_what_was_in_its_place() -> None:
    swapped = ["push it to the registry", "build the image", "register a task definition", "create the service"]
    assert [reason.right for reason in grade(ORDER, swapped).reasons] == [False, False, True, True]


MALFORMED: dict[str, list[Any]] = {
    "one": [None, "", 1, "`-p 80:80`", ["`-p 8080:80`"], {"`-p 8080:80`": True}],
    "several": [None, [], "its image", ["its image", "its image"], ["its image", "its name"], [["its image"]], [1], {}],
    "order": [
        None,
        [],
        RIGHT["order"][:3],
        [*RIGHT["order"], "rest"],
        ["build the image"] * 4,
        "build the image",
        [{}],
    ],
    "match": [
        None,
        {},
        [],
        "Amazon ECR",
        {"Amazon ECR": "keeps images"},
        {**RIGHT["match"], "Docker": "keeps images"},
        {**RIGHT["match"], "Amazon ECR": "bakes bread"},
        {**RIGHT["match"], "Amazon ECR": ["keeps images"]},
    ],
}


@pytest.mark.parametrize(
    ("question", "answer"), [(question, answer) for question in QUESTIONS for answer in MALFORMED[question.kind]]
)
def test_what_is_no_answer_is_refused(question: Question, answer: Any) -> None:
    assert not questions.fits(question, answer)
    with pytest.raises(ValueError, match=f"no answer to the question '{question.id}'"):
        grade(question, answer)


# --- Order ---


@by_kind
def test_the_same_seed_shows_the_same_order_of_the_same_things(question: Question) -> None:
    shown = shuffled(question, "a seed")
    texts = [part.text for part in question.options or question.items] or [pair.right for pair in question.pairs]
    assert sorted(shown) == sorted(texts)
    # Moving options in the file does not change what a learner sees.
    moved = replace(question, options=question.options[::-1], pairs=question.pairs[::-1])
    assert shown == shuffled(question, "a seed") == shuffled(moved, "a seed")


@by_kind
def test_other_seeds_show_other_orders(question: Question) -> None:
    assert len({tuple(shuffled(question, str(seed))) for seed in range(30)}) > 3


def test_the_right_option_comes_at_every_place() -> None:
    places = [shuffled(ONE, str(seed)).index("`-p 8080:80`") for seed in range(200)]
    assert all(places.count(place) > 25 for place in range(4))


def test_the_order_is_the_same_on_every_system_and_python() -> None:
    assert shuffled(ONE, "seed") == ["`-e PORT=8080`", "`--expose 8080`", "`-p 80:8080`", "`-p 8080:80`"]


def test_items_never_come_in_the_right_order() -> None:
    right = [item.text for item in ORDER.items]
    assert all(shuffled(ORDER, str(seed)) != right for seed in range(200))
