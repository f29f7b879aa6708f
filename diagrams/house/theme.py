"""Colours, sizes and line styles, light and dark, and the style sheet made from them.

The frames follow AWS's own grouping boxes (AWS architecture icons: a Region dashed in teal, a VPC in purple, a zone
dashed in blue, a subnet tinted). AWS's border colours are too pale for small text, so a frame's title has a darker
relative of the same hue; a test computes the contrast of every text in both themes.
"""

from dataclasses import dataclass

FONT = 'Arial, Helvetica, "Liberation Sans", sans-serif'
TITLE, NAME, DETAIL, LABEL, STEP, BADGE = (
    17,
    13,
    11.5,
    11.5,
    12.5,
    11.5,
)  # sizes of text, in units (1 unit = 1 px at full width)

# What each colour is called in the style sheet: (light, dark).
COLOURS: dict[str, tuple[str, str]] = {
    "card": ("#ffffff", "#141c29"),
    "rim": ("#d3d9e2", "#35415a"),
    "ink": ("#16191f", "#f3f5f8"),
    "soft": ("#4d5765", "#b9c2cf"),
    "line": ("#48566a", "#b4bfce"),
    "badge": ("#0f1b2a", "#f3f5f8"),
    "badge-ink": ("#ffffff", "#0f1b2a"),
    "chip": ("#ffffff00", "#ffffffee"),
    "docker": ("#1d63ed", "#6ea1ff"),
    "course": ("#067f68", "#3fd0b0"),
    "orange": ("#d45b07", "#ff9d4d"),
    "purple": ("#7a3ff2", "#b794ff"),
}


@dataclass(frozen=True)
class GroupKind:
    """How a kind of frame looks: colours as (light, dark), the dash pattern, the corner glyph of `icons.CORNERS`."""

    stroke: tuple[str, str]
    ink: tuple[str, str]
    fill: tuple[str, str] = ("none", "none")
    dash: str = ""
    corner: str = ""
    width: float = 1.5


GROUP_KINDS: dict[str, GroupKind] = {
    "account": GroupKind(("#232f3e", "#aab7c8"), ("#232f3e", "#dfe5ec"), corner="account"),
    "region": GroupKind(("#00a4a6", "#00a4a6"), ("#00686a", "#5bd6d7"), dash="2 4", corner="region"),
    "vpc": GroupKind(("#8c4fff", "#9a66ff"), ("#6a2fd8", "#c6a8ff"), corner="vpc"),
    "az": GroupKind(("#147eba", "#2f9bd8"), ("#0b6394", "#78c6f2"), dash="8 5"),
    "public-subnet": GroupKind(("#7aa116", "#7aa116"), ("#4d6a06", "#b4d65c"), ("#f2f6e8", "#1f2a17"), corner="lock"),
    "private-subnet": GroupKind(("#00a4a6", "#00a4a6"), ("#00686a", "#5bd6d7"), ("#e6f6f7", "#12303a"), corner="lock"),
    "cluster": GroupKind(("#ed7100", "#f08a2e"), ("#a04300", "#ffb169"), ("#fff8f1", "#241e1b"), corner="ecs"),
    "deployment": GroupKind(("#ed7100", "#f08a2e"), ("#8f3c00", "#ffb877"), ("#ffedda", "#3a2a1b"), width=1),
    "draining": GroupKind(
        ("#6b7686", "#8b97a8"), ("#434d5b", "#c8d0da"), ("#eceff3", "#273142"), dash="4 4", width=1.2
    ),
    "docker": GroupKind(("#1d63ed", "#4f86f5"), ("#1650c4", "#8fb5ff"), ("#f1f6ff", "#152340"), corner="docker"),
    "machine": GroupKind(("#48566a", "#8796ab"), ("#232f3e", "#e6ebf2"), ("#f8f9fb", "#1a2434"), corner="laptop"),
    "local": GroupKind(("#067f68", "#2fb597"), ("#05644f", "#5fdcc0"), ("#edf9f5", "#12302c"), corner="cloud"),
    "folder": GroupKind(("#7b8798", "#7b8798"), ("#434d5b", "#c8d0da"), ("#f5f7f9", "#202b3b"), dash="4 4"),
    "outside": GroupKind(("#8a94a3", "#77849a"), ("#4d5765", "#b9c2cf"), dash="3 5", corner="cloud", width=1.2),
}


