"""`stop`, `reset` and `test` on the real engine, under a label and in folders of their own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs import settings
from labs.cloud import server
from labs.machine import base_image, console, course, engine, engine_setup, inventory, processes, proof, test_run

MINE = f"course-test-{os.getpid()}"


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    monkeypatch.setattr(settings, "LABEL_VALUE", MINE)
    monkeypatch.setattr(settings, "LABEL", f"course={MINE}")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("COURSE_PORT", str(free_port()))  # other tests' local AWS may run at the usual one
    assert engine.use()
    with engine.client() as client:
        yield client
        inventory.remove(inventory.find())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((settings.GATEWAY_HOST, 0))
        return probe.getsockname()[1]


def container(api: object, name: str, **labels: str) -> None:
    labels = {key.replace("_", "."): value for key, value in labels.items()}
    api.create_container(settings.BASE_IMAGE, ["true"], name=name, labels={"course": MINE} | labels)


def learners_files() -> list[Path]:
    """A notebook and the progress, as `stop` and `reset` find them."""
    kept = [settings.work_dir() / "12_ecs_service.ipynb", settings.data_dir() / "progress.jsonl"]
    for file in kept:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("precious", encoding="utf-8")
    return kept


def test_stop_ends_containers_and_networks_and_keeps_the_rest(api: object, capsys: pytest.CaptureFixture) -> None:
    container(api, f"{MINE}-c")
    api.create_network(f"{MINE}-n", labels={"course": MINE})
    api.create_volume(f"{MINE}-v", labels={"course": MINE})
    kept = learners_files()
    assert course.stop() == 0
    assert [str(thing) for thing in inventory.find()] == [f"volume {MINE}-v"]
    assert "1 container, 1 network" in capsys.readouterr().out
    assert all(file.read_text() == "precious" for file in kept)
    assert course.stop() == 0, "stopping what is stopped is no error"


def test_reset_empties_docker_and_the_local_aws_and_keeps_the_learners_files(api: object) -> None:
    container(api, f"{MINE}-c")
    api.create_volume(f"{MINE}-v", labels={"course": MINE})
    state = settings.data_dir() / "cloud" / "services" / "s3"
    state.mkdir(parents=True)
    kept = learners_files()
    assert course.reset() == 0
    assert inventory.find() == []
    assert not (settings.data_dir() / "cloud").exists()
    assert all(file.read_text() == "precious" for file in kept)
    assert course.reset() == 0


def test_reset_starts_a_running_local_aws_again_empty(api: object) -> None:
    server.ensure_running()
    before = server.health()["pid"]
    try:
        assert course.reset() == 0
        assert server.health()["pid"] != before
    finally:
        server.stop()


def test_without_an_engine_reset_says_so(api: object, monkeypatch: pytest.MonkeyPatch, capsys: object) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    assert course.reset() == 1
    assert "DOCKER_HOST" in capsys.readouterr().err
    monkeypatch.undo()


def test_a_pulled_base_image_is_kept_by_reset_all(api: object, monkeypatch: pytest.MonkeyPatch) -> None:
    api.tag(settings.BASE_IMAGE, f"{MINE}-base", "1")
    monkeypatch.setattr(settings, "BASE_IMAGE", f"{MINE}-base:1")
    monkeypatch.setattr(base_image, "made_here", lambda: False)
    try:
        assert course.reset(everything=True) == 0
        assert api.images(f"{MINE}-base:1")
        monkeypatch.setattr(base_image, "made_here", lambda: True)
        assert course.reset(everything=True) == 0
        assert not api.images(f"{MINE}-base:1")
    finally:
        if api.images(f"{MINE}-base:1"):
            api.remove_image(f"{MINE}-base:1")


@pytest.fixture
def chromium(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_CHROMIUM", "/bin/true")


def test_tests_are_refused_where_a_learners_things_are_in_the_way(
    api: object, chromium: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    container(api, f"{MINE}-learners")
    monkeypatch.setattr(proof, "_pytest", lambda *_: pytest.fail("the tests were run all the same"))
    assert proof.run([]) == proof.REFUSED
    said = capsys.readouterr().err
    assert f"container {MINE}-learners" in said
    assert "python3 -m labs reset" in said
    assert [thing.name for thing in inventory.find()] == [f"{MINE}-learners"], "refusing removes nothing"


def test_a_layer_kept_for_later_builds_is_in_nobodys_way(
    api: object, chromium: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    container(api, f"{MINE}-c")
    layer = api.commit(f"{MINE}-c", changes=[f"LABEL course={MINE}"])["Id"]
    api.remove_container(f"{MINE}-c")
    assert [thing.id for thing in inventory.find()] == [layer]
    monkeypatch.setattr(proof, "_pytest", lambda *_: 0)
    assert proof.run([]) == 0
    assert [thing.id for thing in inventory.find()] == [layer]


def test_a_test_run_is_apart_and_leaves_what_was_there_before(
    api: object, chromium: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    container(api, f"{MINE}-relay", course_role="relay")
    given = {}

    def tests(options: list[str], env: dict[str, str]) -> int:
        given.update(env, options=options)
        container(api, f"{MINE}-left")
        Path(env["COURSE_DATA"]).mkdir()
        return 3

    monkeypatch.setattr(proof, "_pytest", tests)
    learners_data = str(settings.data_dir())
    assert proof.run(["--quick"]) == 3
    assert given["options"] == ["--quick"]
    assert given["COURSE_CHROMIUM"] == "/bin/true"
    assert learners_data not in (given["COURSE_DATA"], given["COURSE_WORK"])
    assert not Path(given["COURSE_DATA"]).parent.exists()
    assert [thing.name for thing in inventory.find()] == [f"{MINE}-relay"]
    assert str(settings.data_dir()) == learners_data
    assert "NOT passed" in capsys.readouterr().out


A_RUN_THAT_IS_KILLED = """
import sys, time
from labs import settings
from labs.cloud import server
from labs.machine import engine, test_run
settings.LABEL_VALUE = sys.argv[1]
settings.LABEL = f"course={sys.argv[1]}"
engine.use()
with test_run.apart() as env:
    import os
    os.environ.update(env)
    server.ensure_running()
    print(env["COURSE_DATA"], flush=True)
    time.sleep(600)
