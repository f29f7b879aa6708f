"""The live picture in JupyterLab: a task is killed and replaced, all can follow it, and it ends when it should."""

import threading
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from labs import settings
from labs.ecs_service import lab as chapter_lab
from labs.kit.world import aws_client, docker_client
from tests.browser.journeys import Lab, audit, open_notebook, run_all, set_theme
from tests.kit.live_lab import make_service, make_web_image, running_tasks, until

OPEN = "from labs.kit import open_chapter\n\nchapter = open_chapter('ecs_service')"
WATCHERS = "import threading\nprint(sorted(t.name for t in threading.enumerate() if t.name.startswith('live')))"
SECOND = 1.0  # from a change to the picture of it


@pytest.fixture(scope="module")
def service(course: dict[str, str]) -> Iterator[str]:
    """The chapter's service as its plan has it: three tasks behind a load balancer; its cluster's name."""
    chapter_lab.reset()
    image = make_web_image()
    yield make_service(chapter_lab.PREFIX, image)
    chapter_lab.reset()
    docker_client().images.remove(image, force=True)


def _task(live: Locator, id_: str) -> Locator:
    return live.locator(f".node-part[data-kind=task][data-id$='{id_}']:not(.leaving)")


def _clock(page: Page) -> None:
    """Note in the page when each state of each task first shows, and each sentence about plan and news."""
    page.evaluate(
        """() => {
            window.shown = {};
            const root = document.querySelector('.cl-picture').shadowRoot;
            const note = () => {
                for (const part of root.querySelectorAll('.node-part[data-kind=task]')) {
                    window.shown[`${part.dataset.id} ${part.dataset.state}`] ??= Date.now() / 1000;
                }
            };
            window.said = new Set();
            const heard = () => document.querySelectorAll('.cl-plan li, .cl-news');
            const hear = () => heard().forEach((it) => window.said.add(it.textContent));
            const all = { subtree: true, childList: true, attributes: true, characterData: true };
            note();
            new MutationObserver(note).observe(root, all);
            new MutationObserver(hear).observe(document.querySelector('.cl-panel'), all);
        }"""
    )


class _Ecs(threading.Thread):
    """Notes when ECS itself first says of each task that it is in a state, by asking 20 times a second."""

    def __init__(self, cluster: str) -> None:
        super().__init__(daemon=True)
        self.cluster, self.said, self.over = cluster, {}, threading.Event()

    def run(self) -> None:
        ecs, known = aws_client("ecs"), set()
        while not self.over.wait(0.05):
            known |= set(ecs.list_tasks(cluster=self.cluster)["taskArns"])
            for task in ecs.describe_tasks(cluster=self.cluster, tasks=sorted(known))["tasks"]:
                self.said.setdefault(f"{task['taskArn']} {task['lastStatus']}", time.time())


def test_a_task_is_killed_and_replaced_before_your_eyes(service: str, lab: Lab, page: Page) -> None:
    open_notebook(page, lab, lab.write_notebook("live.ipynb", ["'before'", OPEN, "chapter.live()", "'after'"]))
    set_theme(page, "light")
    run_all(page)
    live = page.locator(".course-live")
    tasks = live.locator(".node-part[data-kind=task]:not(.leaving)")
    expect(tasks).to_have_count(3)
    expect(live.locator(".cl-plan li")).to_have_text(["All is as planned."])
    live.screenshot(path=settings.ROOT / ".pytest_cache/live_light.png")
    assert audit(page, ".course-live") == []

    _clock(page)
    ecs = _Ecs(service)
    ecs.start()
    before = set(running_tasks(service))
    victim = min(before)
    events = docker_client().events(
        decode=True, filters={"event": "die", "label": f"com.amazonaws.ecs.task-arn={victim}"}
    )
    [container] = docker_client().containers.list(filters={"label": f"com.amazonaws.ecs.task-arn={victim}"})
    container.kill()
    died = next(iter(events))["timeNano"] / 1e9
    events.close()

    expect(_task(live, victim)).to_have_attribute("data-state", "STOPPED")
    expect(_task(live, victim).locator(".shapes")).to_have_class("shapes shape-bad")
    set_theme(page, "dark")
    live.screenshot(path=settings.ROOT / ".pytest_cache/live_dark.png")
    until(lambda: len(set(running_tasks(service)) - {victim}) == 3)
    expect(live.locator(".cl-plan li")).to_have_text(["All is as planned."], timeout=30_000)
    expect(_task(live, victim)).to_have_count(0)
    expect(tasks).to_have_count(3)
    ecs.over.set()
    shown, said = page.evaluate("[window.shown, [...window.said]]")
    assert "Service svc-web: 2 of 3 planned tasks run." in said
    assert [one for one in said if f"Task {victim[-32:-24]} is STOPPED" in one and "exit code 137" in one]
    [new] = set(running_tasks(service)) - before
    delays = {
        "Docker's event to the dead task": shown[f"{victim} STOPPED"] - died,
        "ECS's word to the dead task": shown[f"{victim} STOPPED"] - ecs.said[f"{victim} STOPPED"],
        "ECS's word to the new task's run": shown[f"{new} RUNNING"] - ecs.said[f"{new} RUNNING"],
    }
    print({what: f"{seconds:.2f} s" for what, seconds in delays.items()}, live.get_attribute("data-redraw"), "ms")
    assert all(seconds < SECOND for seconds in delays.values()), delays
    assert float(live.get_attribute("data-redraw")) < 100
