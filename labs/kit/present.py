"""Showing things to a learner: as HTML and Markdown in a notebook, as plain text everywhere else."""

import html
import re
import sys
from collections.abc import Sequence

_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
# State -> sign, word, colour of the bar. The word says it; sign and colour only repeat it.
_CARDS = {
    "done": ("✔", "Done", "#1a7f37"),
    "not_yet": ("○", "Not yet", "#9a6700"),
    "lost": ("✖", "Start this one again", "#cf222e"),
    "blind": ("?", "I cannot look", "#57606a"),
    "note": ("i", "Note", "#0969da"),
}


def in_notebook() -> bool:
    """Whether a Jupyter kernel is there to show rich output."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def cell_id() -> str:
    """The id of the notebook cell that is run; empty where that is not known."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    header = getattr(shell, "get_parent", dict)() or {}
    return str(header.get("metadata", {}).get("cellId", ""))


def card(state: str, message: str) -> None:
    """Show one message with its state, readable by eye and by screen reader.

    Args:
        state: a key of `_CARDS`.
        message: text in which only `code` spans are marked up.
    """
    sign, word, colour = _CARDS[state]
    plain = f"{sign} {word}. {message}"
    _show(
        plain,
        "text/html",
        f'<div role="status" style="border-left:5px solid {colour};padding:.55em .9em;margin:.3em 0;'
        'background:var(--jp-layout-color2,#f6f8fa);color:var(--jp-content-font-color1,#1f2328);line-height:1.5">'
        f'<strong><span aria-hidden="true">{sign}</span> {word}.</strong> {code_spans(message)}</div>',
    )


def markdown(text: str) -> None:
    """Show Markdown."""
    _show(text, "text/markdown", text)


def picture(svg: str, description: str) -> None:
    """Show an SVG; its description where pictures cannot be shown."""
    _show(description, "text/html", f'<div style="max-width:960px">{svg}</div>')


def table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> None:
    """Show a table with a caption and row headings.

    Args:
        header: the columns' names.
        rows: their cells; `code` spans, or one `[link](address)` as a whole cell, are marked up.
        caption: what the table shows.
    """
    plain = [[_plain(cell) for cell in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*plain, strict=True)]
    left = 'style="text-align:left"'
    head = "".join(f'<th scope="col" {left}>{_cell(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row" {left}>{_cell(row[0])}</th>'
        + "".join(f"<td {left}>{_cell(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    _show(
        "\n".join([caption, "", *(_line(row, widths) for row in plain)]),
        "text/html",
        f"<table><caption {left}>{code_spans(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
    )


def code_spans(text: str) -> str:
    """HTML of a text in which only `code` spans are marked up; everything else is escaped."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(str(text), quote=False))


def _cell(text: str) -> str:
    """HTML of a table's cell: `code` spans, and a link where the whole cell is one."""
    link = _LINK.fullmatch(text)
    return f'<a href="{html.escape(link[2])}">{code_spans(link[1])}</a>' if link else code_spans(text)


def _plain(text: str) -> str:
    """A table's cell as plain text: of a link only its words."""
    return _LINK.sub(r"\1", text)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(str(cell).ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _show(plain: str, mime: str, rich: str) -> None:
    if in_notebook():
        from IPython.display import display

        display({"text/plain": plain, mime: rich}, raw=True)
    else:
        print(plain)
