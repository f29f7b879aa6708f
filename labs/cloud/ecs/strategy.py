"""How tasks are spread over the capacity providers of a strategy. Nothing here has effects.

"The base value designates how many tasks, at a minimum, to run on the specified capacity provider"; the others are
shared by weight. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-capacity-providers.html
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Strategy = Sequence[Mapping[str, Any]]


def spread(
    strategy: Strategy, count: int, present: Mapping[str, int], draw: Callable[[], float] = random.random
) -> list[str]:
    """The capacity providers of new tasks, one for each.

    Args:
        strategy: items of `capacityProvider`, `weight` and `base`; at least one with a weight or a base.
        count: how many tasks begin.
        present: how many tasks each provider has already, which are counted in: those of the same service.
        draw: a number from 0 to 1. It decides between providers that are equally far behind their share, so that many
            requests for one task each are shared by weight too.
    """
    running = Counter(present)
    chosen = []
    for _ in range(count):
        name = _next(strategy, running, draw)
        running[name] += 1
        chosen.append(name)
    return chosen


def _next(strategy: Strategy, running: Mapping[str, int], draw: Callable[[], float]) -> str:
    base = next((item for item in strategy if running[item["capacityProvider"]] < item.get("base", 0)), None)
    if base:
        return base["capacityProvider"]
    weighted = [item for item in strategy if item.get("weight", 0) > 0]
    if not weighted:  # a strategy of a base only: what is above it goes there too
        return next(item["capacityProvider"] for item in strategy if item.get("base", 0))
    above = {item["capacityProvider"]: running[item["capacityProvider"]] - item.get("base", 0) for item in weighted}
    total = sum(item["weight"] for item in weighted)
    after = sum(above.values()) + 1
    missing = {
        item["capacityProvider"]: after * item["weight"] / total - above[item["capacityProvider"]] for item in weighted
    }
    # The share that is missing, as far as it is less than a task, is a chance and no right.
    whole = [name for name, share in missing.items() if share >= 1]
    if whole:
        return max(whole, key=lambda name: missing[name])
    chances = {name: share for name, share in missing.items() if share > 0}
    point = draw() * sum(chances.values())
    for name, share in chances.items():
        point -= share
        if point <= 0:
            return name
    return next(reversed(chances))
