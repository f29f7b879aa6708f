"""The live picture as a widget, and as text. It looks only while somebody has it in sight."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labs import settings
from labs.kit.browser import with_shared
from labs.kit.live import words
from labs.kit.live.layout import Memory, arrange
from labs.kit.live.look import Looker
from labs.kit.live.plan import Difference, Plan, compare
from labs.kit.live.scene import Scene, on_its_way
from labs.kit.live.watcher import Watcher

if TYPE_CHECKING:
    import anywidget

_HERE = Path(__file__).parent
SPRITE = settings.DIAGRAMS / "house/icons.svg"
SILENCE_SECONDS = 45.0  # without a sign of life from any browser the watcher ends; a page gives one every 5 s
COMING = "coming"  # stands for the page that has not yet spoken
PATIENCE = 3  # refused looks in a row before it is said
AWAY = "The local AWS does not answer, so this is what was there last. Run `python3 -m labs start` in a terminal."
REAL = "This is a real AWS account: it is asked only when you press Look once."


def as_text(plan: Plan) -> str:
    """What exists now, as an indented list, with what differs from the plan."""
    import botocore.exceptions

    try:
        scene = Looker(plan.prefix, plan.watch).look()
    except botocore.exceptions.BotoCoreError:
        return AWAY.replace("so this is what was there last", "so nothing can be looked at")
    whole, differences = compare(scene, plan)
    lines = [words.summary(scene)]

    def add(branch: dict[str, Any], depth: int) -> None:
        lines.append(f"{'  ' * depth}- {branch['text']}")
        for one in branch["inside"]:
            add(one, depth + 1)

    for branch in words.tree(whole):
        add(branch, 0)
    return "\n".join([*lines, "", *plan_lines(plan, differences), *scene.missing])


def plan_lines(plan: Plan, differences: list[Difference]) -> list[str]:
    """What differs from the plan, a sentence each; or that nothing does."""
    if not plan.parts:
        return []
    return [one.words for one in differences] or ["All is as planned."]


def live_widget(title: str, plan: Plan) -> anywidget.AnyWidget:
    """The live picture of a chapter.

    Args:
        title: the chapter's.
        plan: its plan.
    """
    asked_only = settings.backend() == "aws"
    widget = _widget_class()(title=title, sprite=SPRITE.read_text(encoding="utf-8"), on_demand=asked_only)
    if asked_only:
        widget.notes = [REAL]
    widget.attach(plan)
    return widget


def drawing_of(scene: Scene, plan: Plan, memory: Memory) -> dict[str, Any]:
    """All that a page shows of a scene: places and lines, the summary, the nested list, what differs from the plan."""
    whole, differences = compare(scene, plan)
    return {
        **arrange(whole, differences, memory),
        "summary": words.summary(scene),
        "tree": words.tree(whole),
        "plan": plan_lines(plan, differences),
        "planned": bool(plan.parts) and not differences,
    }


class Eye:
    """What a widget looks with: it reads, compares, lays out, and sets the widget's traits where something changed."""

    def __init__(self, widget: Any, plan: Plan) -> None:
        self._widget, self._plan = widget, plan
        self._looker, self._memory = Looker(plan.prefix, plan.watch), Memory()
        self._before: Scene | None = None
        self._refused = 0
        self._lock = threading.Lock()  # a look that was asked for by a button, and one of the watcher

    def look(self, news: bool = True) -> bool:
        """Look once; whether to look again soon."""
        from botocore.exceptions import BotoCoreError, ClientError

        with self._lock:
            try:
                scene = self._looker.look(engine=news)
            except ClientError as refused:  # something went away between two calls, usually
                self._refused += 1
                if self._refused > PATIENCE:
                    self._note(f"The local AWS refuses to be looked at: {refused}")
                return self._refused <= PATIENCE
            except BotoCoreError:
                self._note(AWAY)
                return False
            self._refused = 0
            self._show(scene)
            return on_its_way(scene)

    def _show(self, scene: Scene) -> None:
        before, self._before = self._before, scene
        if before == scene and self._widget.drawing:
            self._note(*scene.missing)
            return
        drawing = drawing_of(scene, self._plan, self._memory)
        with self._widget.hold_sync():
            self._widget.drawing = drawing
            self._note(*scene.missing)
            if before is not None and (news := words.changes(before, scene)):
                self._widget.news = {"n": self._widget.news["n"] + 1, "text": news}

    def _note(self, *sentences: str) -> None:
        notes = [*([REAL] if self._widget.on_demand else []), *sentences]
        if self._widget.notes != notes:
            self._widget.notes = notes


@cache
def _widget_class() -> type[anywidget.AnyWidget]:
    # Made on first use: anywidget takes longer to import than everything else that opening a chapter needs.
    import anywidget
    import traitlets

    class LivePicture(anywidget.AnyWidget):
        """Traits: title, the icons, the drawing as data, the news of the last change, notes about what is missing."""

        _esm = with_shared(_HERE / "live.js")
        _css = with_shared(_HERE / "live.css")
        title = traitlets.Unicode().tag(sync=True)
        sprite = traitlets.Unicode().tag(sync=True)
        on_demand = traitlets.Bool(False).tag(sync=True)
        drawing: Any = traitlets.Dict().tag(sync=True)
        news: Any = traitlets.Dict({"n": 0, "text": ""}).tag(sync=True)
        notes: Any = traitlets.List().tag(sync=True)

        def attach(self, plan: Plan) -> None:
            """Give it eyes. It opens them when a page says that it shows the widget."""
            self._eye = Eye(self, plan)
            self.watcher = Watcher(self._glance)
            self._views: dict[str, float] = {}  # when each page that shows it last gave a sign of life
            self._doubts = False
            self.on_msg(self._heard)

        def expect_page(self) -> None:
            """Watch from now on: a page is about to show it, and cannot say so while the cells that follow run."""
            self._views[COMING] = time.monotonic()
            if not self.on_demand:
                self.watcher.start()

        def _heard(self, _: Any, content: dict[str, Any], __: Any) -> None:
            """A page shows the widget (`here`, again every 5 s), no longer does (`left`), or wants a look (`look`)."""
            kind, view = content.get("kind"), str(content.get("view"))
            self._views.pop(COMING, None)
            if kind == "here":
                self._views[view] = time.monotonic()
            elif kind == "left":
                self._views.pop(view, None)
            elif kind == "look":
                self._eye.look()
            if self._views and not self.on_demand:
                self.watcher.start()
            else:
                self.watcher.stop()

        def _glance(self, news: bool) -> bool:
            if self._silent() and not self._doubts:
                self._doubts = True
                _when_free(self._end_if_silent)
            return self._eye.look(news)

        def _silent(self) -> bool:
            return time.monotonic() - max(self._views.values(), default=0.0) > SILENCE_SECONDS

        def _end_if_silent(self) -> None:
            self._doubts = False
            if self._silent():  # a browser that was closed says no farewell
                self._views.clear()
                self.watcher.stop()

        def close(self) -> None:
            """End it: the watcher ends first."""
            if hasattr(self, "watcher"):
                self.watcher.stop()
            super().close()

        def __repr__(self) -> str:
            return f"Live picture: {self.title}"

    return LivePicture


def _when_free(call: Callable[[], None]) -> None:
    """Call this once the kernel runs no cell any more, and has heard what pages said meanwhile; at once without one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    loop = getattr(getattr(shell, "kernel", None), "io_loop", None)
    if loop is None:
        call()
    else:
        loop.add_callback(lambda: loop.call_later(3.0, call))
