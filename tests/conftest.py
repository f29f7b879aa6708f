"""Shared by all tests: a learner's world of their own (data folder, port, notebooks), the options of `labs test`."""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Before anything of the course is imported: no test may see or touch the learner's own data, nor their running lab.
_home = tempfile.TemporaryDirectory(prefix="course-tests-")
os.environ.setdefault("COURSE_DATA", f"{_home.name}/data")
os.environ.setdefault("COURSE_WORK", f"{_home.name}/work")
os.environ.setdefault("COURSE_PORT", str(_free_port()))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chapter", metavar="SLUG", help="only what tests this chapter")
    parser.addoption("--screenshot", action="store_true", help="renew the README's picture of a chapter")
    parser.addoption("--quick", action="store_true", help="leave out what is marked slow")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "embedded: about the default backend itself; left out on another one")
    config.addinivalue_line("markers", "needs(service): left out on a backend that has not that service of AWS")
    config.addinivalue_line("markers", "slow: takes more than ten seconds; left out by --quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    backend = os.environ.get("COURSE_BACKEND") or "embedded"
    chapter, quick = config.getoption("chapter"), config.getoption("quick")

    def wanted(item: pytest.Item) -> bool:
        slug = item.callspec.params.get("slug") if hasattr(item, "callspec") else None
        if (chapter and slug != chapter) or (quick and item.get_closest_marker("slow")):
            return False
        return backend == "embedded" or not _is_beyond(item, backend)

    left_out = [item for item in items if not wanted(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if wanted(item)]


def _is_beyond(item: pytest.Item, backend: str) -> bool:
    """Whether a test is about something that a backend has not, by the course's own table."""
    from labs.cloud.backends import table

    wanted = {mark.args[0] for mark in item.iter_markers("needs")}
    return bool(item.get_closest_marker("embedded") or wanted - table.OFFERS[backend])


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The course's environment as a notebook has it: an engine and the local AWS answering. Ended after the tests."""
    from labs.cloud import environment, server
    from labs.machine import engine

    assert engine.use(), "No Docker engine answers: run the tests with `python3 -m labs test`, which sees to it."
    values = dict(os.environ)
    environment.apply(values)
    values["PYTHONPATH"] = str(ROOT)
    server.ensure_running()
    yield values
    server.stop()
