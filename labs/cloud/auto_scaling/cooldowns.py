"""The cooldown of a group: until it is over, a simple scaling policy does nothing.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-scaling-cooldowns.html
"""

from labs.cloud.auto_scaling.state import AutoScaling
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record


def begin(scaling: AutoScaling, group: Record, seconds: float) -> None:
    """A cooldown begins; `seconds` is as the learner set it."""
    scaling.groups.put(group["_key"], {**group, "_cooldown_until": clock.now() + clock.lesson(seconds)})


def lasts(group: Record) -> bool:
    """Whether a group cools down now."""
    return group.get("_cooldown_until", 0.0) > clock.now()


def require_over(scaling: AutoScaling, group: Record) -> None:
    """Refuses while a group cools down.

    Raises:
        AwsError: ScalingActivityInProgress.
    """
    if lasts(group):
        last = next((one["ActivityId"] for one in reversed(scaling.of_group(scaling.activities, group))), "")
        raise AwsError("ScalingActivityInProgress", f"Scaling activity {last} is in progress and blocking this action")
