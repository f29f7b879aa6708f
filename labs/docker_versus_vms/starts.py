"""What was measured about starting containers, drawn beside the virtual machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labs.kit import plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def show(containers: Mapping[int, tuple[float, float]], machine: tuple[float, float]) -> Any:
    """Two lines: seconds until so many containers run, and so many virtual machines one after another.

    Args:
        containers: seconds and MiB by number of containers.
        machine: seconds and MiB of one virtual machine.
    """
    counts = sorted(containers)

    def draw(axes: Axes) -> None:
        lines = {
            "containers": [containers[n][0] for n in counts],
            "virtual machines": [n * machine[0] for n in counts],
        }
        for n, seconds in enumerate(lines.values()):
            axes.plot(counts, seconds, **(plot.style(n) | {"marker": plot.MARKERS[n]}))
            axes.annotate(
                f"{seconds[-1]:.0f} s", (counts[-1], seconds[-1]), (-8, 6), ha="right", textcoords="offset points"
            )
        axes.set(xlabel="how many", ylabel="seconds until all run", xlim=(0, counts[-1]), ylim=(0, None))
        plot.name_ends(axes, {name: seconds[-1] for name, seconds in lines.items()})

    def describe() -> str:
        rows = [
            f"- **{n}**: containers {containers[n][0]:.1f} s and {max(0, containers[n][1]):.0f} MiB; "
            f"virtual machines {n * machine[0]:.0f} s and {n * machine[1]:,.0f} MiB"
            for n in counts
        ]
        return (
            "One after another, on this machine. For virtual machines, the one that was measured, times the number:\n\n"
            + "\n".join(rows)
        )

    return plot.show_plot("Seconds until so many containers, or virtual machines, run", draw, describe)
