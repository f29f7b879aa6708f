import sys
sys.path.insert(0, "/work/main")
from labs.cloud import control_plane, server
from labs.cloud.ecs.metrics import Metrics
from labs.cloud.scaling.api import SIGNING_NAME, TARGET_PREFIX, ApplicationAutoScaling
Base = control_plane.ControlPlane
class Plane(Base):
    def __init__(self, relay, backend):
        super().__init__(relay, backend)
        if SIGNING_NAME in self._services: return
        self._metrics2 = Metrics(self._ecs.ecs)
        self._scaling2 = ApplicationAutoScaling(self._store, self._services, self._metrics2.latest, self._balancing.requests_per_target)
        self._services.add(SIGNING_NAME, self._scaling2.service)
        self.apps = {**self.apps, SIGNING_NAME: self._scaling2.service}
        self.targets = {**self.targets, TARGET_PREFIX: SIGNING_NAME}
    async def _begin(self):
        await super()._begin()
        if hasattr(self, "_scaling2"):
            self._metrics2.start()
            await self._scaling2.start()
    async def stop(self):
        if hasattr(self, "_scaling2"):
            await self._scaling2.stop()
            await self._metrics2.stop()
        await super().stop()
control_plane.ControlPlane = Plane
sys.exit(server.main())
