"""A task's two roles: that ECS may assume them, and that the execution role may do what the start of the task needs.

The task execution role is for what happens around the containers: images of ECR, logs, secrets. On AWS the agent makes
these calls with it. Here its policies are asked before the calls are made.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from labs.cloud.ecs import container_options
from labs.cloud.engine import images
from labs.cloud.frame import arns, roles

PRINCIPAL = "ecs-tasks.amazonaws.com"
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html
_RETRIEVAL = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: {}: "
    "service call has been retried 1 time(s): AccessDeniedException: {}"
)
_LOGGER = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to "
    "create Cloudwatch log stream: AccessDeniedException: {} : exit status 1"
)
_PULL = (
    "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {}: "
    "unexpected status: 403 Forbidden: {}"
)


class RoleError(Exception):
    """A role cannot be used. The text is the task's `stoppedReason`."""


class Need(NamedTuple):
    """A permission, and the `stoppedReason` without it, with a place for AWS's sentence."""

    action: str
    resource: str
    words: str


async def check(task: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    """Makes sure of the roles before anything is pulled.

    Args:
        task: its record.
        definition: its task definition.

    Raises:
        RoleError: one cannot be assumed, or the execution role lacks a permission.
    """
    overrides = task.get("overrides") or {}
    given = {member: overrides.get(member) or definition.get(member) for member in ("executionRoleArn", "taskRoleArn")}
    for role in dict.fromkeys(filter(None, given.values())):
        if not await roles.trusts(role, PRINCIPAL):
            raise RoleError(
                f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the "
                "role being passed has the proper trust relationship and permissions and that your IAM user has "
                "permissions to pass this role."
            )
    if execution := given["executionRoleArn"]:
        name = execution.rpartition("/")[2]
        user = f"arn:aws:sts::{arns.account(execution)}:assumed-role/{name}/{task['taskArn'].rpartition('/')[2]}"
        needs = list(dict.fromkeys(_needs(task, definition)))
        permissions = await roles.permissions("role", name) if needs else roles.Permissions(None)
        for need in needs:
            if reason := permissions.denial(need.action, need.resource):
                raise RoleError(need.words.format(roles.refusal(user, need.action, need.resource, reason)))


def _needs(task: Mapping[str, Any], definition: Mapping[str, Any]) -> Iterator[Need]:
    region = arns.region(task["taskArn"])
    for container in definition["containerDefinitions"]:
        yield from _of_image(container)
        credentials = (container.get("repositoryCredentials") or {}).get("credentialsParameter")
        logs = container.get("logConfiguration") or {}
        secrets = [one["valueFrom"] for one in [*(container.get("secrets") or []), *(logs.get("secretOptions") or [])]]
        for value in [*secrets, *filter(None, [credentials])]:
            yield _of_secret(value, region)
        files = container_options.overridden(task, container).get("environmentFiles") or []
        for file in files:
            yield Need("s3:GetObject", file["value"], _RETRIEVAL.format("unable to retrieve env file", "{}"))
        if logs.get("logDriver") == "awslogs":
            yield from _of_logs(logs.get("options") or {}, region)


def _of_image(container: Mapping[str, Any]) -> Iterator[Need]:
    found = images.own_repository(container["image"])
    if found is None:
        return
    yield Need("ecr:GetAuthorizationToken", "*", _RETRIEVAL.format("unable to retrieve ecr registry auth", "{}"))
    resource = arns.make("ecr", found[0], f"repository/{found[1]}")
    words = _PULL.format(container["image"], "{}")
    for action in ("BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage"):
        yield Need(f"ecr:{action}", resource, words)


def _of_secret(value: str, region: str) -> Need:
    if value.startswith("arn:") and value.split(":")[2] == "secretsmanager":
        words = _RETRIEVAL.format("unable to retrieve secret from asm", "{}")
        return Need("secretsmanager:GetSecretValue", ":".join(value.split(":")[:7]), words)
    arn = value if value.startswith("arn:") else arns.make("ssm", region, f"parameter/{value.lstrip('/')}")
    return Need("ssm:GetParameters", arn, _RETRIEVAL.format("unable to retrieve secrets from ssm", "{}"))


def _of_logs(options: Mapping[str, str], region: str) -> Iterator[Need]:
    group = f"log-group:{options.get('awslogs-group', '')}"
    place = options.get("awslogs-region") or region
    if options.get("awslogs-create-group", "").lower() == "true":
        yield Need("logs:CreateLogGroup", arns.make("logs", place, f"{group}:log-stream:"), _LOGGER)
    for action in ("CreateLogStream", "PutLogEvents"):
        yield Need(f"logs:{action}", arns.make("logs", place, f"{group}:log-stream:*"), _LOGGER)
