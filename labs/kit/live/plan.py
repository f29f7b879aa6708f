"""The planned picture as data, `labs/<slug>/plan.yaml`, and what differs from it in what exists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs import settings
from labs.kit import content
from labs.kit.live.scene import KINDS, Edge, Node, Scene

SCHEMA = settings.LABS / "kit/schemas/plan.json"
EVERYTHING = ("load_balancing", "queues", "rules", "file_systems")


@dataclass(frozen=True)
class Part:
    """One thing that is planned; `within` names what it stands in, counts are None where none is planned."""

    kind: str
    name: str
    within: str = ""
    tasks: int | None = None
    healthy: int | None = None

    @property
    def id(self) -> str:
        return f"plan:{self.kind}:{self.within}:{self.name}"


@dataclass(frozen=True)
class Plan:
    """What a chapter's names begin with, what to look at beside ECS, and what is planned."""

    prefix: str
    watch: tuple[str, ...] = EVERYTHING
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Difference:
    """One difference: `missing`, `fewer`, `more` or `extra`, the node it is about, in a sentence and in short."""

    sort: str
    about: str
    words: str
    short: str


def read_plan(slug: str) -> Plan:
    """The plan of a chapter. A chapter without one has its prefix from its `lab.py`, and plans nothing.

    Raises:
        LookupError: the chapter has neither a plan nor names with a prefix.
    """
    file = settings.LABS / slug / "plan.yaml"
    if not file.is_file():
        import importlib

        prefix = getattr(importlib.import_module(f"labs.{slug}.lab"), "PREFIX", "")
        if not prefix:
            raise LookupError(f"Chapter {slug!r} has no live picture: it has no plan.yaml, and its names no prefix.")
        return Plan(prefix)
    return _plan(content.read(file))


def faults(file: Path) -> list[str]:
    """What a `plan.yaml` lacks of its schema, a sentence each, and parts that stand in what is not planned."""
    import jsonschema

    words = content.read(file)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    found = [f"{one.json_path}: {one.message}" for one in jsonschema.Draft202012Validator(schema).iter_errors(words)]
    if found:
        return found
    plan, names = _plan(words), set()
    for part in plan.parts:
        if part.within and part.within not in names:
            found.append(f"{KINDS[part.kind]} {part.name} is in {part.within}, which is no part before it")
        if not part.name.startswith(plan.prefix):
            found.append(f"{KINDS[part.kind]} {part.name} does not begin with {plan.prefix}")
        names.add(part.name)
    return found


def picture(file: Path) -> str:
    """The name of the still picture that a `plan.yaml` goes with; empty where it names none."""
    return str(content.read(file).get("picture", ""))


def compare(scene: Scene, plan: Plan) -> tuple[Scene, list[Difference]]:
    """The scene with what is missing drawn into it as `planned`, and all differences, in the order of the plan."""
    found: list[Difference] = []
    ghosts: list[Node] = []
    lines: list[Edge] = []
    there: dict[str, str] = {}  # name of a planned part that others stand in -> id of its node
    met = set()
    for part in plan.parts:
        parent = there.get(part.within, "")
        node = next((one for one in scene.of(part.kind) if _is(one, part, parent)), None)
        if node is None:
            what = f"{KINDS[part.kind]} {part.name}"
            found.append(Difference("missing", part.id, f"The {what} is planned and not there.", "not there yet"))
            facts = {"desired": part.tasks, "rollouts": []} if part.kind == "service" else {}
            node = Node(part.kind, part.id, part.name, "planned", parent, facts, planned=True)
            ghosts.append(node)
            if part.kind == "target_group" and parent:
                lines.append(Edge(parent, node.id, "forward", "planned"))
        if part.kind in ("cluster", "load_balancer"):
            there[part.name] = node.id
        met.add(node.id)
        found += _counts(scene, part, node)
        ghosts += _planned_tasks(scene, part, node)
    found += _extras(scene, met) if plan.parts else []
    nodes = {**scene.nodes, **{ghost.id: ghost for ghost in ghosts}}
    return Scene(nodes, (*scene.edges, *lines), scene.missing), found


def _is(node: Node, part: Part, parent: str) -> bool:
    if node.name != part.name:
        return False
    return part.kind != "service" or node.parent == parent


def _counts(scene: Scene, part: Part, node: Node) -> Iterator[Difference]:
    if node.planned:
        return
    if part.tasks is not None:
        yield from _count(node, sum(task.state == "RUNNING" for task in scene.of("task", node.id)), part.tasks, "run")
    if part.healthy is not None:
        yield from _count(node, node.facts["healthy"], part.healthy, "are healthy")


def _count(node: Node, real: int, planned: int, do: str) -> Iterator[Difference]:
    things = "task" if node.kind == "service" else "target"
    who = f"{KINDS[node.kind].capitalize()} {node.name}"
    adjective = do.removeprefix("are ")
    if real < planned:
        words = f"{who}: {real} of {planned} planned {things}s {do}."
        yield Difference("fewer", node.id, words, f"{real} of {planned} {adjective}")
    elif real > planned:
        many = f"{real - planned} more than planned"
        yield Difference("more", node.id, f"{who}: {real} {things}s {do}, {many}.", f"{real} {adjective}, {many}")


def _planned_tasks(scene: Scene, part: Part, node: Node) -> list[Node]:
    """The empty places of a service: as many as tasks are planned and not there, not even on their way."""
    real = sum(task.state not in ("STOPPED", "STOPPING", "DEPROVISIONING") for task in scene.of("task", node.id))
    facts = {"zone": "", "containers": []}
    ids = range(1, max(0, (part.tasks or 0) - real) + 1)
    return [Node("task", f"{part.id}:task:{n}", "a task", "planned", node.id, facts, planned=True) for n in ids]


def _extras(scene: Scene, met: set[str]) -> Iterator[Difference]:
    """What nobody planned. What stands in an unplanned thing is not named by itself."""
    for node in scene.nodes.values():
        if node.id in met or node.kind == "instance" or (node.parent and node.parent not in met):
            continue
        if node.kind == "task" and (node.parent not in scene.nodes or scene.nodes[node.parent].kind == "service"):
            continue
        what = f"{KINDS[node.kind]} {node.name}"
        yield Difference("extra", node.id, f"The {what} is there and not in the plan.", "extra")


def _plan(words: dict[str, Any]) -> Plan:
    parts = [{**{key: value for key, value in part.items() if key != "in"}, "within": part.get("in", "")}
             for part in words.get("parts", [])]  # fmt: skip
    return Plan(words["prefix"], tuple(words.get("watch", EVERYTHING)), tuple(Part(**part) for part in parts))
