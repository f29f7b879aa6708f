"""The words of a picture: node, group, edge, step, picture. Data only; nothing is measured or drawn here."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from house.theme import GROUP_KINDS

Side = Literal["left", "right", "top", "bottom"]
LineStyle = Literal["solid", "dashed", "dotted"]


@dataclass(frozen=True)
class Node:
    name: str
    icon: str
    title: str
    detail: str
    at: tuple[float, float]
    step: int | None
    ghost: bool

    @property
    def id(self) -> str:
        return f"node-{self.name}"


@dataclass(frozen=True)
class Group:
    name: str
    kind: str
    title: str
    members: tuple[str, ...]
    step: int | None

    @property
    def id(self) -> str:
        return f"group-{self.name}"


@dataclass(frozen=True)
class Edge:
    start: str
    end: str
    text: str
    step: int | None
    style: LineStyle
    leave: Side | None
    enter: Side | None
    bend: float
    both: bool
    ghost: bool
    label_side: Side | None
    label_at: float | None
    label_on: int | None

    @property
    def id(self) -> str:
        return f"edge-{self.start}-{self.end}"


@dataclass(frozen=True)
class Step:
    text: str
    also: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    slug: str
    title: str
    description: str
    nodes: tuple[Node, ...]
    groups: tuple[Group, ...]
    edges: tuple[Edge, ...]
    steps: tuple[Step, ...]
    column_gaps: dict[int, float]
    row_gaps: dict[int, float]

    def targets(self, number: int) -> list[str]:
        """The ids that step `number` is about: what carries the number, the ends of such edges, what the step names."""
        found = list(self.steps[number - 1].also)
        for edge in self.edges:
            if edge.step == number:
                found += [edge.id, *(self.id_of(end) for end in (edge.start, edge.end))]
        found += [part.id for part in (*self.nodes, *self.groups) if part.step == number]
        return sorted(dict.fromkeys(found))

    def id_of(self, name: str) -> str:
        """The id of the node or group called `name`."""
        return next(part.id for part in (*self.nodes, *self.groups) if part.name == name)


def node(
    name: str,
    icon: str,
    title: str,
    detail: str = "",
    *,
    at: tuple[float, float],
    step: int | None = None,
    ghost: bool = False,
) -> Node:
    """An icon over a bold title over a grey detail.

    Args:
        name: unique in the picture; the SVG id is `node-<name>`.
        icon: one of our own shapes (`user`, see `icons.SHAPES`) or a file of the `diagrams` wheel without `.png`
            (`aws/compute/fargate`).
        title: one or two lines, split at a newline.
        detail: any number of lines, split at newlines.
        at: (column, row) from the top left, counted from 0. A fraction stands between two columns or rows.
        step: a number to put at the icon's corner.
        ghost: drawn pale, for what is there but takes no part.
    """
    return Node(name, icon, title, detail, at, step, ghost)


def group(name: str, kind: str, title: str, members: Sequence[str], *, step: int | None = None) -> Group:
    """A frame with a corner icon around its members (names of nodes and of groups).

    Where frames meet at the same column or row, the one listed first is the outer one; two may cross.
    The kinds are the keys of `theme.GROUP_KINDS`.
    """
    if kind not in GROUP_KINDS:
        raise ValueError(f"The kind {kind!r} of group {name!r} is unknown. Known kinds: {', '.join(GROUP_KINDS)}.")
    return Group(name, kind, title, tuple(members), step)


def edge(
    start: str,
    end: str,
    text: str = "",
    *,
    step: int | None = None,
    style: LineStyle = "solid",
    leave: Side | None = None,
    enter: Side | None = None,
    bend: float = 0.5,
    both: bool = False,
    ghost: bool = False,
    label_side: Side | None = None,
    label_at: float | None = None,
    label_on: int | None = None,
) -> Edge:
    """An arrow from a node or group to another, in right angles. The SVG id is `edge-<start>-<end>`.

    Args:
        start, end: names of nodes or groups.
        text: the words at the line, split at newlines.
        step: the number in the badge on the line.
        style: `solid` for requests and data, `dashed` for control, `dotted` for what happens seldom.
        leave, enter: the sides where it leaves and enters; chosen from the positions when not given.
        bend: where a line with two corners turns: a share from 0 (at the start) to 1 (at the end); for a line that
            leaves and enters on the same side, how far out it turns, in units.
        both: an arrow head at both ends.
        ghost: drawn pale.
        label_side: the side of the line where the text stands (default: above, or right of an upright line).
        label_at: the share of its segment where badge and text stand (default: the middle of the longest piece that
            no frame crosses).
        label_on: the segment that carries them, counted from 0 (default: the longest).
    """
    return Edge(start, end, text, step, style, leave, enter, bend, both, ghost, label_side, label_at, label_on)


def step(text: str, *also: str) -> Step:
    """One sentence of the walk. `also` are ids to light up beside those that carry the step's number."""
    return Step(text, also)


def picture(
    slug: str,
    title: str,
    description: str,
    *,
    nodes: Sequence[Node],
    groups: Sequence[Group],
    edges: Sequence[Edge],
    steps: Sequence[Step],
    column_gaps: dict[int, float] | None = None,
    row_gaps: dict[int, float] | None = None,
) -> Picture:
    """Puts a picture together and checks that it holds together.

    Args:
        slug: the name of the script without `.py`; ids of icons and of the title start with it.
        title: stands at the top of the picture and names it for a screen reader.
        description: one or two sentences, read before the steps.
        column_gaps, row_gaps: units of free space before a column or row, where the usual gap does not do.

    Raises:
        ValueError: a name is used twice, a member or an end is unknown, or a number has no sentence.
    """
    whole = Picture(
        slug,
        title,
        description,
        tuple(nodes),
        tuple(groups),
        tuple(edges),
        tuple(steps),
        column_gaps or {},
        row_gaps or {},
    )
    _check(whole)
    return whole


def _check(whole: Picture) -> None:
    names = Counter(part.name for part in (*whole.nodes, *whole.groups))
    edges = Counter(edge.id for edge in whole.edges)
    twice = [name for name, count in (*names.items(), *edges.items()) if count > 1]
    if twice:
        raise ValueError(f"Picture {whole.slug} uses a name twice: {', '.join(twice)}. Give each its own.")
    asked = {name for edge in whole.edges for name in (edge.start, edge.end)}
    asked |= {name for group in whole.groups for name in group.members}
    if unknown := sorted(asked - set(names)):
        raise ValueError(f"Picture {whole.slug} speaks of {', '.join(unknown)}, which no node or group is called.")
    ids = {part.id for part in (*whole.nodes, *whole.groups, *whole.edges)}
    if unknown := sorted({target for step in whole.steps for target in step.also} - ids):
        raise ValueError(f"A step of picture {whole.slug} names {', '.join(unknown)}, which is no id in it.")
    numbers = {part.step for part in (*whole.nodes, *whole.groups, *whole.edges)} - {None}
    if numbers != set(range(1, len(whole.steps) + 1)):
        raise ValueError(
            f"Picture {whole.slug} carries the numbers {sorted(numbers)} but has {len(whole.steps)} steps. "
            "Each step needs an edge, node or group that carries its number."
        )
