"""The rest of AWS, as any program sees it: boto3 on our own door. Services of ours use the backend only through this.

A call takes a thread, never the event loop: the answer comes from the same process.
"""

import asyncio
import functools
import threading
from typing import Any

import boto3
from botocore.config import Config

from labs import settings
from labs.cloud import environment

_making = threading.Lock()  # boto3's sessions are not safe to make clients from in two threads
_CONFIG = Config(
    retries={"total_max_attempts": 2, "mode": "standard"},
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=40,  # more than asyncio has threads
)


async def call(service: str, operation: str, *, region: str = settings.REGION, **parameters: Any) -> dict[str, Any]:
    """One call to a service of the backend.

    Args:
        service: boto3's name of the service, e.g. `logs`.
        operation: boto3's name of the operation, e.g. `create_log_stream`.
        region: the region to call it in.
        parameters: the operation's input.

    Raises:
        botocore.exceptions.ClientError: as boto3 raises it.
    """
    return await asyncio.to_thread(lambda: getattr(client(service, region), operation)(**parameters))


@functools.cache
def client(service: str, region: str = settings.REGION) -> Any:
    """A boto3 client of the gateway itself. For a thread, never for the event loop."""
    with _making:
        return boto3.session.Session().client(
            service,
            region_name=region,
            endpoint_url=settings.gateway_url(),
            aws_access_key_id=environment.THROW_AWAY_KEY,
            aws_secret_access_key=environment.THROW_AWAY_KEY,
            config=_CONFIG,
        )
