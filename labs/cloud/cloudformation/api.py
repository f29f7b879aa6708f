"""CloudFormation as a service: its operations, and the stacks under way."""

import asyncio

from labs.cloud.cloudformation import change_sets, engine, reading, stacks
from labs.cloud.cloudformation.kinds import table
from labs.cloud.cloudformation.state import CloudFormation
from labs.cloud.frame.http import App
from labs.cloud.frame.service import Operation, Service, Services
from labs.cloud.frame.store import Store

SIGNING_NAME = "cloudformation"
OPERATIONS: dict[str, Operation] = {
    name: one for room in (change_sets, reading, stacks) for name, one in room.OPERATIONS.items()
}


class CloudFormationService:
    """The service.

    Args:
        store: where its state is kept.
        services: the services of ours, whose resources stacks make.
        backend: the ASGI app that has the other types.
    """

    def __init__(self, store: Store, services: Services, backend: App) -> None:
        self._cfn = CloudFormation(store, services, backend)
        self.service = Service(SIGNING_NAME, self._cfn, OPERATIONS, store, invalid="ValidationError")

    async def start(self) -> None:
        """Goes on with the stacks that were under way. All services and the backend answer by now."""
        under_way = [stack for stack in self._cfn.stacks.values() if stack.get("_operation")]
        if under_way:
            await asyncio.to_thread(table.kinds)
        for stack in under_way:
            engine.go_on(self._cfn, stack)

    async def stop(self) -> None:
        """Stops where it is; the next start goes on from there."""
        await self._cfn.background.end()
        self._cfn.store.flush_quietly()
