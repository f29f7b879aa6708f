"""README says what is: its table is the syllabus's, its commands and links exist, its start is short."""

import re
from pathlib import Path

import pytest

from labs import settings
from labs.authoring import readme
from labs.kit import syllabus

README = settings.ROOT / "README.md"


@pytest.fixture
def text() -> str:
    return README.read_text(encoding="utf-8")


def test_table_of_chapters_is_the_syllabus(text: str) -> None:
    assert readme.with_table(text) == text, "README's table is stale: run `python3 -m labs refresh --no-run`"


def test_every_chapter_is_in_the_table(text: str) -> None:
    table = text.partition(readme.BEGIN)[2].partition(readme.END)[0]
    for entry in syllabus.load().chapters:
        row = next(line for line in table.splitlines() if line.startswith(f"| {entry.number:02d} |"))
        assert entry.title in row
        assert ("to come" in row) == (entry.state == "planned")


def test_refresh_mends_a_stale_table_and_nothing_else(text: str, tmp_path: Path) -> None:
    stale = tmp_path / "README.md"
    stale.write_text(text.replace("Start here", "Begin there"), encoding="utf-8")
    assert readme.refresh(stale)
    assert stale.read_text(encoding="utf-8") == text
    assert not readme.refresh(stale), "a second refresh changes nothing"


@pytest.mark.parametrize("marker", [readme.BEGIN, readme.END])
def test_a_lost_marker_is_an_error_and_the_file_stays(text: str, tmp_path: Path, marker: str) -> None:
    broken = tmp_path / "README.md"
    broken.write_text(text.replace(marker, ""), encoding="utf-8")
    with pytest.raises(ValueError, match="put them back"):
        readme.refresh(broken)
    assert broken.read_text(encoding="utf-8") == text.replace(marker, "")


def test_links_lead_somewhere(text: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    assert targets
    for target in targets:
        if not target.startswith("https://"):
            assert (settings.ROOT / target).exists(), target


def test_the_commands_it_names_exist(text: str) -> None:
    """Every `python3 -m labs <command>` of README is one that the front door knows."""
    named = set(re.findall(r"python3 -m labs ([a-z]+)", text))
    named |= set(re.findall(r"^\| `([a-z]+)` \|", text, re.MULTILINE))
    front_door = (settings.LABS / "__main__.py").read_text(encoding="utf-8")
    assert {"start", "test", "status", "doctor", "reset", "stop", "draw", "check", "refresh"} <= named
    for command in sorted(named):
        assert f'"{command}"' in front_door, command


def test_the_two_commands_come_first(text: str) -> None:
    """A reader sees them without scrolling, in this order."""
    top = "\n".join(text.splitlines()[:12])
    assert 0 < top.find("python3 -m labs start") < top.find("python3 -m labs test")


def test_figures_have_their_place(text: str) -> None:
    assert text.count("<!-- figures: begin -->") == text.count("<!-- figures: end -->") == 1
    assert text.index("<!-- figures: begin -->") < text.index("<!-- figures: end -->")
