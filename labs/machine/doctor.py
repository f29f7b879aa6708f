"""Looks at everything the course stands on, and says for each finding what was seen and what mends it.

It changes nothing. It needs nothing installed: where the environment is missing, that is a finding like any other.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from socket import create_connection
from typing import Any, Literal

from labs import settings
from labs.cloud import server
from labs.machine import base_image, engine, engine_advice, environment, jupyter, processes

GIB = 1024**3
COURSE_MADE = datetime(2026, 11, 1, tzinfo=UTC)  # no right clock shows less
CLOCK_SECONDS = 5.0  # signatures and tokens tolerate minutes, but a drift of seconds means that a clock stood still


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Args:
        id: its name, stable for scripts.
        state: `ok`; `note` (works, but know this); `fail` (the course or a part of it cannot work).
        seen: what was seen, a sentence.
        cure: what mends it; empty when there is nothing to mend.
    """

    id: str
    state: Literal["ok", "note", "fail"]
    seen: str
    cure: str = ""


def examine() -> list[Finding]:
    """Looks at everything, the engine asked once. In the order in which a reader would mend it."""
    found = engine.use()
    info = _info(found)
    looks: list[Callable[[], Finding]] = [
        _python,
        _environment,
        lambda: _engine(found),
        lambda: _cli(found),
        lambda: _base_image(found),
        _local_aws,
        _jupyter,
        _data_folder,
        lambda: _engine_disk(found, info),
        lambda: _memory(info),
        lambda: _clock(info),
        _network,
    ]
    return [look() for look in looks]


