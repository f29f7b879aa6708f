"""The one Docker client of the gateway, and the threads in which it is used."""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import docker

LET_END_SECONDS = 5.0
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
    """Runs blocking work with Docker in one of the threads, and returns its result.

    A thread cannot be cancelled. Whoever is, is told so only when the work is over (or takes long, as a pull does):
    what comes after a stop must not meet a container that is still being made.
    """
    call = functools.partial(work, *args, **options)
    running = asyncio.get_running_loop().run_in_executor(_threads, call)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        running.add_done_callback(lambda one: one.cancelled() or one.exception())  # nobody else asks for it now
        await asyncio.wait([running], timeout=LET_END_SECONDS)
        raise
