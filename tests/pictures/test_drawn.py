"""What a browser makes of each picture: all legible, nothing on top of anything else, arrows that end at icons."""

from itertools import combinations
from typing import Any

import pytest
from contrast import LEAST, contrast
from playwright.sync_api import Browser

from labs import settings

THEMES = ("light", "dark")
# The first has Arial's widths where it is installed; the second stands for systems with none of our fonts: it is wider.
FONTS = ("Arial, 'Liberation Sans', sans-serif", "'DejaVu Sans', Verdana, sans-serif")
WIDTH = 920  # units; wider pictures would have smaller text than the others
REACH = 6  # units between the tip of an arrow and what it points at

# Everything that the tests ask about, in the units of the picture.
MEASURE = """
() => {
  const svg = document.querySelector('svg.picture');
  const box = e => { const b = e.getBBox(), m = svg.getScreenCTM().inverse().multiply(e.getScreenCTM());
    return [b.x + m.e, b.y + m.f, b.x + b.width + m.e, b.y + b.height + m.f]; };
  const cell = e => { const m = e.transform.baseVal.consolidate()?.matrix;
    const [x, y] = m ? [m.e, m.f] : [e.x.baseVal.value, e.y.baseVal.value]; return [x, y, x + 48, y + 48]; };
  const all = s => [...svg.querySelectorAll(s)];
  const rgba = c => { const v = c.match(/[\\d.]+/g); return v ? v.map(Number) : null; };
  const shapes = all('rect, circle').filter(e => !e.closest('defs, .icon') && !e.matches('.corner, .chip'))
    .map(e => ({e, box: box(e), fill: getComputedStyle(e).fill}))
    .filter(s => s.fill !== 'none' && (rgba(s.fill)[3] ?? 1) === 1);
  const under = t => shapes.filter(s => s.e.compareDocumentPosition(t) & Node.DOCUMENT_POSITION_FOLLOWING);
  return {
    view: svg.viewBox.baseVal.width,
    height: svg.viewBox.baseVal.height,
    texts: all('text').map(t => ({text: t.textContent, kind: t.getAttribute('class').split(' ')[0],
      owner: t.closest('[id]')?.id, box: box(t), fill: rgba(getComputedStyle(t).fill),
      size: parseFloat(getComputedStyle(t).fontSize),
      under: under(t).map(s => ({box: s.box, fill: rgba(s.fill)}))})),
    frames: all('.frame').map(e => ({id: e.parentNode.id, box: box(e)})),
    icons: all('.icon').map(e => ({id: e.closest('.node').id, box: cell(e)})),
    badges: all('.badge').map(e => ({id: e.closest('[id]').id, box: box(e)})),
    heads: all('.edge').map(e => ({id: e.id,
      start: e.querySelector('.wire').getAttribute('d').split(/[LQ]/)[0],
      tips: [...e.querySelectorAll('.head')].map(h => {
        const p = h.getPointAtLength(0); return [p.x, p.y]; })})),
    wires: all('.wire').map(w => { const points = [], length = w.getTotalLength();
      for (let at = 0; at < length; at += 3) { const p = w.getPointAtLength(at); points.push([p.x, p.y]); }
      return {id: w.parentNode.id, points}; }),
  };
}
"""
_measured: dict[tuple[str, str, str], dict[str, Any]] = {}


def _look(
    browser: Browser, name: str, theme: str = "light", font: str = FONTS[0], width: int = WIDTH
) -> dict[str, Any]:
    if (name, theme, font) not in _measured:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        drawing = (settings.DIAGRAMS / f"{name}.svg").read_text(encoding="utf-8")
        style = f"body {{ margin: 0 }} svg.picture {{ width: {width}px; font-family: {font} !important }}"
        page.set_content(f"<!doctype html><style>{style}</style>{drawing}")
        _measured[name, theme, font] = page.evaluate(MEASURE)
        page.close()
    return _measured[name, theme, font]


