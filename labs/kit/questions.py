"""The questions of a chapter: read, held to the rules, shuffled, graded. Plain values, no widgets.

An answer is JSON and is written in the words of the options, not in their numbers, so that a stored answer still means
the same after an author has moved an option, and no longer fits after an author has rewritten it:

| kind      | answer                                         |
|-----------|------------------------------------------------|
| `one`     | the text of the chosen option                  |
| `several` | a list of the texts of the chosen options      |
| `order`   | a list of all items' texts, first to last      |
| `match`   | an object with the chosen right for every left |
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from labs.kit import content

SCHEMA = Path(__file__).with_name("schemas") / "questions.json"

# The longest option may be this many times the shortest one, which counts as at least `SHORT` characters.
LENGTH_RATIO = 3.0
SHORT = 25

# Where each kind keeps what is to be chosen, put in order or matched.
_PARTS = {"one": "options", "several": "options", "order": "items", "match": "pairs"}

_CATCH_ALL = re.compile(
    r"\b(all|none|both|neither|any) of (the|these|those)( options| answers)?( above| below)?\W*$", re.I
)
# 'Which of these is not ...', 'Which statement does not ...', 'What is false'; but not 'Why does the task not start?'.
_NEGATIVE = re.compile(
    r"\bNOT\b|\b[Ee]xcept\b|\bEXCEPT\b"
    r"|(?i:\b(?:which|what)(?: \w+){0,3} (?:is|are|does|do|can|will|would|should)"
    r"(?: not\b|n['’]t\b| (?:false|incorrect|untrue)\b))"
)


@dataclass(frozen=True)
class Exam:
    """An exam that covers the question, and the number of the domain in its guide."""

    exam: str
    domain: int


@dataclass(frozen=True)
class Option:
    """One option of `one` and `several`, and why it is right or wrong."""

    text: str
    right: bool
    why: str


@dataclass(frozen=True)
class Item:
    """One item of `order`, and why it stands in its place."""

    text: str
    why: str


@dataclass(frozen=True)
class Pair:
    """Two things of `match` that belong together, and why."""

    left: str
    right: str
    why: str


@dataclass(frozen=True)
class Question:
    """One question. Its kind says which of `options`, `items` (in the right order) and `pairs` is filled."""

    id: str
    topics: tuple[str, ...]
    exams: tuple[Exam, ...]
    kind: Literal["one", "several", "order", "match"]
    stem: str
    source: str
    checked: str
    difficulty: int
    options: tuple[Option, ...] = ()
    items: tuple[Item, ...] = ()
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class Reason:
    """Why, for one part of a question.

    Args:
        text: the option, the item, or `left: right` of a pair.
        right: for options, whether it is one to choose; for items and pairs, whether the answer had it in its place.
        why: the author's reason.
    """

    text: str
    right: bool
    why: str


@dataclass(frozen=True)
class Graded:
    """What an answer is worth: wholly right or not, its share from 0 to 1, and a reason for each part."""

    right: bool
    share: float
    reasons: tuple[Reason, ...]


def load(path: Path) -> list[Question]:
    """Read the questions of a chapter.

    Args:
        path: a YAML file that follows `schemas/questions.json`.

    Returns:
        the questions in the order of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no YAML, or no questions can be made of it; the message says where and how it breaks
            the schema. What can be asked all the same is for `faults` to find: checking a schema takes a second.
    """
    data = content.read(path, _loader())
    try:
        return [_question(**entry) for entry in _only(**data)]
    except (KeyError, TypeError) as error:
        lines = "\n".join(f"- {line}" for line in _schema_faults(data))
        raise ValueError(f"{path} does not follow the schema of questions:\n{lines}") from error


def faults(questions: list[Question]) -> list[str]:
    """What is wrong with the questions of a file, one sentence each; empty when all is well.

    What breaks the schema comes alone: the rules beyond it can be looked at only once it holds.
    """
    if found := _schema_faults({"questions": [_entry(question) for question in questions]}):
        return found
    ids = [question.id for question in questions]
    found += [f"{id}: this id is used {ids.count(id)} times." for id in sorted(set(ids)) if ids.count(id) > 1]
    for question in questions:
        found += [f"{question.id}: {fault}" for fault in _question_faults(question)]
    ones = [question for question in questions if question.kind == "one"]
    longest = [question.id for question in ones if _right_is_longest(question)]
    if len(longest) > len(ones) / 2:
        found.append(
            f"The right option is the longest one in {len(longest)} of {len(ones)} questions with one right option; "
            f"at most half of them may have it: {', '.join(longest)}."
        )
    return found


def fits(question: Question, answer: Any) -> bool:
    """Whether this is an answer to this question: of its shape, complete, and in the words of its options."""
    if question.kind == "one":
        return isinstance(answer, str) and answer in _texts(question)
    if question.kind == "match":
        return (
            isinstance(answer, dict)
            and set(answer) == {pair.left for pair in question.pairs}
            and all(isinstance(right, str) for right in answer.values())
            and set(answer.values()) <= set(_texts(question))
        )
    if not isinstance(answer, list) or not all(isinstance(text, str) for text in answer):
        return False
    if len(set(answer)) != len(answer):
        return False
    if question.kind == "order":
        return set(answer) == set(_texts(question))
    return bool(answer) and set(answer) <= set(_texts(question))


def grade(question: Question, answer: Any) -> Graded:
    """Grade an answer.

    The share of `several` is (right options chosen - wrong options chosen) / right options, not below 0; of `order` and
    `match` the part of items and pairs in their places.

    Args:
        answer: as the table at the top of this module says.

    Raises:
        ValueError: this is no answer to this question.
    """
    if not fits(question, answer):
        raise ValueError(f"This is no answer to the question {question.id!r} of kind {question.kind!r}: {answer!r}")
    if question.kind in ("one", "several"):
        chosen = {answer} if question.kind == "one" else set(answer)
        keys = {option.text for option in question.options if option.right}
        share = max(0.0, (len(chosen & keys) - len(chosen - keys)) / len(keys))
        reasons = tuple(Reason(option.text, option.right, option.why) for option in question.options)
        return Graded(chosen == keys, share, reasons)
    if question.kind == "order":
        reasons = tuple(
            Reason(item.text, placed == item.text, item.why)
            for item, placed in zip(question.items, answer, strict=True)
        )
    else:
        reasons = tuple(
            Reason(f"{pair.left}: {pair.right}", answer[pair.left] == pair.right, pair.why) for pair in question.pairs
        )
    hits = sum(reason.right for reason in reasons)
    return Graded(hits == len(reasons), hits / len(reasons), reasons)


def shuffled(question: Question, seed: str) -> list[str]:
    """What a learner chooses from, in an order that the seed fixes: the options, the items, or the rights of the pairs.

    The same seed gives the same order on every system and Python. Items of `order` never come in the right order.
    """
    texts = _texts(question)
    mixed = sorted(texts, key=lambda text: sha256(f"{seed}\n{question.id}\n{text}".encode()).digest())
    if question.kind == "order" and mixed == texts:
        mixed = [*mixed[1:], mixed[0]]
    return mixed


def _texts(question: Question) -> list[str]:
    """The options, the items or the rights of the pairs, as the file has them."""
    if question.kind == "match":
        return [pair.right for pair in question.pairs]
    return [part.text for part in (question.options or question.items)]


def _question_faults(question: Question) -> list[str]:
    found = []
    rights = sum(option.right for option in question.options)
    if question.kind == "one" and rights != 1:
        found.append(f"exactly one option must be right, not {rights}.")
    if question.kind == "several" and not 2 <= rights < len(question.options):
        found.append(f"two or more options must be right and at least one wrong; {rights} are right.")
    if negative := _NEGATIVE.search(question.stem):
        found.append(f"the stem asks for what is wrong ({negative[0]!r}). Ask for what is right.")
    for option in question.options:
        if _CATCH_ALL.search(option.text):
            found.append(f"the option {option.text!r} speaks of other options, which are shuffled.")
    for what, texts in _must_differ(question).items():
        found += [
            f"the {what} {text!r} is there more than once." for text in dict.fromkeys(texts) if texts.count(text) > 1
        ]
    if question.options:
        lengths = [len(option.text) for option in question.options]
        if max(lengths) > LENGTH_RATIO * max(min(lengths), SHORT):
            found.append(
                f"the longest option has {max(lengths)} characters and the shortest {min(lengths)}, "
                "which gives the answer away. Make them alike."
            )
    return found


def _must_differ(question: Question) -> dict[str, list[str]]:
    parts = question.options or question.items or question.pairs
    texts = {"reason": [part.why.strip() for part in parts]}
    if question.kind == "match":
        return {
            **texts,
            "left": [pair.left for pair in question.pairs],
            "right": [pair.right for pair in question.pairs],
        }
    return {**texts, "text": _texts(question)}


def _right_is_longest(question: Question) -> bool:
    right = [len(option.text) for option in question.options if option.right]
    wrong = [len(option.text) for option in question.options if not option.right]
    return bool(right and wrong) and max(right) > max(wrong)


def _only(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a file holds: nothing but questions. As with `_question`, anything else raises TypeError."""
    return questions


