"""Icons: AWS's and Docker's from the `diagrams` wheel, inlined as they are; simple shapes of our own for the rest.

Own shapes are drawn with lines on a field of 48 x 48 and take their colour from the theme.
"""

import base64
import functools
import importlib.metadata
from pathlib import Path

SIZE = 48  # units, width and height of every icon

# Icons of the wheel that are dark lines on nothing: on the dark card they need a light disc behind them.
LINE_ART = {
    "aws/network/elb-application-load-balancer",
    "aws/network/elb-network-load-balancer",
    "aws/network/endpoint",
}


def _shape(tone: str, *marks: str) -> str:
    return f'<g class="shape{f" tone-{tone}" if tone else ""}">{"".join(marks)}</g>'


def _path(d: str) -> str:
    return f'<path d="{d}"/>'


def _rect(x: float, y: float, width: float, height: float, r: float = 3) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{r}"/>'


def _circle(x: float, y: float, r: float) -> str:
    return f'<circle cx="{x}" cy="{y}" r="{r}"/>'


SHAPES: dict[str, str] = {
    "user": _shape("", _circle(24, 15, 9), _path("M6 43c0-11 8-16 18-16s18 5 18 16z")),
    "users": _shape(
        "",
        _circle(24, 20, 7),
        _path("M10 44c0-9 6-13 14-13s14 4 14 13z"),
        _circle(11, 11, 5),
        _path("M14 21c-7-1-12 3-12 10h8"),
        _circle(37, 11, 5),
        _path("M34 21c7-1 12 3 12 10h-8"),
    ),
    "terminal": _shape("", _rect(3, 7, 42, 34), _path("M3 15h42M11 22l6 5-6 5M21 33h10")),
    "browser": _shape(
        "", _rect(3, 6, 42, 36), _path("M3 15h42M9 10.5h.1M14 10.5h.1M19 10.5h.1M13 24h22M13 30h22M13 36h12")
    ),
    "notebook": _shape(
        "course", _rect(8, 4, 34, 40), _path("M15 4v40M4 12h7M4 20h7M4 28h7M4 36h7M22 18l5 4-5 4M29 28h7")
    ),
    "file": _shape("", _path("M10 4h18l10 10v30H10zM28 4v10h10M16 22h16M16 29h16M16 36h10")),
    "files": _shape("", _path("M8 12h17l8 8v24H8zM25 12v8h8M15 12V4h17l8 8v24h-7M14 28h13M14 35h13")),
    "definition": _shape(
        "orange",
        _path("M10 4h18l10 10v30H10zM28 4v10h10M20 21c-3 0-3 2-3 4s0 4-3 4c3 0 3 2 3 4s0 4 3 4"),
        _path("M28 21c3 0 3 2 3 4s0 4 3 4c-3 0-3 2-3 4s0 4-3 4"),
    ),
    "image": _shape("docker", _path("M24 5l20 9-20 9-20-9zM4 24l20 9 20-9M4 34l20 9 20-9")),
    "container": _shape("docker", _rect(3, 8, 42, 32), _path("M10 16v16M17 16v16M24 16v16M31 16v16M38 16v16")),
    "containers": _shape(
        "docker", _rect(2, 14, 36, 29), _path("M9 22v13M14.5 22v13M20 22v13M25.5 22v13M31 22v13M10 14V5h36v28h-8")
    ),
    "volume": _shape(
        "docker", '<ellipse cx="24" cy="11" rx="17" ry="6"/>', _path("M7 11v26c0 8 34 8 34 0V11M7 24c0 8 34 8 34 0")
    ),
    "target": _shape("purple", _circle(24, 24, 21), _circle(24, 24, 13), _circle(24, 24, 4.5)),
    "gateway": _shape(
        "course", _path("M6 44V20a18 16 0 0 1 36 0v24M14 44V22a10 9 0 0 1 20 0v22M2 44h44M18 33h12M26 29l4 4-4 4")
    ),
    "services": _shape(
        "course", _rect(4, 4, 17, 17), _rect(27, 4, 17, 17), _rect(4, 27, 17, 17), _rect(27, 27, 17, 17)
    ),
    "check": _shape("course", _rect(8, 8, 32, 36), _rect(17, 3, 14, 9, 2), _path("M15 27l6 7 12-14")),
    "progress": _shape("course", _path("M5 5v38h39M13 36v-9M21 36V21M29 36V25M37 36V11")),
    "hypervisor": _shape(
        "", _rect(5, 29, 38, 12), _rect(7, 7, 14, 15), _rect(27, 7, 14, 15), _path("M14 22v7M34 22v7M12 35h24")
    ),
    "kernel": _shape("", _circle(24, 24, 20), _circle(24, 24, 8), _path("M24 4v12M24 32v12M4 24h12M32 24h12")),
    "processor": _shape(
        "",
        _rect(11, 11, 26, 26),
        _rect(18, 18, 12, 12, 1),
        _path("M17 11V4M24 11V4M31 11V4M17 44v-7M24 44v-7M31 44v-7M11 17H4M11 24H4M11 31H4M44 17h-7M44 24h-7M44 31h-7"),
    ),
    "cloud": _shape("soft", _path("M14 38a10 10 0 0 1-1-20 13 13 0 0 1 24-2 11 11 0 0 1 0 22z")),
}

