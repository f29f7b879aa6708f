"""The pictures there are, and a browser to look at them with."""

import os
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from labs import settings
from labs.authoring import draw
from labs.kit import syllabus

SWITCHES = (
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-sync",
    "disable-background-networking",
    "disable-component-update",
)

sys.path.append(str(settings.DIAGRAMS))  # where `house` is


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `name` runs for each picture; `slug` is the chapter that the picture belongs to."""
    if "name" in metafunc.fixturenames:
        slugs = [chapter.slug for chapter in syllabus.load().chapters]
        pictures = [(slug, script.stem) for script in draw.scripts() for slug in [_chapter(script.stem, slugs)]]
        metafunc.parametrize(("slug", "name"), pictures, ids=[name for _, name in pictures])


def _chapter(name: str, slugs: list[str]) -> str:
    """The longest slug that the picture's name starts with; if there is none, the name, which a test then refuses."""
    return max((slug for slug in slugs if name.startswith(f"{slug}_")), key=len, default=name)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("COURSE_CHROMIUM", "/usr/bin/chromium"),
            args=[f"--{switch}" for switch in SWITCHES],
        )
        yield chromium
        chromium.close()
