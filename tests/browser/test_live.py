"""The live picture in JupyterLab: a task is killed and replaced, all can follow it, and it ends when it should."""

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from labs import settings
from labs.ecs_service import lab as chapter_lab
from labs.kit.live import live_widget
from labs.kit.live.layout import Memory
from labs.kit.live.plan import Plan
from labs.kit.live.scene import Scene
from labs.kit.live.widget import drawing_of
from labs.kit.world import aws_client, docker_client
from tests.browser.journeys import Lab, audit, cells, open_notebook, run_all, set_theme, show_static, tab_to, wait_idle
from tests.kit.live_lab import PLAN, everything, make_service, make_web_image, running_tasks, sample, task, until
from tests.pictures.contrast import LEAST, contrast

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
            for one in ecs.describe_tasks(cluster=self.cluster, tasks=sorted(known))["tasks"]:
                self.said.setdefault(f"{one['taskArn']} {one['lastStatus']}", time.time())


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
    [container] = docker_client().containers.list(filters={"label": f"com.amazonaws.ecs.task-arn={victim}"})
    begin = int(time.time())
    container.kill()

    expect(_task(live, victim)).to_have_attribute("data-state", "STOPPED")
    expect(_task(live, victim).locator(".shapes")).to_have_class("shapes shape-bad")
    set_theme(page, "dark")
    live.screenshot(path=settings.ROOT / ".pytest_cache/live_dark.png")
    until(lambda: len(set(running_tasks(service)) - {victim}) == 3)
    expect(live.locator(".cl-plan li")).to_have_text(["All is as planned."], timeout=30_000)
    expect(_task(live, victim)).to_have_count(0, timeout=15_000)
    expect(tasks).to_have_count(3)
    ecs.over.set()
    shown, said = page.evaluate("[window.shown, [...window.said]]")
    assert "Service svc-web: 2 of 3 planned tasks run." in said
    assert [one for one in said if f"Task {victim[-32:-24]} is STOPPED" in one and "exit code 137" in one]
    [new] = set(running_tasks(service)) - before
    filters = {"event": "die", "container": container.id}
    [event] = docker_client().events(decode=True, since=begin, until=int(time.time()), filters=filters)
    died = event["timeNano"] / 1e9
    delays = {
        "Docker's event to the dead task": shown[f"{victim} STOPPED"] - died,
        "ECS's word to the dead task": shown[f"{victim} STOPPED"] - ecs.said[f"{victim} STOPPED"],
        "ECS's word to the new task's run": shown[f"{new} RUNNING"] - ecs.said[f"{new} RUNNING"],
    }
    print({what: f"{seconds:.2f} s" for what, seconds in delays.items()}, live.get_attribute("data-redraw"), "ms")
    assert all(seconds < SECOND for seconds in delays.values()), delays
    assert float(live.get_attribute("data-redraw")) < 100


