"""The doctor looks at the real thing, and each finding that is not well says what mends it."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from labs.machine import doctor, engine

ROOT = Path(__file__).resolve().parents[2]
IDS = [
    "python", "environment", "docker", "docker-cli", "base-image", "local-aws", "jupyterlab", "data-folder",
    "docker-disk", "memory", "clock", "network",
]  # fmt: skip


def door(*arguments: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "labs", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_each_finding_that_is_not_well_has_its_cure(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = door("doctor", "--json", COURSE_PORT=port, DOCKER_HOST="unix:///nowhere.sock", COURSE_DATA=str(tmp_path))
    assert done.returncode == 1
    findings = {finding["id"]: finding for finding in json.loads(done.stdout)}
    assert list(findings) == IDS
    assert findings["docker"]["state"] == "fail"
    assert "unset DOCKER_HOST" in findings["docker"]["cure"]
    assert findings["local-aws"]["state"] == "fail"
    assert f"COURSE_PORT={int(port) + 1}" in findings["local-aws"]["cure"]
    assert all(finding["cure"] for finding in findings.values() if finding["state"] == "fail")
    assert list(tmp_path.iterdir()) == [], "it changes nothing"


def test_text_says_the_same(tmp_path: Path) -> None:
    done = door("doctor", DOCKER_HOST="unix:///nowhere.sock", COURSE_DATA=str(tmp_path))
    assert done.returncode == 1
    assert [line.split()[1] for line in done.stdout.splitlines() if line[:4] in ("ok  ", "note", "fail")] == IDS
    assert "need mending" in done.stdout


def test_a_daemon_that_answers_is_well() -> None:
    found = engine.use()
    finding = doctor._engine(found)
    assert finding.state == "ok"
    assert found.version in finding.seen
    assert doctor._engine(None).state == "fail"


@pytest.mark.parametrize(
    ("engines", "state"),
    [(timedelta(), "ok"), (timedelta(hours=-3), "fail"), (timedelta(seconds=30), "fail"), (None, "ok")],
)
def test_the_clocks_are_compared(engines: timedelta | None, state: str) -> None:
    info = (
        {} if engines is None else {"SystemTime": (datetime.now(UTC) + engines).isoformat().replace("+00:00", "123Z")}
    )
    assert doctor._clock(info).state == state


def test_a_clock_in_the_past_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "COURSE_MADE", datetime.now(UTC) + timedelta(days=1))
    assert doctor._clock({}).state == "fail"


def test_little_memory_and_little_disk_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._memory({"MemTotal": 1024**3}).state == "fail"
    assert doctor._memory({"MemTotal": 8 * 1024**3}).state == "ok"
    usage = type("Usage", (), {"free": 100 * 1024**2})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    assert doctor._data_folder().state == "fail"
    found = engine.Engine("unix:///x", "Docker", "27", "1.46", "linux", "amd64")
    assert doctor._engine_disk(found, {"DockerRootDir": "/"}).state == "fail"


def test_a_package_out_of_step_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tmp_path / "requirements.txt"
    listed.write_text("docker==0.0.1 \\\n    --hash=sha256:0\nnone-such==1 \\\n    --hash=sha256:0\n", encoding="utf-8")
    monkeypatch.setattr(doctor.environment, "REQUIREMENTS", listed)
    differing = doctor._differing()
    assert [line.split()[0] for line in differing] == ["docker", "none-such"]
    assert differing[1] == "none-such missing"