# The white glyph in the corner of a frame, on a field of 24 x 24.
CORNERS: dict[str, str] = {
    "account": '<path d="M7 18V6h10v12zM10 9h4M10 12h4M10 15h4"/>',
    "region": '<path d="M8 19V5l9 4-9 4"/>',
    "vpc": '<path d="M8.5 16a3.5 3.5 0 0 1 0-7 4.5 4.5 0 0 1 8.5-.5 3.8 3.8 0 0 1-.5 7.5z"/>',
    "lock": '<path d="M7 11h10v8H7zM9 11V8a3 3 0 0 1 6 0v3"/>',
    "ecs": '<path d="M12 5l6 3.5v7L12 19l-6-3.5v-7zM12 9v6M9 10.5v3M15 10.5v3"/>',
    "docker": '<path d="M5 9h14v8H5zM8.5 11.5v3M12 11.5v3M15.5 11.5v3"/>',
    "laptop": '<path d="M6 6h12v9H6zM4 18h16"/>',
    "cloud": '<path d="M8.5 17a3.7 3.7 0 0 1-.3-7.4 4.6 4.6 0 0 1 8.7-.6 4 4 0 0 1 0 8z"/>',
}


def is_shape(icon: str) -> bool:
    """Whether `icon` is a shape of ours, which takes the theme's colours and so is drawn in place."""
    return icon in SHAPES


def symbol(icon: str, id_: str) -> str:
    """The definition of an icon of the wheel as `<symbol id=id_>`, for `<use>`: its bytes are in the file once.

    Raises:
        ValueError: neither a shape of ours nor a file of the wheel is called `icon`.
    """
    data = base64.b64encode(_png(icon)).decode("ascii")
    image = f'<image width="{SIZE}" height="{SIZE}" href="data:image/png;base64,{data}"/>'
    return f'<symbol id="{id_}" viewBox="0 0 {SIZE} {SIZE}">{image}</symbol>'


def draw(icon: str, id_: str, x: str, y: str) -> str:
    """An icon with its top left corner at (x, y). `id_` is that of its symbol, for an icon of the wheel."""
    if is_shape(icon):
        return f'<g class="icon" transform="translate({x} {y})">{SHAPES[icon]}</g>'
    place = f'x="{x}" y="{y}" width="{SIZE}" height="{SIZE}"'
    chip = f'<rect class="chip" {place} rx="{SIZE / 2:g}"/>' if icon in LINE_ART else ""
    return f'{chip}<use class="icon" href="#{id_}" {place}/>'


@functools.cache
def _png(icon: str) -> bytes:
    resources = Path(str(importlib.metadata.distribution("diagrams").locate_file("resources")))
    file = resources / f"{icon}.png"
    if not file.is_file():
        raise ValueError(f"No icon is called {icon!r}: it is none of our shapes and no file of the diagrams wheel.")
    return file.read_bytes()
