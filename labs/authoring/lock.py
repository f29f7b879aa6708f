"""`python3 -m labs lock`: makes both lists of locked packages from pyproject.toml, with uv."""

import shutil
import subprocess
import tomllib
from collections.abc import Sequence

from labs import settings
from labs.machine import console

OPTIONS = [
    "--universal",
    "--python-version",
    "3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
]
OPTIONS += ["--custom-compile-command", "python3 -m labs lock", "--quiet"]


def main(arguments: Sequence[str]) -> int:
    """Makes requirements.txt, and tests/requirements.txt with what only the tests need on top.

    Args:
        arguments: passed on to `uv pip compile`, e.g. `--upgrade` or `--upgrade-package boto3`.

    Returns:
        The exit code.
    """
    uv = shutil.which("uv") or shutil.which("uv", path=str(settings.venv_python().parent))
    if uv is None:
        raise console.Trouble("Locking needs uv: https://docs.astral.sh/uv/getting-started/installation/")
    compile_ = [uv, "pip", "compile", *OPTIONS]
    project = tomllib.loads((settings.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = "\n".join(project["optional-dependencies"]["test"]) + "\n"
    course = [*compile_, *arguments, "pyproject.toml", "--output-file", "requirements.txt"]
    # Only what the course's own list does not have already comes in, at the versions of that list.
    tests = [*compile_, *arguments, "-", "--constraints", "requirements.txt", "--output-file", "tests/requirements.txt"]
    for command, given in ((course, None), (tests, extra)):
        done = subprocess.run(command, input=given, text=True, cwd=settings.ROOT, check=False)
        if done.returncode:
            return done.returncode
    return 0
