"""Draws a picture: one self-contained SVG, the same bytes everywhere.

What a reader of the file can rely on: the root has `class="picture"`, a `viewBox`, and a `<title>` and `<desc>` that
name it; every node, group and edge is a `<g>` with the id `node-…`, `group-…`, `edge-…`, none inside another;
`<metadata id="walk">` holds the steps as JSON; `data-theme="dark"` or `"light"` on the root overrides the theme of
the reader's system.
"""

import json
import math
from html import escape
from pathlib import Path

from house import theme
from house.connectors import head, path, route
from house.icons import CORNERS, draw, is_shape, symbol
from house.layout import (
    BADGE_RADIUS,
    BADGE_ROOM,
    CORNER,
    DETAIL_LINE,
    HALF,
    MARGIN,
    NAME_LINE,
    UNDER_ICON,
    Box,
    Layout,
    arrange,
    group_run,
    node_runs,
    title_start,
)
from house.text import Run, measure, wrap
from house.vocabulary import Edge, Group, Node, Picture

LABEL_LINE = 13.5
STEP_LINE = 16
STEP_GAP = 7  # between two steps
STEP_COLUMN = 250  # the least width of a column of steps
COLUMN_GAP = 26
Widths = dict[Run, float]


def save(picture: Picture, script: str) -> None:
    """Writes the SVG beside the script that describes it.

    Args:
        script: the path of that script, its `__file__`.
    """
    Path(script).with_suffix(".svg").write_bytes(render(picture).encode("utf-8"))


def render(picture: Picture) -> str:
    """The text of the picture's SVG."""
    widths = measure(_all_runs(picture))
    layout = arrange(picture, widths, top=MARGIN + 30)
    width = math.ceil(layout.right + MARGIN)
    steps, bottom = _steps(picture, widths, layout.bottom + 18, width)
    height = math.ceil(bottom + MARGIN - 4)
    icons = {
        name: f"{picture.slug}-icon-{name.replace('/', '-')}" for name in dict.fromkeys(n.icon for n in picture.nodes)
    }
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="{picture.slug}-title {picture.slug}-desc">',
        f'<title id="{picture.slug}-title">{escape(picture.title)}</title>',
        f'<desc id="{picture.slug}-desc">{escape(_in_words(picture))}</desc>',
        f'<metadata id="walk">{escape(json.dumps(walk(picture), ensure_ascii=False), quote=False)}</metadata>',
        f"<style>\n{theme.style_sheet({group.kind for group in picture.groups})}\n</style>",
        "<defs>",
        *(symbol(name, id_) for name, id_ in icons.items() if not is_shape(name)),
        "</defs>",
        f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10"/>',
        _text(Run(picture.title, theme.TITLE, bold=True), "heading", MARGIN, MARGIN + 14, widths),
        *(_group(group, layout.frames[group.name], widths) for group in picture.groups),
        *(
            _edge(edge, layout, widths) for edge in sorted(picture.edges, key=lambda edge: edge.step or 0)
        ),  # badges on top
        *(_node(node, layout.icons[node.name], icons[node.icon], widths) for node in picture.nodes),
        *steps,
        "</svg>",
        "",
    ]
    return "\n".join(lines)


def walk(picture: Picture) -> dict:
    """What the walk widget reads: title, description, and the steps with the ids that each lights up."""
    return {
        "title": picture.title,
        "description": picture.description,
        "steps": [
            {"n": number, "text": step.text, "targets": picture.targets(number)}
            for number, step in enumerate(picture.steps, 1)
        ],
    }


def _in_words(picture: Picture) -> str:
    steps = (f"Step {number}: {step.text}" for number, step in enumerate(picture.steps, 1))
    return " ".join([picture.description, *steps])


def _all_runs(picture: Picture) -> list[Run]:
    runs = [Run(picture.title, theme.TITLE, bold=True), Run("n n", theme.STEP), Run("nn", theme.STEP)]
    for node in picture.nodes:
        runs += node_runs(node)
    runs += [group_run(group) for group in picture.groups]
    runs += [Run(line, theme.LABEL) for edge in picture.edges for line in edge.text.split("\n")]
    runs += [Run(word, theme.STEP) for step in picture.steps for word in step.text.split()]
    return runs


def _n(value: float) -> str:
    return f"{round(value, 2):g}"


def _text(run: Run, class_: str, x: float, y: float, widths: Widths, *, anchor: str = "start") -> str:
    return _line(run.text, class_, x, y, widths[run], anchor=anchor)


def _line(text: str, class_: str, x: float, y: float, length: float, *, anchor: str = "start") -> str:
    """One line of text. `textLength` holds it to the measured length where the reader's system lacks the fonts."""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return (
        f'<text class="{class_}" x="{_n(x)}" y="{_n(y)}"{place} textLength="{_n(length)}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(text, quote=False)}</text>'
    )


def _badge(number: int, x: float, y: float) -> str:
    return (
        f'<circle class="badge" cx="{_n(x)}" cy="{_n(y)}" r="{BADGE_RADIUS}"/>'
        f'<text class="number" x="{_n(x)}" y="{_n(y + 4)}">{number}</text>'
    )


