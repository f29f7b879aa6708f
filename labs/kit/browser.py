"""The browser side of the kit's widgets: what they share stands in `browser.js` and `browser.css`.

A widget is one module without a build step, so what is shared is put before what is its own.
"""

from pathlib import Path

_SHARED = Path(__file__).parent / "browser"


def with_shared(own: Path) -> str:
    """A widget's own file, `.js` or `.css`, with what all widgets share before it.

    Args:
        own: the file of the widget.
    """
    return f"{_SHARED.with_suffix(own.suffix).read_text(encoding='utf-8')}\n{own.read_text(encoding='utf-8')}"
