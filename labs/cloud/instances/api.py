"""The room as a whole."""

from collections.abc import Mapping

from labs.cloud.engine.stream import Stream
from labs.cloud.frame import http
from labs.cloud.frame.signals import Signals
from labs.cloud.frame.store import Store
from labs.cloud.instances.door import SSM_TARGET, Ec2Door, SsmDoor
from labs.cloud.instances.fleet import Fleet
from labs.cloud.instances.state import Instances
from labs.cloud.relay.relay import Relay


class ContainerInstances:
    """EC2 instances that are real.

    Args:
        store: where its state is kept.
        signals: hints to the other services.
        stream: the engine's events.
        relay: the way from an instance to the local AWS.
        backend: the ASGI app that answers for EC2 and SSM.
    """

    def __init__(self, store: Store, signals: Signals, stream: Stream, relay: Relay, backend: http.App) -> None:
        room = Instances(store, signals)
        self._fleet = Fleet(room, stream, relay)
        self.apps: Mapping[str, http.App] = {"ec2": Ec2Door(room, backend), "ssm": SsmDoor(backend)}
        self.targets: Mapping[str, str] = {SSM_TARGET: "ssm"}

    async def start(self) -> None:
        """Begins. The gateway answers by now."""
        self._fleet.start()

    async def stop(self) -> None:
        """Ends, with the containers of the instances."""
        await self._fleet.stop()
