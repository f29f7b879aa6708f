"""The live picture without a world: plans and what differs from them, places, sentences, and who may look when."""

import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from labs import settings
from labs.authoring import draw
from labs.kit import syllabus
from labs.kit.chapter import Chapter
from labs.kit.live import live_widget
from labs.kit.live.layout import Memory, arrange
from labs.kit.live.plan import Plan, compare, faults, read_plan
from labs.kit.live.scene import Node, Scene, on_its_way
from labs.kit.live.widget import SPRITE, drawing_of
from labs.kit.live.words import changes, summary, tree
from tests.kit.live_lab import PLAN, everything, sample, task

THREE = [task("a"), task("b", zone="us-east-1b"), task("c")]


def _words(scene: Scene) -> list[str]:
    return [one.words for one in compare(scene, PLAN)[1]]


def _places(drawing: dict[str, Any]) -> dict[str, tuple[float, float]]:
    return {node["id"]: (node["x"], node["y"]) for node in drawing["nodes"]}


def _watchers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("live picture")]


# --- The plan ---


def test_what_is_as_planned_is_said_to_be() -> None:
    assert _words(sample(*THREE)) == []
    assert drawing_of(sample(*THREE), PLAN, Memory())["plan"] == ["All is as planned."]


def test_where_nothing_is_there_all_that_is_planned_is_missing_and_drawn_pale() -> None:
    scene, differences = compare(Scene(), PLAN)
    assert [one.words for one in differences] == [
        "The cluster svc-demo is planned and not there.",
        "The service svc-web is planned and not there.",
        "The load balancer svc-alb is planned and not there.",
        "The target group svc-web is planned and not there.",
    ]
    assert [(node.kind, node.planned) for node in scene.nodes.values()] == [
        ("cluster", True),
        ("service", True),
        *[("task", True)] * 3,
        ("load_balancer", True),
        ("target_group", True),
    ]
    drawing = arrange(scene, differences, Memory())
    assert {node["shape"] for node in drawing["nodes"]} == {"planned"}
    assert {frame["mark"] for frame in drawing["frames"] if frame["kind"] == "deployment"} == {"≠ plan: not there yet"}


def test_a_dead_task_leaves_an_empty_place() -> None:
    scene, differences = compare(sample(*THREE[:2], task("c", "STOPPED", exit=137)), PLAN)
    assert [one.words for one in differences] == [
        "Service svc-web: 2 of 3 planned tasks run.",
        "Target group svc-web: 2 of 3 planned targets are healthy.",
    ]
    assert [node.id for node in scene.of("task") if node.planned] == ["plan:service:svc-demo:svc-web:task:1"]


def test_a_task_on_its_way_fills_its_place() -> None:
    scene, differences = compare(sample(*THREE[:2], task("c", "PENDING")), PLAN)
    assert [one.sort for one in differences] == ["fewer", "fewer"]
    assert not [node for node in scene.of("task") if node.planned]


def test_more_than_planned_and_what_nobody_planned() -> None:
    scene = sample(*THREE, task("d"))
    more = [Node("cluster", "other", "svc-solo", "ACTIVE"), task("lone", parent="other")]
    more += [task("stray", parent="cluster"), Node("queue", "q", "svc-jobs", "available", "", {})]
    assert _words(Scene({**scene.nodes, **{node.id: node for node in more}}, scene.edges)) == [
        "Service svc-web: 4 tasks run, 1 more than planned.",
        "Target group svc-web: 4 targets are healthy, 1 more than planned.",
        "The cluster svc-solo is there and not in the plan.",
        "The task stray is there and not in the plan.",
        "The queue svc-jobs is there and not in the plan.",
    ]


def test_without_a_plan_nothing_is_held_against_it() -> None:
    assert drawing_of(sample(*THREE), Plan("svc-"), Memory())["plan"] == []
    assert read_plan("containers_on_aws") == Plan("map-")


def test_a_chapter_without_names_of_its_own_has_no_live_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("labs.containers_on_aws.lab.PREFIX")
    with pytest.raises(LookupError, match="has no live picture"):
        read_plan("containers_on_aws")


