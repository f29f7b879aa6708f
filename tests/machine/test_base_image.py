"""The base image: which way is taken, and what the one that is built here is like."""

import itertools
import os
import time
from collections.abc import Iterator

import pytest

from labs.machine import base_image, engine, privilege, processes

TAG = f"base-image-test-{os.getpid()}:1"


@pytest.fixture
def api(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert engine.use()
    with engine.client() as client:
        yield client
        if client.images(TAG):
            client.remove_image(TAG)


def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(base_image, "getaddrinfo", look_up)
    monkeypatch.setattr(base_image, "_reachable", lambda *_: False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_local_image_is_used(api: object) -> None:
    api.tag(base_image.settings.BASE_IMAGE, TAG.partition(":")[0], "1")
    outcome = base_image.ensure(TAG)
    assert outcome.how == "present"
    assert TAG in outcome.message


def test_without_any_network_it_is_said_within_seconds(api: object, monkeypatch: pytest.MonkeyPatch) -> None:
    _no_network(monkeypatch)
    began = time.monotonic()
    outcome = base_image.ensure(TAG)
    assert time.monotonic() - began < 10
    assert outcome.how is None
    for part in ("public.ecr.aws", "registry-1.docker.io", "docker load -i FILE"):
        assert part in outcome.message


def test_a_name_server_that_does_not_answer_costs_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_image, "LOOK_UP_SECONDS", 0.2)
    monkeypatch.setattr(base_image, "getaddrinfo", lambda *_: time.sleep(3))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    began = time.monotonic()
    assert "name server" in base_image._unreachable("example.org")
    assert time.monotonic() - began < 2


class Registry:
    """An engine's client whose pulls answer as told: events, or an exception in mid-way."""

    def __init__(self, answers: dict[str, object]) -> None:
        self.answers, self.tagged = answers, []

    def __enter__(self) -> "Registry":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def inspect_image(self, _: str) -> dict:
        from docker.errors import ImageNotFound

        raise ImageNotFound("no")

    def pull(self, source: str, **_: object) -> Iterator[dict]:
        answer = self.answers[source]
        if isinstance(answer, Exception):
            raise answer
        return iter(answer)

    def tag(self, *names: object, **_: object) -> None:
        self.tagged.append(names)

    def remove_image(self, _: str) -> None:
        pass


@pytest.mark.parametrize(
    ("first", "told"),
    [([{"error": "toomanyrequests"}], "toomanyrequests"), (TimeoutError("x"), ""), (None, "says nothing")],
)
def test_the_second_registry_is_asked_when_the_first_does_not_give(
    monkeypatch: pytest.MonkeyPatch, first: object, told: str
) -> None:
    import requests

    first = requests.exceptions.ConnectionError("read timed out") if first is None else first
    first = requests.exceptions.ReadTimeout("x") if isinstance(first, TimeoutError) else first
    registry = Registry(dict(zip(base_image.SOURCES, [first, [{"status": "done"}]], strict=True)))
    monkeypatch.setattr(engine, "client", lambda *_: registry)
    monkeypatch.setattr(base_image, "_unreachable", lambda _: None)
    pulled, troubles = base_image.pull("debian:bookworm-slim")
    assert pulled == "docker.io/library/debian:bookworm-slim"
    assert told in troubles
    assert registry.tagged[0][:3] == (pulled, "debian", "bookworm-slim")


@pytest.mark.slow
def test_built_from_packages_it_is_slim_works_and_carries_no_label_of_the_course(
    api: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a minute of real debootstrap; where that is not possible, a reason instead."""
    monkeypatch.setattr(base_image, "pull", lambda _: (None, "no registry asked"))
    if (
        privilege.sudo() is None
        or not privilege.debian_like()
        or not base_image._reachable("/debian", base_image.SUITE)
    ):
        assert base_image.ensure(TAG).how is None
        return
    outcome = base_image.ensure(TAG)
    assert outcome.how == "built", outcome.message
    found = api.inspect_image(TAG)
    assert found["Size"] < 100_000_000
    assert found["Config"]["Cmd"] == ["bash"]
    assert "course" not in found["Config"]["Labels"], "what is built from it would inherit the label, and be removed"
    assert base_image.made_here(TAG)
    script = (
        "set -e; . /etc/os-release; echo $VERSION_CODENAME; "
        "ls /usr/share/man /var/lib/apt/lists /var/log /tmp | grep -v : | grep . | wc -l; "
        "test -s /usr/share/doc/bash/copyright; grep -c ^Suites /etc/apt/sources.list.d/debian.sources; "
        "dpkg --audit; stat -c %a /tmp; hostname >/dev/null; perl -e 'print qq(perl\\n)'"
    )
    name = TAG.replace(":", "-")
    api.create_container(TAG, ["sh", "-c", script], name=name, host_config=api.create_host_config(network_mode="none"))
    try:
        api.start(name)
        code = api.wait(name, timeout=60)["StatusCode"]
        lines = api.logs(name).decode().split()
    finally:
        api.remove_container(name, force=True)
    assert (code, lines) == (0, ["bookworm", "0", "2", "1777", "perl"])
    assert not list(itertools.islice(base_image._space().glob(f"*-base-{os.getuid()}-{os.getpid()}-*"), 1))


def test_what_a_killed_run_left_is_removed_and_a_living_ones_is_not() -> None:
    start = f"{base_image.settings.COURSE}-base-{os.getuid()}-"
    gone = processes.start_detached(["true"], log=base_image.packages.log_file().with_name("true.log"))
    assert processes.holds(lambda: not processes.alive(gone), 10)
    os.waitpid(gone.pid, 0)
    dead, living = (base_image._space() / f"{start}{pid}-x" for pid in (gone.pid, os.getpid()))
    try:
        for folder in (dead, living):
            (folder / "root").mkdir(parents=True)
        base_image._remove_leftovers()
        assert not dead.exists()
        assert living.exists()
    finally:
        for folder in (dead, living):
            if folder.exists():
                (folder / "root").rmdir()
                folder.rmdir()