def _meet(a: list[float], b: list[float], slack: float = 0) -> bool:
    """Whether two boxes (left, top, right, bottom) share more than `slack` units both ways."""
    return min(a[2], b[2]) - max(a[0], b[0]) > slack and min(a[3], b[3]) - max(a[1], b[1]) > slack


def _inside(a: list[float], b: list[float]) -> bool:
    return a[0] >= b[0] and a[1] >= b[1] and a[2] <= b[2] and a[3] <= b[3]


@pytest.mark.parametrize("theme", THEMES)
def test_every_text_stands_out_from_what_is_behind_it(browser: Browser, slug: str, name: str, theme: str) -> None:
    for text in _look(browser, name, theme)["texts"]:
        grounds = [ground for ground in text["under"] if _meet(text["box"], ground["box"])]
        whole = max((i for i, ground in enumerate(grounds) if _covers(text, ground)), default=0)
        assert grounds, f"{text['text']!r} stands on nothing"
        worst = min(contrast(text["fill"], ground["fill"]) for ground in grounds[whole:])
        assert worst >= LEAST, f"{text['text']!r} has a contrast of {worst:.2f} in {theme}"


def _covers(text: dict, ground: dict) -> bool:
    """Whether a ground hides all grounds before it behind this text. A number's line is taller than its badge."""
    box = text["box"]
    if text["kind"] == "number":
        middle = (box[1] + box[3]) / 2
        box = [box[0], middle - 4, box[2], middle + 4]
    return _inside(box, ground["box"])


def test_the_theme_of_the_page_wins_over_that_of_the_system(browser: Browser, slug: str, name: str) -> None:
    drawing = (settings.DIAGRAMS / f"{name}.svg").read_text(encoding="utf-8")
    cards = {}
    for system in THEMES:
        page = browser.new_page(color_scheme=system)
        for chosen in ("", *THEMES):
            page.set_content(drawing.replace("<svg ", f'<svg data-theme="{chosen}" ' if chosen else "<svg ", 1))
            cards[system, chosen] = page.locator(".card").evaluate("card => getComputedStyle(card).fill")
        page.close()
    assert cards["light", ""] != cards["dark", ""]
    for system in THEMES:
        assert [cards[system, chosen] for chosen in THEMES] == [cards["light", ""], cards["dark", ""]]


def test_two_pictures_in_a_page_leave_each_other_alone(browser: Browser, slug: str, name: str) -> None:
    first, second = (settings.DIAGRAMS / f"{other}.svg" for other in ("start_here_map", name))
    page = browser.new_page(color_scheme="light")
    style = "getComputedStyle(document.querySelector('svg:last-of-type .heading')).fontSize + ' ' + getComputedStyle("
    style += "document.querySelector('svg:last-of-type .frame')).stroke"
    page.set_content(second.read_text(encoding="utf-8"))
    alone = page.evaluate(style)
    page.set_content(
        first.read_text(encoding="utf-8").replace("<svg ", '<svg data-theme="dark" ', 1) + second.read_text("utf-8")
    )
    assert page.evaluate(style) == alone
    page.close()


@pytest.mark.parametrize("font", FONTS, ids=("metric", "fallback"))
def test_every_text_fits_its_place(browser: Browser, slug: str, name: str, font: str) -> None:
    seen = _look(browser, name, font=font)
    card = [12, 8, seen["view"] - 12, seen["height"] - 8]
    frames = {frame["id"]: frame["box"] for frame in seen["frames"]}
    for text in seen["texts"]:
        assert _inside(text["box"], card), f"{text['text']!r} leaves the card"
        if text["kind"] == "title":
            assert _inside(text["box"], frames[text["owner"]]), f"{text['text']!r} leaves its frame"


