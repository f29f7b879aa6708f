"""What EventBridge around our services knows: its tables, and those it talks to."""

from dataclasses import dataclass, field

from labs.cloud.frame.background import Background
from labs.cloud.frame.pulse import Pulse
from labs.cloud.frame.service import Services
from labs.cloud.frame.store import Store, Table


@dataclass
class Events:
    """The state.

    Args:
        store: where the tables are kept.
        services: the services of ours, by signing name.
    """

    store: Store
    services: Services
    background: Background = field(default_factory=Background)

    def __post_init__(self) -> None:
        # Targets of rules that the backend does not know, by '<rule ARN> <target id>': rule, region, target.
        self.targets: Table = self.store.table("events.targets")
        self.deliveries: Table = self.store.table("events.deliveries")  # what is under way to a target, by id
        self.schedules: Table = self.store.table("events.schedules")
        self.schedule_groups: Table = self.store.table("events.schedule-groups")
        self.pipes: Table = self.store.table("events.pipes")  # by ARN
        self.pipes_changed = Pulse()
        self.targets_changed = Pulse()
        self.deliveries_changed = Pulse()
        self.schedules_changed = Pulse()
