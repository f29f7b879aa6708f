"""What is known of the instances: how each one was launched, and who else is told of changes."""

from dataclasses import dataclass, field

from labs.cloud.frame.background import Background
from labs.cloud.frame.pulse import Pulse
from labs.cloud.frame.signals import Signals
from labs.cloud.frame.store import Store, Table


@dataclass
class Instances:
    """The state of the room.

    `launches` says by instance id what EC2's API does not give back on every backend: `region`, `userData` (base64),
    `zone` and `profile` (`Arn`, `Id`).

    Args:
        store: where it is kept.
        signals: hints to the other services.
    """

    store: Store
    signals: Signals
    changed: Pulse = field(default_factory=Pulse)  # beats when an instance may have changed
    background: Background = field(default_factory=Background)

    def __post_init__(self) -> None:
        self.launches: Table = self.store.table("instances.launches")
