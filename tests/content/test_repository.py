"""The shape of the repository: rooms, layers, style, what may never be in it, what was locked."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP = {"README.md", "requirements.txt", "pyproject.toml", "LICENSE", "notebooks", "labs", "diagrams", "tests"}
# Room -> what of labs it may import, lowest room first (labs/README.md).
LAYERS = {
    "settings": set(),
    "cloud": {"settings"},
    "machine": {"settings", "cloud"},
    "kit": {"settings", "cloud", "machine"},
}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_top_level_rooms() -> None:
    names = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in names if not name.startswith(".")} == TOP


def test_ruff_is_clean() -> None:
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("room", LAYERS)
def test_no_room_imports_a_room_above_it(room: str) -> None:
    files = [ROOT / "labs/settings.py"] if room == "settings" else (ROOT / "labs" / room).rglob("*.py")
    for file in files:
        for name in _imports(file):
            if name[0] == "labs" and len(name) > 1:
                assert name[1] in LAYERS[room] | {room}, f"{file.relative_to(ROOT)} imports {'.'.join(name)}"


def test_diagrams_and_cloud_know_nothing_of_the_kit() -> None:
    for file in (ROOT / "diagrams").rglob("*.py"):
        assert all(name[0] != "labs" for name in _imports(file)), file


def test_the_front_door_needs_only_the_standard_library() -> None:
    """Everything that `python3 -m labs start` loads before the environment exists."""
    code = "import runpy, sys\nsys.argv = ['labs', '--help']\nrunpy.run_module('labs', run_name='__main__')"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "start" in done.stdout


def test_importing_the_kit_is_quick() -> None:
    """The median of five fresh interpreters, less what an empty interpreter takes, is under half a second."""
    code = "import time; t = time.perf_counter(); import labs.kit; print(time.perf_counter() - t)"
    taken = sorted(
        float(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    )
    assert taken[2] < 0.5


def test_requirements_hold_what_the_project_asks_for() -> None:
    """Each dependency of pyproject.toml is locked to a version that satisfies it, with hashes."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for file, wanted in (
        (ROOT / "requirements.txt", project["dependencies"]),
        (ROOT / "tests/requirements.txt", project["optional-dependencies"]["test"]),
    ):
        text = file.read_text(encoding="utf-8")
        locked = dict(re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE))
        for line in wanted:
            requirement = Requirement(line)
            assert requirement.name in locked, f"{line} is not in {file.name}: python3 -m labs lock"
            assert requirement.specifier.contains(locked[requirement.name]), (
                f"{line} against {locked[requirement.name]}"
            )
        assert "--hash=sha256:" in text


def test_nothing_in_it_points_at_a_mirror_or_a_private_path() -> None:
    words = re.compile(
        r"/work/(main|shared|\.)|/root/\.pyenv|deb\.debian\.org|pypi\.org/simple|registry\.npmjs", re.IGNORECASE
    )
    allowed = {Path(__file__)}
    for file in tracked():
        if file.suffix in {".svg", ".png"} or file in allowed:
            continue
        found = words.search(file.read_text(encoding="utf-8"))
        assert found is None, f"{file.relative_to(ROOT)}: {found and found[0]}"


def _imports(file: Path) -> list[tuple[str, ...]]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            base = tuple(node.module.split("."))
            found += [(*base, alias.name) for alias in node.names]
    return found
