"""`python3 -m labs` when things are taken, missing, full or interrupted: a clear sentence, and nothing lost or left."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}  # also keeps `stop` away from what other tests have running
MISSING = 3
# As on a fresh machine. The environment's own Python would bring the `labs` that it was made for.
BARE_PYTHON = getattr(sys, "_base_executable", sys.executable)


class Door:
    """The front door of one learner: data, work and port of their own."""

    def __init__(self, home: Path, root: Path = ROOT) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.root, self.port = root, port
        own = {"COURSE_DATA": str(home / "data"), "COURSE_WORK": str(home / "work"), "COURSE_PORT": str(port)}
        self.env = {**os.environ, **own, **NO_ENGINE}
        self.env.pop("PYTHONPATH", None)

    def open(self, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen:
        command = [*prefix, BARE_PYTHON, "-m", "labs", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )

    def run(self, *arguments: str, prefix: tuple[str, ...] = ()) -> tuple[int, str]:
        process = self.open(*arguments, prefix=prefix)
        said = process.communicate(timeout=300)[0]
        return process.returncode, said

    def interrupt(self, number: signal.Signals, line: str, seconds: float, *arguments: str) -> tuple[int, str]:
        """Runs a command and sends it a signal some seconds after it has said a line."""
        process = self.open(*arguments)
        said = []
        for text in process.stdout:
            said.append(text)
            if line in text:
                break
        time.sleep(seconds)  # what is interrupted is the work behind the line, wherever it is by then
        process.send_signal(number)
        said.append(process.communicate(timeout=60)[0])
        return process.returncode, "".join(said)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    door = Door(tmp_path)
    yield door
    door.run("stop")


def address(said: str) -> str:
    return next(word for word in said.split() if word.startswith("http://127.0.0.1") and "token=" in word)


def answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - an address of ours on loopback
        return answer.status == 200 and b"jupyter" in answer.read().lower()


def test_without_docker_the_course_opens_and_says_what_is_missing(door: Door) -> None:
    code, said = door.run("start", "--no-browser")
    assert code == MISSING, said
    assert "Missing: No Docker engine answers at unix:///nowhere/docker.sock" in said
    assert "Traceback" not in said
    assert answers(address(said))
    began = time.monotonic()
    again, repeated = door.run("--no-browser")
    assert (again, address(repeated)) == (MISSING, address(said)), "start is the default, and finds what runs"
    assert time.monotonic() - began < 5, "a second start does only what is missing"
    code, stopped = door.run("stop")
    assert code == 0, stopped
    with pytest.raises(OSError, match="refused"):
        answers(address(said))


def test_the_port_of_the_local_aws_is_taken(door: Door) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", door.port))
        taken.listen()
        code, said = door.run("start", "--no-browser")
    assert code == MISSING, said
    assert f"{door.port}" in said and "COURSE_PORT=" in said
    assert "Traceback" not in said
    assert answers(address(said)), "the course is open all the same"


def test_the_port_of_jupyterlab_is_taken(door: Door) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = door.run("start", "--no-browser", "--port", str(port))
    assert code == 1
    assert f"Port {port} is used by another program" in said
    assert "Traceback" not in said


def test_the_data_folder_is_full_and_then_is_not(door: Door, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.ipynb").write_text("precious", encoding="utf-8")
    unshare = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
    script = 'mount -t tmpfs -o size=4k none "$0" && head -c 9000 /dev/zero >"$0/fill" 2>/dev/null; exec "$@"'
    code, said = door.run("start", "--no-browser", prefix=(*unshare, "sh", "-c", script, str(tmp_path / "data")))
    assert code == 1, said
    assert "No space is left" in said
    assert "COURSE_DATA" in said
    assert "Traceback" not in said
    assert (tmp_path / "work" / "mine.ipynb").read_text() == "precious"
    code, said = door.run("start", "--no-browser")
    assert code == MISSING, said
    assert answers(address(said))


def test_a_data_folder_that_may_not_be_written(door: Door, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    door.env["COURSE_DATA"] = str(tmp_path / "file" / "data")  # a file in the way: true for root as well
    code, said = door.run("start", "--no-browser")
    assert code == 1, said
    assert "COURSE_DATA" in said
    assert "Traceback" not in said


def test_words_that_are_no_command_are_explained(door: Door) -> None:
    code, said = door.run("strat")
    assert code == 2
    assert "start" in said
    code, said = door.run("test", "--chapter", "no_such")
    assert code == 2
    assert "ecs_service" in said
    code, said = door.run("start", "--port", "99999")
    assert code == 2
    assert "no port" in said


def clone(target: Path) -> Path:
    """The course without its environment, as git would give it."""
    ignored = shutil.ignore_patterns(".git", ".venv", "work", "__pycache__", ".*_cache", ".ipynb_checkpoints")
    return Path(shutil.copytree(ROOT, target, ignore=ignored))


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Door]:
    """A clone in a path with spaces and letters that are not ASCII, on which nothing was run yet."""
    door = Door(tmp_path, clone(tmp_path / "päth with späces"))
    yield door
    door.run("stop")


@pytest.mark.slow
def test_a_fresh_clone_interrupted_twice(fresh: Door) -> None:
    """The first command of the README, by a bare Python, killed and interrupted, then left to itself."""
    code, said = fresh.run("status")
    assert code == 1
    assert "Run `python3 -m labs` first" in said, "looking installs nothing"
    code, said = fresh.interrupt(signal.SIGKILL, "Making the environment", 1, "start", "--no-browser")
    assert code == -signal.SIGKILL, said
    code, said = fresh.interrupt(signal.SIGINT, "Installing the packages", 4, "start", "--no-browser")
    assert code == 130, said
    assert "Run the same command again" in said
    assert "Traceback" not in said
    code, said = fresh.run("start", "--no-browser")
    assert code == MISSING, said
    assert "was interrupted, so it is made anew" in said
    assert answers(address(said))
    python = fresh.root / ".venv" / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "pip", "check"], env=fresh.env, cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    # After an update of the course, and without a network, what runs can still be ended.
    (fresh.root / "requirements.txt").write_text("no-such-package==1\n", encoding="utf-8")
    code, said = fresh.run("stop")
    assert code == 0, said
    assert "JupyterLab is stopped." in said


@pytest.mark.slow
def test_no_network_at_all_on_a_fresh_machine(fresh: Door) -> None:
    unshare = ("unshare", "--net", *(["--map-root-user"] if os.geteuid() else []))
    fresh.env |= {"PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"}
    code, said = fresh.run("start", "--no-browser", prefix=unshare)
    assert code == 1, said
    assert "Without a network this cannot work the first time" in said
    assert "Traceback" not in said
