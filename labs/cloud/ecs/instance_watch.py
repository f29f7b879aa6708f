"""What happens to EC2 instances happens to the container instances on them.

A terminated one is deregistered, and its tasks are over; of a stopped one only the tasks are.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deregister_container_instance.html
"""

import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.ecs import container_instances, instance_profile, instance_state
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, signals

ALIVE = ("pending", "running")

log = logging.getLogger(__name__)


def start(ecs: Ecs) -> None:
    """Begins to listen, and looks at every container instance once."""
    ecs.signals.listen(signals.EC2_INSTANCES, lambda instance: _heard(ecs, instance))
    for record in ecs.container_instances.values():
        _heard(ecs, record["ec2InstanceId"])


def _heard(ecs: Ecs, instance: str) -> None:
    for record in ecs.container_instances.values():
        if record["ec2InstanceId"] == instance and record["status"] in container_instances.STATES:
            ecs.background.spawn(look(ecs, record), f"look at {instance}")


async def look(ecs: Ecs, record: dict[str, Any]) -> None:
    """Compares a container instance with its EC2 instance."""
    instance, arn = record["ec2InstanceId"], record["containerInstanceArn"]
    try:
        found = await instance_profile.describe(arns.region(arn), instance)
    except (ClientError, BotoCoreError, OSError) as problem:
        log.info("the instance %s: %s", instance, problem)
        return
    record = ecs.container_instances[arn]  # it may have registered again meanwhile
    state = found["State"]["Name"] if found else "terminated"
    if state in ALIVE or record["status"] not in container_instances.STATES:
        return
    if state in ("shutting-down", "terminated"):
        instance_state.forget(ecs, record, f"Host EC2 (instance {instance}) terminated.")
    else:
        instance_state.connected(ecs, record, False)
        instance_state.lose_tasks(ecs, record, f"Host EC2 (instance {instance}) stopped.")
