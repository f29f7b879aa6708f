"""Steps of journeys through JupyterLab: open a notebook, run it, press keys, change the theme, audit what is shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from anywidget import AnyWidget
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page

# From the start of a cell's run: how long a learner's cell may take in a journey, in milliseconds.
RUN_TIMEOUT = 60_000


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, its token, and the folder whose notebooks it shows."""

    url: str
    token: str
    folder: Path

    def write_notebook(self, name: str, cells: Iterable[str]) -> str:
        """Write a notebook of code cells into the folder; returns its name."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / name)
        return name


def open_notebook(page: Page, lab: Lab, name: str) -> None:
    """Open a notebook of the folder and wait until its kernel can run cells."""
    page.goto(f"{lab.url}/lab/tree/{name}?token={lab.token}&reset")
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.content?.widgets?.length")
    page.evaluate(
        """async () => {
            const panel = window.jupyterapp.shell.currentWidget;
            await panel.context.ready;
            await panel.context.sessionContext.ready;
        }"""
    )
    wait_idle(page)


def run_all(page: Page, timeout: int = RUN_TIMEOUT) -> None:
    """Run all cells of the open notebook, wait until the last one is done, and fail where one raised.

    Args:
        timeout: how long all of it may take, in milliseconds.
    """
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    wait_idle(page, timeout)
    errors = page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets.flatMap(
            (cell) => (cell.model.toJSON().outputs ?? []).filter((output) => output.output_type === 'error')
                .map((output) => `${output.ename}: ${output.evalue}`))"""
    )
    assert errors == []


def wait_idle(page: Page, timeout: int = RUN_TIMEOUT) -> None:
    """Wait until the kernel of the open notebook has nothing to do, for at most `timeout` milliseconds.

    The kernel's status alone does not say it: a widget's message is answered beside a running cell, and then it is
    `idle` for JupyterLab.
    """
    page.wait_for_function(
        """() => {
            const { content, context } = window.jupyterapp.shell.currentWidget;
            return context.sessionContext.session?.kernel?.status === 'idle'
                && !content.widgets.some((cell) => cell.model.executionState === 'running');
        }""",
        timeout=timeout,
    )


def set_theme(page: Page, theme: str) -> None:
    """Change JupyterLab's theme: `light` or `dark`."""
    name = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[theme]
    page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name)
    light = "true" if theme == "light" else "false"
    page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")


def cells(page: Page) -> dict[str, Any]:
    """What a stray shortcut would change: how many cells there are, and which one is active."""
    return page.evaluate(
        """() => {
            const { widgets, activeCellIndex } = window.jupyterapp.shell.currentWidget.content;
            return { count: widgets.length, active: activeCellIndex };
        }"""
    )


def focused(page: Page) -> str:
    """What has the focus: its label, or its text."""
    return page.evaluate(
        """() => {
            const element = document.activeElement;
            const label = element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent;
            return (label ?? element.textContent).trim();
        }"""
    )


def tab_to(page: Page, target: Locator, limit: int = 40) -> None:
    """Press Tab until the target has the focus, as somebody without a mouse does."""
    for _ in range(limit):
        if target.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{limit} times Tab did not reach {target}; the focus is on {focused(page)!r}")


def show_static(page: Page, *widgets: Any, theme: str = "light") -> None:
    """Show widgets on a page without Jupyter and without a kernel, as a static site does.

    Each model stays reachable as `window.models[n]`, with `get`, `set` and what was saved in `saved`.
    """
    page.emulate_media(color_scheme=theme)
    page.route("http://static.test/", lambda route: route.fulfill(body=_STATIC_PAGE, content_type="text/html"))
    page.goto("http://static.test/")
    for widget in widgets:
        own = set(widget.keys) - set(AnyWidget.class_trait_names()) - {"_esm", "_css", "_anywidget_id"}
        state = {name: getattr(widget, name) for name in own}
        page.evaluate(_STATIC_MODEL, [str(widget._esm), str(widget._css), state])