def _group(group: Group, box: Box, widths: Widths) -> str:
    kind = theme.GROUP_KINDS[group.kind]
    title = group_run(group)
    parts = [
        f'<g id="{group.id}" class="group">',
        f'<rect class="frame {group.kind}" x="{_n(box.x0)}" y="{_n(box.y0)}" '
        f'width="{_n(box.width)}" height="{_n(box.height)}" rx="3"/>',
    ]
    text_x = box.x0 + title_start(group)
    if kind.corner:
        parts.append(
            f'<g transform="translate({_n(box.x0)} {_n(box.y0)})">'
            f'<rect class="corner {group.kind}" width="{CORNER}" height="{CORNER}" rx="3"/>'
            f'<g fill="none" stroke="#fff" stroke-width="1.5" '
            f'stroke-linejoin="round" stroke-linecap="round">{CORNERS[kind.corner]}</g></g>'
        )
    parts.append(_text(title, f"title {group.kind}", text_x, box.y0 + 17, widths))
    if group.step:
        parts.append(_badge(group.step, text_x + widths[title] + BADGE_ROOM, box.y0 + 13))
    return "".join([*parts, "</g>"])


def _node(node: Node, icon: Box, icon_id: str, widths: Widths) -> str:
    x, y = icon.centre
    parts = [
        f'<g id="{node.id}" class="node{" ghost" if node.ghost else ""}">',
        draw(node.icon, icon_id, _n(icon.x0), _n(icon.y0)),
    ]
    baseline = y + HALF + UNDER_ICON - 4
    for run in node_runs(node):
        baseline += NAME_LINE if run.bold else DETAIL_LINE
        parts.append(_text(run, "name" if run.bold else "detail", x, baseline, widths, anchor="middle"))
    if node.step:
        parts.append(_badge(node.step, icon.x0, icon.y0))
    return "".join([*parts, "</g>"])


def _edge(edge: Edge, layout: Layout, widths: Widths) -> str:
    line = route(edge, layout)
    style = "" if edge.style == "solid" else f" {edge.style}"
    parts = [
        f'<g id="{edge.id}" class="edge{" ghost" if edge.ghost else ""}">',
        f'<path class="wire{style}" d="{path(line.points, edge.both)}"/>',
        f'<path class="head" d="{head(line.points[-1], line.points[-2])}"/>',
    ]
    if edge.both:
        parts.append(f'<path class="head" d="{head(line.points[0], line.points[1])}"/>')
    x, y = line.badge
    if edge.text:
        parts += _label(edge, x, y, line.upright, widths)
    if edge.step:
        parts.append(_badge(edge.step, x, y))
    return "".join([*parts, "</g>"])


def _label(edge: Edge, x: float, y: float, upright: bool, widths: Widths) -> list[str]:
    """The words at a line: beside the badge if there is one, close to the line if not."""
    runs = [Run(text, theme.LABEL) for text in edge.text.split("\n")]
    room = BADGE_ROOM if edge.step else 6
    side = edge.label_side or ("right" if upright else "top")
    if side in ("left", "right"):
        anchor, at = ("start", x + room) if side == "right" else ("end", x - room)
        first = y - (len(runs) - 1) * LABEL_LINE / 2 + 4
    else:
        anchor, at = "middle", x
        first = y - room - (len(runs) - 1) * LABEL_LINE if side == "top" else y + room + 8
    return [_text(run, "label", at, first + i * LABEL_LINE, widths, anchor=anchor) for i, run in enumerate(runs)]


def _steps(picture: Picture, widths: Widths, top: float, width: float) -> tuple[list[str], float]:
    """The sentences under the picture, in columns read downwards; and where they end."""
    columns = max(1, int((width - 2 * MARGIN + COLUMN_GAP) // (STEP_COLUMN + COLUMN_GAP)))
    column = (width - 2 * MARGIN - COLUMN_GAP * (columns - 1)) / columns
    indent = BADGE_RADIUS * 2 + 9
    parts = [f'<path class="rule" d="M{MARGIN} {_n(top)}H{_n(width - MARGIN)}"/>']
    lowest, done = top, 0
    for index in range(columns):
        x, y = MARGIN + index * (column + COLUMN_GAP), top + 12
        share = math.ceil((len(picture.steps) - done) / (columns - index))
        for number in range(done + 1, done + share + 1):
            lines = wrap(picture.steps[number - 1].text, theme.STEP, column - indent, widths)
            says = "".join(
                _line(line, "says", x + indent, y + 14 + i * STEP_LINE, length)
                for i, (line, length) in enumerate(lines)
            )
            parts.append(f'<g id="step-{number}" class="step">{_badge(number, x + BADGE_RADIUS, y + 9.5)}{says}</g>')
            y += len(lines) * STEP_LINE + STEP_GAP
        done += share
        lowest = max(lowest, y)
    return parts, lowest
