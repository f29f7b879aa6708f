"""A beat that many can wait for."""

import asyncio


class Pulse:
    """`beat()` wakes everybody who waits at that moment. On the event loop only."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def beat(self) -> None:
        """Wakes all who wait."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def next(self) -> asyncio.Future[None]:
        """The next beat, to be waited for later: what beats from now on is not missed."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        return future

    async def wait(self, seconds: float | None = None) -> bool:
        """Waits for the next beat.

        Args:
            seconds: how long at most; None for ever.

        Returns:
            Whether there was a beat.
        """
        future = self.next()
        try:
            done, _ = await asyncio.wait([future], timeout=seconds)
        finally:
            self._waiting.discard(future)
        return bool(done)
