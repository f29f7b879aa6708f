"""Starting and stopping: once, from anywhere, and with a sentence where it cannot be."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cloud_lab import SITE, free_port, own_place, python, wait_until

from labs import settings
from labs.cloud import server
from labs.cloud.locks import BusyError, FileLock

ENSURE = "from labs.cloud import server\nprint(server.ensure_running().how, server.health()['pid'])\n"


@pytest.fixture(autouse=True)
def _place(place: Path):
    yield
    server.stop()


def test_of_many_starters_one_starts() -> None:
    starters = [
        subprocess.Popen([sys.executable, "-c", SITE + ENSURE], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    answers = [starter.communicate(timeout=60)[0].split() for starter in starters]
    assert sorted(how for how, _ in answers) == ["running", "running", "started"]
    assert len({pid for _, pid in answers}) == 1


def test_it_outlives_the_process_that_started_it() -> None:
    how, pid = python(ENSURE).stdout.split()
    assert how == "started"
    assert server.health()["pid"] == int(pid)
    assert server.ensure_running().how == "running"


def test_a_taken_port_is_named_with_its_owner_and_the_cure() -> None:
    with socket.create_server(("127.0.0.1", settings.gateway_port())), pytest.raises(server.CloudError) as caught:
        server.ensure_running()
    sentence = str(caught.value)
    assert f"Port {settings.gateway_port()} of the local AWS is used by" in sentence
    assert f"(process {os.getpid()})" in sentence
    assert "COURSE_PORT=" in sentence
    assert server.ensure_running().how == "started"


def test_a_port_taken_by_another_learners_local_aws_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.ensure_running()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_DATA", str(tmp_path / "other"))
        with pytest.raises(server.CloudError, match=re.escape("another data folder")):
            server.ensure_running()
    monkeypatch.setenv("COURSE_PORT", str(free_port()))
    with pytest.raises(server.CloudError, match="runs on port"):
        server.ensure_running()


def test_a_hung_process_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    server.ensure_running()
    pid = server.health()["pid"]
    monkeypatch.setattr(server, "HUNG_SECONDS", 1.0)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert server.ensure_running().how == "recovered"
    finally:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
            os.waitpid(pid, 0)
            os.kill(pid, 0)
    assert server.health()["pid"] != pid


def test_a_stale_record_never_ends_a_strangers_process() -> None:
    """After a crash the recorded process number may belong to anything: here it is a program of somebody's."""
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        record = settings.data_dir() / "run" / "cloud.json"
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(f'{{"pid": {stranger.pid}, "port": {settings.gateway_port()}, "token": ""}}')
        assert "had crashed" in server.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_it_listens_on_loopback_and_a_private_socket_only() -> None:
    server.ensure_running()
    table = Path(f"/proc/{server.health()['pid']}/net/tcp").read_text().splitlines()[1:]
    port = f"{settings.gateway_port():04X}"
    assert [line.split()[1] for line in table if line.split()[3] == "0A" and line.split()[1].endswith(port)] == [
        f"0100007F:{port}"
    ]
    assert stat.S_IMODE(server.socket_path().parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((settings.data_dir() / "run" / "cloud.json").stat().st_mode) == 0o600


def test_a_path_too_long_for_a_socket_is_replaced_by_a_private_short_one(tmp_path: Path) -> None:
    with own_place(tmp_path / ("ünï cödé " * 9)) as folder:
        folder.mkdir(parents=True)
        assert len(os.fsencode(server.socket_path())) <= 100
        assert not server.socket_path().is_relative_to(folder)
        assert server.ensure_running().how == "started"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(server.socket_path()))
        assert stat.S_IMODE(server.socket_path().parent.stat().st_mode) == 0o700


def test_a_signal_stops_it_cleanly() -> None:
    server.ensure_running()
    os.kill(server.health()["pid"], signal.SIGTERM)
    wait_until(lambda: not (settings.data_dir() / "run" / "cloud.json").exists())
    assert server.ensure_running().how == "started"


def test_a_lock_is_free_when_its_holder_is_dead(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = f"from pathlib import Path\nfrom labs.cloud.locks import FileLock\nFileLock(Path({str(path)!r})).acquire()\n"
    holder = subprocess.Popen(
        [sys.executable, "-c", SITE + code + "print('held', flush=True)\ninput()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    assert FileLock(path).held_elsewhere()
    with pytest.raises(BusyError):
        FileLock(path).acquire(0.1)
    threading.Timer(0.3, holder.kill).start()
    FileLock(path).acquire(10).release()
    holder.communicate()
    assert not FileLock(path).held_elsewhere()
