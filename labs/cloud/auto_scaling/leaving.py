"""How an instance begins to leave its group: by whose wish, and what the activity says of it."""

from typing import Any

from labs.cloud.auto_scaling import activities
from labs.cloud.auto_scaling.state import PENDING, TERMINATING, AutoScaling
from labs.cloud.frame import clock
from labs.cloud.frame.store import Record


def begin(scaling: AutoScaling, group: Record, instance: Record, cause: str) -> Record:
    """An instance is to be terminated. The keeper does the rest.

    Args:
        scaling: the state.
        group: its group.
        instance: which.
        cause: why, as the activity tells it.

    Returns:
        The activity.
    """
    if instance["LifecycleState"].startswith(PENDING):
        activities.end(scaling, instance.get("_activity"), "Cancelled")
    description = f"Terminating EC2 instance: {instance['InstanceId']}"
    activity = activities.begin(scaling, group, description, cause, **place(instance))
    changes: dict[str, Any] = {
        "LifecycleState": TERMINATING, "_activity": activity["ActivityId"], "_waits": {}, "_leaves": clock.now(),
    }  # fmt: skip
    instance.update(changes)
    scaling.keep(instance)
    scaling.wake(group["_key"])
    return activity


def place(instance: Record) -> dict[str, str]:
    """Where an instance is, as an activity's details tell it."""
    return {"subnet": instance.get("_subnet", ""), "zone": instance["AvailabilityZone"]}
