"""How many apps fit on one machine, in containers and in virtual machines: a plot with controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labs.kit import plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SYSTEM_MB = 512  # kept for the machine's own system
APPS_MB = range(32, 513, 16)


def fit(machine_gb: int, app_mb: int, extra_mb: int) -> int:
    """How many copies of an app a machine's memory holds.

    Args:
        machine_gb: memory of the machine, in GiB.
        app_mb: what one copy needs, in MiB.
        extra_mb: what each copy costs beside that, in MiB.
    """
    return (machine_gb * 1024 - SYSTEM_MB) // (app_mb + extra_mb)


def show(container_mb: float, machine_mb: float) -> Any:
    """The plot, from what was measured.

    Args:
        container_mb: what a container costs beside its program, in MiB.
        machine_mb: what a virtual machine costs beside its program, in MiB.
    """
    import ipywidgets as widgets

    wide = {"style": {"description_width": "15em"}, "layout": {"width": "38em"}}
    controls = {
        "machine_gb": widgets.SelectionSlider(options=[4, 8, 16, 32, 64], value=16, description="Machine, GiB", **wide),
        "app_mb": widgets.IntSlider(64, 32, 512, 16, description="One app needs, MiB", **wide),
        "container_mb": widgets.IntSlider(
            max(1, round(container_mb)), 1, 64, description="A container costs, MiB", **wide
        ),
        "vm_mb": widgets.IntSlider(
            min(1024, max(16, round(machine_mb))), 16, 1024, 16, description="A virtual machine costs, MiB", **wide
        ),
    }
    return plot.show_plot("How many apps fit on one machine, by what one app needs", _draw, describe, controls)


def _draw(axes: Axes, machine_gb: int, app_mb: int, container_mb: int, vm_mb: int) -> None:
    ends = {}
    for n, (name, extra) in enumerate({"containers": container_mb, "virtual machines": vm_mb}.items()):
        counts = [fit(machine_gb, app, extra) for app in APPS_MB]
        axes.plot(APPS_MB, counts, **plot.style(n))
        axes.plot([app_mb], [fit(machine_gb, app_mb, extra)], **plot.marker(n))
        ends[name] = counts[-1]
    axes.axvline(app_mb, color=plot.INK, alpha=0.35, linewidth=1)
    axes.set(xlabel="one app needs, MiB", ylabel="apps on the machine", xlim=(APPS_MB[0], APPS_MB[-1]), ylim=(0, None))
    plot.name_ends(axes, ends)


def describe(machine_gb: int, app_mb: int, container_mb: int, vm_mb: int) -> str:
    """The same in words."""
    boxes, machines = fit(machine_gb, app_mb, container_mb), fit(machine_gb, app_mb, vm_mb)
    times = f"{boxes / machines:.1f} times as many" if machines else "and not one virtual machine"
    return (
        f"A machine of {machine_gb} GiB, {SYSTEM_MB} MiB of it for its own system; one app needs {app_mb} MiB:\n\n"
        f"- in **containers**: {boxes} apps\n- in **virtual machines**: {machines} apps\n\n"
        f"That is {times} in containers. Memory only: processors and disks are shared in both."
    )