def test_paused_by_keyboard_it_looks_no_more_and_no_cell_notices(service: str, lab: Lab, page: Page) -> None:
    open_notebook(page, lab, lab.write_notebook("live-keys.ipynb", ["'before'", OPEN, "chapter.live()", "'after'"]))
    run_all(page)
    live = page.locator(".course-live")
    expect(live.locator(".node-part[data-kind=task]")).to_have_count(3)
    live.evaluate("element => { element.tabIndex = -1; element.focus(); element.removeAttribute('tabindex'); }")
    tab_to(page, live.get_by_role("button", name="Pause"))
    before = cells(page)
    page.keyboard.press("Enter")
    expect(live.locator(".cl-state")).to_have_text("⏸ Paused")
    for key in ("b", "a", "d", "d", "ArrowDown"):
        page.keyboard.press(key)
    assert cells(page) == before
    ecs = aws_client("ecs")
    ecs.create_cluster(clusterName="svc-extra")
    try:
        page.wait_for_timeout(1500)  # longer than a live picture takes
        expect(live.locator("[data-kind=cluster]")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(live.locator(".cl-state")).to_have_text("● Live")
        expect(live.locator("[data-kind=cluster]")).to_have_count(2)
        expect(live.get_by_role("status")).to_contain_text("Cluster svc-extra is new, ACTIVE.")
        expect(live.locator(".cl-plan li")).to_have_text(["The cluster svc-extra is there and not in the plan."])
    finally:
        ecs.delete_cluster(cluster="svc-extra")
    expect(live.get_by_role("status")).to_contain_text("Cluster svc-extra is gone.")
    tab_to(page, live.locator("summary"))
    page.keyboard.press("Enter")
    expect(live.locator(".cl-tree")).to_contain_text("Target group svc-web is in use: 3 of 3 targets healthy.")
    assert live.locator(":is(button, summary, [tabindex]):not([data-lm-suppress-shortcuts])").count() == 0


BUSY = """import pathlib
import time

import boto3

boto3.client("ecs").create_cluster(clusterName="svc-busy")
end = time.monotonic() + 20
while time.monotonic() < end and not pathlib.Path("seen").exists():
    time.sleep(0.1)
boto3.client("ecs").delete_cluster(cluster="svc-busy")"""


def test_it_goes_on_while_a_cell_runs(service: str, lab: Lab, page: Page) -> None:
    """Also from its first moment on: the cell that shows it may be followed by one that takes long."""
    open_notebook(page, lab, lab.write_notebook("live-busy.ipynb", [OPEN, "chapter.live()", BUSY]))
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    expect(page.locator(".course-live [data-kind=cluster][data-id$='/svc-busy']")).to_have_count(1, timeout=15_000)
    assert page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets[2].model.executionState") == "running"
    (lab.folder / "seen").touch()
    wait_idle(page)
    expect(page.locator(".course-live [data-kind=cluster]:not(.leaving)")).to_have_count(1)


def test_run_again_and_again_there_is_one_watcher_and_none_after_the_kernel(service: str, lab: Lab, page: Page) -> None:
    open_notebook(page, lab, lab.write_notebook("live-again.ipynb", [OPEN, "chapter.live()", WATCHERS]))
    for _ in range(4):
        run_all(page)
        expect(page.locator(".course-live .node-part[data-kind=task]")).to_have_count(3)
    _run_last(page)
    expect(_printed(page)).to_have_text("['live picture, listens', 'live picture, looks']")
    page.evaluate(
        """async () => {
            const { content } = window.jupyterapp.shell.currentWidget;
            content.widgets[1].model.clearExecution();
            content.widgets[1].outputArea.model.clear();
        }"""
    )
    expect(page.locator(".course-live")).to_have_count(0)
    for _ in range(20):  # the thread ends with the look at hand
        _run_last(page)
        if _printed(page).text_content().strip() == "[]":
            break
    expect(_printed(page)).to_have_text("[]")
    run_all(page)
    expect(page.locator(".cl-state")).to_have_text("● Live")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
    expect(page.locator(".cl-state")).to_have_text("■ Ended: run the cell again", timeout=15_000)


def _run_last(page: Page) -> None:
    page.evaluate(
        """async () => {
            const { content } = window.jupyterapp.shell.currentWidget;
            content.activeCellIndex = content.widgets.length - 1;
            await window.jupyterapp.commands.execute('notebook:run-cell');
        }"""
    )
    wait_idle(page)


def _printed(page: Page) -> Locator:
    return page.locator(".jp-Cell").last.locator(".jp-OutputArea-output")


# --- On a page without a kernel ---


def _shown(scene: Scene, plan: Plan = PLAN) -> Any:
    widget = live_widget("An ECS service", plan)
    widget.drawing = drawing_of(scene, plan, Memory())
    return widget


CROWD = sample(*(task(f"task{n:04}", zone=f"us-east-1{'ab'[n % 2]}") for n in range(50)), desired=50)
ENDING = sample(task("a"), task("b", "STOPPED", exit=137), task("c", "PENDING"), health="unhealthy")
SCENES = {
    "nothing": Scene(),
    "three": sample(task("a"), task("b"), task("c")),
    "ending": ENDING,
    "crowd": CROWD,
    "all": everything(),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_all_is_legible_and_no_text_leaves_its_place(page: Page, scene: Scene, theme: str) -> None:
    show_static(page, _shown(scene), theme=theme)
    live = page.locator(".course-live")
    expect(live.locator("svg")).to_have_attribute("data-theme", theme)
    live.locator("summary").click()
    assert audit(page, ".course-live") == []
    expect(live.get_by_role("img")).to_have_accessible_name(re.compile("An ECS service. (There now|Nothing of it)"))
    faint = [
        (text["text"], round(contrast(text["fill"], text["ground"]), 2))
        for text in live.locator("svg").evaluate(_TEXTS)
        if contrast(text["fill"], text["ground"]) < LEAST
    ]
    assert faint == []
    assert live.locator("svg").evaluate(_MEETINGS) == []


# Each text that is shown, its colour, and that of the frame behind it: the innermost one that is filled.
_TEXTS = """svg => {
    const rgb = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const frames = [...svg.querySelectorAll('rect.card, rect.frame, rect.tag')]
        .filter((it) => getComputedStyle(it).visibility === 'visible' && getComputedStyle(it).fill !== 'none')
        .map((it) => ({ box: it.getBoundingClientRect(), fill: getComputedStyle(it).fill, it }));
    return [...svg.querySelectorAll('text')].filter((it) => it.textContent).map((it) => {
        const box = it.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
        const under = frames.filter(({ box: b }) => b.left < x && x < b.right && b.top < y && y < b.bottom);
        return { text: it.textContent, fill: rgb(getComputedStyle(it).fill), ground: rgb(under.at(-1).fill) };
    });
}"""

# Pairs of texts that touch each other, and texts that stick out of the picture.
_MEETINGS = """svg => {
    const texts = [...svg.querySelectorAll('text')].filter((it) => it.textContent);
    const boxes = texts.map((it) => [it.textContent, it.getBoundingClientRect()]);
    const card = svg.querySelector('rect.card').getBoundingClientRect();
    const found = [];
    boxes.forEach(([text, a], n) => {
        if (a.left < card.left || a.right > card.right || a.bottom > card.bottom) found.push(`${text} sticks out`);
        for (const [other, b] of boxes.slice(n + 1)) {
            const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (wide > 1 && high > 4) found.push(`${text} meets ${other}`);
        }
    });
    return found;
}"""


def test_fifty_tasks_are_drawn_anew_in_less_than_100_ms_and_keep_their_elements(page: Page) -> None:
    memory = Memory()
    widget = _shown(CROWD)
    show_static(page, widget)
    page.evaluate("window.first = document.querySelector('.cl-picture').shadowRoot.querySelector('[data-id=task0049]')")
    ill = sample(*CROWD.of("task")[1:], task("fresh", "PENDING"), health="unhealthy", desired=50)
    for scene in (CROWD, ill, CROWD):
        page.evaluate("drawing => window.models[0].set('drawing', drawing)", drawing_of(scene, PLAN, memory))
        assert float(page.locator(".course-live").get_attribute("data-redraw")) < 100
    assert page.evaluate("window.first.isConnected")
    expect(page.locator(".node-part[data-kind=task]:not(.leaving)")).to_have_count(50)


def test_a_narrow_page_scrolls_the_picture_only(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    show_static(page, _shown(SCENES["three"]))
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    expect(page.get_by_role("region", name="Live picture, scrolls sideways")).to_have_attribute("tabindex", "0")
    assert audit(page, ".course-live") == []


def test_nothing_moves_for_those_who_asked_for_less_motion(page: Page) -> None:
    show_static(page, _shown(SCENES["three"]))
    moving = "all => all.filter((e) => getComputedStyle(e).transitionDuration !== '0s').length"
    assert page.locator(".course-live *").evaluate_all(moving) == 0
    page.emulate_media(reduced_motion="no-preference")
    assert page.locator(".course-live *").evaluate_all(moving) > 0


def test_it_leaves_the_page_without_a_trace(page: Page) -> None:
    show_static(page, _shown(SCENES["three"]))
    page.evaluate("() => { window.models[0].send = (message) => (window.sent ??= []).push(message.kind); }")
    page.evaluate("window.endings[0]()")
    assert page.evaluate("window.sent") == ["left"]
    page.evaluate("drawing => window.models[0].set('drawing', drawing)", drawing_of(Scene(), PLAN, Memory()))
    expect(page.locator(".node-part[data-state=planned]")).to_have_count(0)
