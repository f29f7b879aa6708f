"""The syllabus: parts, chapters, topics and exams, read from `notebooks/syllabus.yaml`, the one list of them."""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal

from labs import settings
from labs.kit import content

FILE = settings.NOTEBOOKS / "syllabus.yaml"
SCHEMA = settings.LABS / "kit/schemas/syllabus.json"


@dataclass(frozen=True)
class Part:
    """A group of chapters, e.g. `Amazon ECS`."""

    id: str
    title: str


@dataclass(frozen=True)
class Chapter:
    """One chapter.

    Args:
        number: its place in the course, from 0.
        slug: its one address: names the notebook, its lab, its pictures and its questions.
        title: its name for a reader.
        part: the id of its part.
        minutes: for a learner who does the exercises; of a planned chapter a first estimate.
        needs: of `docker` (an engine) and `cloud` (the local AWS).
        prerequisites: slugs of the chapters to do before.
        state: `ready` (it can be opened) or `planned`.
    """

    number: int
    slug: str
    title: str
    part: str
    minutes: int
    needs: tuple[str, ...]
    prerequisites: tuple[str, ...]
    state: Literal["ready", "planned"]


@dataclass(frozen=True)
class Topic:
    """One thing to know, e.g. `E21`, and the slug of the chapter that teaches it."""

    id: str
    title: str
    chapter: str


@dataclass(frozen=True)
class Domain:
    """One domain of an exam guide; its weight is per cent of the scored questions."""

    number: int
    title: str
    weight: int


@dataclass(frozen=True)
class Exam:
    """One exam, as its guide describes it.

    Args:
        id: its code, e.g. `SAA-C03`.
        name: the certificate.
        scored, unscored: numbers of questions.
        pass_mark: on the scale from 100 to 1000.
        domains: in the guide's order; their weights sum to 100.
        source: the address of the guide.
        checked: the day on which the guide was read, as `2026-11-22`.
        valid_from: the first day of this version, as `2026-12-01`, where the guide names one.
    """

    id: str
    name: str
    scored: int
    unscored: int
    pass_mark: int
    domains: tuple[Domain, ...]
    source: str
    checked: str
    valid_from: str | None = None


@dataclass(frozen=True)
class Syllabus:
    """The whole list; every tuple keeps the file's order."""

    parts: tuple[Part, ...]
    chapters: tuple[Chapter, ...]
    topics: tuple[Topic, ...]
    exams: tuple[Exam, ...]


@cache
def load(file: Path = FILE) -> Syllabus:
    """Read the syllabus.

    The file is part of the course and held to its schema by the tests (see `faults`), not at every opening of a
    chapter: importing jsonschema alone takes about a second.
    """
    data = content.read(file)
    return Syllabus(
        parts=tuple(Part(**part) for part in data["parts"]),
        chapters=tuple(_chapter(entry) for entry in data["chapters"]),
        topics=tuple(Topic(**topic) for topic in data["topics"]),
        exams=tuple(_exam(exam) for exam in data["exams"]),
    )


def chapter(slug: str) -> Chapter:
    """The chapter of this slug, ready or planned.

    Raises:
        LookupError: there is none; the message names the nearest one.
    """
    known = {entry.slug: entry for entry in load().chapters}
    if slug in known:
        return known[slug]
    near = get_close_matches(slug, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
    raise LookupError(f"The course has no chapter {slug!r}. {hint}")


def notebook_path(slug: str) -> Path:
    """The original notebook of a chapter, e.g. `notebooks/12_ecs_service.ipynb`; of a planned one it is not there yet.

    Raises:
        LookupError: there is no such chapter.
    """
    return settings.NOTEBOOKS / f"{chapter(slug).number:02d}_{slug}.ipynb"


def next_ready(slug: str) -> Chapter | None:
    """The first chapter after this one that can be opened; None after the last.

    Raises:
        LookupError: there is no chapter of this slug.
    """
    here = chapter(slug).number
    return next((entry for entry in load().chapters if entry.number > here and entry.state == "ready"), None)


def ready() -> list[str]:
    """The slugs of the chapters that can be opened, in their order."""
    return [entry.slug for entry in load().chapters if entry.state == "ready"]


def topics(slug: str) -> tuple[Topic, ...]:
    """The topics that a chapter teaches; empty for a chapter about the course itself."""
    return tuple(topic for topic in load().topics if topic.chapter == slug)


def faults(data: dict[str, Any]) -> list[str]:
    """What is wrong with a syllabus, a sentence each; empty when it holds. For tests and authors.

    Args:
        data: the content of a syllabus file.
    """
    import json

    import jsonschema

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    found = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(data)]
    return found or [*_chapter_faults(data), *_topic_faults(data), *_exam_faults(data)]


