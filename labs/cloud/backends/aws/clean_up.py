"""Removes what the course has made in a real account: only what carries its tags, until nothing is left."""

import functools
import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from labs import settings
from labs.cloud import environment
from labs.cloud.backends.aws import agreement, tags
from labs.cloud.backends.aws.kinds import KINDS, Kind
from labs.cloud.engine import labels

SECONDS = 900.0  # a cluster of EKS takes ten minutes to go
PAUSE = 3.0
# The kinds of `kinds.KINDS` and what goes away with them, as ARNs name them; none: all that the service has.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
LISTED: dict[str, frozenset[str]] = {
    "application-autoscaling": frozenset({"scalable-target"}),
    "apprunner": frozenset({"service"}),
    "autoscaling": frozenset({"autoScalingGroup"}),
    "cloudformation": frozenset({"stack"}),
    "cloudwatch": frozenset({"alarm"}),
    "ec2": frozenset(kind for kinds in tags.EC2_TYPES.values() for kind in kinds),
    "ecr": frozenset({"repository"}),
    "ecs": frozenset({"capacity-provider", "cluster", "service", "task", "task-definition"}),
    "eks": frozenset({"cluster", "fargateprofile", "nodegroup"}),
    "elasticfilesystem": frozenset({"access-point", "file-system"}),
    "elasticloadbalancing": frozenset({"listener", "listener-rule", "loadbalancer", "targetgroup"}),
    "events": frozenset({"rule"}),
    "iam": frozenset({"instance-profile", "policy", "role"}),
    "logs": frozenset({"log-group"}),
    "scheduler": frozenset({"schedule-group"}),
    "secretsmanager": frozenset({"secret"}),
    "sns": frozenset(),
    "sqs": frozenset(),
    "ssm": frozenset({"parameter"}),
}
# The account, or the server that plays AWS, has no such service: so there is nothing of it.
_ABSENT = ("NotImplemented", "OptInRequired", "SubscriptionRequiredException")


class Thing(NamedTuple):
    """Something in the account."""

    kind: Kind
    id: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.id.split()[-1]}"


class Look(NamedTuple):
    """What is in the account.

    Args:
        ours: made by this data folder's course.
        others: with the course's tag, made by another one.
        unlisted: ARNs that the tagging API names, of kinds for which no service was asked.
        blind: what could not be looked at, a sentence each.
    """

    ours: list[Thing]
    others: list[Thing]
    unlisted: list[str]
    blind: list[str]


@functools.cache
def client(service: str, region: str) -> Any:
    """A boto3 client of the gateway, which passes on to the account."""
    return boto3.session.Session().client(
        service,
        region_name=region,
        endpoint_url=settings.gateway_url(),
        aws_access_key_id=environment.access_key(),
        aws_secret_access_key=environment.THROW_AWAY_KEY,
        config=Config(retries={"total_max_attempts": 3, "mode": "standard"}, read_timeout=60),
    )


def look(agreed: agreement.Agreement) -> Look:
    """Lists what carries the course's tag, by each service and by the Resource Groups Tagging API."""
    found = Look([], [], [], [])
    for kind in KINDS:
        try:
            for id_, marks in kind.find(client(kind.service, agreed.region)):
                if marks.get(settings.LABEL_KEY) == settings.LABEL_VALUE:
                    own = marks.get(labels.OWNER_KEY) == labels.owner()
                    (found.ours if own else found.others).append(Thing(kind, id_))
        except ClientError as problem:
            if problem.response["Error"]["Code"] not in _ABSENT:
                found.blind.append(f"{kind.name}s could not be listed: {problem}")
        except BotoCoreError as problem:
            found.blind.append(f"{kind.name}s could not be listed: {problem}")
    found.unlisted.extend(_unlisted(agreed, found.blind))
    return found


def _unlisted(agreed: agreement.Agreement, blind: list[str]) -> list[str]:
    """Tagged things of kinds of which no list is looked at. Of the others the service's own word counts: this API goes
    on naming what was deleted for a while."""
    wanted = [{"Key": key, "Values": [value]} for key, value in tags.ours().items()]
    try:
        answer = client("resourcegroupstaggingapi", agreed.region).get_paginator("get_resources")
        arns = [
            one["ResourceARN"] for page in answer.paginate(TagFilters=wanted) for one in page["ResourceTagMappingList"]
        ]
    except (ClientError, BotoCoreError) as problem:
        blind.append(f"The Resource Groups Tagging API could not be asked: {problem}")
        return []
    return [arn for arn in arns if not is_listed(arn)]


def is_listed(arn: str) -> bool:
    """Whether a thing is of a kind that its service was asked for, or goes away with one."""
    _, _, service, _, _, resource = arn.split(":", 5)
    kinds = LISTED.get(service)
    return kinds is not None and (not kinds or re.split("[/:]", resource)[0] in kinds)


def remove(
    agreed: agreement.Agreement,
    say: Callable[[str], None],
    seconds: float = SECONDS,
    pause: float = PAUSE,
) -> tuple[Look, dict[str, str]]:
    """Removes what is this data folder's, again and again until a look finds nothing or the time is over.

    Args:
        agreed: the account.
        say: told what was removed, a line each.
        seconds: when to give up.
        pause: between two rounds.

    Returns:
        The last look, and of each thing that is left why, in AWS's words.
    """
    deadline = time.monotonic() + seconds
    asked: set[str] = set()
    while True:
        found = look(agreed)
        if not found.ours or time.monotonic() > deadline:
            return found, _reasons(agreed, found.ours) if found.ours else {}
        for thing in found.ours:
            if _try(agreed, thing) is None and str(thing) not in asked:
                asked.add(str(thing))
                say(str(thing))
        time.sleep(pause)


def _try(agreed: agreement.Agreement, thing: Thing) -> str | None:
    """Removes one thing; why it stays, in AWS's words."""
    try:
        thing.kind.remove(client(thing.kind.service, agreed.region), thing.id)
    except (ClientError, BotoCoreError) as problem:
        return str(problem)
    return None


def _reasons(agreed: agreement.Agreement, things: list[Thing]) -> dict[str, str]:
    return {str(thing): _try(agreed, thing) or "its removal was asked for and is not over" for thing in things}
