"""Each chapter in JupyterLab, as a learner has it: cells run, pictures load, widgets answer to keys, dark and light."""

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from labs import settings
from labs.kit import syllabus
from tests.browser.journeys import Lab, audit, cells, open_notebook, run_all, set_theme, tab_to, wait_idle

SCREENSHOT = settings.ROOT / ".github/screenshot.png"


@pytest.fixture
def opened(course: dict[str, str], lab: Lab, page: Page, slug: str) -> Iterator[Page]:
    """A chapter's notebook, opened in a copy beside the pictures; nothing of the chapter is left afterwards."""
    folder = lab.folder / "work"
    folder.mkdir(exist_ok=True)
    notebook = shutil.copy(syllabus.notebook_path(slug), folder)
    shutil.copytree(
        settings.DIAGRAMS, lab.folder / "diagrams", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py")
    )
    room = importlib.import_module(f"labs.{slug}.lab")
    room.reset()
    open_notebook(page, lab, f"work/{Path(notebook).name}")
    yield page
    room.reset()


@pytest.mark.slow
@pytest.mark.parametrize("slug", syllabus.ready())
def test_a_chapter_from_top_to_bottom(opened: Page, slug: str, pytestconfig: pytest.Config) -> None:
    """Run all; the picture is there; the walk and the quiz can be used from the keyboard; no fault in either theme."""
    page = opened
    before = cells(page)
    run_all(page, timeout=300_000)

    picture = page.locator(".jp-RenderedMarkdown img[alt]").first
    picture.scroll_into_view_if_needed()
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=picture.element_handle())

    walk = page.locator(".course-walk").first
    walk.scroll_into_view_if_needed()
    tab_from(page, walk)
    following = walk.get_by_role("button", name="Next")
    tab_to(page, following)
    spoken = walk.get_by_role("status")
    first = spoken.text_content()
    page.keyboard.press("Enter")
    page.wait_for_function("([status, text]) => status.textContent !== text", arg=[spoken.element_handle(), first])

    quiz = page.locator(".course-quiz").first
    quiz.scroll_into_view_if_needed()
    for theme in ("dark", "light"):
        set_theme(page, theme)
        for widget in (".course-walk", ".course-quiz"):
            page.locator(widget).first.scroll_into_view_if_needed()
            assert audit(page, widget) == []
    assert cells(page)["count"] == before["count"]

    if slug == "ecs_service" and pytestconfig.getoption("screenshot"):
        walk.scroll_into_view_if_needed()
        wait_idle(page)
        SCREENSHOT.parent.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOT)


def tab_from(page: Page, place) -> None:
    """Put the focus just before a place, so that Tab goes into it."""
    place.evaluate("element => { element.tabIndex = -1; element.focus(); element.removeAttribute('tabindex'); }")
