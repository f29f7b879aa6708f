"""Runner: ControlPlane + ECR, wired as the lead would."""
import sys
from labs.cloud import control_plane as cp, gateway as gw, protocol, server
from labs.cloud.ecr import container as ecr_container
from labs.cloud.ecr.api import ElasticContainerRegistry, TARGET
from labs.cloud.ecr.state import Ecr

class ControlPlane(cp.ControlPlane):
    def __init__(self, relay, backend):
        super().__init__(relay, backend)
        self._registry = ElasticContainerRegistry(Ecr(self._store, self._events.publish))
        self._services.add("ecr", self._registry.service)
        self.apps = {**self.apps, "ecr": self._registry.service}
        self.targets = {**self.targets, TARGET: "ecr"}
    async def _begin(self):
        await cp._listening()
        await self._events.start()
        await self._balancing.start()
        await self._registry.start()
        await self._ecs.start()
    async def stop(self):
        await self._background.end()
        await self._events.stop()
        await self._ecs.stop()
        await self._registry.stop()
        await self._balancing.stop()
        self._stream.end()
        import asyncio
        await asyncio.to_thread(self._remove_networks)
        self._store.close()
    async def registry(self, scope, receive, send):
        await self._registry.answer(scope, receive, send)

class Gateway(gw.Gateway):
    async def _route(self, scope, receive, send, headers):
        path = scope["path"]
        if (path == "/v2" or path.startswith("/v2/")) and protocol.signing_name(headers, scope["query_string"].decode("latin-1")) is None:
            await self._ours.registry(scope, receive, send)
        else:
            await super()._route(scope, receive, send, headers)

cp.ControlPlane = ControlPlane
gw.Gateway = Gateway
if False:
    sys.exit(server.main())