@pytest.mark.parametrize("slug", [it for it in syllabus.ready() if (settings.LABS / it / "plan.yaml").is_file()])
def test_a_chapter_s_plan_holds(slug: str) -> None:
    assert faults(settings.LABS / slug / "plan.yaml") == []
    assert read_plan(slug).parts


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("parts: []", "'prefix' is a required property"),
        ("{prefix: svc-, watch: [everything]}", "'everything' is not one of"),
        ("{prefix: svc-, parts: [{kind: pod, name: svc-a}]}", "'pod' is not one of"),
        ("{prefix: svc-, parts: [{kind: service, name: svc-a, in: svc-b}]}", "is in svc-b, which is no part before it"),
        ("{prefix: svc-, parts: [{kind: queue, name: jobs}]}", "does not begin with svc-"),
    ],
)
def test_a_plan_that_cannot_hold_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    assert told in " ".join(faults(file))


# --- Places ---


def test_what_stays_keeps_its_place_while_a_task_is_replaced() -> None:
    memory, four = Memory(), task("d", "PENDING")
    shown = [
        sample(*THREE),
        sample(THREE[0], THREE[1], task("c", "STOPPED", exit=137)),
        sample(THREE[0], THREE[1], task("c", "STOPPED", exit=137), four),
        sample(THREE[0], THREE[1], four),
        sample(THREE[1], task("d"), task("e")),
    ]
    places = [_places(drawing_of(scene, PLAN, memory)) for scene in shown]
    for before, after in pairwise(places):
        kept = before.keys() & after.keys()
        assert {id_: before[id_] for id_ in kept} == {id_: after[id_] for id_ in kept}
    assert places[4]["e"] == places[0]["a"]  # a free place is taken before a new one


def test_nothing_stands_on_anything_else_and_all_is_inside_its_frame() -> None:
    many = [task(f"t{n:02}", zone=f"us-east-1{'ab'[n % 2]}") for n in range(50)]
    for scene in (sample(*THREE), sample(*many, desired=50), Scene()):
        drawing = drawing_of(scene, PLAN, Memory())
        places = list(_places(drawing).values())
        assert len(set(places)) == len(places)
        for node in drawing["nodes"]:
            assert 0 < node["x"] - node["size"] / 2 < node["x"] + node["size"] / 2 < drawing["width"]
            assert node["y"] + node["size"] + 15 * len(node["lines"]) < drawing["height"]
        [service] = [frame for frame in drawing["frames"] if frame["kind"] == "deployment"]
        for node in (node for node in drawing["nodes"] if node["kind"] == "task"):
            assert service["x"] < node["x"] < service["x"] + service["width"]
            assert service["y"] < node["y"] < service["y"] + service["height"] - 15 * len(node["lines"])


def test_each_target_has_a_line_that_ends_at_its_task_and_says_its_state() -> None:
    drawing = drawing_of(sample(*THREE, health="unhealthy"), PLAN, Memory())
    tips = {wire["id"].split()[1]: wire["head"] for wire in drawing["wires"] if wire["kind"] == "target"}
    assert {id_: tip.startswith(f"M{x:g} {y - 1:g}") for id_, (x, y) in _places(drawing).items() if id_ in tips
            for tip in [tips[id_]]} == {"a": True, "b": True, "c": True}  # fmt: skip
    assert {node["shape"] for node in drawing["nodes"] if node["kind"] == "task"} == {"bad"}


def test_a_state_has_a_shape_and_a_word() -> None:
    states = [task("a"), task("b", "PENDING"), task("c", "STOPPED", exit=1), task("d", "STOPPED", exit=0)]
    drawn = {node["id"]: node for node in drawing_of(sample(*states), PLAN, Memory())["nodes"]}
    assert [drawn[id_]["shape"] for id_ in "abcd"] == ["ok", "way", "bad", "off"]
    assert all([words for style, words in drawn[id_]["lines"] if style == "state"] for id_ in "abcd")


# --- Words ---


