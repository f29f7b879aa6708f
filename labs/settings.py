"""Names, places and switches that every room shares. Standard library only.

These environment variables change them, for tests and for unusual machines:

| variable         | meaning                                             | default                          |
|------------------|-----------------------------------------------------|----------------------------------|
| `COURSE_PROGRESS`| the learner's progress file                         | `progress.jsonl` in `COURSE_DATA`|
| `COURSE_DATA`    | where progress, the local AWS's state and logs live | the user's data folder           |
| `COURSE_PORT`    | the port of the local AWS on 127.0.0.1              | 4566                             |
| `COURSE_BACKEND` | what answers behind the local AWS                   | what `start --backend` chose     |
| `COURSE_LOCALSTACK_URL` | the LocalStack of the backend `localstack`   | what `start --url` said          |
| `COURSE_WORK`    | where the learner's copies of the notebooks live    | `work/` in the repository's root |
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LABS = ROOT / "labs"
NOTEBOOKS = ROOT / "notebooks"
DIAGRAMS = ROOT / "diagrams"
VENV = ROOT / ".venv"

COURSE = "containers-on-aws"
# The one label on every container, network, volume and image of the course. Only what carries it is ever removed.
LABEL_KEY = "course"
LABEL_VALUE = COURSE
LABEL = f"{LABEL_KEY}={LABEL_VALUE}"
# A second label tells what made the thing: `base`, `relay`, `task`. What a learner makes has no role.
ROLE_KEY = "course.role"

BASE_IMAGE = "debian:bookworm-slim"
REGION = "us-east-1"
ACCOUNT = "000000000000"
GATEWAY_HOST = "127.0.0.1"  # loopback only: a setting for another address is left out on purpose
RELAY_ADDRESS = "169.254.170.2"  # the one address that AWS SDKs accept for container credentials


def gateway_port() -> int:
    """The port of the local AWS.

    Raises:
        SystemExit: COURSE_PORT is not a port number.
    """
    value = os.environ.get("COURSE_PORT", "4566")
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise SystemExit(
            f"COURSE_PORT is {value!r}, which is no port. Set it to a number from 1 to 65535, or unset it."
        )
    return int(value)


def gateway_url() -> str:
    """The address that every AWS client of the course talks to, e.g. `http://127.0.0.1:4566`."""
    return f"http://{GATEWAY_HOST}:{gateway_port()}"


def backend() -> str:
    """The name of the backend behind the local AWS: COURSE_BACKEND, or what `start --backend` chose, or `embedded`."""
    return os.environ.get("COURSE_BACKEND") or str(chosen_backend().get("backend", "embedded"))


def chosen_backend_file() -> Path:
    """Where the choice of a backend is kept."""
    return data_dir() / "backend.json"


def chosen_backend() -> dict[str, Any]:
    """What `start --backend` was told, see `labs.cloud.backends.choice`; empty if nothing was chosen."""
    try:
        found = json.loads(chosen_backend_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def region() -> str:
    """The region that a notebook's clients speak to: ours, or with a real account the one that was agreed to."""
    return str(chosen_backend().get("region") or REGION) if backend() == "aws" else REGION


def cloud_dir() -> Path:
    """The folder of the local AWS's state; each backend has its own, for what ours keeps speaks of what is in it."""
    name = backend()
    return data_dir() / ("cloud" if name == "embedded" else f"cloud-{name}")


def work_dir() -> Path:
    """The folder of the learner's own copies of the notebooks."""
    return Path(os.environ.get("COURSE_WORK") or ROOT / "work")


def data_dir() -> Path:
    """The folder of this user's progress, logs and local AWS state. Not created here.

    The same places as `platformdirs.user_data_path("containers-on-aws")`, worked out here because the front door
    needs it before anything is installed; a test holds the two together.
    """
    if chosen := os.environ.get("COURSE_DATA"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / COURSE / COURSE
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support" / COURSE
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / COURSE


def venv_python() -> Path:
    """The Python of the course's own environment."""
    return VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
