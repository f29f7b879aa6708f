"""Showing things to a learner: as HTML and Markdown in a notebook, as plain text everywhere else."""

import html
import re
import sys
from collections.abc import Sequence

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
    """Show a table with a caption and row headings."""
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
    head = "".join(f'<th scope="col" style="text-align:left">{code_spans(cell)}</th>' for cell in header)
    body = "".join(
        "<tr>"
        + f'<th scope="row" style="text-align:left;font-weight:600">{code_spans(row[0])}</th>'
        + "".join(f'<td style="text-align:left">{code_spans(cell)}</td>' for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    _show(
        "\n".join([caption, "", *lines]),
        "text/html",
        f'<table><caption style="text-align:left">{code_spans(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
    )


def code_spans(text: str) -> str:
    """HTML of a text in which only `code` spans are marked up; everything else is escaped."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(str(text), quote=False))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(str(cell).ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _show(plain: str, mime: str, rich: str) -> None:
    if in_notebook():
        from IPython.display import display

        display({"text/plain": plain, mime: rich}, raw=True)
    else:
        print(plain)