def test_the_text_twin_has_every_fact() -> None:
    container = {"name": "web", "id": "0123456789ab", "state": "running"}
    scene = sample(task("a", address="172.31.0.9", containers=[container]))
    [cluster, balancer] = tree(scene)
    assert cluster["inside"][0]["inside"][0]["text"] == (
        "Task a is RUNNING on FARGATE in us-east-1a: svc-web:1, 172.31.0.9, container web 0123456789ab running, "
        "target healthy."
    )
    assert balancer["inside"][0]["text"] == "Target group svc-web is in use: 1 of 1 target healthy."
    assert summary(scene) == (
        "There now: 1 cluster, 1 service, 1 task, 1 load balancer and 1 target group. Tasks that run: 1."
    )
    assert summary(Scene()) == "Nothing of it exists now."


def test_what_changed_is_told_in_sentences_and_what_did_not_is_not() -> None:
    dead = sample(THREE[0], THREE[1], task("c", "STOPPED", exit=137, why="Essential container in task exited"))
    assert changes(sample(*THREE), sample(*THREE)) == ""
    assert changes(sample(*THREE), dead) == ("Task c is STOPPED: Essential container in task exited (exit code 137).")
    assert changes(dead, sample(*THREE[:2], task("d", "PENDING"))) == "Task d is new, PENDING."
    assert changes(sample(*THREE), sample(*THREE, desired=5)) == "Service svc-web now wants 5 tasks."
    many = sample(*(task(f"t{n}") for n in range(9)))
    assert changes(sample(), many) == "18 changes: 9 times task new, 9 times target healthy."


def test_something_on_its_way_is_looked_at_again_soon() -> None:
    assert not on_its_way(sample(*THREE))
    assert on_its_way(sample(*THREE, task("d", "PENDING")))
    assert on_its_way(sample(*THREE, health="initial"))
    assert not on_its_way(Scene())


# --- Who may look when ---


def test_its_text_is_the_same_each_time_and_without_a_page_it_looks_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labs.kit.live.look.Looker.look", lambda *_, **__: pytest.fail("it looked"))
    widget = live_widget("ECS", PLAN)
    assert repr(widget) == repr(live_widget("ECS", PLAN)) == "Live picture: ECS"
    assert (widget.watcher.watching, widget.drawing, _watchers()) == (False, {}, [])


def test_the_same_cell_again_ends_its_first_picture() -> None:
    chapter = Chapter(syllabus.chapter("ecs_service"))
    first, second = chapter.live(), chapter.live()
    assert (first.comm, second.comm is None) == (None, False)
    assert repr(second) == f"Live picture: {syllabus.chapter('ecs_service').title}"


def test_a_real_account_is_asked_only_when_somebody_presses_the_button(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_BACKEND", "aws")
    looks: list[bool] = []
    monkeypatch.setattr("labs.kit.live.look.Looker.look", lambda *_, **__: looks.append(True) or sample(*THREE))
    widget = live_widget("ECS", PLAN)
    widget._handle_custom_msg({"kind": "here", "view": "one"}, [])
    assert (widget.watcher.watching, looks, _watchers()) == (False, [], [])
    assert widget.notes == ["This is a real AWS account: it is asked only when you press Look once."]
    widget._handle_custom_msg({"kind": "look", "view": "one"}, [])
    assert looks == [True]
    assert widget.drawing["plan"] == ["All is as planned."]
    assert widget.notes == ["This is a real AWS account: it is asked only when you press Look once."]


def test_the_icons_are_those_that_the_house_style_draws() -> None:
    assert draw.render_icons() == SPRITE.read_text(encoding="utf-8"), "Run `python3 -m labs draw`."
    text = SPRITE.read_text(encoding="utf-8")
    drawing = drawing_of(everything(), PLAN, Memory())
    assert len({node["icon"] for node in drawing["nodes"]}) == text.count('<symbol id="icon-')
    assert {wire["kind"] for wire in drawing["wires"]} == {"forward", "target", "invoke", "mount"}
    for node in drawing["nodes"]:
        assert f'<symbol id="icon-{node["icon"]}"' in text
    assert not [frame for frame in drawing["frames"] if f".frame.{frame['kind']}{{" not in text]
