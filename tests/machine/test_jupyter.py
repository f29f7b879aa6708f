"""JupyterLab as a learner gets it: on loopback, with a token, found again, ended; quiet and on its own settings."""

import http.client
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs import settings
from labs.machine import console, jupyter, processes


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "däta folder"))
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "wörk"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the learner's own")
    monkeypatch.setenv("AWS_PROFILE", "the learner's own")
    (tmp_path / "wörk").mkdir()
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "wörk" / jupyter.FIRST_NOTEBOOK).write_text(json.dumps(notebook), encoding="utf-8")
    yield
    jupyter.stop()


def get(path: str, token: str = "", host: str = "") -> tuple[int, bytes]:
    port = jupyter.find().notes["port"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Host": host or f"127.0.0.1:{port}"} | ({"Authorization": f"token {token}"} if token else {})
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    content = answer.status, answer.read()
    connection.close()
    return content


def test_from_start_to_stop(lab: None) -> None:
    url, sentence = jupyter.ensure_running()
    assert sentence == "JupyterLab was started."
    running = jupyter.find()
    token, port = running.notes["token"], running.notes["port"]
    assert url == f"http://127.0.0.1:{port}/lab/tree/00_start_here.ipynb?token={token}"

    assert get("/api/contents")[0] == 403, "without the token nothing is told"
    assert get("/api/contents", token)[0] == 200
    assert get("/api/contents", token, host="evil.example")[0] == 403, "a foreign name for us is refused"
    assert get(f"/api/contents/{jupyter.FIRST_NOTEBOOK}", token)[0] == 200
    status, page = get("/lab", token)
    assert status == 200
    assert b"apputils-extension:announcements" in page.split(b"disabledExtensions")[1][:200], "no news are fetched"

    environ = Path(f"/proc/{running.pid}/environ").read_bytes().decode().split("\0")
    arguments = Path(f"/proc/{running.pid}/cmdline").read_bytes().decode()
    assert token not in arguments
    assert f"AWS_ENDPOINT_URL={settings.gateway_url()}" in environ
    assert not [line for line in environ if "the learner's own" in line]
    assert token not in jupyter.log_file().read_text(encoding="utf-8")
    assert oct(jupyter.record().stat().st_mode & 0o777) == "0o600"

    again, sentence = jupyter.ensure_running()
    assert (again, sentence) == (url, "JupyterLab runs already.")
    assert jupyter.find() == running

    other, sentence = jupyter.ensure_running(port + 1)
    assert other == url
    assert "stop" in sentence and str(port + 1) in sentence

    assert jupyter.stop() == "JupyterLab is stopped."
    assert not processes.alive(running)
    assert jupyter.stop() is None


def test_one_that_died_is_replaced(lab: None) -> None:
    jupyter.ensure_running()
    first = jupyter.find()
    os.kill(first.pid, 9)
    assert processes.holds(lambda: not processes.alive(first), 10)
    assert jupyter.ensure_running()[1] == "JupyterLab was started."
    assert jupyter.find().pid != first.pid


def test_a_taken_port_is_passed_over_or_said(lab: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(console.Trouble, match=f"Port {port} is used by another program"):
            jupyter.ensure_running(port)
        monkeypatch.setattr(jupyter, "FIRST_PORT", port)
        assert jupyter._choose(None) > port


def test_the_browser_gets_a_file_that_only_its_owner_reads(lab: None, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(jupyter.webbrowser, "open", lambda url: opened.append(url) or True)
    assert jupyter.open_browser("http://127.0.0.1:1/?token=secret")
    assert opened == [jupyter.redirect().absolute().as_uri()]
    assert "secret" not in opened[0]
    assert "http://127.0.0.1:1/?token=secret" in jupyter.redirect().read_text(encoding="utf-8")
    assert oct(jupyter.redirect().stat().st_mode & 0o777) == "0o600"


def test_what_cannot_start_is_said_and_leaves_nothing(lab: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jupyter, "_arguments", lambda _: [str(settings.venv_python()), "-c", "print('no lab here')"])
    with pytest.raises(console.Trouble, match="no lab here"):
        jupyter.ensure_running()
    assert not jupyter.record().exists()