def as_text(findings: list[Finding]) -> str:
    """The findings for a reader; the state in words, not by colour."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:<5} {finding.id:<12} {finding.seen}")
        if finding.cure:
            lines.append(f"{'':<18} -> {finding.cure}")
    bad = sum(finding.state == "fail" for finding in findings)
    lines.append("")
    lines.append("All is well." if not bad else f"{bad} of {len(findings)} need mending: see the arrows.")
    return "\n".join(lines)


def as_data(findings: list[Finding]) -> list[dict[str, str]]:
    """The findings as plain data, for --json."""
    return [asdict(finding) for finding in findings]


def _info(found: engine.Engine | None) -> dict[str, Any]:
    if found is None:
        return {}
    try:
        return engine.get(found.host, "/info")
    except (OSError, ValueError):
        return {}


def _python() -> Finding:
    version = platform.python_version()
    bits = 64 if sys.maxsize > 2**32 else 32
    seen = f"Python {version}, {bits} bits, on {platform.system()} {platform.machine()}."
    if sys.version_info < (3, 11) or bits == 32:
        return Finding(
            "python", "fail", seen, "Install Python 3.11 or newer, 64 bits, from https://www.python.org/downloads/."
        )
    return Finding("python", "ok", seen)


def _environment() -> Finding:
    reason = environment.missing()
    if reason:
        return Finding("environment", "fail", f"{settings.VENV}: {reason}.", "python3 -m labs")
    if differing := _differing():
        return Finding(
            "environment",
            "fail",
            f"In {settings.VENV} these differ from requirements.txt: {', '.join(differing[:5])}.",
            f"Delete the folder {settings.VENV.name} and run python3 -m labs: it is made anew.",
        )
    return Finding("environment", "ok", f"{settings.VENV} is in step with requirements.txt.")


def _differing() -> list[str]:
    """Packages whose installed version is not the locked one (those for every system; others may be absent)."""
    locked = dict(
        re.findall(r"^([a-z0-9.-]+)==([^ ;]+) \\$", environment.REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    )
    code = (
        "import importlib.metadata as m, re\n"
        "for d in m.distributions(): print(re.sub(r'[-_.]+', '-', d.metadata['Name']).lower(), d.version)"
    )
    try:
        lines = processes.run([settings.venv_python(), "-c", code]).splitlines()
    except (processes.Failed, OSError):
        return ["(they cannot be listed)"]
    installed = dict(line.split(" ", 1) for line in lines if " " in line)
    return sorted(
        f"{name} {installed.get(name, 'missing')}" for name, version in locked.items() if installed.get(name) != version
    )


def _engine(found: engine.Engine | None) -> Finding:
    if found is None:
        return Finding("docker", "fail", "No Docker daemon answers.", engine_advice.missing_sentence())
    usable, sentence = engine.check(found)
    return (
        Finding("docker", "ok", f"It answers: {sentence}.") if usable else Finding("docker", "fail", sentence, sentence)
    )


def _cli(found: engine.Engine | None) -> Finding:
    path = shutil.which("docker")
    if path:
        return Finding("docker-cli", "ok", f"The docker command is {path}.")
    cure = "Install it: https://docs.docker.com/engine/install/. The cells that use Python work without it."
    return Finding("docker-cli", "note" if found else "fail", "There is no docker command.", cure)


def _base_image(found: engine.Engine | None) -> Finding:
    if found is None:
        return Finding(
            "base-image", "fail", f"{settings.BASE_IMAGE}: no engine to look into.", "First get Docker going."
        )
    try:
        engine.get(found.host, f"/images/{settings.BASE_IMAGE}/json")
    except (OSError, ValueError):
        return Finding("base-image", "fail", f"{settings.BASE_IMAGE} is not in the engine.", "python3 -m labs")
    return Finding("base-image", "ok", f"{settings.BASE_IMAGE} is in the engine.")


def _local_aws() -> Finding:
    port = settings.gateway_port()
    health = server.health()
    if health:
        return Finding("local-aws", "ok", f"It answers at {settings.gateway_url()} (backend {health.get('backend')}).")
    if not processes.port_free(port):
        other = port + 1 if port < 65535 else 4566
        cure = f"End that program, or choose another port for the course: COURSE_PORT={other}."
        return Finding("local-aws", "fail", f"Port {port}, where it listens, is used by another program.", cure)
    return Finding("local-aws", "note", f"It is not running; port {port} is free for it.", "python3 -m labs")


def _jupyter() -> Finding:
    running = jupyter.find()
    if running:
        return Finding("jupyterlab", "ok", f"It answers on port {running.notes['port']}.")
    if not processes.port_free(jupyter.FIRST_PORT):
        return Finding(
            "jupyterlab",
            "note",
            f"Port {jupyter.FIRST_PORT} is used by another program; the next free one will be taken.",
        )
    return Finding(
        "jupyterlab", "note", f"It is not running; port {jupyter.FIRST_PORT} is free for it.", "python3 -m labs"
    )


def _data_folder() -> Finding:
    folder = settings.data_dir()
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK):
        return Finding(
            "data-folder",
            "fail",
            f"{there} cannot be written.",
            "Give it to your user, or set COURSE_DATA to a folder of yours.",
        )
    free = shutil.disk_usage(there).free
    seen = f"{folder} has {_size(free)} free."
    if free < GIB // 4:
        return Finding(
            "data-folder", "fail", seen, "Free at least 250 MB there, or set COURSE_DATA to a folder on another disk."
        )
    return Finding("data-folder", "ok", seen)


def _engine_disk(found: engine.Engine | None, info: dict[str, Any]) -> Finding:
    if found is None:
        return Finding("docker-disk", "note", "No engine, so nothing is known about its disk.")
    root = Path(info.get("DockerRootDir") or "/var/lib/docker")
    there = _readable(root)
    if there is None or not found.host.startswith("unix:///"):
        return Finding(
            "docker-disk", "note", "The engine's disk is out of sight from here (a virtual machine, or root's)."
        )
    free = shutil.disk_usage(there).free
    seen = f"{root} has {_size(free)} free."
    if free < 2 * GIB:
        return Finding("docker-disk", "fail", seen, "Free at least 2 GB there; `docker system df` shows what uses it.")
    return Finding("docker-disk", "ok", seen)


def _readable(path: Path) -> Path | None:
    try:
        return next((folder for folder in (path, path.parent) if folder.is_dir()), None)
    except OSError:
        return None


def _memory(info: dict[str, Any]) -> Finding:
    total = _total_memory()
    engines = info.get("MemTotal")
    parts = [f"This machine has {_size(total)}" if total else "", f"the engine has {_size(engines)}" if engines else ""]
    seen = ", ".join(filter(None, parts)) + "." if any(parts) else "The size of the memory is not known here."
    least = min((size for size in (total, engines) if size), default=None)
    if least is not None and least < 2 * GIB:
        return Finding(
            "memory",
            "fail",
            seen,
            "The course needs 2 GB: close programs, or give Docker Desktop more (Settings, Resources).",
        )
    return Finding("memory", "ok", seen)


def _total_memory() -> int | None:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if sys.platform == "darwin":
        done = subprocess.run(["sysctl", "-n", "hw.memsize"], capture_output=True, text=True, check=False)
        return int(done.stdout) if done.stdout.strip().isdecimal() else None
    return None


def _clock(info: dict[str, Any]) -> Finding:
    now = datetime.now(UTC)
    if now < COURSE_MADE:
        return Finding(
            "clock",
            "fail",
            f"The clock says {now:%d %B %Y}, which is over.",
            "Set the clock: certificates and signatures depend on it.",
        )
    said = str(info.get("SystemTime") or "")
    try:
        engines = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", said).replace("Z", "+00:00"))
    except ValueError:
        return Finding("clock", "ok", f"The clock says {now:%d %B %Y %H:%M} UTC.")
    apart = abs((engines - now).total_seconds())
    if apart > CLOCK_SECONDS:
        return Finding(
            "clock",
            "fail",
            f"The engine's clock differs from this machine's by {apart:.0f} s.",
            "Restart the engine (Docker Desktop: Restart).",
        )
    return Finding(
        "clock", "ok", f"The clock says {now:%d %B %Y %H:%M} UTC, the engine's the same within {CLOCK_SECONDS:.0f} s."
    )


def _network() -> Finding:
    host = (base_image.mirror() or f"http://{next(iter(base_image.REGISTRIES))}").removeprefix("http://")
    try:
        processes.within(4, lambda: create_connection((host, 80), timeout=3).close())
    except OSError as error:
        return Finding(
            "network",
            "note",
            f"{host} cannot be reached ({error}).",
            "The chapters run without a network once python3 -m labs has run through with one; exercises that install "
            "Debian packages need it.",
        )
    return Finding("network", "ok", f"{host} can be reached.")


def _size(number: int) -> str:
    return f"{number / GIB:.1f} GB"
