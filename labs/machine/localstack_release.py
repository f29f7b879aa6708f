"""LocalStack's last open release, for tests: built from PyPI in an environment of its own, started as a process.

The image of LocalStack needs a token since 23 March 2026 (https://docs.localstack.cloud/aws/licensing/); the release on
PyPI does not. It has none of the container services, and runs on Python 3.13 only. Nothing of it is part of the course
as a learner uses it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labs import settings
from labs.machine import console, processes

VERSION = "2026.3.0"
# As it was released it asks for newer versions of these, with which it does not start.
PACKAGES = (
    f"localstack-core[runtime]=={VERSION}",
    "cbor2<5.8",
    "cryptography<45",
    "pyOpenSSL<25",
    "service_identity",
)
PYTHON = "3.13"
PYTHON_VARIABLE = "COURSE_PYTHON313"
VARIABLE = "COURSE_LOCALSTACK_PYTHON"  # tells the tests where the environment's Python is
START_SECONDS = 90.0
# LocalStack, which ends when whoever started it is gone, even killed: then its standard input comes to its end.
PROGRAM = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
from localstack.runtime.main import main
main()
"""


def ensure() -> Path:
    """The Python of an environment with LocalStack in it, in the data folder; made if it is missing.

    Raises:
        Trouble: there is no Python 3.13, or PyPI cannot be reached.
    """
    folder = settings.data_dir() / f"localstack-{VERSION}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ready = folder / "ready"
    if ready.exists() and python.exists():
        return python
    base = find_python()
    if base is None:
        raise console.Trouble(
            f"The tests on LocalStack need Python {PYTHON}: its last open release runs on no other version. Install it "
            f"(https://www.python.org/downloads/) so that `python{PYTHON}` is on PATH, or name its program in "
            f"{PYTHON_VARIABLE}. The tests on the default backend need nothing of it: `python3 -m labs test`."
        )
    shutil.rmtree(folder, ignore_errors=True)
    with console.step(f"Installing LocalStack {VERSION} for the tests"):
        try:
            processes.run([base, "-m", "venv", folder])
            processes.run(
                [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-q", *PACKAGES]
            )
        except processes.Failed as failed:
            raise console.Trouble(f"LocalStack could not be installed from PyPI:\n{failed.tail}") from failed
    ready.touch()
    return python


def find_python() -> str | None:
    """A Python 3.13 on this machine: named in COURSE_PYTHON313, on PATH, or one of pyenv's."""
    names = [os.environ.get(PYTHON_VARIABLE), sys.executable, shutil.which(f"python{PYTHON}")]
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    names += sorted(str(path) for path in versions.glob(f"{PYTHON}.*/bin/python{PYTHON}"))
    for name in filter(None, names):
        ask = [name, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        try:
            done = subprocess.run(ask, capture_output=True, text=True, check=False)
        except OSError:
            continue
        if done.returncode == 0 and done.stdout.strip() == PYTHON:
            return name
    return None


@contextmanager
def running(python: str, port: int) -> Iterator[str]:
    """A LocalStack with nothing in it, while the block lasts.

    Args:
        python: of `ensure()`.
        port: on 127.0.0.1.

    Yields:
        Its address.
    """
    from labs.cloud.backends import localstack

    folder = Path(tempfile.mkdtemp(prefix="course-localstack-"))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COURSE_"))}
    env |= {
        "FILESYSTEM_ROOT": str(folder),
        "OVERRIDE_IN_DOCKER": "0",  # in a container it would not keep to that folder
        "TMPDIR": str(folder),
        "DISABLE_EVENTS": "1",  # it would report its use to its makers
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "MOTO_ACM_VALIDATION_WAIT": "1",  # seconds until a requested certificate is issued
        "GATEWAY_LISTEN": f"{settings.GATEWAY_HOST}:{port}",
    }
    url = f"http://{settings.GATEWAY_HOST}:{port}"
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, "-c", PROGRAM],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        found: Any = localstack.wait_for(localstack.read_url(url), START_SECONDS, lambda: process.poll() is None)
        if found is None:
            raise console.Trouble(f"LocalStack did not start: {processes.tail(log)}")
        yield url
    finally:
        process.kill()  # nothing in it is wanted any more
        process.communicate()
        shutil.rmtree(folder, ignore_errors=True)
