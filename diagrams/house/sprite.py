"""The icons and colours for pictures that are drawn elsewhere: one SVG, `icons.svg`, beside this file.

The live pictures of the notebooks are drawn in the browser, from what exists now. They take every icon, glyph and
colour from this file, so that a live picture speaks the language of the still ones. It shows nothing by itself:
`<symbol id="icon-...">` on a field of 48 x 48, `<symbol id="corner-...">` on one of 24 x 24, and the style sheet.
"""

from pathlib import Path

from house import theme
from house.icons import CORNERS, LINE_ART, SHAPES, SIZE, is_shape, symbol

FILE = Path(__file__).with_name("icons.svg")

# What the live pictures call it: the icon's name in the house style.
ICONS = {
    "task": "aws/compute/fargate",
    "instance": "aws/compute/ec2",
    "load-balancer": "aws/network/elb-application-load-balancer",
    "network-load-balancer": "aws/network/elb-network-load-balancer",
    "target-group": "target",
    "queue": "aws/integration/simple-queue-service-sqs-queue",
    "rule": "aws/integration/eventbridge-rule",
    "file-system": "aws/storage/elastic-file-system-efs-file-system",
    "container": "container",
}
# Lines on nothing, too dark for the dark card: they get a light ground there.
DIM = LINE_ART | {ICONS[name] for name in ("network-load-balancer", "queue", "rule", "file-system")}
KINDS = {"cluster", "deployment", "draining", "folder", "az"}


def render() -> str:
    """The text of the SVG."""
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" class="picture" width="0" height="0">',
        f"<style>\n{theme.style_sheet(KINDS)}\n</style>",
        "<defs>",
        *(_icon(name, icon) for name, icon in ICONS.items()),
        *(_corner(name) for name in sorted({theme.GROUP_KINDS[kind].corner for kind in KINDS} - {""})),
        "</defs>",
        "</svg>",
        "",
    ]
    return "\n".join(lines)


def _icon(name: str, icon: str) -> str:
    if is_shape(icon):
        return f'<symbol id="icon-{name}" viewBox="0 0 {SIZE} {SIZE}">{SHAPES[icon]}</symbol>'
    drawn = symbol(icon, f"icon-{name}")
    if icon not in DIM:
        return drawn
    # Not by a class: what is only used is not reached by the style sheet, but it inherits the colours' values.
    round_ = SIZE / 2 if "load-balancer" in icon else 8
    disc = f'<rect width="{SIZE}" height="{SIZE}" rx="{round_:g}" style="fill:var(--chip)"/>'
    return drawn.replace("<image", f"{disc}<image", 1)


def _corner(name: str) -> str:
    lines = 'fill="none" stroke="#fff" stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round"'
    return f'<symbol id="corner-{name}" viewBox="0 0 24 24"><g {lines}>{CORNERS[name]}</g></symbol>'
