"""Where everything stands: a grid of columns and rows, sized by what stands in it and by the frames around it."""

import math
from dataclasses import dataclass

from house import theme
from house.icons import SIZE
from house.text import Run
from house.vocabulary import Group, Node, Picture

HALF = SIZE / 2
NAME_LINE, DETAIL_LINE = 16, 14  # heights of lines of text, in units
UNDER_ICON = 5
PAD = 12  # between a frame and what is in it
HEADER = 28  # the title line of a frame
GAP = 26  # between columns, between rows
WIDTH = 920  # of a picture; narrower ones are spread to it, so that text has one size in all of them
MARGIN = 20  # between the card and what is in it
CORNER = 24  # the corner icon of a frame
BADGE_RADIUS = 9.5
BADGE_ROOM = 14  # from the centre of a badge to a text beside it


@dataclass(frozen=True)
class Box:
    """A rectangle: left, top, right, bottom, in units."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


@dataclass(frozen=True)
class Layout:
    """The icons' boxes, the bottoms of the texts under them, and the frames, by name; `right` and `bottom` in units."""

    icons: dict[str, Box]
    bottoms: dict[str, float]
    frames: dict[str, Box]
    right: float
    bottom: float


@dataclass(frozen=True)
class _Range:
    """The cells of a frame: first and last along one axis, and along the other."""

    first: int
    last: int
    across_first: int
    across_last: int

    def meets(self, other: "_Range") -> bool:
        return self.across_first <= other.across_last and other.across_first <= self.across_last


def node_runs(node: Node) -> list[Run]:
    """The lines under an icon, top to bottom."""
    names = [Run(line, theme.NAME, bold=True) for line in node.title.split("\n")]
    return names + [Run(line, theme.DETAIL) for line in node.detail.split("\n") if line]


def group_run(group: Group) -> Run:
    """The title of a frame."""
    return Run(group.title, theme.NAME, bold=True)


def title_start(group: Group) -> float:
    """Where a frame's title starts, from its left edge, in units."""
    return CORNER + 8 if theme.GROUP_KINDS[group.kind].corner else 10


def node_drop(node: Node) -> float:
    """From the icon's centre to the bottom of its text, in units."""
    lines = node_runs(node)
    names = sum(run.bold for run in lines)
    return HALF + UNDER_ICON + names * NAME_LINE + (len(lines) - names) * DETAIL_LINE


def arrange(picture: Picture, widths: dict[Run, float], top: float) -> Layout:
    """Places a picture below `top`.

    A frame's edge lies outside the widest thing of its first and last column (row), by one pad for each frame that
    lies between; so frames that meet at a column nest, and frames that start at the same column line up.
    """
    members = {group.name: _members(picture, group) for group in picture.groups}
    columns = {name: _range(nodes, axis=0) for name, nodes in members.items()}
    rows = {name: _range(nodes, axis=1) for name, nodes in members.items()}
    half = {
        node.name: max(HALF, *(math.ceil(widths[run] / 2) + 1 for run in node_runs(node))) for node in picture.nodes
    }
    across = _columns(picture, columns, half, widths)
    down = _rows(picture, rows, top)

    icons, bottoms = {}, {}
    for node in picture.nodes:
        x, y = _between(across.lines, node.at[0]), _between(down.lines, node.at[1])
        icons[node.name] = Box(x - HALF, y - HALF, x + HALF, y + HALF)
        bottoms[node.name] = y + node_drop(node)
    frames: dict[str, Box] = {}
    for group in reversed(picture.groups):  # inner frames first: an outer one ends below those that it meets
        name, last = group.name, rows[group.name].last
        ends = [bottoms[node.name] for node in members[name] if node.at[1] == last]
        ends += [
            frame.y1 for other, frame in frames.items() if rows[other].last == last and rows[other].meets(rows[name])
        ]
        x0, x1 = across.extent(name, columns[name])
        frames[name] = Box(x0, down.extent(name, rows[name])[0], x1, max(ends) + PAD)
    rights = [icons[node.name].centre[0] + half[node.name] for node in picture.nodes]
    return Layout(
        icons,
        bottoms,
        frames,
        right=max([*rights, *(frame.x1 for frame in frames.values())]),
        bottom=max([*bottoms.values(), *(frame.y1 for frame in frames.values())]),
    )


@dataclass(frozen=True)
class _Axis:
    """The columns (or rows): their centre lines, how far things reach around those, and the insets of the frames."""

    lines: list[float]
    before: list[float]
    after: list[float]
    lead: dict[str, float]
    tail: dict[str, float]

    def extent(self, name: str, cells: _Range) -> tuple[float, float]:
        """From where to where the frame `name` reaches along this axis."""
        start = self.lines[cells.first] - self.before[cells.first] - self.lead[name]
        return start, self.lines[cells.last] + self.after[cells.last] + self.tail[name]


