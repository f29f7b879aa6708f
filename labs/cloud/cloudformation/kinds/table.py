"""All resource types of ours. A type exists if the service that has it is among ours."""

import functools
import importlib

from labs.cloud.cloudformation.kinds.kind import Kind
from labs.cloud.cloudformation.state import CloudFormation

ROOMS = (
    "app_runner", "auto_scaling", "balancing", "ecr", "ecs", "launch_templates", "logs", "nested", "scaling",
    "schedules",
)  # fmt: skip
# Services of which a type that is not in the table exists nowhere: the backend would make it in its own store.
# What CloudFormation itself has besides stacks (custom resources, wait conditions, macros) is not here yet.
OURS = (
    "Custom::",
    "AWS::CloudFormation::",
    "AWS::ECS::",
    "AWS::ECR::",
    "AWS::ElasticLoadBalancingV2::",
    "AWS::ApplicationAutoScaling::",
    "AWS::AppRunner::",
)


@functools.cache
def kinds() -> dict[str, Kind]:
    """The types by name. Read with the first stack, for the models of all their services take a moment and memory."""
    rooms = (importlib.import_module(f"{__package__}.{name}") for name in ROOMS)
    return {name: kind for room in rooms for name, kind in room.KINDS.items()}


def find(cfn: CloudFormation, name: str) -> Kind | None:
    """The type, if it is one of ours."""
    kind = kinds().get(name)
    return kind if kind and kind.service in cfn.services else None


def is_foreign(cfn: CloudFormation, name: str) -> bool:
    """Whether only the backend can know the type."""
    return find(cfn, name) is None and not name.startswith(OURS)
