"""`python3 -m labs draw [NAME ...]`: draw the pictures again, each beside the script that describes it.

Without a name it also writes the icons of the live pictures, `diagrams/house/icons.svg`.
"""

import argparse
import runpy
import sys
from pathlib import Path
from typing import Any

from labs import settings

ICONS = settings.DIAGRAMS / "house/icons.svg"


def main(argv: list[str]) -> int:
    """Draw the named pictures, or all; 1 if `--check` finds one that differs from its script.

    Args:
        argv: names of pictures without a suffix; `--check` only compares and writes nothing.
    """
    parser = argparse.ArgumentParser(prog="python3 -m labs draw", description=__doc__)
    parser.add_argument("name", nargs="*", help="pictures, by name without .py; all of them if none is named")
    parser.add_argument("--check", action="store_true", help="only say which differ from their scripts")
    options = parser.parse_args(argv)
    known = {script.stem: script for script in scripts()}
    if unknown := [name for name in options.name if name not in known]:
        parser.error(f"there is no picture {', '.join(unknown)}; there are: {', '.join(known)}")
    stale = 0
    todo = [(known[name].with_suffix(".svg"), render(known[name])) for name in options.name or known]
    if not options.name:
        todo.append((ICONS, render_icons()))
    for target, text in todo:
        drawn = text.encode("utf-8")
        same = target.is_file() and target.read_bytes() == drawn
        stale += not same
        if not same and not options.check:
            target.write_bytes(drawn)
        state = "as it was" if same else "differs from its script" if options.check else "drawn"
        print(f"{target.name}: {state}, {len(drawn) / 1024:.0f} KiB")
    return 1 if options.check and stale else 0


def scripts() -> list[Path]:
    """The scripts in `diagrams/`, one a picture, by name."""
    return sorted(settings.DIAGRAMS.glob("*.py"))


def render(script: Path) -> str:
    """The SVG text that a picture script draws. Writes nothing.

    Args:
        script: a file in `diagrams/` that calls its picture `PICTURE`.
    """
    picture = picture_of(script)
    from house import render as render_picture

    return render_picture(picture)


def render_icons() -> str:
    """The SVG text of the icons and colours that live pictures are drawn with. Writes nothing."""
    _find_house(settings.DIAGRAMS)
    from house import sprite

    text: str = sprite.render()
    return text


def picture_of(script: Path) -> Any:
    """The `house.Picture` that a script describes."""
    _find_house(script.parent)
    return runpy.run_path(str(script))["PICTURE"]


def _find_house(room: Path) -> None:
    if str(room) not in sys.path:  # where a script finds `house` when it is run by itself
        sys.path.append(str(room))
