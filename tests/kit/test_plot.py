"""Plots: an SVG in the page's colours, its words, and both following their controls."""

import re
import time
from xml.etree import ElementTree as ET

import ipywidgets as widgets
import pytest
from matplotlib.axes import Axes

from labs.containers_on_aws import cost
from labs.docker_versus_vms import density, starts
from labs.kit import plot

REDRAW_SECONDS = 0.1


def _line(axes: Axes, height: int = 1) -> None:
    axes.plot([0, 1], [0, height], **plot.style(0))
    axes.set(xlim=(0, 1), ylim=(0, 10))
    plot.name_ends(axes, {"first": height, "second": height})


def test_it_is_one_image_with_a_name_and_takes_its_ink_from_the_page() -> None:
    text = plot.svg("Costs & <gains>", _line)
    root = ET.fromstring(text)  # noqa: S314
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Costs & <gains>. The same in words is below."
    assert "currentColor" in text and plot.INK not in text
    assert "<style" not in text, "a style in it would hold for the whole page"
    assert "<metadata" not in text


def test_two_plots_on_a_page_share_no_id() -> None:
    first, second = (set(re.findall(r'\bid="([^"]+)"', plot.svg(title, _line))) for title in ("one", "another"))
    assert not first & second


def test_the_same_plot_is_the_same_bytes() -> None:
    assert plot.svg("one", _line) == plot.svg("one", _line)


def test_names_at_the_ends_do_not_touch() -> None:
    root = ET.fromstring(plot.svg("one", _line))  # noqa: S314
    places = {
        e.text: float(e.get("y", "0"))
        for e in root.iter("{http://www.w3.org/2000/svg}text")
        if e.text in ("first", "second")
    }
    assert abs(places["first"] - places["second"]) > 12


def test_words_become_paragraphs_and_a_list_and_nothing_else_becomes_html() -> None:
    html = plot.as_html("Two **things** <b>:\n\n- one\n- two\n\nThe end.")
    assert html.startswith('<div role="status"')
    assert "<p>Two <strong>things</strong> &lt;b&gt;:</p><ul><li>one</li><li>two</li></ul><p>The end.</p>" in html


def test_picture_and_words_follow_a_control() -> None:
    slider = widgets.IntSlider(2, 1, 9, description="Height")
    shown = plot.show_plot("one", _line, lambda height: f"It is {height} high.", {"height": slider})
    before = shown.children[1].value
    slider.value = 7
    assert shown.children[1].value != before
    assert "It is 7 high." in shown.children[2].value


@pytest.mark.parametrize("make", [cost.show, lambda: density.show(4, 200)], ids=["cost", "density"])
def test_a_redraw_takes_less_than_a_tenth_of_a_second(make) -> None:
    shown = make()
    control = next(child for child in shown.children if isinstance(child, widgets.IntSlider))
    spent = []
    for value in range(control.min, control.min + 8 * control.step, control.step):
        began = time.perf_counter()
        control.value = value
        spent.append(time.perf_counter() - began)
    assert min(spent[1:]) < REDRAW_SECONDS, spent  # the best of several: other programs may be at work


def test_density_counts_what_fits_and_says_it() -> None:
    assert density.fit(machine_gb=1, app_mb=60, extra_mb=4) == 8
    shown = density.show(container_mb=4, machine_mb=200)
    assert "<strong>containers</strong>: 233 apps" in shown.children[-1].value
    assert density.describe(4, 512, 1, 1024).endswith("Memory only: processors and disks are shared in both.")


def test_starts_are_told_beside_the_virtual_machine() -> None:
    shown = starts.show({1: (0.2, -3.0), 10: (2.0, 40.0), 50: (9.0, 225.0)}, (3.0, 240.0))
    words = shown.children[-1].value
    assert "containers 0.2 s and 0 MiB; virtual machines 3 s and 240 MiB" in words
    assert "containers 9.0 s and 225 MiB; virtual machines 150 s and 12,000 MiB" in words
