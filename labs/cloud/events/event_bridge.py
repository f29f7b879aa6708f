"""EventBridge around our services, put together. `EventBridge` is what the rest of the local AWS sees of this room."""

from collections.abc import Mapping
from typing import Any

from labs import settings
from labs.cloud.events import deliveries, due, groups, pipe_flow, pipes, queue, schedules
from labs.cloud.events.alarms import Alarms
from labs.cloud.events.bus import Bus, Rules
from labs.cloud.events.gate import Gate
from labs.cloud.events.state import Events
from labs.cloud.frame import http
from labs.cloud.frame.service import Service, Services
from labs.cloud.frame.store import Store

OPERATIONS = {
    "CreateSchedule": schedules.create_schedule,
    "UpdateSchedule": schedules.update_schedule,
    "GetSchedule": schedules.get_schedule,
    "DeleteSchedule": schedules.delete_schedule,
    "ListSchedules": schedules.list_schedules,
    "CreateScheduleGroup": groups.create_schedule_group,
    "GetScheduleGroup": groups.get_schedule_group,
    "DeleteScheduleGroup": groups.delete_schedule_group,
    "ListScheduleGroups": groups.list_schedule_groups,
    "TagResource": groups.tag_resource,
    "UntagResource": groups.untag_resource,
    "ListTagsForResource": groups.list_tags_for_resource,
}


class EventBridge:
    """The room.

    Args:
        store: where its state is kept.
        services: the services of ours, for tasks; Scheduler and Pipes are added to them.
        backend: the ASGI app that answers for the rest of EventBridge, for SQS and for CloudWatch.
    """

    def __init__(self, store: Store, services: Services, backend: http.App) -> None:
        self._events = Events(store, services)
        rules = Rules()
        self._bus = Bus(self._events, rules)
        self._alarms = Alarms(self._bus, rules, settings.REGION, backend)
        scheduler = Service("scheduler", self._events, OPERATIONS, store, invalid="ValidationException")
        services.add("scheduler", scheduler)
        piping = Service("pipes", self._events, pipes.OPERATIONS, store, invalid="ValidationException")
        services.add("pipes", piping)
        # By SigV4 signing name; and the X-Amz-Target prefixes of those that have one.
        self.apps: Mapping[str, http.App] = {
            "events": Gate(self._events, rules, backend),
            "monitoring": self._alarms,
            "pipes": piping,
            "scheduler": scheduler,
            "sqs": queue.hiding(backend),
        }
        self.targets: Mapping[str, str] = {"AWSEvents": "events", "AmazonSQS": "sqs"}

    def publish(
        self, region: str, detail_type: str, resources: list[str], detail: dict[str, Any], source: str = "aws.ecs"
    ) -> None:
        """Sends an event of a service of ours to the default bus of a region: `Bus.publish`."""
        self._bus.publish(region, detail_type, resources, detail, source)

    async def start(self) -> None:
        """Begins the work. The gateway answers by now, for all of it goes through the gateway."""
        events = self._events
        events.background.spawn(due.run(events), "schedules")
        events.background.spawn(deliveries.run(events, lambda one: due.ended(events, one)), "deliveries")
        events.background.spawn(self._alarms.watch(), "events of alarms")
        events.background.spawn(pipe_flow.run(events), "pipes")
        events.background.spawn(queue.run(events, self._bus), "targets of rules")

    async def stop(self) -> None:
        """Ends the work. What was under way and had failed once is kept; what is published now is lost."""
        self._bus.close()
        await self._events.background.end()
        self._events.store.flush_quietly()
