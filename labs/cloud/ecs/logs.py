"""The awslogs driver of a container of a task: its log stream, and what `engine.output` is told of it.

https://docs.docker.com/engine/logging/drivers/awslogs/
"""

import re
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.ecs import container_options
from labs.cloud.engine.output import FINISH_SECONDS, Output, Place, unless_there
from labs.cloud.frame import arns, aws

# https://docs.docker.com/engine/logging/drivers/awslogs/#awslogs-datetime-format
_DIRECTIVES = {
    "%a": "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)",
    "%A": "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)",
    "%w": "[0-6]",
    "%d": "(?:0[1-9]|[12][0-9]|3[01])",
    "%b": "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "%B": "(?:January|February|March|April|May|June|July|August|September|October|November|December)",
    "%m": "(?:0[1-9]|1[0-2])",
    "%Y": "[0-9]{4}",
    "%y": "[0-9]{2}",
    "%H": "(?:[01][0-9]|2[0-3])",
    "%I": "(?:0[1-9]|1[0-2])",
    "%p": "(?:[AaPp][Mm])",
    "%M": "[0-5][0-9]",
    "%S": "[0-5][0-9]",
    "%L": r"\.[0-9]{3}",
    "%f": "[0-9]{6}",
    "%z": "[+-][0-9]{4}",
    "%Z": "[A-Z]{1,4}T",
    "%j": "(?:[0-2][0-9][1-9]|[0-2][1-9]0|[1-3]00|3[0-5][0-9]|36[0-6])",
    "%%": "%",
}


class LogsError(Exception):
    """A container's log stream cannot be had. The text is what a task's `stoppedReason` says."""


def place(task: dict[str, Any], container: dict[str, Any], container_id: str = "") -> Place | None:
    """The log stream of a container; None if its driver is not awslogs.

    Args:
        task: the task's record.
        container: the container definition.
        container_id: Docker's id, which is the stream's name where the definition gives no prefix.
    """
    configuration = container.get("logConfiguration") or {}
    if configuration.get("logDriver") != "awslogs":
        return None
    given = configuration.get("options") or {}
    prefix = given.get("awslogs-stream-prefix")
    stream = f"{prefix}/{container['name']}/{container_options.task_id(task)}" if prefix else container_id
    return Place(given.get("awslogs-region") or arns.region(task["taskArn"]), given.get("awslogs-group", ""), stream)


def prepare(task: dict[str, Any], container: dict[str, Any]) -> None:
    """Makes a container's log stream, and its group if the definition says so. Before the container is created; for a
    thread. Nothing happens where the driver is not awslogs.

    Raises:
        LogsError: there is no such group, or the backend refuses.
    """
    where = place(task, container)
    if where is None:
        return
    options = container["logConfiguration"].get("options") or {}
    _event_start(options)
    client = aws.client("logs", where.region)
    try:
        if str(options.get("awslogs-create-group", "")).lower() == "true":
            unless_there(client.create_log_group, logGroupName=where.group)
        if where.stream:
            unless_there(client.create_log_stream, logGroupName=where.group, logStreamName=where.stream)
        elif not _group_exists(client, where.group):
            raise _no_stream(task, "ResourceNotFoundException: The specified log group does not exist.")
    except ClientError as problem:
        code, words = problem.response["Error"]["Code"], problem.response["Error"]["Message"]
        if code == "ResourceNotFoundException":
            words = "The specified log group does not exist."
        raise _no_stream(task, f"{code}: {words}") from problem
    except BotoCoreError as problem:
        raise _no_stream(task, str(problem)) from problem


def _group_exists(client: Any, group: str) -> bool:
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=group)
    return any(one["logGroupName"] == group for page in pages for one in page["logGroups"])


def _no_stream(task: dict[str, Any], reason: str) -> LogsError:
    """In the words of Fargate's agent, or of the engine on an instance.

    https://repost.aws/knowledge-center/ecs-resource-initialization-error
    """
    said = f"failed to create Cloudwatch log stream: {reason}"
    if container_options.is_fargate(task):
        return LogsError(
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
            f"{said} : exit status 1"
        )
    return LogsError(
        f"CannotStartContainerError: Error response from daemon: failed to initialize logging driver: {said}"
    )


class Logs(Output):
    """The containers of all tasks whose output is sent to CloudWatch Logs. Its methods block: for threads."""

    def follow_task(self, task: dict[str, Any], container: dict[str, Any], container_id: str) -> None:
        """Sends what a container prints: `Output.follow`.

        Args:
            task: the task's record.
            container: the container definition; nothing happens if its driver is not awslogs.
            container_id: Docker's id; the container has been started.
        """
        where = place(task, container, container_id)
        if where is None:
            return
        options = container["logConfiguration"].get("options") or {}
        self.follow(where, container_id, tty=bool(container.get("pseudoTerminal")), starts=_event_start(options))

    def finish_task(
        self, task: dict[str, Any], container: dict[str, Any], container_id: str, seconds: float = FINISH_SECONDS
    ) -> bool:
        """Waits until all output of a container that has ended is sent: `Output.finish`."""
        where = place(task, container, container_id)
        if where is None:
            return True
        if container_id not in self._followed:
            self.follow_task(task, container, container_id)
        return self.finish(where, container_id, seconds)


def _event_start(options: dict[str, str]) -> re.Pattern[str] | None:
    """The pattern of the line with which an event begins; None if each line is one.

    Raises:
        LogsError: it cannot be read.
    """
    pattern = options.get("awslogs-multiline-pattern")
    if layout := options.get("awslogs-datetime-format"):
        pattern = "".join(_DIRECTIVES.get(part, re.escape(part)) for part in re.split("(%.)", layout))
    if not pattern:
        return None
    try:
        return re.compile(pattern)
    except re.error as problem:
        raise LogsError(
            f"ResourceInitializationError: failed to validate logger args: awslogs could not parse multiline pattern "
            f"key {pattern!r}: {problem}"
        ) from problem
