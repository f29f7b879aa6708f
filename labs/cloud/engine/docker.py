"""The one Docker client of the gateway, and the threads in which it is used."""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import docker

THREADS = 16  # Docker does most of its work one after another anyway
TIMEOUT = 120  # seconds; a pull sends something all the time, a stop takes as long as its grace period

Result = TypeVar("Result")
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="docker")


@functools.cache
def client() -> docker.DockerClient:
    """The client; safe in several threads. For a thread, never for the event loop.

    Raises:
        docker.errors.DockerException: there is no engine.
    """
    return docker.DockerClient.from_env(timeout=TIMEOUT, max_pool_size=THREADS + 4)


async def run(work: Callable[..., Result], *args: Any, **options: Any) -> Result:
    """Runs blocking work with Docker in one of the threads, and returns its result."""
    call = functools.partial(work, *args, **options)
    return await asyncio.get_running_loop().run_in_executor(_threads, call)
