"""One node as it is drawn: its icon, the lines under it, and the shape that says its state without colour."""

from __future__ import annotations

from typing import Any, NamedTuple

from labs.kit.live.scene import Node, Scene
from labs.kit.live.words import many

LINE = 15.0  # height of a line of text, in units
ICONS = {"load_balancer": "load-balancer", "target_group": "target-group", "file_system": "file-system"}
SHORT = {  # what a task does, where its state's own word has no room
    "PROVISIONING": "starts",
    "PENDING": "starts",
    "ACTIVATING": "starts",
    "RUNNING": "running",
    "DEACTIVATING": "stops",
    "STOPPING": "stops",
    "DEPROVISIONING": "stops",
    "STOPPED": "stopped",
    "planned": "planned",
}


class Cell(NamedTuple):
    """The room of a node, and the size of its icon, in units."""

    width: float
    height: float
    icon: float


class Box(NamedTuple):
    """A rectangle: left, top, right, bottom, and where the text under it ends."""

    x0: float
    y0: float
    x1: float
    y1: float
    bottom: float


ASIDE = Cell(156, 120, 48)


def node(scene: Scene, one: Node, at: tuple[float, float], cell: Cell, mark: str) -> dict[str, Any]:
    """What is drawn of a node.

    Args:
        at: the middle of its icon's top.
        mark: in what it differs from the plan, in short.
    """
    lines = _lines(scene, one, small=cell.icon < 40)
    if mark:
        lines.append(("mark", f"≠ plan: {mark}"))
    room = cell.width - 6
    return {
        "id": one.id,
        "icon": _icon(one),
        "x": at[0],
        "y": at[1],
        "size": cell.icon,
        "lines": [
            [style, fit(text, room, 13 if style == "name" else 11.5, bold=style == "name")] for style, text in lines
        ],
        "shape": shape(scene, one),
        "kind": one.kind,
        "state": one.state,
        "planned": one.planned,
    }


def shape(scene: Scene, one: Node) -> str:
    """The shape of a state: `ok` a tick, `way` an hourglass, `bad` a cross, `off` a square, `planned` a dashed ring."""
    if one.planned:
        return "planned"
    if one.kind == "task":
        return _task_shape(scene, one)
    if one.kind == "target_group":
        healthy, targets = one.facts["healthy"], one.facts["targets"]
        return "off" if not targets else "ok" if healthy == targets else "way"
    return _STATE_SHAPES.get(one.state.lower(), "way")


_STATE_SHAPES = {
    **dict.fromkeys(("active", "available", "enabled"), "ok"),
    **dict.fromkeys(("disconnected", "inactive", "failed"), "bad"),
    "disabled": "off",
}


def _task_shape(scene: Scene, one: Node) -> str:
    if one.state == "STOPPED":
        return "off" if one.facts["exit"] == 0 else "bad"
    health = {edge.state for edge in scene.health(one.id)}
    if "unhealthy" in health or one.facts["health"] == "UNHEALTHY":
        return "bad"
    return "ok" if one.state == "RUNNING" and not health - {"healthy", "unused"} else "way"


def service_line(service: Node) -> str:
    """The second line of a service's frame."""
    facts = service.facts
    if service.planned:
        return f"planned, not there: {many(facts['desired'] or 0, 'task')}"
    rollouts = ", ".join(f"{revision} {state} ({n})" for revision, state, n in facts["rollouts"])
    pending = f", {facts['pending']} pending" if facts["pending"] else ""
    return f"{service.state}: {facts['desired']} desired, {facts['running']} running{pending}; {rollouts}"


def _icon(one: Node) -> str:
    if one.kind == "load_balancer" and one.facts.get("type") == "network":
        return "network-load-balancer"
    if one.kind == "task" and one.facts.get("instance"):
        return "container"
    return ICONS.get(one.kind, one.kind)


def _lines(scene: Scene, one: Node, *, small: bool) -> list[tuple[str, str]]:
    if one.kind == "task":
        return _task_lines(scene, one, small=small)
    lines = [("name", one.name)]
    if one.planned:
        return [*lines, ("state", "planned, not there")]
    facts = one.facts
    if one.kind == "target_group":
        return [*lines, ("state", f"{facts['healthy']} of {facts['targets']} healthy"), ("detail", one.state)]
    details = {
        "load_balancer": lambda: ", ".join(facts["listeners"]) or "no listener",
        "instance": lambda: f"{facts['type']}, {many(facts['tasks'], 'task')}",
        "queue": lambda: f"{many(facts['visible'], 'message')}, {facts['in_flight']} in flight",
        "rule": lambda: facts["trigger"],
        "file_system": lambda: many(facts["mounts"], "mount target"),
    }
    return [*lines, ("state", one.state), ("detail", details[one.kind]())]


def _task_lines(scene: Scene, one: Node, *, small: bool) -> list[tuple[str, str]]:
    health = sorted({edge.state for edge in scene.health(one.id)})
    if one.planned:
        return [("state", "planned")]
    if small:
        word = "running" if one.state == "RUNNING" and health in ([], ["healthy"]) else SHORT.get(one.state, one.state)
        return [("label", one.name), ("state", health[0] if one.state == "RUNNING" and health else word)]
    lines = [("name", one.name), ("state", one.state), ("detail", one.facts["revision"])]
    for it in one.facts["containers"][:1]:
        lines.append(("detail", f"{it['name']} {it['id'] if it['state'] == 'running' else it['state']}"))
    if one.state == "STOPPED" and one.facts["exit"] is not None:
        return [*lines, ("detail", f"exit code {one.facts['exit']}")]
    return [*lines, *(("detail", f"target {state}") for state in health[:1])]


def width(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text is in Arial, in units; rather too wide than too narrow."""
    narrow, wide = set("iIjlt.,:;|'!()[]f/ -"), set("mwMW%@≠…")
    ems = sum(0.34 if c in narrow else 0.92 if c in wide else 0.71 if c.isupper() else 0.57 for c in text)
    return ems * size * (1.18 if bold else 1.06)


def fit(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, cut in its middle where it is wider than its room; its end often tells things apart."""
    if width(text, size, bold=bold) <= room:
        return text
    for keep in range(len(text) - 1, 2, -1):
        cut = f"{text[: keep - keep // 3]}…{text[len(text) - keep // 3 :]}"
        if width(cut, size, bold=bold) <= room:
            return cut
    return text[:1] + "…"
