"""How wide a text is, in the font that it is drawn with.

The pictures are drawn in Arial or a font with Arial's widths (Helvetica, Liberation Sans). `graphviz-pure` carries
such a font (Arimo) and measures with it the same on every system, whatever fonts that has.
"""

import functools
import html
import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import graphviz
from graphviz.backend import dot_command

POINTS_PER_INCH = 72


class Run(NamedTuple):
    """A piece of text in one style; `size` in units."""

    text: str
    size: float
    bold: bool = False


@functools.cache
def engine() -> Path:
    """The program that measures: `graphviz-pure` beside this Python or on the path, else the system's `dot`.

    Raises:
        RuntimeError: neither is there.
    """
    beside = Path(sys.executable).parent / ("graphviz-pure.exe" if sys.platform == "win32" else "graphviz-pure")
    found = str(beside) if beside.is_file() else shutil.which("graphviz-pure") or shutil.which("dot")
    if not found:
        raise RuntimeError(
            "No graphviz-pure here, which measures the text of pictures. Install requirements.txt first."
        )
    return Path(found)


def measure(runs: Iterable[Run]) -> dict[Run, float]:
    """The width of each run in units. All in one call of the engine, so ask for many at once."""
    wanted = list(dict.fromkeys(run for run in runs if run.text))
    graph = graphviz.Graph(node_attr={"shape": "plain", "margin": "0", "fontname": "Arial"})
    for number, run in enumerate(wanted):
        words = html.escape(run.text)
        graph.node(f"n{number}", f"<{f'<b>{words}</b>' if run.bold else words}>", fontsize=str(run.size))
    dot_command.DOT_BINARY = engine()
    answer = json.loads(graph.pipe(format="json0", encoding="utf-8"))
    widths = {thing["name"]: float(thing["width"]) * POINTS_PER_INCH for thing in answer.get("objects", [])}
    return {run: widths[f"n{number}"] for number, run in enumerate(wanted)}


def wrap(text: str, size: float, width: float, widths: dict[Run, float]) -> list[tuple[str, float]]:
    """Breaks `text` into lines no longer than `width` units; each line with its length.

    Args:
        widths: those of each of its words, and of `n n` and `nn`, whose difference is a space.
    """
    space = widths[Run("n n", size)] - widths[Run("nn", size)]
    lines: list[tuple[str, float]] = []
    for word in text.split():
        length = widths[Run(word, size)]
        if lines and lines[-1][1] + space + length <= width:
            before, used = lines[-1]
            lines[-1] = (f"{before} {word}", used + space + length)
        else:
            lines.append((word, length))
    return lines
