"""Work with Docker in threads, and what becomes of it when whoever waits for it is cancelled."""

import asyncio
import threading

import pytest

from labs.cloud.engine import docker


def test_who_is_cancelled_is_told_when_the_work_is_over() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), []

    def work() -> None:
        begun.set()
        assert go_on.wait(4)
        done.append(True)

    async def scene() -> None:
        waiting = asyncio.create_task(docker.run(work))
        await asyncio.to_thread(begun.wait, 4)
        waiting.cancel()
        await asyncio.sleep(0)
        assert not waiting.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert done == [True]

    asyncio.run(scene())


def test_work_that_takes_long_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "LET_END_SECONDS", 0.05)
    go_on = threading.Event()

    async def scene() -> None:
        waiting = asyncio.create_task(docker.run(go_on.wait, 4))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not go_on.is_set()
        go_on.set()

    asyncio.run(scene())
