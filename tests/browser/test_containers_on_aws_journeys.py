"""The decision aid and the plot of costs of chapter 05 in JupyterLab, by keys alone."""

import os
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.journeys import Lab, open_notebook, run_all, set_theme

CHOOSER = "from labs.containers_on_aws import chooser\n\nchooser.show()"
COST = "from labs.containers_on_aws import cost\n\ncost.show()"
SHOTS = os.environ.get("COURSE_SHOTS")  # a folder: keep pictures of what was seen


def test_the_decision_aid_by_keys(page: Page, lab: Lab) -> None:
    open_notebook(page, lab, lab.write_notebook("chooser.ipynb", [CHOOSER]))
    run_all(page)
    advice = page.locator(".jp-OutputArea-output [role=status]")
    expect(advice).to_contain_text("Take: Amazon ECS on Fargate.")
    page.locator("input[type=radio]").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("input[type=radio]").nth(1)).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(advice).to_contain_text("Take: Amazon EKS with pods on Fargate.")
    for theme in ("light", "dark"):
        set_theme(page, theme)
        _keep(page, f"chooser_{theme}")


def test_the_costs_by_keys(page: Page, lab: Lab) -> None:
    open_notebook(page, lab, lab.write_notebook("cost.ipynb", [COST]))
    run_all(page)
    words = page.locator(".jp-OutputArea-output [role=status]")
    expect(words).to_contain_text("1 × m5.large")
    page.locator("[role=slider]").first.focus()
    page.keyboard.press("ArrowRight")
    expect(words).to_contain_text("2 × m5.large")
    expect(page.locator("svg[role=img]").last).to_be_visible()
    for theme in ("light", "dark"):
        set_theme(page, theme)
        _keep(page, f"cost_{theme}")


def _keep(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")
