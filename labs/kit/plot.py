"""Plots with Matplotlib, as SVG in the colours of the page, with the same in words and controls of ipywidgets.

A line differs from the others by its dashes and its marker, not by its colour alone, and bears its name at its end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets as widgets
    from matplotlib.axes import Axes

COLOURS = ("#1976d2", "#c2410c", "#2e7d32")  # 3:1 at least on white and on the dark paper of JupyterLab
DASHES = ("-", (0, (5, 2)), (0, (1.2, 1.6)))
MARKERS = ("o", "s", "^")
INK = "#010203"  # stands for the page's own colour of text, and is replaced by it
INCHES = (7.6, 3.6)
MARGINS = {"left": 0.1, "right": 0.8, "bottom": 0.15, "top": 0.96}  # shares; the names of lines are at the right
NAME_GAP = 0.07  # between two names at the ends of lines, as a share of the height

_SETTINGS = {
    "svg.fonttype": "none",  # text stays text: small, sharp, and read aloud
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": INK,
    "grid.alpha": 0.15,
}


def show_plot(
    title: str,
    draw: Callable[..., None],
    describe: Callable[..., str],
    controls: Mapping[str, widgets.Widget] | None = None,
) -> widgets.VBox:
    """A plot with its words below; with controls, both follow each change.

    Args:
        title: what the plot shows; a screen reader says it in place of the picture.
        draw: called with Matplotlib's Axes and the controls' values by name; draws.
        describe: called with the values; the same as the plot in words: paragraphs, lists of `- ` and `**bold**`.
        controls: widgets of ipywidgets with a `value`, by the name of the argument that they give.

    Returns:
        The widget to show.
    """
    import ipywidgets as widgets

    controls = dict(controls or {})
    picture, words = widgets.HTML(), widgets.HTML()

    def redraw(_: Any = None) -> None:
        values = {name: control.value for name, control in controls.items()}
        picture.value = svg(title, draw, **values)
        words.value = as_html(describe(**values))

    for control in controls.values():
        control.observe(redraw, "value")
    redraw()
    return widgets.VBox([*controls.values(), picture, words])


def svg(title: str, draw: Callable[..., None], **values: Any) -> str:
    """The plot as one SVG element that takes its colour of text from the page.

    Args:
        title, draw: as in `show_plot`.
        values: what `draw` is called with beside the axes.
    """
    import matplotlib
    from matplotlib.figure import Figure

    out = BytesIO()
    with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": title}):  # the same plot is the same bytes
        figure = Figure(figsize=INCHES)
        figure.subplots_adjust(**MARGINS)  # a layout that measures all text would take twice as long
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        draw(axes, **values)
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue().decode()
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # a page may hold several plots, and an id only once
    label = escape(f"{title}. The same in words is below.", quote=True)
    opening = (
        f'<svg role="img" aria-label="{label}" style="width:100%;max-width:760px;height:auto;'
        'color:var(--jp-content-font-color1,CanvasText);stroke-linejoin:round" '
    )
    return text.replace("<svg ", opening, 1).replace(INK, "currentColor").replace("sans-serif", "system-ui, sans-serif")


def style(n: int) -> dict[str, Any]:
    """How the n-th line looks, counted from 0: arguments for `axes.plot`."""
    at = n % len(COLOURS)
    return {"color": COLOURS[at], "linestyle": DASHES[at], "linewidth": 2.2}


def marker(n: int) -> dict[str, Any]:
    """How points of the n-th line look: arguments for `axes.plot`."""
    at = n % len(COLOURS)
    shape = {"color": COLOURS[at], "marker": MARKERS[at], "linestyle": "none"}
    return {**shape, "markersize": 8, "markerfacecolor": "none", "markeredgewidth": 2}


def name_ends(axes: Axes, ends: Mapping[str, float]) -> None:
    """Write each line's name at the right, beside its end, moved apart where two would touch.

    Args:
        axes: drawn already, with its limits as they stay.
        ends: names, and the value at which each line ends.
    """
    places = {
        name: axes.transAxes.inverted().transform(axes.transData.transform((0, end)))[1] for name, end in ends.items()
    }
    last = -NAME_GAP
    for name in sorted(places, key=lambda one: places[one]):
        last = max(places[name], last + NAME_GAP)
        axes.text(1.015, last, name, transform=axes.transAxes, va="center", weight="bold")


def as_html(words: str) -> str:
    """Words of a plot as HTML; a screen reader hears each change.

    Args:
        words: paragraphs apart by an empty line; a paragraph whose lines begin with `- ` is a list.
    """
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(words.strip()))
    parts = []
    for block in text.split("\n\n"):
        if block.startswith("- "):
            parts.append("<ul>" + "".join(f"<li>{row.removeprefix('- ')}</li>" for row in block.splitlines()) + "</ul>")
        else:
            parts.append(f"<p>{block}</p>")
    return f'<div role="status" style="line-height:1.5">{"".join(parts)}</div>'
