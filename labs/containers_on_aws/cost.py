"""What the same app costs a month on Fargate, EC2 and App Runner. Prices are data: `prices.yaml`, each dated."""

from __future__ import annotations

from functools import cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labs.kit import plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HOURS = 730  # of a month, as AWS's calculator counts
SIZES = {"0.25 vCPU, 0.5 GB": (0.25, 0.5), "1 vCPU, 2 GB": (1.0, 2.0), "2 vCPU, 4 GB": (2.0, 4.0)}
MACHINES = {"t3.medium": (2, 4), "m5.large": (2, 8)}  # vCPU and GiB
OWN_SHARE_GB = 0.5  # of each instance, for its system and the ECS agent
MOST_COPIES = 24


@cache
def prices() -> dict[str, dict[str, Any]]:
    """The prices by id, each with `what`, `usd`, `as_of` and `source`."""
    import yaml

    words = yaml.safe_load(Path(__file__).with_name("prices.yaml").read_text(encoding="utf-8"))
    return {one["id"]: one for one in words["prices"]}


def fargate(vcpu: float, gb: float, copies: int) -> float:
    """USD a month for so many tasks of this size that run all the time."""
    return copies * HOURS * (vcpu * _usd("fargate_vcpu_hour") + gb * _usd("fargate_gb_hour"))


def instances(vcpu: float, gb: float, copies: int, machine: str) -> int | None:
    """How many instances hold so many tasks of this size; None where not even one task fits."""
    cores, memory = MACHINES[machine]
    each = int(min(cores / vcpu, (memory - OWN_SHARE_GB) / gb))
    return ceil(copies / each) if each else None


def ec2(vcpu: float, gb: float, copies: int, machine: str) -> float | None:
    """USD a month for the instances that hold so many tasks; None where a task does not fit on this machine."""
    count = instances(vcpu, gb, copies, machine)
    return None if count is None else count * HOURS * _usd(machine)


def app_runner(vcpu: float, gb: float, copies: int, busy_hours: float) -> float:
    """USD a month for so many instances of App Runner.

    Args:
        vcpu, gb: the size of one instance.
        copies: how many are kept.
        busy_hours: hours a day in which they serve requests, 0 to 24; memory is paid for all day long.
    """
    busy = HOURS * busy_hours / 24
    return copies * (HOURS * gb * _usd("app_runner_gb_hour") + busy * vcpu * _usd("app_runner_vcpu_hour"))


def show() -> Any:
    """The interactive plot with its text twin: cost a month over the number of copies, and four controls."""
    import ipywidgets as widgets

    wide = {"style": {"description_width": "9em"}, "layout": {"width": "32em"}}
    controls = {
        "size": widgets.Dropdown(options=list(SIZES), description="Size of a copy", **wide),
        "copies": widgets.IntSlider(8, 1, MOST_COPIES, description="Copies", **wide),
        "machine": widgets.Dropdown(options=list(MACHINES), value="m5.large", description="EC2 type", **wide),
        "busy_hours": widgets.IntSlider(8, 0, 24, description="Busy hours a day", **wide),
    }
    return plot.show_plot("Cost in USD a month over the number of copies", _draw, describe, controls)


def _draw(axes: Axes, size: str, copies: int, machine: str, busy_hours: float) -> None:
    counts = range(1, MOST_COPIES + 1)
    lines = _lines(size, copies, machine, busy_hours)
    for n, (name, costs) in enumerate(lines.items()):
        whole_machines = name in MACHINES
        axes.plot(counts, costs, drawstyle="steps-mid" if whole_machines else "default", **plot.style(n))
        axes.plot([copies], [costs[copies - 1]], **plot.marker(n))
    axes.axvline(copies, color=plot.INK, alpha=0.35, linewidth=1)
    axes.set(xlabel="copies", ylabel="USD a month", xlim=(1, MOST_COPIES), ylim=(0, None))
    axes.set_xticks([1, *range(4, MOST_COPIES + 1, 4)])
    plot.name_ends(axes, {name: costs[-1] for name, costs in lines.items()})


def _lines(size: str, copies: int, machine: str, busy_hours: float) -> dict[str, list[float]]:
    """The cost for 1, 2, 3 ... copies in each place; EC2 is left out where a copy does not fit on the machine."""
    vcpu, gb = SIZES[size]
    counts = range(1, MOST_COPIES + 1)
    on_ec2 = [cost for count in counts if (cost := ec2(vcpu, gb, count, machine)) is not None]
    lines = {
        "Fargate": [fargate(vcpu, gb, count) for count in counts],
        machine: on_ec2,
        "App Runner": [app_runner(vcpu, gb, count, busy_hours) for count in counts],
    }
    return {name: values for name, values in lines.items() if values}


def describe(size: str, copies: int, machine: str, busy_hours: float) -> str:
    """The same in words (Markdown): the three sums, the cheapest one, and what is left out."""
    vcpu, gb = SIZES[size]
    count = instances(vcpu, gb, copies, machine)
    own = ec2(vcpu, gb, copies, machine)
    sums = {
        "Fargate": fargate(vcpu, gb, copies),
        "App Runner": app_runner(vcpu, gb, copies, busy_hours),
    }
    rows = [f"- **Fargate:** {sums['Fargate']:,.2f} USD"]
    if own is None:
        rows.append(f"- **EC2:** a copy of this size does not fit on a {machine} beside its own system.")
    else:
        sums["EC2"] = own
        rows.append(f"- **EC2:** {own:,.2f} USD for {count} × {machine}, full or not")
    rows.append(f"- **App Runner** (customers from before 2026-04-30): {sums['App Runner']:,.2f} USD")
    cheapest = min(sums, key=lambda name: sums[name])
    return "\n".join(
        [
            f"{copies} × ({size}), all month, {busy_hours:g} busy hours a day, us-east-1:",
            "",
            *rows,
            "",
            f"Cheapest here: **{cheapest}**. Not in it: load balancer, public IPv4, traffic, logs, your own hours.",
        ]
    )


def _usd(id: str) -> float:
    return float(prices()[id]["usd"])
