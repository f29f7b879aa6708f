"""The lines between icons: right angles, round corners, arrow heads that end at the icon, and where the words stand."""

from dataclasses import dataclass
from itertools import pairwise

from house.layout import Box, Layout
from house.vocabulary import Edge, Side

CLEARANCE = 4  # between an icon and the tip of an arrow
FRAME_CLEARANCE = 1
HEAD = 8  # length of an arrow head
HEAD_HALF = 4.2
RADIUS = 7  # of corners
Point = tuple[float, float]
_OUT: dict[Side, Point] = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1)}


@dataclass(frozen=True)
class Line:
    """A routed edge: its corners, tip to tip, and where its badge stands on it."""

    points: list[Point]
    badge: Point
    upright: bool


def route(edge: Edge, layout: Layout) -> Line:
    """The corners of an edge, and the spot of its badge.

    Raises:
        ValueError: the sides asked for leave no room to turn.
    """
    leave, enter = _sides(edge, layout)
    start = _anchor(edge.start, leave, layout, edge.end)
    end = _anchor(edge.end, enter, layout, edge.start)
    points = _corners(start, leave, end, enter, edge.bend)
    segments = list(pairwise(points))
    if any(a == b for a, b in segments):
        raise ValueError(
            f"{edge.id} cannot leave at the {leave} and enter at the {enter}: both ends lie on one line there."
        )
    index = edge.label_on
    if index is None:
        index = max(range(len(segments)), key=lambda i: _length(*segments[i]))
    (ax, ay), (bx, by) = segments[index]
    share = _free_middle((ax, ay), (bx, by), layout) if edge.label_at is None else edge.label_at
    return Line(points, (ax + (bx - ax) * share, ay + (by - ay) * share), upright=ax == bx)


def path(points: list[Point], both: bool) -> str:
    """The `d` of the line: shortened for the arrow heads, corners rounded."""
    points = list(points)
    points[-1] = _towards(points[-1], points[-2], HEAD - 1)
    if both:
        points[0] = _towards(points[0], points[1], HEAD - 1)
    parts = [f"M{_n(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        r = min(RADIUS, _length(before, corner) / 2, _length(corner, after) / 2)
        parts.append(f"L{_n(_towards(corner, before, r))}Q{_n(corner)} {_n(_towards(corner, after, r))}")
    return "".join([*parts, f"L{_n(points[-1])}"])


def head(tip: Point, behind: Point) -> str:
    """The `d` of an arrow head at `tip`, for a line that comes from `behind`."""
    base_x, base_y = _towards(tip, behind, HEAD)
    dx, dy = (tip[0] - base_x) / HEAD * HEAD_HALF, (tip[1] - base_y) / HEAD * HEAD_HALF
    return f"M{_n(tip)}L{_n((base_x - dy, base_y + dx))}L{_n((base_x + dy, base_y - dx))}Z"


def _sides(edge: Edge, layout: Layout) -> tuple[Side, Side]:
    (ax, ay), (bx, by) = (_box(name, layout).centre for name in (edge.start, edge.end))
    if abs(bx - ax) >= abs(by - ay):
        usual: tuple[Side, Side] = ("right", "left") if bx > ax else ("left", "right")
    else:
        usual = ("bottom", "top") if by > ay else ("top", "bottom")
    return edge.leave or usual[0], edge.enter or usual[1]


def _box(name: str, layout: Layout) -> Box:
    return layout.icons.get(name) or layout.frames[name]


def _anchor(name: str, side: Side, layout: Layout, other: str) -> Point:
    """Where a line meets an icon or a frame. At a frame it is level with its other end, so that it runs straight."""
    box = _box(name, layout)
    x, y = box.centre
    is_icon = name in layout.icons
    if not is_icon:
        other_x, other_y = _box(other, layout).centre
        x = other_x if box.x0 < other_x < box.x1 else x
        y = other_y if box.y0 < other_y < box.y1 else y
    out = CLEARANCE if is_icon else FRAME_CLEARANCE
    bottom = layout.bottoms[name] if is_icon else box.y1
    return {
        "left": (box.x0 - out, y),
        "right": (box.x1 + out, y),
        "top": (x, box.y0 - out),
        "bottom": (x, bottom + out),
    }[side]


def _corners(start: Point, leave: Side, end: Point, enter: Side, bend: float) -> list[Point]:
    (ax, ay), (bx, by) = start, end
    flat_start, flat_end = leave in ("left", "right"), enter in ("left", "right")
    if flat_start != flat_end:  # one corner
        return [start, (bx, ay) if flat_start else (ax, by), end]
    if leave == enter:  # around: out, along, back in
        out_x, out_y = _OUT[leave]
        x = max(out_x * ax, out_x * bx) * out_x + out_x * bend
        y = max(out_y * ay, out_y * by) * out_y + out_y * bend
    elif ay == by if flat_start else ax == bx:
        return [start, end]
    else:
        x, y = round(ax + (bx - ax) * bend, 1), round(ay + (by - ay) * bend, 1)
    return [start, (x, ay), (x, by), end] if flat_start else [start, (ax, y), (bx, y), end]


def _free_middle(a: Point, b: Point, layout: Layout) -> float:
    """The middle of the longest piece of the segment that no frame's line crosses, as a share of the segment."""
    (ax, ay), (bx, by) = a, b
    cuts = [0.0, 1.0]
    for frame in layout.frames.values():
        if ay == by and frame.y0 < ay < frame.y1:
            cuts += [(x - ax) / (bx - ax) for x in (frame.x0, frame.x1)]
        elif ax == bx and frame.x0 < ax < frame.x1:
            cuts += [(y - ay) / (by - ay) for y in (frame.y0, frame.y1)]
    inside = sorted(cut for cut in cuts if 0 <= cut <= 1)
    low, high = max(pairwise(inside), key=lambda piece: round(piece[1] - piece[0], 6))
    return (low + high) / 2


def _length(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])  # segments run along one axis


def _towards(a: Point, b: Point, distance: float) -> Point:
    whole = _length(a, b)
    return a[0] + (b[0] - a[0]) / whole * distance, a[1] + (b[1] - a[1]) / whole * distance


def _n(point: Point) -> str:
    return " ".join(f"{round(value, 2):g}" for value in point)
