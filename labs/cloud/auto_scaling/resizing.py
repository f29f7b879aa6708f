"""How a group comes to another desired capacity."""

from labs.cloud.auto_scaling.state import AutoScaling, stamp
from labs.cloud.frame.store import Record


def change_desired(scaling: AutoScaling, group: Record, count: int, cause: str) -> None:
    """Gives a group another desired capacity; the keeper does the rest.

    Args:
        scaling: the state.
        group: the group.
        count: how many instances it is to have.
        cause: who did it, as AWS's texts say it, without a time.
    """
    before = group["DesiredCapacity"]
    changed = {**group, "DesiredCapacity": count}
    if count != before:
        changed["_why"] = f"At {stamp()} {cause} changing the desired capacity from {before} to {count}."
    scaling.groups.put(group["_key"], changed)
    scaling.wake(group["_key"])


def within_bounds(scaling: AutoScaling, group: Record, count: int, cause: str) -> bool:
    """Gives a group another desired capacity, held within its bounds; whether that has changed anything."""
    held = min(max(count, group["MinSize"]), group["MaxSize"])
    if held == group["DesiredCapacity"]:
        return False
    change_desired(scaling, group, held, cause)
    return True