def _variables(theme: int) -> str:
    plain = [f"--{name}:{pair[theme]}" for name, pair in COLOURS.items()]
    for name, kind in GROUP_KINDS.items():
        plain += [f"--{name}-stroke:{kind.stroke[theme]}", f"--{name}-ink:{kind.ink[theme]}"]
        plain += [f"--{name}-fill:{kind.fill[theme]}"]
    return ";".join(plain)


def style_sheet(kinds: set[str]) -> str:
    """The style sheet of one picture, every rule under `.picture`: the same rules in every picture, so that several
    in one page agree. Light unless the reader's system or `data-theme` on the root says dark.

    Args:
        kinds: the kinds of group that the picture uses; only their rules are written.
    """
    light = _only(_variables(0), kinds)
    dark = _only(_variables(1), kinds)
    rules = [
        f".picture{{{light};font-family:{FONT}}}",
        f"@media (prefers-color-scheme:dark){{.picture:not([data-theme=light]){{{dark}}}}}",
        f".picture[data-theme=dark]{{{dark}}}",
        ".picture .card{fill:var(--card);stroke:var(--rim)}",
        ".picture text{fill:var(--ink);stroke:none}",
        f".picture .heading{{font-size:{TITLE}px;font-weight:bold}}",
        f".picture .name{{font-size:{NAME}px;font-weight:bold}}",
        f".picture .detail{{font-size:{DETAIL}px;fill:var(--soft)}}",
        f".picture .label{{font-size:{LABEL}px}}",
        f".picture .says{{font-size:{STEP}px}}",
        f".picture .number{{font-size:{BADGE}px;font-weight:bold;fill:var(--badge-ink);text-anchor:middle}}",
        ".picture .badge{fill:var(--badge);stroke:var(--card);stroke-width:1.5}",
        ".picture .rule{stroke:var(--rim)}",
        ".picture .wire{fill:none;stroke:var(--line);stroke-width:1.6}",
        ".picture .head{fill:var(--line)}",
        ".picture .dashed{stroke-dasharray:6 4}",
        ".picture .dotted{stroke-dasharray:1.6 4;stroke-linecap:round}",
        ".picture .chip{fill:var(--chip)}",
        ".picture .ghost .wire,.picture .ghost .icon{opacity:.55}",
        ".picture .shape{fill:none;stroke:var(--ink);stroke-width:2.2;stroke-linecap:round;stroke-linejoin:round}",
    ]
    rules += [
        f".picture .tone-{tone}{{stroke:var(--{tone})}}" for tone in ("docker", "course", "orange", "purple", "soft")
    ]
    for name in sorted(kinds):
        kind = GROUP_KINDS[name]
        dash = f";stroke-dasharray:{kind.dash}" if kind.dash else ""
        rules += [
            f".picture .frame.{name}{{fill:var(--{name}-fill);stroke:var(--{name}-stroke)}}",
            f".picture .frame.{name}{{stroke-width:{kind.width}{dash}}}",
            f".picture .title.{name}{{font-size:{NAME}px;font-weight:bold;fill:var(--{name}-ink)}}",
            f".picture .corner.{name}{{fill:var(--{name}-stroke)}}",
        ]
    return "\n".join(rules)


def _only(variables: str, kinds: set[str]) -> str:
    unused = {f"--{name}-{part}" for name in GROUP_KINDS.keys() - kinds for part in ("stroke", "ink", "fill")}
    return ";".join(line for line in variables.split(";") if line.split(":")[0] not in unused)
