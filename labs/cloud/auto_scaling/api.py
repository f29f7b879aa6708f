"""EC2 Auto Scaling as a service: its operations, its keeper and its scaler, begun and ended together."""

from labs.cloud.auto_scaling import (
    activities,
    balancing,
    groups,
    hooks,
    instances,
    policies,
    processes,
    refreshes,
    schedules,
    tagging,
)
from labs.cloud.auto_scaling.keeper import Keeper
from labs.cloud.auto_scaling.scaler import Scaler
from labs.cloud.auto_scaling.state import INVALID, AutoScaling
from labs.cloud.frame.service import Operation, Service

SIGNING_NAME = "autoscaling"
ROOMS = (activities, balancing, groups, hooks, instances, policies, processes, refreshes, schedules, tagging)
OPERATIONS: dict[str, Operation] = {name: one for room in ROOMS for name, one in room.OPERATIONS.items()}


class Ec2AutoScaling:
    """The service.

    Args:
        scaling: its state.
    """

    def __init__(self, scaling: AutoScaling) -> None:
        self._scaling = scaling
        self._keeper = Keeper(scaling)
        self._scaler = Scaler(scaling)
        self.service = Service(SIGNING_NAME, scaling, OPERATIONS, scaling.store, invalid=INVALID)

    async def start(self) -> None:
        """Begins to look after the groups. EC2, the load balancers and the backend answer by now."""
        self._keeper.start()
        self._scaling.background.spawn(self._scaler.run(), "auto scaling of groups")

    async def stop(self) -> None:
        """Looks after nothing any more; the groups stay on record, and their instances as they are."""
        await self._scaling.background.end()
        self._scaling.store.flush_quietly()