def _chapter_faults(data: dict[str, Any]) -> list[str]:
    found = [f"parts: {again!r} is there twice." for again in _repeated(part["id"] for part in data["parts"])]
    found += [f"chapters: {again!r} is there twice." for again in _repeated(c["slug"] for c in data["chapters"])]
    parts = [part["id"] for part in data["parts"]]
    earlier: dict[str, str] = {}
    for position, entry in enumerate(data["chapters"]):
        name = f"chapter {entry['slug']}"
        if entry["number"] != position:
            found.append(f"{name} has the number {entry['number']} and stands at place {position}.")
        if entry["part"] not in parts:
            found.append(f"{name} is in the unknown part {entry['part']!r}.")
        for slug in entry["prerequisites"]:
            if slug not in earlier:
                found.append(f"{name} needs {slug!r}, which is no earlier chapter.")
            elif entry["state"] == "ready" and earlier[slug] != "ready":
                found.append(f"{name} is ready but needs {slug!r}, which is not.")
        earlier[entry["slug"]] = entry["state"]
    order = [parts.index(entry["part"]) for entry in data["chapters"] if entry["part"] in parts]
    if order != sorted(order):
        found.append("chapters: they do not follow the order of the parts.")
    if empty := [part for part in parts if part not in {entry["part"] for entry in data["chapters"]}]:
        found.append(f"parts without a chapter: {', '.join(empty)}.")
    return found


def _topic_faults(data: dict[str, Any]) -> list[str]:
    known = {entry["slug"] for entry in data["chapters"]}
    found = [f"topics: {again!r} is there twice." for again in _repeated(topic["id"] for topic in data["topics"])]
    found += [f"topics: the title {again!r} is there twice." for again in _repeated(t["title"] for t in data["topics"])]
    strays = (topic for topic in data["topics"] if topic["chapter"] not in known)
    return found + [f"topic {topic['id']} is in the unknown chapter {topic['chapter']!r}." for topic in strays]


def _exam_faults(data: dict[str, Any]) -> list[str]:
    found = [f"exams: {again!r} is there twice." for again in _repeated(exam["id"] for exam in data["exams"])]
    for exam in data["exams"]:
        if (total := sum(domain["weight"] for domain in exam["domains"])) != 100:
            found.append(f"exam {exam['id']}: the weights of its domains sum to {total}, not to 100.")
        if [domain["number"] for domain in exam["domains"]] != list(range(1, len(exam["domains"]) + 1)):
            found.append(f"exam {exam['id']}: its domains are not numbered from 1 in order.")
    return found


def _repeated(values: Any) -> list[str]:
    seen: set[str] = set()
    return sorted({value for value in values if value in seen or seen.add(value)})


def _chapter(entry: dict[str, Any]) -> Chapter:
    return Chapter(**entry | {"needs": tuple(entry["needs"]), "prerequisites": tuple(entry["prerequisites"])})


def _exam(entry: dict[str, Any]) -> Exam:
    return Exam(**entry | {"domains": tuple(Domain(**domain) for domain in entry["domains"])})
