"""The two log groups of a service: what its instances print, and what App Runner says of it.

https://docs.aws.amazon.com/apprunner/latest/dg/monitor-cwl.html
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.engine.output import Output, Place, unless_there
from labs.cloud.frame import arns, aws

log = logging.getLogger(__name__)


def group(service: Mapping[str, Any], which: str) -> str:
    """The name of a service's log group: `application` or `service`."""
    return f"/aws/apprunner/{service['ServiceName']}/{service['ServiceId']}/{which}"


def place(service: Mapping[str, Any], container_id: str) -> Place:
    """The log stream of an instance."""
    return Place(arns.region(service["ServiceArn"]), group(service, "application"), f"instance/{container_id[:32]}")


def follow(output: Output, service: Mapping[str, Any], container_id: str) -> None:
    """Sends what an instance prints. Safe to call again. For a thread."""
    where = place(service, container_id)
    try:
        unless_there(aws.client("logs", where.region).create_log_group, logGroupName=where.group)
    except (ClientError, BotoCoreError) as problem:
        log.warning("the log group %s cannot be made: %s", where.group, problem)
        return
    output.follow(where, container_id)


async def say(service: Mapping[str, Any], message: str, deployment: str | None = None) -> None:
    """Writes a line into the service's own log.

    Args:
        service: its record.
        message: the line, without App Runner's name.
        deployment: the id of the operation it is about; None for what is about the service as a whole.
    """
    region, name = arns.region(service["ServiceArn"]), group(service, "service")
    stream = f"deployment/{deployment.replace('-', '')}" if deployment else "events"

    def write() -> None:
        client = aws.client("logs", region)
        unless_there(client.create_log_group, logGroupName=name)
        unless_there(client.create_log_stream, logGroupName=name, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": f"[AppRunner] {message}"}
        client.put_log_events(logGroupName=name, logStreamName=stream, logEvents=[event])

    try:
        await asyncio.to_thread(write)
    except (ClientError, BotoCoreError) as problem:
        log.warning("the log of %s cannot be written: %s", service["ServiceName"], problem)
