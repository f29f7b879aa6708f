"""The Python that LocalStack's release needs is found, or its lack is said with what to do."""

import os
import sys
from pathlib import Path

import pytest

from labs import settings
from labs.machine import console, localstack_release


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Python 3.13: an empty PATH, no pyenv, no environment made before."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv(localstack_release.PYTHON_VARIABLE, raising=False)
    return tmp_path


def interpreter(path: Path, version: str) -> str:
    """A program that says it is this Python."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return str(path)


def test_without_one_the_sentence_says_what_is_missing() -> None:
    with pytest.raises(
        console.Trouble, match=r"need Python 3\.13.*COURSE_PYTHON313.*default backend need nothing of it"
    ):
        localstack_release.ensure()
    assert not (settings.data_dir() / f"localstack-{localstack_release.VERSION}").exists()


def test_it_is_found_by_name_on_path_or_with_pyenv(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_pyenv = interpreter(bare / "pyenv/versions/3.13.7/bin/python3.13", "3.13")
    assert localstack_release.find_python() == with_pyenv
    interpreter(bare / "bin/python3.13", "pyenv: not here")  # a shim that leads nowhere
    assert localstack_release.find_python() == with_pyenv
    on_path = interpreter(bare / "bin/python3.13", "3.13")
    assert localstack_release.find_python() == on_path
    monkeypatch.setenv(localstack_release.PYTHON_VARIABLE, interpreter(bare / "old", "3.12"))
    assert localstack_release.find_python() == on_path
    monkeypatch.setenv(localstack_release.PYTHON_VARIABLE, named := interpreter(bare / "mine", "3.13"))
    assert localstack_release.find_python() == named


def test_one_that_is_made_is_used_again(bare: Path) -> None:
    folder = settings.data_dir() / f"localstack-{localstack_release.VERSION}"
    python = interpreter(folder / "bin/python", "3.13")
    (folder / "ready").touch()
    assert os.fspath(localstack_release.ensure()) == python
