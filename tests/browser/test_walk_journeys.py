"""The walk through a picture by key presses, in JupyterLab's themes, and on a page without a kernel."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from labs import settings
from labs.kit.walk import read_walk, walk_widget
from tests.browser.journeys import Lab, audit, cells, open_notebook, run_all, set_theme, show_static, tab_to
from tests.browser.samples import STEPS, WALK, write_picture

PICTURES = sorted(settings.DIAGRAMS.glob("*.svg"))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return write_picture(tmp_path / "small.svg")


def _opacity(walk: Locator, name: str) -> float:
    """How opaque an element of the picture is, by its id in the file, its parents included."""
    return walk.locator(f"svg [id$='-{name}']").evaluate(
        """element => {
            let opacity = 1;
            for (let at = element; at?.nodeType === 1; at = at.parentElement) opacity *= getComputedStyle(at).opacity;
            return opacity;
        }"""
    )


PARTS = ("node-users", "edge-users-alb", "node-alb", "group-region")
LIT = [
    set(PARTS),
    {"node-users"},
    {"edge-users-alb", "node-alb"},
    {"group-region", "node-alb"},  # what lies inside a frame belongs to it
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_walked_by_keyboard_in_jupyterlab(lab: Lab, page: Page, scheme: str) -> None:
    """Buttons and arrows step, and no cell notices; each sentence is spoken; the picture follows the theme."""
    write_picture(lab.folder / "small.svg")
    code = "from pathlib import Path\nfrom labs.kit.walk import walk_widget\nwalk_widget(Path('small.svg'))"
    page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")  # the opposite of JupyterLab's
    open_notebook(page, lab, lab.write_notebook(f"walk-{scheme}.ipynb", ["'before'", code, "'after'"]))
    set_theme(page, scheme)
    run_all(page)
    walk = page.locator(".course-walk")
    status = walk.get_by_role("status")
    expect(status).to_have_text(f"The whole picture{WALK['description']}")
    walk.evaluate("element => { element.tabIndex = -1; element.focus(); element.removeAttribute('tabindex'); }")
    tab_to(page, walk.get_by_role("button", name="Next"))
    before = cells(page)

    at = 0
    for key, to in (("Enter", 1), ("ArrowRight", 2), ("ArrowDown", 3), ("ArrowDown", 3), ("Home", 0), ("End", 3)):
        page.keyboard.press(key)
        at = to
        expect(status).to_have_text(
            f"Step {at} of 3{STEPS[at - 1]['text']}" if at else f"The whole picture{WALK['description']}"
        )
    for key in ("b", "a", "d", "d", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    expect(status).to_have_text(f"Step 1 of 3{STEPS[0]['text']}")
    assert cells(page) == before

    svg = walk.locator("svg")
    expect(svg).to_have_attribute("data-theme", scheme)
    expect(svg.locator("rect.card")).to_have_css(
        "fill", "rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 28, 41)"
    )
    assert audit(page, ".course-walk") == []
    set_theme(page, "light" if scheme == "dark" else "dark")
    expect(svg).to_have_attribute("data-theme", "light" if scheme == "dark" else "dark")


def test_a_step_lights_up_its_targets_and_dims_the_rest(page: Page, picture: Path) -> None:
    show_static(page, walk_widget(picture))
    walk = page.locator(".course-walk")
    for n, lit in enumerate(LIT):
        walk.get_by_role("button", name=f"Step {n}" if n else "Whole picture").click()
        assert {part for part in PARTS if _opacity(walk, part) == 1} == lit


def test_a_step_is_marked_by_more_than_colour(page: Page, picture: Path) -> None:
    show_static(page, walk_widget(picture))
    walk = page.locator(".course-walk")
    expect(walk.locator(".walk-outline, .walk-badge")).to_have_count(0)
    walk.get_by_role("button", name="Step 2").click()
    expect(walk.locator("rect.walk-outline")).to_have_count(1)  # the load balancer
    expect(walk.locator("text.walk-number")).to_have_text("2")
    expect(walk.locator(".edge path")).to_have_css("stroke-width", "4px")
    outline, target = walk.locator("rect.walk-outline").bounding_box(), walk.locator("[id$=node-alb]").bounding_box()
    assert outline["x"] < target["x"] < target["x"] + target["width"] < outline["x"] + outline["width"]
    walk.get_by_role("button", name="Whole picture").click()
    expect(walk.locator(".walk-outline, .walk-badge, .walk-line, .walk-dim")).to_have_count(0)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_every_step_of_the_course_s_pictures_shows_something(page: Page, picture: Path) -> None:
    show_static(page, walk_widget(picture))
    walk = page.locator(".course-walk")
    for step in read_walk(picture).steps:
        walk.get_by_role("button", name=f"Step {step.n}", exact=True).click()
        expect(walk.get_by_role("status")).to_contain_text(step.text)
        assert walk.locator(".walk-dim").count() > 0
        assert {target: _opacity(walk, target) for target in step.targets} == dict.fromkeys(step.targets, 1)
        assert walk.locator(".walk-outline, .walk-line").count() > 0


def test_two_pictures_on_a_page_share_no_id_and_style_nothing_else(page: Page, picture: Path) -> None:
    widget = walk_widget(picture)
    show_static(page, widget, widget)
    ids = page.evaluate(
        """() => [...document.querySelectorAll('.cw-picture')].flatMap(
            (host) => [...host.shadowRoot.querySelectorAll('[id]')].map((element) => element.id))"""
    )
    assert len(ids) == len(set(ids)) == 10
    assert page.locator(".cw-sentence").first.evaluate("p => getComputedStyle(p).color") != "rgb(255, 0, 255)"


def test_nothing_in_a_picture_runs_or_loads(page: Page, picture: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    text = picture.read_text().replace(
        "</svg>",
        "<script>window.broken = 1</script><image href='http://elsewhere.test/i.png' onload='window.broken = 2'/>"
        "<foreignObject><iframe xmlns='http://www.w3.org/1999/xhtml' src='http://elsewhere.test/'/></foreignObject></svg>",
    )
    picture.write_text(text)
    show_static(page, walk_widget(picture))
    expect(page.locator(".cw-picture svg")).to_be_visible()
    assert page.evaluate("window.broken") is None
    assert [url for url in asked if "elsewhere" in url] == []


def test_a_narrow_page_scrolls_the_picture_only_and_brings_what_is_lit_into_sight(page: Page, picture: Path) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    show_static(page, walk_widget(picture))
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    region = page.get_by_role("region", name="Picture, scrolls sideways")
    expect(region).to_have_attribute("tabindex", "0")
    page.get_by_role("button", name="Step 3").click()
    page.wait_for_function("element => element.scrollLeft > 100", arg=region.element_handle())
    assert audit(page, ".course-walk") == []


def test_every_place_of_the_focus_keeps_its_keys(page: Page, picture: Path) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    show_static(page, walk_widget(picture))
    expect(page.get_by_role("region", name="Picture, scrolls sideways")).to_be_visible()
    focusable = page.locator(".course-walk").locator(":is(a, button, input, select, summary, [tabindex])")
    assert focusable.count() > 6
    assert page.locator(".course-walk :is(button, summary, [tabindex]):not([data-lm-suppress-shortcuts])").count() == 0


def test_the_picture_in_words_is_there_to_read(page: Page, picture: Path) -> None:
    show_static(page, walk_widget(picture))
    page.get_by_text("The picture in words").press("Enter")
    expect(page.locator(".cw-words li")).to_have_text([step["text"] for step in STEPS])
    expect(page.get_by_role("img", name="A request")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_no_fault_on_a_page_without_jupyter(page: Page, picture: Path, theme: str) -> None:
    show_static(page, walk_widget(picture), theme=theme)
    walk = page.locator(".course-walk")
    expect(walk.locator("svg")).to_have_attribute("data-theme", theme)
    assert audit(page, ".course-walk") == []
    walk.get_by_role("button", name="Next").click()
    walk.get_by_text("The picture in words").click()
    assert audit(page, ".course-walk") == []


# What is left of 1280 pixels at 400 % and at 200 % zoom.
@pytest.mark.parametrize("width", [320, 640])
@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_a_course_s_picture_can_be_walked_on_a_narrow_page(page: Page, picture: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    show_static(page, walk_widget(picture))
    walk = page.locator(".course-walk")
    for step in read_walk(picture).steps:
        walk.get_by_role("button", name="Next").press("Enter")
        expect(walk.get_by_role("status")).to_contain_text(step.text)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    for button in walk.get_by_role("button").all():
        box, card = button.bounding_box(), walk.bounding_box()
        assert card["x"] < box["x"]
        assert box["x"] + box["width"] < card["x"] + card["width"]


def test_nothing_moves_for_those_who_asked_for_less_motion(page: Page, picture: Path) -> None:
    show_static(page, walk_widget(picture))
    moving = "e => getComputedStyle(e).transitionDuration !== '0s'"
    found = page.locator(".course-walk *").evaluate_all(f"all => all.filter({moving}).map((e) => e.outerHTML)")
    assert found == []
