"""Writers of bytes, and the one who may only work while nobody writes: the garbage collection."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Writes:
    """Counts the writers. On the event loop only."""

    def __init__(self) -> None:
        self._count = 0
        self._open = asyncio.Event()
        self._open.set()
        self._last = 0.0

    @property
    def idle_seconds(self) -> float:
        """For how long nobody has been writing; 0 while somebody is."""
        return 0.0 if self._count else time.monotonic() - self._last

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """For a writer. Waits while writers are kept out."""
        while not self._open.is_set():
            await self._open.wait()
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            self._last = time.monotonic()

    @asynccontextmanager
    async def none(self) -> AsyncIterator[None]:
        """Keeps writers out.

        Raises:
            RuntimeError: there is one inside.
        """
        if self._count or not self._open.is_set():
            raise RuntimeError("Somebody is writing.")
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()
