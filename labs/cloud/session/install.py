"""Puts the program `session-manager-plugin` into the course's environment. Standard library only.

The AWS CLI looks for it by this name on PATH, where the environment's programs come first. pip makes the program for
each system (an `.exe` on Windows), from a package of a few lines that holds nothing but the program's name.
https://packaging.python.org/specifications/entry-points/
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PROGRAM = "session-manager-plugin"
PACKAGE = "containers_on_aws_session"
VERSION = "1"  # counted up when anything below changes
TIMEOUT = 120

_FILES = {
    "METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE.replace('_', '-')}\nVersion: {VERSION}\n"
    "Summary: The Session Manager plugin of the course's local AWS\n",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: containers-on-aws\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "entry_points.txt": f"[console_scripts]\n{PROGRAM} = labs.cloud.session.plugin:main\n",
}


class InstallError(Exception):
    """The program could not be made. The text says why."""


def wanted(python: Path) -> bool:
    """Whether the program is to be installed: there is none, neither ours nor AWS's own on the rest of PATH.

    AWS's own one works with the local AWS as well, and with real accounts besides.

    Args:
        python: the environment's Python.
    """
    if shutil.which(PROGRAM, path=str(python.parent)):
        return False
    others = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder != str(python.parent)]
    return shutil.which(PROGRAM, path=os.pathsep.join(others)) is None


def install(python: Path) -> None:
    """Makes the program, beside the environment's Python. `labs` has to be on that Python's path.

    Args:
        python: the environment's Python.

    Raises:
        InstallError: pip could not.
    """
    with tempfile.TemporaryDirectory() as folder:
        wheel = _wheel(Path(folder))
        options = ["--no-index", "--no-deps", "--force-reinstall", "--disable-pip-version-check", "--no-input", "-q"]
        command = [python, "-m", "pip", "install", *options, wheel]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise InstallError(f"The program {PROGRAM} could not be made: {problem}") from problem
    if done.returncode or not shutil.which(PROGRAM, path=str(python.parent)):
        raise InstallError(f"pip could not make the program {PROGRAM}:\n{(done.stderr or done.stdout).strip()}")


def _wheel(folder: Path) -> Path:
    """The package as a wheel. https://packaging.python.org/specifications/binary-distribution-format/"""
    info = f"{PACKAGE}-{VERSION}.dist-info"
    path = folder / f"{PACKAGE}-{VERSION}-py3-none-any.whl"
    record = ""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in _FILES.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
            record += f"{info}/{name},sha256={digest},{len(content)}\n"
            file.writestr(f"{info}/{name}", content)
        file.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return path


if __name__ == "__main__":
    install(Path(sys.executable))
