"""Application Auto Scaling as a service: its operations and its scaler, begun and ended together."""

from labs.cloud.frame.service import Operation, Service, Services
from labs.cloud.frame.store import Store
from labs.cloud.scaling import activities, policies, schedules, targets
from labs.cloud.scaling.scaler import Scaler
from labs.cloud.scaling.state import INVALID, RequestsPerTarget, Scaling, Usage

SIGNING_NAME = "application-autoscaling"
TARGET_PREFIX = "AnyScaleFrontendService"
OPERATIONS: dict[str, Operation] = {
    name: one for room in (activities, policies, schedules, targets) for name, one in room.OPERATIONS.items()
}


class ApplicationAutoScaling:
    """The service.

    Args:
        store: where its state is kept.
        services: the services of ours: `ecs` and `elasticloadbalancing` are asked.
        usage: what the tasks of a service use, by the service's ARN.
        requests_per_target: how many requests each target of a target group got since a time.
    """

    def __init__(self, store: Store, services: Services, usage: Usage, requests_per_target: RequestsPerTarget) -> None:
        self._scaling = Scaling(store, services, usage, requests_per_target)
        self._scaler = Scaler(self._scaling)
        self.service = Service(SIGNING_NAME, self._scaling, OPERATIONS, store, invalid=INVALID)

    async def start(self) -> None:
        """Begins to scale. ECS, the load balancers and the backend answer by now."""
        self._scaling.background.spawn(self._scaler.run(), "scaling")

    async def stop(self) -> None:
        """Scales no more; targets, policies and actions stay on record."""
        await self._scaling.background.end()
        self._scaling.store.flush_quietly()