"""


def test_what_a_killed_test_run_left_is_removed_by_the_next(
    api: object, chromium: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    container(api, f"{MINE}-relay", course_role="relay")
    with subprocess.Popen(
        [sys.executable, "-c", A_RUN_THAT_IS_KILLED, MINE], cwd=settings.ROOT, stdout=subprocess.PIPE, text=True
    ) as run:
        data = Path(run.stdout.readlines(1)[-1].strip())
        container(api, f"{MINE}-of-the-tests")
        assert proof.run([]) == proof.REFUSED
        assert f"process {run.pid}" in capsys.readouterr().err
        assert data.exists(), "nothing of a run that goes on is touched"
        run.send_signal(signal.SIGKILL)
    assert server.health(), "the killed run has left a local AWS behind"
    monkeypatch.setattr(proof, "_pytest", lambda *_: 0)
    assert proof.run([]) == 0
    assert "killed" in capsys.readouterr().out
    assert server.health() is None
    assert not data.parent.exists()
    assert [thing.name for thing in inventory.find()] == [f"{MINE}-relay"]


def test_start_removes_what_a_killed_test_run_left(api: object, capsys: pytest.CaptureFixture) -> None:
    gone = processes.Running(os.getpid(), "another time")
    test_run.mark(settings.data_dir(), gone)
    container(api, f"{MINE}-of-the-tests")
    assert course.prepare_engine() == []
    assert "killed" in capsys.readouterr().out
    assert inventory.find() == []


def test_a_running_local_aws_is_paused_for_the_tests_and_back_afterwards(
    api: object, chromium: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.ensure_running()
    seen = []

    def interrupted(*_: object) -> int:
        seen.append(server.health())
        raise KeyboardInterrupt

    monkeypatch.setattr(proof, "_pytest", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            proof.run([])
        assert seen == [None]
        assert server.health() is not None
    finally:
        server.stop()


def test_without_an_engine_the_tests_say_so(api: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(engine_setup, "ensure", lambda: (None, "There is none."))
    with pytest.raises(console.Trouble, match="There is none"):
        proof.run([])
