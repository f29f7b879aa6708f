"""The lines of the picture: right angles, beside what is in the frames, so that none runs through an icon or a text."""

from __future__ import annotations

from typing import Any

from labs.kit.live.parts import Box
from labs.kit.live.scene import Edge, Scene

HEAD, HALF = 7.0, 3.8  # an arrow head
RISER = 10.0  # from a service's left side: where the line to its targets runs down
AROUND = 56.0  # from an icon beside the clusters: where a line passes the texts of those between
BUS = 11.0  # above an icon: where the line to the targets of a row runs


def draw(scene: Scene, boxes: dict[str, Box]) -> list[dict[str, Any]]:
    """All lines: `id`, the path `d`, the path of its arrow `head` or nothing, its `state`, and a `title`."""
    drawn: dict[str, dict[str, Any]] = {}
    for edge in scene.edges:
        if edge.start in boxes and edge.end in boxes:
            wire = _LINES[edge.kind](scene, edge, boxes)
            if wire is not None:
                drawn[wire["id"]] = {**wire, "title": _title(scene, edge)}
    return list(drawn.values())


def _title(scene: Scene, edge: Edge) -> str:
    names = [scene.nodes[one].name for one in (edge.start, edge.end)]
    state = f", {edge.state}" if edge.state else ""
    return f"{names[0]} to {names[1]}{state}{f': {edge.reason}' if edge.reason else ''}"


def _forward(scene: Scene, edge: Edge, boxes: dict[str, Box]) -> dict[str, Any]:
    a, b = boxes[edge.start], boxes[edge.end]
    x = (a.x0 + a.x1) / 2
    top = a.bottom + 2
    if b.y0 - top > 40 and _between(boxes, a, b):  # a second group: around the first one
        side = a.x0 - AROUND
        d = f"M{_n(a.x0 - 4)} {_n((a.y0 + a.y1) / 2)}H{_n(side)}V{_n((b.y0 + b.y1) / 2)}H{_n(b.x0 - 4 - HEAD)}"
        return _wire(edge, d, (b.x0 - 4, (b.y0 + b.y1) / 2), "right")
    return _wire(edge, f"M{_n(x)} {_n(top)}V{_n(b.y0 - 3 - HEAD)}", (x, b.y0 - 3), "down")


def _between(boxes: dict[str, Box], a: Box, b: Box) -> bool:
    return any(a.y1 < box.y0 < b.y0 and abs(box.x0 - a.x0) < 1 for box in boxes.values())


def _target(scene: Scene, edge: Edge, boxes: dict[str, Box]) -> dict[str, Any] | None:
    group, task = boxes[edge.start], boxes[edge.end]
    owner = scene.nodes[edge.end].parent
    frame = boxes.get(owner if owner in boxes and scene.nodes[owner].kind == "service" else f"{owner}/lone")
    if frame is None:
        return None
    x, y, riser = (task.x0 + task.x1) / 2, task.y0 - BUS, frame.x0 + RISER
    start = (group.y0 + group.y1) / 2
    d = f"M{_n(group.x1 + 4)} {_n(start)}H{_n(riser)}V{_n(y)}H{_n(x)}V{_n(task.y0 - 1 - HEAD)}"
    return _wire(edge, d, (x, task.y0 - 1), "down")


def _invoke(scene: Scene, edge: Edge, boxes: dict[str, Box]) -> dict[str, Any]:
    a, b = boxes[edge.start], boxes[edge.end]
    y = (a.y0 + a.y1) / 2
    if scene.nodes[edge.end].kind == "queue":  # both stand at the right: around, at the outer side
        to, side = (b.y0 + b.y1) / 2, max(a.x1, b.x1) + AROUND
        d = f"M{_n(a.x1 + 4)} {_n(y)}H{_n(side)}V{_n(to)}H{_n(b.x1 + 4 + HEAD)}"
        return _wire(edge, d, (b.x1 + 4, to), "left")
    return _aside(edge, a, b)


def _mount(scene: Scene, edge: Edge, boxes: dict[str, Box]) -> dict[str, Any]:
    return _aside(edge, boxes[edge.end], boxes[edge.start])


def _aside(edge: Edge, icon: Box, frame: Box) -> dict[str, Any]:
    """From an icon at the right to the side of a frame: level with the icon where the frame is as tall as that."""
    y = (icon.y0 + icon.y1) / 2
    to = min(max(y, frame.y0 + 12), frame.y1 - 12)
    bend = frame.x1 + 14
    d = f"M{_n(icon.x0 - 4)} {_n(y)}H{_n(bend)}V{_n(to)}H{_n(frame.x1 + 1 + HEAD)}"
    return _wire(edge, d, (frame.x1 + 1, to), "left")


def _wire(edge: Edge, d: str, tip: tuple[float, float], way: str) -> dict[str, Any]:
    x, y = tip
    dx, dy = {"down": (0, 1), "right": (1, 0), "left": (-1, 0)}[way]
    base_x, base_y = x - dx * HEAD, y - dy * HEAD
    left = f"{_n(base_x - dy * HALF)} {_n(base_y + dx * HALF)}"
    right = f"{_n(base_x + dy * HALF)} {_n(base_y - dx * HALF)}"
    head = f"M{_n(x)} {_n(y)}L{left}L{right}Z"
    return {"id": f"{edge.start} {edge.end}", "d": d, "head": head, "kind": edge.kind, "state": edge.state}


def _n(value: float) -> str:
    return f"{round(value, 1):g}"


_LINES = {"forward": _forward, "target": _target, "invoke": _invoke, "mount": _mount}
