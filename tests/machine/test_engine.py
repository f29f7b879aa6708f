"""Finding and asking an engine, and the exact steps where there is none; against small servers that answer like one."""

import hashlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from labs.machine import engine, engine_advice, engine_setup, packages, privilege, processes

VERSION = {
    "Version": "27.1",
    "ApiVersion": "1.46",
    "Os": "linux",
    "Arch": "arm64",
    "Platform": {"Name": "Docker Desktop"},
}


@contextmanager
def serving(path: Path, answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """A server on a unix socket that gives one answer a connection."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, suppress(BrokenPipeError):
                connection.sendall(answer(connection.recv(4096)))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"unix://{path}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


def ok(content: dict) -> Callable[[bytes], bytes]:
    return lambda _: b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(content).encode()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with an empty home and no Docker settings."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "runtime").mkdir()
    monkeypatch.setattr(engine, "DEFAULT_HOST", f"unix://{tmp_path}/default.sock")
    return tmp_path


def test_an_engine_is_asked_who_it_is(home: Path) -> None:
    with serving(home / "s", ok(VERSION)) as host:
        found = engine.ask(host)
    assert found == engine.Engine(host, "Docker Desktop", "27.1", "1.46", "linux", "arm64")
    assert "Docker Desktop 27.1 (linux/arm64, API 1.46)" in found.describe()


def test_podman_is_called_podman(home: Path) -> None:
    said = VERSION | {"Platform": None, "Components": [{"Name": "Podman Engine"}]}
    with serving(home / "s", ok(said)) as host:
        assert engine.ask(host).name == "Podman"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.0 500 no\r\n\r\n{}",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\n\r\n{}",
    ],
)
def test_what_is_no_engine_is_passed_over(home: Path, answer: bytes) -> None:
    with serving(home / "default.sock", lambda _: answer):
        assert engine.find() is None


def test_one_that_hangs_costs_seconds_only(home: Path) -> None:
    never = threading.Event()

    def hang(_: bytes) -> bytes:
        never.wait(10)
        return b""

    with serving(home / "s", hang) as host:
        with pytest.raises(OSError, match="timed out"):
            engine.ask(host, 0.3)
        never.set()


def test_docker_host_is_the_only_one_asked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(home / "default.sock", ok(VERSION)):
        assert engine.find() is not None
        monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
        assert engine.find() is None
    assert "unix:///nowhere.sock, which DOCKER_HOST names" in engine_advice.missing_sentence()


def test_the_chosen_context_comes_first(home: Path) -> None:
    meta = home / ".docker/contexts/meta" / hashlib.sha256(b"lab").hexdigest()
    meta.mkdir(parents=True)
    (home / ".docker/config.json").write_text(json.dumps({"currentContext": "lab"}))
    (meta / "meta.json").write_text(json.dumps({"Name": "lab", "Endpoints": {"docker": {"Host": "unix:///lab.sock"}}}))
    assert engine.candidates()[0] == "unix:///lab.sock"
    (meta / "meta.json").write_text("{")
    assert engine.candidates()[0] == engine.DEFAULT_HOST


@pytest.mark.parametrize("place", [".docker/run", ".docker/desktop", "runtime", ".colima/default", ".rd"])
def test_other_engines_are_found_and_the_sdk_pointed_at_them(
    home: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "")  # so that it is restored after the test
    (home / place).mkdir(parents=True, exist_ok=True)
    with serving(home / place / "docker.sock", ok(VERSION)) as host:
        assert engine.use().host == host
        assert os.environ["DOCKER_HOST"] == host


def test_the_usual_engine_needs_no_variable(home: Path) -> None:
    with serving(home / "default.sock", ok(VERSION)):
        assert engine.use() is not None
    assert "DOCKER_HOST" not in os.environ


def test_windows_containers_and_old_engines_are_refused_with_the_cure(home: Path) -> None:
    new = engine.Engine("unix:///x", "Docker", "27", "1.46", "linux", "amd64")
    assert engine.check(new)[0] == new
    windows = engine.Engine("npipe:////./pipe/x", "Docker Desktop", "27", "1.46", "windows", "amd64")
    found, sentence = engine.check(windows)
    assert found is None and "Switch to Linux containers" in sentence
    old = engine.Engine("unix:///x", "Docker", "1.12", "1.24", "linux", "amd64")
    found, sentence = engine.check(old)
    assert found is None and "too old" in sentence


@pytest.mark.parametrize(
    ("release", "step"),
    [
        ({"ID": "debian"}, "apt-get install -y docker.io"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "apt-get install -y docker.io"),
        ({"ID": "fedora"}, "dnf install -y moby-engine"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "dnf install"),
        ({"ID": "arch"}, "pacman -S docker"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "zypper install docker"),
        ({"ID": "other"}, "https://docs.docker.com/engine/install/"),
    ],
)
def test_the_exact_step_for_each_linux(
    home: Path, monkeypatch: pytest.MonkeyPatch, release: dict[str, str], step: str
) -> None:
    monkeypatch.setattr(engine, "installed", lambda: None)
    monkeypatch.setattr(privilege, "os_release", lambda: release)
    assert step in engine_advice.missing_sentence()


def test_installed_but_not_running_is_told_apart(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "installed", lambda: "/usr/sbin/dockerd")
    assert "installed but its daemon does not run" in engine_advice.advice()


class Recorder:
    """Runs nothing, and remembers what it was asked to run."""

    def __init__(self, answers: dict[str, str] | None = None) -> None:
        self.commands: list[str] = []
        self.answers = answers or {}

    def __call__(self, arguments: list, *, sudo: list = (), **_: object) -> str:
        line = " ".join(map(str, [*sudo, *arguments]))
        self.commands.append(line)
        return next((answer for part, answer in self.answers.items() if part in line), "")


def test_installing_as_root_on_debian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "installed", lambda: None)
    monkeypatch.setattr(engine_setup, "systemd_runs", lambda: True)
    monkeypatch.setattr(engine_setup, "_listens", lambda: True)
    run = Recorder({"policy docker-cli": "docker-cli:\n  Candidate: 26.1\n"})
    sentence = engine_setup.install_and_start([], run)
    steps = [line.split("env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a ")[-1] for line in run.commands]
    assert steps[0] == "dpkg --configure -a", "what an interrupted installation left is finished first"
    assert steps[1].endswith("update")
    assert "install -y --no-install-recommends docker.io" in steps[2]
    assert any("install -y --no-install-recommends docker-cli" in step for step in steps)
    assert steps[-1] == "systemctl enable --now docker"
    assert not any("usermod" in step for step in steps), "root needs no group"
    assert "Installed docker.io." in sentence and "systemd" in sentence


def test_installing_with_sudo_puts_every_step_behind_it_and_joins_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "installed", lambda: None)
    monkeypatch.setattr(engine_setup, "systemd_runs", lambda: True)
    monkeypatch.setattr(engine_setup, "_listens", lambda: True)
    run = Recorder({"policy docker-cli": "docker-cli:\n  Candidate: (none)\n"})
    engine_setup.install_and_start(["sudo", "-n"], run)
    changing = [line for line in run.commands if "apt-cache" not in line]
    assert all(line.startswith("sudo -n ") for line in changing), changing
    assert f"sudo -n usermod -aG docker {privilege.user()}" in changing
    assert not any("docker-cli" in line for line in changing), "there is no such package here"


def test_an_installed_engine_is_only_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "installed", lambda: "/usr/sbin/dockerd")
    monkeypatch.setattr(engine_setup, "systemd_runs", lambda: True)
    monkeypatch.setattr(engine_setup, "_listens", lambda: True)
    run = Recorder()
    engine_setup.install_and_start([], run)
    assert run.commands == ["systemctl enable --now docker"]


def test_a_daemon_that_does_not_come_up_is_said_with_its_last_words(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_DATA", str(home / "data"))
    daemon = home / "dockerd"
    daemon.write_text("#!/bin/sh\necho failed to mount cgroup\nexit 1\n")
    daemon.chmod(0o755)
    monkeypatch.setattr(engine, "installed", lambda: str(daemon))
    monkeypatch.setattr(engine_setup, "systemd_runs", lambda: False)
    with pytest.raises(processes.Failed, match="failed to mount cgroup"):
        engine_setup.install_and_start([])
    assert not engine_setup.daemon_record().exists()


DAEMON = """#!/usr/bin/env python3
import json, pathlib, socket
server = socket.socket(socket.AF_UNIX); server.bind({path!r}); server.listen()
while True:
    with server.accept()[0] as c:
        rows = json.loads(pathlib.Path({rows!r}).read_text())
        version = dict(Version="1", ApiVersion="1.46", Os="linux", Arch="amd64")
        body = rows if b"/containers/json" in c.recv(4096) else version
        c.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + json.dumps(body).encode())
