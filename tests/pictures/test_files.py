"""Each SVG equals what its script draws, stands by itself, and says in words and data what it shows."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from labs import settings
from labs.authoring import draw

SVG = "{http://www.w3.org/2000/svg}"
LIMIT = 150 * 1024


def _file(name: str) -> Path:
    return settings.DIAGRAMS / f"{name}.svg"


def _root(name: str) -> ET.Element:
    return ET.fromstring(_file(name).read_text(encoding="utf-8"))  # noqa: S314 (a file of our own)


def _walk(root: ET.Element) -> dict:
    return json.loads(root.find(f"{SVG}metadata[@id='walk']").text)


def _marked(root: ET.Element, class_: str) -> list[ET.Element]:
    return [part for part in root.iter(f"{SVG}g") if class_ in part.get("class", "").split()]


def test_drawing_again_gives_the_committed_bytes(slug: str, name: str) -> None:
    drawn = draw.render(settings.DIAGRAMS / f"{name}.py").encode("utf-8")
    assert drawn == _file(name).read_bytes(), f"{name}.svg differs from its script: run `python3 -m labs draw {name}`."


def test_a_script_run_by_itself_writes_the_same_bytes(slug: str, name: str, tmp_path: Path) -> None:
    copy = tmp_path / "pictures é ü"
    shutil.copytree(settings.DIAGRAMS, copy, ignore=shutil.ignore_patterns("*.svg", "__pycache__"))
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, str(copy / f"{name}.py")], check=True, cwd=tmp_path, env=environment)
    assert (copy / f"{name}.svg").read_bytes() == _file(name).read_bytes()


def test_every_drawing_has_its_script() -> None:
    drawings = {path.stem for path in settings.DIAGRAMS.glob("*.svg")}
    assert drawings == {script.stem for script in draw.scripts()}


def test_it_belongs_to_a_chapter(slug: str, name: str) -> None:
    assert name.startswith(f"{slug}_"), f"{name} starts with no chapter's slug, so no notebook finds it."


def test_it_is_small_and_ends_its_lines_alike(slug: str, name: str) -> None:
    data = _file(name).read_bytes()
    assert len(data) < LIMIT
    assert b"\r" not in data
    assert data.endswith(b"</svg>\n")


def test_it_needs_nothing_from_outside_and_runs_nothing(slug: str, name: str) -> None:
    root = _root(name)
    for part in root.iter():
        assert part.tag not in {f"{SVG}script", f"{SVG}foreignObject", f"{SVG}a"}
        for key, value in part.attrib.items():
            assert not key.startswith("on")
            if key.endswith("href"):
                assert value.startswith(("#", "data:image/png;base64,"))
    text = _file(name).read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "", 1)
    assert not re.search(r"https?:|@import|@font-face|url\(|file:", re.sub(r"base64,[^\"]+", "", text))


def test_its_rules_touch_nothing_but_pictures(slug: str, name: str) -> None:
    rules = re.sub(r"@media[^{]*\{", "", _root(name).find(f"{SVG}style").text)
    selectors = re.findall(r"([^{}\n]+)\{", rules)
    assert selectors
    assert all(selector.startswith(".picture") for selector in selectors)


def test_it_has_a_title_and_a_description_for_a_screen_reader(slug: str, name: str) -> None:
    root = _root(name)
    title, description, walk = root.find(f"{SVG}title"), root.find(f"{SVG}desc"), _walk(root)
    assert root.get("role") == "img"
    assert "picture" in root.get("class").split()
    assert re.fullmatch(r"0 0 \d+ \d+", root.get("viewBox"))
    assert root.get("aria-labelledby").split() == [title.get("id"), description.get("id")]
    assert title.text == walk["title"]
    assert description.text.startswith(walk["description"])
    assert all(step["text"] in description.text for step in walk["steps"])


def test_ids_are_unique(slug: str, name: str) -> None:
    ids = [part.get("id") for part in _root(name).iter() if part.get("id")]
    assert len(ids) == len(set(ids))


def test_steps_are_numbered_from_one_and_point_at_what_is_there(slug: str, name: str) -> None:
    root = _root(name)
    steps = _walk(root)["steps"]
    parts = {part.get("id") for kind in ("node", "edge", "group") for part in _marked(root, kind)}
    drawn = [part for kind in ("node", "edge", "group") for part in _marked(root, kind)]
    badges = {text.text for part in drawn for text in part.iter(f"{SVG}text") if text.get("class") == "number"}
    assert [step["n"] for step in steps] == list(range(1, len(steps) + 1))
    assert badges == {str(step["n"]) for step in steps}
    for step in steps:
        assert step["targets"]
        assert set(step["targets"]) <= parts
        assert step["text"].endswith(".")
        assert ". " not in step["text"], "a step is one sentence"


def test_every_node_is_reached_by_an_edge_or_stands_in_a_group(slug: str, name: str) -> None:
    picture = draw.picture_of(settings.DIAGRAMS / f"{name}.py")
    reached = {end for edge in picture.edges for end in (edge.start, edge.end)}
    reached |= {member for group in picture.groups for member in group.members}
    drawn = {part.get("id") for part in _marked(_root(name), "node")}
    assert drawn == {node.id for node in picture.nodes}
    assert {node.name for node in picture.nodes} <= reached


def test_check_finds_a_picture_that_differs_and_draw_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "diagrams"
    shutil.copytree(settings.DIAGRAMS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(settings, "DIAGRAMS", copy)
    target = copy / "start_here_map.svg"
    target.write_text("old", encoding="utf-8")
    assert draw.main(["--check"]) == 1
    assert "start_here_map.svg: differs from its script" in capsys.readouterr().out
    assert target.read_text(encoding="utf-8") == "old"
    assert draw.main(["start_here_map"]) == 0
    assert draw.main(["--check"]) == 0
