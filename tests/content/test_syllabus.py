"""The syllabus: complete, true to its schema, in step with the files; and a broken one is found out."""

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from labs import settings
from labs.kit import syllabus

# What the course teaches: the letter of a section and how many topics it has.
LINES = {"D": 12, "M": 4, "E": 36, "R": 6, "K": 13, "A": 7, "C": 8}


@pytest.fixture
def data() -> dict[str, Any]:
    return yaml.safe_load(syllabus.FILE.read_text(encoding="utf-8"))


def test_it_holds(data: dict[str, Any]) -> None:
    assert syllabus.faults(data) == []


def test_every_topic_is_there() -> None:
    ids = [topic.id for topic in syllabus.load().topics]
    assert ids == [f"{letter}{number:02d}" for letter, count in LINES.items() for number in range(1, count + 1)]


def test_every_teaching_chapter_has_topics() -> None:
    """All but the first and the last, which are about the course itself."""
    taught = Counter(topic.chapter for topic in syllabus.load().topics)
    chapters = [entry.slug for entry in syllabus.load().chapters]
    assert len(chapters) == 21
    assert {slug for slug in chapters if slug not in taught} == {"start_here", "exam"}
    assert all(len(syllabus.topics(slug)) == taught[slug] for slug in chapters)


def test_ready_chapters_and_notebooks_are_the_same() -> None:
    """A chapter is ready exactly when its notebook and its lab are there; no notebook stands outside the syllabus."""
    ready = {entry.slug for entry in syllabus.load().chapters if entry.state == "ready"}
    assert {syllabus.notebook_path(slug) for slug in ready} == set(settings.NOTEBOOKS.glob("*.ipynb"))
    for entry in syllabus.load().chapters:
        assert (settings.LABS / entry.slug / "lab.py").is_file() == (entry.slug in ready), entry.slug


def test_the_way_through() -> None:
    assert syllabus.chapter("ecs_service").number == 12
    assert syllabus.notebook_path("ecs_service").name == "12_ecs_service.ipynb"
    ready = [entry.slug for entry in syllabus.load().chapters if entry.state == "ready"]
    way = [ready[0]]
    while following := syllabus.next_ready(way[-1]):
        way.append(following.slug)
    assert way == ready


@pytest.mark.parametrize("ask", [syllabus.chapter, syllabus.notebook_path, syllabus.next_ready])
def test_an_unknown_slug_is_answered_with_the_nearest(ask: Callable[[str], object]) -> None:
    with pytest.raises(LookupError, match=r"Did you mean 'ecs_service'\?"):
        ask("ecs_servise")


def test_exams_are_the_current_ones() -> None:
    exams = {exam.id: exam for exam in syllabus.load().exams}
    assert list(exams) == ["CLF-C02", "SAA-C03", "DVA-C03", "SOA-C03", "DOP-C02", "SAP-C02"]
    assert exams["DVA-C03"].valid_from == "2026-12-01"
    assert all(exam.source.startswith("https://docs.aws.amazon.com/aws-certification/") for exam in exams.values())


def _move_last_chapter_first(data: dict[str, Any]) -> None:
    data["chapters"].insert(0, data["chapters"].pop())


def _open_before_its_prerequisite(data: dict[str, Any]) -> None:
    data["chapters"][1].update(state="planned")
    data["chapters"][2].update(state="ready")


def _repeat_topic(data: dict[str, Any]) -> None:
    data["topics"].append(data["topics"][0] | {"title": "Another title"})


# What to break -> words of the fault that must be found.
BROKEN: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "unknown key": (lambda d: d["chapters"][0].update(colour="red"), "colour"),
    "missing key": (lambda d: d["chapters"][0].pop("minutes"), "minutes"),
    "unknown state": (lambda d: d["chapters"][0].update(state="soon"), "soon"),
    "unknown need": (lambda d: d["chapters"][0].update(needs=["gpu"]), "gpu"),
    "unknown part": (lambda d: d["chapters"][0].update(part="nowhere"), "unknown part 'nowhere'"),
    "part without chapters": (
        lambda d: d["parts"].append({"id": "spare", "title": "Spare"}),
        "without a chapter: spare",
    ),
    "slug twice": (lambda d: d["chapters"][1].update(slug="start_here"), "'start_here' is there twice"),
    "wrong number": (lambda d: d["chapters"][3].update(number=4), "has the number 4 and stands at place 3"),
    "order of parts": (_move_last_chapter_first, "do not follow the order of the parts"),
    "later prerequisite": (lambda d: d["chapters"][0].update(prerequisites=["exam"]), "'exam', which is no earlier"),
    "prerequisite to come": (_open_before_its_prerequisite, "'what_docker_is', which is not"),
    "topic twice": (_repeat_topic, "'D01' is there twice"),
    "title twice": (lambda d: d["topics"][1].update(title=d["topics"][0]["title"]), "is there twice"),
    "topic astray": (lambda d: d["topics"][0].update(chapter="nowhere"), "unknown chapter 'nowhere'"),
    "weights": (lambda d: d["exams"][0]["domains"][0].update(weight=25), "sum to 101"),
    "domains": (lambda d: d["exams"][0]["domains"].reverse(), "not numbered from 1 in order"),
    "no source": (lambda d: d["exams"][0].pop("source"), "source"),
    "no date": (lambda d: d["exams"][0].update(checked="2026-13-40"), "2026-13-40"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_syllabus_is_found_out(data: dict[str, Any], what: str) -> None:
    broken = copy.deepcopy(data)
    change, words = BROKEN[what]
    change(broken)
    assert any(words in fault for fault in syllabus.faults(broken)), syllabus.faults(broken)