_STATIC_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Static</title>
<meta name="viewport" content="width=device-width"><style>
:root { color-scheme: light dark; } body { margin: 8px; font: 16px/1.5 sans-serif; }
</style><body><main><h1>A static page</h1></main></body></html>"""

_STATIC_MODEL = """async ([code, css, state]) => {
    const url = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
    const module = await import(url);
    document.head.append(Object.assign(document.createElement('style'), { textContent: css }));
    const listeners = {};
    const model = {
        saved: [],
        get: (name) => state[name],
        set: (name, value) => {
            state[name] = value;
            (listeners[`change:${name}`] ?? []).forEach((listener) => listener());
        },
        save_changes: () => model.saved.push(structuredClone(state)),
        on: (event, listener) => (listeners[event] ??= []).push(listener),
        off: (event, listener) => { listeners[event] = listeners[event].filter((other) => other !== listener); },
    };
    const el = document.createElement('div');
    document.querySelector('main').append(el);
    (window.models ??= []).push(model);
    (window.modules ??= []).push(module);
    (window.endings ??= []).push(await module.default.render({ model, el }));
}"""


def audit(page: Page, selector: str) -> list[str]:
    """What axe finds wrong in what the selector names, and text that stands out too little; empty when all is well.

    Contrast is worked out here: axe 4.4 passes over it wherever `color-mix` mixed the colours, and inside JupyterLab
    axe 4.12 looks at none either (tried). Pictures have a test of their own, in tests/pictures.
    """
    result = Axe().run(page, context=selector)
    found = [f"{rule['id']}: {node['html'][:160]}" for rule in result["violations"] for node in rule["nodes"]]
    return found + page.evaluate(_FAINT_TEXT, selector)


# Contrast as WCAG 2.2 defines it, of each text with what is painted behind it: 4.5 at least. What cannot be operated is
# exempt there as here, and so is what is not shown.
_FAINT_TEXT = """selector => {
    const dot = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
        dot.clearRect(0, 0, 1, 1);
        dot.fillStyle = colour;
        dot.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = dot.getImageData(0, 0, 1, 1).data;
        return [red, green, blue, alpha / 255];
    };
    const over = ([r, g, b, a], below) => [r, g, b].map((value, n) => a * value + (1 - a) * below[n]);
    const behind = (element) => {
        if (!element) return [255, 255, 255];
        const style = getComputedStyle(element);
        if (style.backgroundImage !== 'none') throw new Error(`Text on a picture: ${element.className}`);
        const own = rgba(style.backgroundColor);
        return own[3] === 1 ? own.slice(0, 3) : over(own, behind(element.parentElement));
    };
    const opacity = (element) => element ? getComputedStyle(element).opacity * opacity(element.parentElement) : 1;
    const light = (colour) => colour
        .map((value) => value / 255)
        .map((share) => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4))
        .reduce((sum, share, n) => sum + share * [0.2126, 0.7152, 0.0722][n], 0);
    const found = [];
    let looked = 0;
    for (const root of document.querySelectorAll(selector)) {
        const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const text = texts.currentNode.data.trim();
            const element = texts.currentNode.parentElement;
            if (!text || !element.checkVisibility() || element.closest(':disabled, [aria-disabled=true]')) continue;
            looked += 1;
            const ground = behind(element);
            const [red, green, blue, alpha] = rgba(getComputedStyle(element).color);
            const ink = over([red, green, blue, alpha * opacity(element)], ground);
            const [dark, bright] = [light(ink), light(ground)].sort((a, b) => a - b);
            const contrast = (bright + 0.05) / (dark + 0.05);
            if (contrast < 4.5) found.push(`contrast ${contrast.toFixed(2)}: ${text} (${element.className})`);
        }
    }
    return looked ? found : [`no text is shown in ${selector}`];
}"""
