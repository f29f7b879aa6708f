"""`python3 -m labs test`: brings up what the tests need, runs them apart from the learner's data, takes it down."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from labs import settings
from labs.cloud import server
from labs.machine import base_image, console, engine, engine_setup, packages, privilege, processes, test_run

CHROMIUM_NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chrome")
REFUSED = 2
GRACE_SECONDS = 60.0  # for pytest to run its fixtures' ends after an interruption


def run(options: Sequence[str]) -> int:
    """Runs every test in one pytest run.

    Args:
        options: passed on to pytest, e.g. `--quick`, `--chapter=ecs_service`.

    Returns:
        pytest's exit code; 2 if the tests were not run because a learner's things would be in their way.
    """
    before_engine = engine.find()
    found, sentence = engine_setup.ensure()
    if found is None:
        raise console.Trouble(f"The tests run real containers. {sentence}")
    console.say(f"Docker: {sentence}")
    try:
        if refusal := _refusal():
            console.complain(f"Not run. {refusal}")
            return REFUSED
        image = base_image.ensure()
        if image.how is None:
            raise console.Trouble(image.message)
        console.say(f"Base image: {image.message}")
        chromium = find_chromium()
        console.say(f"Browser for the tests: {chromium}")
        with _paused_local_aws(), test_run.apart() as env:
            code = _pytest(options, env | {"COURSE_CHROMIUM": chromium})
    finally:
        if before_engine is None and (stopped := engine_setup.stop_own_daemon()):
            console.say(stopped)
    console.say("All tests have passed." if code == 0 else f"The tests have NOT passed (pytest's exit code {code}).")
    return code


def run_on_localstack(options: Sequence[str]) -> int:
    """Runs the tests of the local AWS on LocalStack's last open release, in place of the default backend.

    Args:
        options: passed on to pytest.

    Returns:
        As `run`.
    """
    from labs.machine import localstack_release

    found, sentence = engine_setup.ensure()
    if found is None:
        raise console.Trouble(f"The tests run real containers. {sentence}")
    python = localstack_release.ensure()
    if refusal := _refusal():
        console.complain(f"Not run. {refusal}")
        return REFUSED
    image = base_image.ensure()
    if image.how is None:
        raise console.Trouble(image.message)
    with _paused_local_aws(), test_run.apart() as env:
        own = {"COURSE_BACKEND": "localstack", localstack_release.VARIABLE: str(python)}
        code = _pytest(options, env | own, "tests/cloud")
    console.say("All tests have passed." if code == 0 else f"The tests have NOT passed (pytest's exit code {code}).")
    return code


def _refusal() -> str | None:
    if going_on := test_run.settle():
        return f"Another test run (process {going_on.process.pid}) uses this engine. Wait for its end, or end it."
    if not (things := test_run.in_the_way()):
        return None
    return (
        "These carry the course's label, and the tests would make things of the same names: "
        f"{', '.join(map(str, things[:8]))}{' ...' if len(things) > 8 else ''}. "
        "They are yours. `python3 -m labs reset` removes them."
    )


def find_chromium() -> str:
    """A Chromium for the browser tests: found, or installed where that is allowed.

    Returns:
        The path of its program.

    Raises:
        Trouble: there is none and none could be installed.
    """
    if path := os.environ.get("COURSE_CHROMIUM") or _which_chromium():
        return path
    sudo = privilege.sudo()
    # Ubuntu's package is only a pointer to a snap, which cannot be driven here.
    if sudo is not None and privilege.debian_like() and privilege.os_release().get("ID") == "debian":
        try:
            with console.step("Installing the package chromium for the browser tests"):
                packages.install(["chromium"], sudo)
        except processes.Failed as failed:
            console.say(f"apt-get could not install chromium: {failed.tail.splitlines()[-1]}")
        if path := _which_chromium():
            return path
    return _playwright_chromium()


def _which_chromium() -> str | None:
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


def _playwright_chromium() -> str:
    code = "from playwright.sync_api import sync_playwright as p\nwith p() as x: print(x.chromium.executable_path)"
    try:
        path = processes.run([settings.venv_python(), "-c", code]).strip().splitlines()[-1]
        if not Path(path).exists():
            with console.step("Downloading Chromium for the browser tests"):
                processes.run([settings.venv_python(), "-m", "playwright", "install", "chromium"])
    except processes.Failed as failed:
        raise console.Trouble(
            f"The browser tests need Chromium, and it could not be had: {failed.tail.splitlines()[-1]}\n"
            "Install Chromium or Google Chrome so that `chromium` or `google-chrome` is on PATH, then run this again."
        ) from failed
    return path


@contextmanager
def _paused_local_aws() -> Iterator[None]:
    """Stops the learner's local AWS for the tests, and starts it again; what is in it is kept on disk."""
    health = server.health()
    mine = bool(health) and health.get("state_dir") == str(settings.cloud_dir())
    if mine:
        console.say("Your local AWS is paused for the tests.")
        server.stop()
    try:
        yield
    finally:
        if mine:
            console.say(f"Your local AWS is back. {server.ensure_running().message}")


def _pytest(options: Sequence[str], env: dict[str, str], folder: str = "tests") -> int:
    command = [str(settings.venv_python()), "-m", "pytest", folder, *options]
    process = subprocess.Popen(command, cwd=settings.ROOT, env=env)
    try:
        return process.wait()
    except BaseException:
        with processes.undisturbed():
            # On Ctrl+C the terminal has told pytest as well; a SIGTERM has reached only us.
            if not processes.holds(lambda: process.poll() is not None, 2):
                process.send_signal(signal.SIGINT if not processes.WINDOWS else signal.CTRL_BREAK_EVENT)
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        raise
