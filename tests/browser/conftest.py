"""JupyterLab and a browser for journeys. Use the fixtures `lab` and `page`, and the steps in `journeys.py`.

The browser is Chromium from the system: `COURSE_CHROMIUM` names it, or it is at `/usr/bin/chromium`.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.journeys import Lab

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT = 60  # seconds


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab of the tests' own: free port, empty folder, no settings of the user; ended after the tests."""
    home = tmp_path_factory.mktemp("jupyter")
    folder = home / "notebooks"
    folder.mkdir()
    settings = home / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(16), folder)
    log = home / "jupyter.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "jupyterlab",
                    "--no-browser",
                    "--allow-root",
                    "--ip=127.0.0.1",
                    f"--port={port}",
                ),
                "--ServerApp.port_retries=0",
                f"--ServerApp.root_dir={folder}",
                "--LabApp.expose_app_in_browser=True",
                "--LabApp.extension_manager=readonly",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "JUPYTER_TOKEN": running.token,
                "JUPYTER_CONFIG_DIR": str(home / "config"),
                "JUPYTER_DATA_DIR": str(home / "data"),
                "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
                "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
                "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
                "IPYTHONDIR": str(home / "ipython"),
                "PYTHONPATH": str(ROOT),
            },
        )
    try:
        _wait_for(server, running, log)
        yield running
    finally:
        server.terminate()
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(server: subprocess.Popen, lab: Lab, log: Path) -> None:
    request = urllib.request.Request(f"{lab.url}/api/status", headers={"Authorization": f"token {lab.token}"})  # noqa: S310
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310 (the address is ours)
                return
        except OSError:
            time.sleep(0.1)  # between two looks
    raise RuntimeError(f"JupyterLab did not start. It said:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window. One a module: Playwright keeps an event loop open, which other tests must not meet."""
    program = Path(os.environ.get("COURSE_CHROMIUM", "/usr/bin/chromium"))
    assert program.exists(), (
        f"There is no browser at {program}. Install Chromium (Debian: apt install chromium), "
        "or set COURSE_CHROMIUM to the path of a Chromium or Chrome."
    )
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=program,
            args=[
                *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
                *("--disable-background-networking", "--disable-component-update"),
            ],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page in a profile of its own, 1280 by 1000 pixels. An error that a script raises on it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(15_000)
    raised: list[str] = []
    page.on("pageerror", lambda error: raised.append(str(error)))
    yield page
    context.close()
    assert raised == []
