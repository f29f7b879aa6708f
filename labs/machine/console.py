"""What the front door says: plain lines, progress of long steps, and the one error that is meant for the reader."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

QUIET_SECONDS = 15  # where lines cannot be rewritten (a log, a pipe), a long step speaks up this often


class Trouble(Exception):  # noqa: N818 - read by people, not by handlers
    """Something the reader has to know: what happened, why, and what to do. Shown without a traceback."""


def say(text: str) -> None:
    """Prints one line at once, also into a pipe, and on consoles that cannot show every letter."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


def complain(text: str) -> None:
    """Prints one line on standard error."""
    encoding = sys.stderr.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=sys.stderr, flush=True)


@contextmanager
def step(doing: str) -> Iterator[None]:
    """Says what a long step is doing, for how long already, and how long it took.

    Args:
        doing: what is being done, as a reader would say it, e.g. `Installing the packages`.
    """
    began = time.monotonic()
    over = threading.Event()
    ticker = threading.Thread(target=_tick, args=(doing, began, over), daemon=True)
    if not sys.stdout.isatty():
        say(f"{doing} ...")
    ticker.start()
    outcome = "stopped after"
    try:
        yield
        outcome = "done in"
    finally:
        over.set()
        ticker.join()
        took = f"{outcome} {time.monotonic() - began:.1f} s"
        say(f"\r{doing}: {took}" if sys.stdout.isatty() else f"  {took}")


def _tick(doing: str, began: float, over: threading.Event) -> None:
    live = sys.stdout.isatty()
    while not over.wait(1 if live else QUIET_SECONDS):
        seconds = time.monotonic() - began
        if live:
            print(f"\r{doing} ... {seconds:.0f} s", end="", flush=True)
        else:
            say(f"  still at it, {seconds:.0f} s")