"""


def test_our_own_daemon_is_stopped_unless_a_foreign_container_runs_on_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_DATA", str(home / "data"))
    rows, daemon = home / "rows", home / "dockerd"
    rows.write_text("[]")
    daemon.write_text(DAEMON.format(path=str(home / "default.sock"), rows=str(rows)))
    daemon.chmod(0o755)
    monkeypatch.setattr(engine, "installed", lambda: str(daemon))
    monkeypatch.setattr(engine_setup, "systemd_runs", lambda: False)
    assert engine_setup.stop_own_daemon() is None, "there is none yet"
    assert "directly" in engine_setup.install_and_start([])
    running = processes.recall(engine_setup.daemon_record())
    try:
        rows.write_text(json.dumps([{"Names": ["/db"], "Labels": {}}]))
        assert "db runs on it" in engine_setup.stop_own_daemon()
        assert processes.alive(running)
        rows.write_text(json.dumps([{"Names": ["/ours"], "Labels": {"course": "containers-on-aws"}}]))
        assert "is stopped" in engine_setup.stop_own_daemon()
        assert not processes.alive(running)
    finally:
        processes.end(running)


def test_packages_known_and_unknown() -> None:
    assert packages.known("x", Recorder({"policy": "x:\n  Candidate: 1\n"}))
    assert not packages.known("x", Recorder({"policy": "x:\n  Candidate: (none)\n"}))
    assert not packages.known("x", Recorder())


def test_os_release_is_read_with_and_without_quotes(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("# c\nID=ubuntu\nID_LIKE=\"debian x\"\nNAME='U'\n\nbad line\n")
    assert privilege.os_release(tmp_path / "r") == {"ID": "ubuntu", "ID_LIKE": "debian x", "NAME": "U"}
    assert privilege.os_release(tmp_path / "none") == {}
