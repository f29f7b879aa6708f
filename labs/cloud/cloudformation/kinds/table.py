"""All resource types of ours. A type exists if the service that has it is among ours."""

from labs.cloud.cloudformation.kinds import (
    app_runner,
    auto_scaling,
    balancing,
    ecr,
    ecs,
    logs,
    nested,
    scaling,
    schedules,
)
from labs.cloud.cloudformation.kinds.kind import Kind
from labs.cloud.cloudformation.state import CloudFormation

KINDS: dict[str, Kind] = {
    name: kind
    for room in (app_runner, auto_scaling, balancing, ecr, ecs, logs, nested, scaling, schedules)
    for name, kind in room.KINDS.items()
}
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


def find(cfn: CloudFormation, name: str) -> Kind | None:
    """The type, if it is one of ours."""
    kind = KINDS.get(name)
    return kind if kind and kind.service in cfn.services else None


def is_foreign(cfn: CloudFormation, name: str) -> bool:
    """Whether only the backend can know the type."""
    return find(cfn, name) is None and not name.startswith(OURS)
