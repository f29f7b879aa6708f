"""Work on many resources at once, each after those that it needs."""

import asyncio
from collections.abc import Awaitable, Callable


async def in_order(
    needs: dict[str, set[str]], work: Callable[[str], Awaitable[bool]], stopped: Callable[[], bool]
) -> None:
    """Works on many names at once, each after those that it needs; on none that needs one that failed."""
    left = {name: set(wanted) for name, wanted in needs.items()}
    running: dict[asyncio.Task[bool], str] = {}
    try:
        while left or running:
            if not stopped():
                for name in [name for name, wanted in left.items() if not wanted]:
                    del left[name]
                    running[asyncio.create_task(work(name))] = name
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                name = running.pop(task)
                if task.result():
                    for wanted in left.values():
                        wanted.discard(name)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
