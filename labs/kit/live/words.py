"""A scene in sentences: the text twin of the picture, and what has changed since the last look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from labs.kit.live.scene import KINDS, Node, Scene

MOST = 4  # sentences of news at once; more are counted
LOUD = {"RUNNING", "STOPPED", "planned"}  # states of a task that are told; those on the way are not


def sentence(scene: Scene, node: Node) -> str:
    """One node in one sentence."""
    if node.planned and node.kind == "task":
        return "A planned task that is not there."
    if node.planned:
        return f"{KINDS[node.kind].capitalize()} {node.name}: planned, not there."
    return f"{KINDS[node.kind].capitalize()} {node.name} is {node.state}{_more(scene, node)}."


def _more(scene: Scene, node: Node) -> str:
    return _task(scene, node) if node.kind == "task" else _FACTS[node.kind](node.facts)


def _service(facts: dict[str, Any]) -> str:
    rollouts = ", ".join(f"{revision} {state}" for revision, state, _ in facts["rollouts"])
    counts = f"{facts['desired']} desired, {facts['running']} running, {facts['pending']} pending"
    return f": {counts}; {rollouts or 'no deployment'}"


def _instance(facts: dict[str, Any]) -> str:
    return (
        f": {facts['type'] or 'type unknown'} in {facts['zone'] or 'an unknown zone'}, {many(facts['tasks'], 'task')}"
    )


def _queue(facts: dict[str, Any]) -> str:
    return f": {many(facts['visible'], 'message')} visible, {facts['in_flight']} in flight, {facts['delayed']} delayed"


_FACTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "cluster": lambda facts: "",
    "service": _service,
    "instance": _instance,
    "load_balancer": lambda facts: f": {facts['type']}, {', '.join(facts['listeners']) or 'no listener'}",
    "target_group": lambda facts: f": {facts['healthy']} of {many(facts['targets'], 'target')} healthy",
    "queue": _queue,
    "rule": lambda facts: f", waits for {facts['trigger']}",
    "file_system": lambda facts: f": {many(facts['mounts'], 'mount target')}",
}


def _task(scene: Scene, node: Node) -> str:
    facts = node.facts
    if node.state == "STOPPED":
        code = "" if facts["exit"] is None else f" (exit code {facts['exit']})"
        return f": {facts['why'].rstrip('.') or 'no reason given'}{code}"
    place = f" on {facts['launch']}" if facts["launch"] else ""
    place += f", instance {facts['instance']}" if facts["instance"] else ""
    place += f" in {facts['zone']}" if facts["zone"] else ""
    more = [facts["revision"]]
    more += [facts["address"]] if facts["address"] else []
    more += [f"container {one['name']} {one['id']} {one['state']}" for one in facts["containers"]]
    more += [f"container health {facts['health']}"] if facts["health"] != "UNKNOWN" else []
    more += [f"target {edge.state}" for edge in scene.health(node.id)]
    return f"{place}: {', '.join(more)}"


def tree(scene: Scene) -> list[dict[str, Any]]:
    """The scene as nested lists of sentences: `{"text": ..., "inside": [...]}`."""
    inside: dict[str, list[Node]] = {}
    for node in scene.nodes.values():
        inside.setdefault(node.parent if node.parent in scene.nodes else "", []).append(node)

    def branch(node: Node) -> dict[str, Any]:
        lines = [f"It leads to {scene.nodes[edge.end].name}." for edge in scene.edges
                 if edge.start == node.id and edge.kind in ("invoke", "mount") and edge.end in scene.nodes]  # fmt: skip
        return {
            "text": " ".join([sentence(scene, node), *lines]),
            "inside": [branch(one) for one in inside.get(node.id, [])],
        }

    return [branch(node) for node in inside.get("", [])]


def summary(scene: Scene) -> str:
    """How many of each kind there are, in a sentence."""
    counts = Counter(node.kind for node in scene.nodes.values() if not node.planned)
    said = [many(counts[kind], word) for kind, word in KINDS.items() if counts[kind]]
    if not said:
        return "Nothing of it exists now."
    running = sum(node.state == "RUNNING" for node in scene.of("task"))
    tasks = f" Tasks that run: {running}." if counts["task"] else ""
    return f"There now: {_listed(said)}.{tasks}"


def changes(before: Scene, after: Scene) -> str:
    """What has changed between two looks, as sentences to be read out; empty if it is nothing worth telling."""
    told: list[tuple[str, str]] = []  # what happened, to count by, and the sentence
    for node in after.nodes.values():
        old = before.nodes.get(node.id)
        who = f"{KINDS[node.kind].capitalize()} {node.name}"
        if node.planned:
            continue
        if old is None:
            told.append((f"{KINDS[node.kind]} new", f"{who} is new, {node.state}."))
        elif old.state != node.state and (node.kind != "task" or node.state in LOUD):
            told.append((f"{KINDS[node.kind]} now {node.state}", sentence(after, node) if node.state == "STOPPED"
                         else f"{who} is now {node.state}."))  # fmt: skip
        elif node.kind == "service" and old.facts["desired"] != node.facts["desired"]:
            told.append(("service resized", f"{who} now wants {many(node.facts['desired'], 'task')}."))
        elif node.kind == "service" and _rollouts(old) != _rollouts(node):
            told.append(("service deployed", f"{who}: {', '.join(_rollouts(node))}."))
        elif node.kind == "queue" and old.facts["visible"] != node.facts["visible"]:
            told.append(("queue changed", f"{who} has {many(node.facts['visible'], 'message')}."))
    for node in before.nodes.values():
        if node.id not in after.nodes and not node.planned and node.state != "STOPPED":
            told.append((f"{KINDS[node.kind]} gone", f"{KINDS[node.kind].capitalize()} {node.name} is gone."))
    told += _targets(before, after)
    if len(told) <= MOST:
        return " ".join(words for _, words in told)
    return f"{len(told)} changes: {', '.join(f'{n} times {what}' for what, n in Counter(w for w, _ in told).items())}."


def _targets(before: Scene, after: Scene) -> list[tuple[str, str]]:
    old = {(edge.start, edge.end): edge.state for edge in before.edges if edge.kind == "target"}
    told = []
    for edge in after.edges:
        loud = edge.kind == "target" and edge.state in ("healthy", "unhealthy") and edge.end in after.nodes
        if loud and old.get((edge.start, edge.end)) != edge.state:
            words = f"Task {after.nodes[edge.end].name} is {edge.state} as a target."
            told.append((f"target {edge.state}", words))
    return told


def _rollouts(node: Node) -> list[str]:
    return [f"{revision} {state}" for revision, state, _ in node.facts["rollouts"]]


def many(n: int, word: str) -> str:
    """A number with its word: `1 task`, `3 tasks`."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _listed(said: list[str]) -> str:
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