def _question(
    topics: list[str],
    exams: list[Any],
    options: Sequence[Any] = (),
    items: Sequence[Any] = (),
    pairs: Sequence[Any] = (),
    **rest: Any,
) -> Question:
    """A question of its entry in the file. What is missing or unknown raises TypeError or KeyError."""
    question = Question(
        topics=tuple(topics),
        exams=tuple(Exam(**exam) for exam in exams),
        options=tuple(Option(**option) for option in options),
        items=tuple(Item(**item) for item in items),
        pairs=tuple(Pair(**pair) for pair in pairs),
        **rest,
    )
    if not getattr(question, _PARTS[question.kind]):
        raise TypeError(f"A question of kind {question.kind!r} has {_PARTS[question.kind]}.")
    return question


def _entry(question: Question) -> dict[str, Any]:
    """The entry that a question has in its file."""
    entry = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(question).items()}
    return {name: value for name, value in entry.items() if value or name not in _PARTS.values()}


def _schema_faults(data: Any) -> list[str]:
    from jsonschema import Draft202012Validator

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    found = []
    for error in sorted(validator.iter_errors(data), key=lambda error: [str(part) for part in error.absolute_path]):
        path, message = list(error.absolute_path), error.message
        if error.validator == "oneOf":  # the parts of each kind: the schema's own words for it tell nothing
            kind = error.instance.get("kind") if isinstance(error.instance, dict) else None
            if kind not in list(_PARTS):
                continue  # told by an error of its own
            message = f"kind {kind!r} takes {_PARTS[kind]!r}, and no other of 'options', 'items' and 'pairs'"
        if path[:1] == ["questions"] and len(path) > 1:
            entry = data["questions"][path[1]]
            name = entry.get("id") if isinstance(entry, dict) else None
            path[:2] = [f"question {name or path[1] + 1}"]
        place = ", ".join(f"no. {part + 1}" if isinstance(part, int) else str(part) for part in path)
        found.append(f"{place or 'the file'}: {message}")
    return found


@cache
def _loader() -> Any:
    """A safe YAML loader that leaves a date as the text it is."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own way)
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    return Loader
