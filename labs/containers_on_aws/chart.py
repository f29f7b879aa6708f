"""A small line chart as SVG in the colours of the page: each line has its own dashes and bears its name at its end."""

from __future__ import annotations

from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 110, 16, 44
DASHES = ("", "9 5", "2 5")
COLOURS = ("#1976d2", "#c2410c", "#2e7d32")  # 3:1 at least on white and on the dark paper of JupyterLab
LABEL_GAP = 16


def svg(across: str, up: str, lines: dict[str, list[float]], chosen: int) -> str:
    """The chart.

    Args:
        across, up: what the axes show.
        lines: values by name, for 1, 2, 3 ... on the axis across; all of the same length.
        chosen: the place on that axis that is marked.
    """
    count = max(len(values) for values in lines.values())
    top = _round(max(max(values) for values in lines.values()))
    parts = [_grid(across, up, count, top), _mark(chosen, count)]
    ends = _spread({name: _y(values[-1], top) for name, values in lines.items()})
    for (name, values), dash, colour in zip(lines.items(), DASHES, COLOURS, strict=False):
        points = " ".join(f"{_x(n, count):.1f},{_y(value, top):.1f}" for n, value in _corners(values))
        stroke = f'fill="none" stroke="{colour}" stroke-width="2.5"'
        parts.append(f'<polyline points="{points}" {stroke} stroke-dasharray="{dash}"/>')
        parts.append(f'<circle cx="{_x(chosen, count):.1f}" cy="{_y(values[chosen - 1], top):.1f}" r="5" {stroke}/>')
        parts.append(_text(WIDTH - RIGHT + 8, ends[name] + 4, name, weight="bold"))
    label = f"{up} over {across}: {', '.join(lines)}. The same in words is below."
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}" font-size="13" '
        'style="width:100%;max-width:720px;color:var(--jp-content-font-color1,#1f2328);'
        f'font-family:var(--jp-content-font-family,system-ui)">{"".join(parts)}</svg>'
    )


def _grid(across: str, up: str, count: int, top: float) -> str:
    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = _y(top * share, top)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="currentColor" opacity=".18"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{top * share:,.0f}", anchor="end"))
    for n in sorted({1, *range(4, count + 1, 4)}):
        parts.append(_text(_x(n, count), HEIGHT - BOTTOM + 18, str(n), anchor="middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, across, anchor="middle"))
    parts.append(_text(LEFT + 6, TOP + 12, up))
    return "".join(parts)


def _mark(chosen: int, count: int) -> str:
    return f'<path d="M{_x(chosen, count):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="currentColor" opacity=".45"/>'


def _text(x: float, y: float, words: str, anchor: str = "start", weight: str = "normal") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {place} fill="currentColor">{escape(words)}</text>'


def _spread(ends: dict[str, float]) -> dict[str, float]:
    """The heights of the names, moved apart where two would touch."""
    placed: dict[str, float] = {}
    last = -float(LABEL_GAP)
    for name in sorted(ends, key=lambda one: ends[one]):
        last = placed[name] = max(ends[name], last + LABEL_GAP)
    return placed


def _round(value: float) -> float:
    """The next of 100, 200, 400, 800 ... that is not below the value."""
    top = 100.0
    while top < value:
        top *= 2
    return top


def _corners(values: list[float]) -> list[tuple[float, float]]:
    """The points of a line; one that has level pieces is drawn as steps, which rise between two places."""
    corners: list[tuple[float, float]] = []
    level = any(one == other for one, other in pairwise(values))
    for n, value in enumerate(values, 1):
        if level and corners and corners[-1][1] != value:
            corners += [(n - 0.5, corners[-1][1]), (n - 0.5, value)]
        corners.append((n, value))
    return corners


def _x(n: float, count: int) -> float:
    return LEFT + (n - 1) * (WIDTH - LEFT - RIGHT) / (count - 1)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)
