"""The environment: when it counts as good, when it is repaired, when it is made anew; what its path file does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labs import settings
from labs.machine import console, environment, files, processes


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course in a folder of its own, with spaces and letters that are not ASCII; no packages to install."""
    root = tmp_path / "päth with späces"
    (root / "tests").mkdir(parents=True)
    (root / "requirements.txt").write_text("", encoding="utf-8")
    (root / "tests" / "requirements.txt").write_text("", encoding="utf-8")
    for name, value in {
        "ROOT": root,
        "VENV": root / ".venv",
    }.items():
        monkeypatch.setattr(settings, name, value)
    monkeypatch.setattr(environment, "STAMP", root / ".venv" / "course.json")
    monkeypatch.setattr(environment, "REQUIREMENTS", root / "requirements.txt")
    monkeypatch.setattr(environment, "TEST_REQUIREMENTS", root / "tests" / "requirements.txt")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    return root


def test_made_once_then_kept_in_step_repaired_and_rebuilt(course: Path, capfd: pytest.CaptureFixture) -> None:
    """One walk through a life of an environment: making one takes seconds, so the steps share it."""
    assert environment.missing() == "not there yet"
    assert environment.ensure()
    assert environment.missing() is None
    assert not environment.ensure(), "a second start has nothing to do"

    marker = settings.VENV / "marker"
    marker.write_text("kept", encoding="utf-8")
    (course / "requirements.txt").write_text("# a new line\n", encoding="utf-8")
    assert environment.missing() == "requirements.txt has changed"
    environment.ensure()
    assert environment.missing() is None
    assert marker.exists(), "a change of the list does not throw the environment away"

    assert "tests need" in environment.missing(tests=True)
    environment.ensure(tests=True)
    assert environment.missing(tests=True) is None

    _path_file_holds(course)

    (settings.VENV / "course.json").write_text(json.dumps({"state": "making"}), encoding="utf-8")
    assert "interrupted" in environment.missing()
    environment.ensure()
    assert environment.missing() is None
    assert not marker.exists(), "what was interrupted is made anew"

    stamp = files.read_json(environment.STAMP)
    files.write_atomic(environment.STAMP, json.dumps(stamp | {"root": "/elsewhere"}))
    assert "made for another folder (/elsewhere)" in environment.missing()
    files.write_atomic(environment.STAMP, json.dumps(stamp))

    settings.venv_python().unlink()
    assert "does not run" in environment.missing()
    assert "Traceback" not in capfd.readouterr().err


def _path_file_holds(course: Path) -> None:
    """From any folder `labs` of this course is found and the guard is in place; a missing folder costs no word."""
    guard = course / "labs" / "cloud" / "guard.py"
    guard.parent.mkdir(parents=True)
    guard.write_text("import sys\ndef install(): sys.guarded = True\n", encoding="utf-8")
    code = "import sys, labs.cloud.guard as g; print(sys.guarded, ascii(g.__file__))"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [settings.venv_python(), "-c", code], cwd="/", env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"True {str(guard)!a}"
    for folder in ("labs/cloud", "labs"):
        (course / folder).rename(course / "gone")
        done = subprocess.run([settings.venv_python(), "-c", ""], cwd="/", env=env, capture_output=True, check=True)
        assert (done.stdout, done.stderr) == (b"", b"")
        (course / "gone").rename(course / folder)


def test_a_list_that_cannot_be_installed_is_said_and_does_not_count(
    course: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run(arguments: list, **_: object) -> str:
        if "pip" in map(str, arguments):
            raise processes.Failed("python", 1, "WARNING: retrying\nERROR: No matching distribution found for x==1")
        settings.venv_python().parent.mkdir(parents=True, exist_ok=True)
        settings.venv_python().symlink_to(sys.executable)
        return ""

    monkeypatch.setattr(processes, "run", run)
    with pytest.raises(console.Trouble) as caught:
        environment.ensure()
    assert "No matching distribution found for x==1" in str(caught.value)
    assert "retrying" not in str(caught.value)
    assert str(tmp_path / "data" / "logs" / "pip.log") in str(caught.value)
    assert environment.missing() is not None


def test_python_without_venv_names_the_package(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> str:
        raise processes.Failed("python", 1, "The virtual environment was not created: ensurepip is not available.")

    monkeypatch.setattr(processes, "run", run)
    monkeypatch.setattr(environment.privilege, "sudo", lambda: None)
    monkeypatch.setattr(environment.privilege, "debian_like", lambda: True)
    with pytest.raises(console.Trouble, match=r"sudo apt-get install python3\.\d+-venv"):
        environment.ensure()


def test_line_ends_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x==1\ny==2\n")
    (tmp_path / "b").write_bytes(b"x==1\r\ny==2\r\n")
    (tmp_path / "c").write_bytes(b"x==1\ny==3\n")
    assert environment.digest(tmp_path / "a") == environment.digest(tmp_path / "b")
    assert environment.digest(tmp_path / "a") != environment.digest(tmp_path / "c")


def test_the_front_door_needs_the_standard_library_only() -> None:
    """Everything that runs before the environment exists is imported by a bare Python, isolated from any packages."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import labs.__main__, labs.machine.doctor, labs.machine.engine_setup\n"
        "files = [getattr(m, '__file__', None) or '' for m in sys.modules.values()]\n"
        "print([f for f in files if 'site-packages' in f or 'dist-packages' in f])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", code, str(root)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