def _columns(picture: Picture, ranges: dict[str, _Range], half: dict[str, float], widths: dict[Run, float]) -> _Axis:
    lead, tail = _insets(ranges, PAD, at_start=True), _insets(ranges, PAD, at_start=False)
    count = max(math.ceil(node.at[0]) for node in picture.nodes) + 1
    spans = [max((half[n.name] for n in picture.nodes if n.at[0] == k), default=0) for k in range(count)]
    rooms = _room(lead, ranges, at_start=True), _room(tail, ranges, at_start=False)
    gaps = dict(picture.column_gaps)

    for group in reversed(
        picture.groups
    ):  # columns as wide as titles ask; inner frames first, as they widen outer ones
        cells = ranges[group.name]
        needed = title_start(group) + widths[group_run(group)] + (2 * BADGE_ROOM if group.step else 0) + 8
        axis = _Axis(_lines((spans, spans), rooms, gaps, 0), spans, spans, lead, tail)
        start, end = axis.extent(group.name, cells)
        share = math.ceil(max(0, needed - (end - start)) / (2 * (cells.last - cells.first + 1)))
        for column in range(cells.first, cells.last + 1):
            spans[column] += share

    lines = _lines((spans, spans), rooms, gaps, MARGIN)
    spare = WIDTH - MARGIN - (lines[-1] + spans[-1] + rooms[1].get(count - 1, 0))
    if spare > 0 and count > 1:
        gaps = {k: gaps.get(k, GAP) + spare / (count - 1) for k in range(1, count)}
        lines = _lines((spans, spans), rooms, gaps, MARGIN)
    return _Axis(lines, spans, spans, lead, tail)


def _rows(picture: Picture, ranges: dict[str, _Range], top: float) -> _Axis:
    lead, tail = _insets(ranges, HEADER, at_start=True), _insets(ranges, PAD, at_start=False)
    count = max(math.ceil(node.at[1]) for node in picture.nodes) + 1
    drops = [[node_drop(node) for node in picture.nodes if node.at[1] == k] for k in range(count)]
    spans = [HALF if row else 0 for row in drops], [max(row, default=0) for row in drops]
    rooms = _room(lead, ranges, at_start=True), _room(tail, ranges, at_start=False)
    return _Axis(_lines(spans, rooms, picture.row_gaps, top), *spans, lead, tail)


def _members(picture: Picture, group: Group) -> list[Node]:
    """All nodes in the group, those of its inner groups too."""
    nodes = {node.name: node for node in picture.nodes}
    groups = {other.name: other for other in picture.groups}
    found: list[Node] = []
    for name in group.members:
        found += [nodes[name]] if name in nodes else _members(picture, groups[name])
    return found


def _range(members: list[Node], axis: int) -> _Range:
    """The columns (axis 0) or rows (axis 1) that a group's nodes stand in."""
    along, across = [node.at[axis] for node in members], [node.at[1 - axis] for node in members]
    return _Range(math.floor(min(along)), math.ceil(max(along)), math.floor(min(across)), math.ceil(max(across)))


def _insets(ranges: dict[str, _Range], pad: int, *, at_start: bool) -> dict[str, float]:
    """How far each frame lies outside its first (or last) column or row: its own pad and those of the frames within."""
    insets: dict[str, float] = {}
    for name, mine in reversed(ranges.items()):
        edge = mine.first if at_start else mine.last
        within = [
            inset
            for other, inset in insets.items()
            if ranges[other].meets(mine) and (ranges[other].first if at_start else ranges[other].last) == edge
        ]
        insets[name] = pad + max(within, default=0)
    return insets


def _room(insets: dict[str, float], ranges: dict[str, _Range], *, at_start: bool) -> dict[int, float]:
    """The room that the frames need before (or after) each column or row."""
    room: dict[int, float] = {}
    for name, inset in insets.items():
        index = ranges[name].first if at_start else ranges[name].last
        room[index] = max(room.get(index, 0), inset)
    return room


def _lines(
    spans: tuple[list[float], list[float]],
    rooms: tuple[dict[int, float], dict[int, float]],
    gaps: dict[int, float],
    start: float,
) -> list[float]:
    """The centre lines of the columns (or rows).

    Args:
        spans: how far the widest thing reaches to the left and to the right of each centre line.
        rooms: the room that the frames need before and after.
        gaps: the free space before a column, where it is not `GAP`.
        start: where the first begins.
    """
    lines: list[float] = []
    reached = start
    for index, (before, after) in enumerate(zip(*spans, strict=True)):
        gap = 0 if index == 0 else gaps.get(index, GAP)
        line = reached + gap + rooms[0].get(index, 0) + before
        lines.append(line)
        reached = line + after + rooms[1].get(index, 0)
    return lines


def _between(lines: list[float], place: float) -> float:
    low, high = math.floor(place), math.ceil(place)
    return lines[low] + (lines[high] - lines[low]) * (place - low)