@pytest.mark.parametrize("font", FONTS, ids=("metric", "fallback"))
def test_no_text_stands_on_another_text_icon_badge_or_frame_line(
    browser: Browser, slug: str, name: str, font: str
) -> None:
    seen = _look(browser, name, font=font)
    for a, b in combinations(seen["texts"], 2):
        assert not _meet(a["box"], b["box"], slack=1.5), f"{a['text']!r} stands on {b['text']!r}"
    for text in (text for text in seen["texts"] if text["kind"] != "number"):
        left, top, right, bottom = text["box"]
        ink = [left, top + 3, right, bottom - 3]  # without the empty parts of the line above and below the letters
        for other in (*seen["icons"], *seen["badges"]):
            assert not _meet(ink, other["box"], slack=0.5), f"{text['text']!r} stands on {other['id']}"
        for frame in seen["frames"]:
            x0, y0, x1, y1 = frame["box"]
            lines = [[x0, y0, x0, y1], [x1, y0, x1, y1], [x0, y0, x1, y0], [x0, y1, x1, y1]]
            assert not any(_touch(ink, line) for line in lines), f"{text['text']!r} crosses the line of {frame['id']}"


def _touch(box: list[float], line: list[float]) -> bool:
    return box[0] < line[2] and line[0] < box[2] and box[1] < line[3] and line[1] < box[3]


def test_no_line_runs_through_a_text_an_icon_or_a_badge_of_another(browser: Browser, slug: str, name: str) -> None:
    seen = _look(browser, name)
    things = [(text["text"], text["box"]) for text in seen["texts"] if text["kind"] != "number"]
    things += [(icon["id"], icon["box"]) for icon in seen["icons"]]
    starts = {edge["id"]: edge["start"] for edge in seen["heads"]}
    for wire in seen["wires"]:
        # Lines that fan out of one icon share their first piece, and its badge.
        fan = {id_ for id_, start in starts.items() if start == starts[wire["id"]]}
        others = [(badge["id"], badge["box"]) for badge in seen["badges"] if badge["id"] not in fan]
        for x, y in wire["points"]:
            for what, (x0, y0, x1, y1) in (*things, *others):
                assert not (x0 < x < x1 and y0 < y < y1), f"{wire['id']} runs through {what!r}"


def test_every_arrow_ends_at_its_icon_or_frame(browser: Browser, slug: str, name: str) -> None:
    seen = _look(browser, name)
    places = {thing["id"].split("-", 1)[1]: list(thing["box"]) for thing in (*seen["frames"], *seen["icons"])}
    for text in (
        text for text in seen["texts"] if text["kind"] in ("name", "detail")
    ):  # an arrow from below ends there
        box = places[text["owner"].split("-", 1)[1]]
        box[3] = max(box[3], text["box"][3])
    for edge in seen["heads"]:
        start, end = next((a, b) for a in places for b in places if edge["id"] == f"edge-{a}-{b}")
        assert edge["tips"]
        assert _distance(edge["tips"][0], places[end]) <= REACH, f"{edge['id']} does not reach {end}"
        if len(edge["tips"]) == 2:
            assert _distance(edge["tips"][1], places[start]) <= REACH, f"{edge['id']} does not reach {start}"


def _distance(point: list[float], box: list[float]) -> float:
    x, y = point
    return max(box[0] - x, x - box[2], box[1] - y, y - box[3], 0)


def test_badges_stand_apart(browser: Browser, slug: str, name: str) -> None:
    seen = _look(browser, name)
    for a, b in combinations(seen["badges"], 2):
        assert not _meet(a["box"], b["box"]), f"the badges of {a['id']} and {b['id']} meet"


def test_it_is_as_wide_as_all_and_its_text_large_enough(browser: Browser, slug: str, name: str) -> None:
    seen = _look(browser, name)
    assert seen["view"] == WIDTH
    assert seen["height"] <= 0.85 * WIDTH, "too tall to see at once in a notebook"
    assert min(text["size"] for text in seen["texts"]) >= 11.5
