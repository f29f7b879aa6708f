"""What a check answers. One small value, made by three plain functions."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Verdict:
    """The answer of a check.

    Args:
        state: `done`; `not_yet` (go on); `lost` (beyond repair, reset it); `blind` (the check could not look).
        id: which mistake was seen, e.g. `port_not_published`; the file name of the wrong state that proves it.
        message: a sentence or two to the learner about what was seen.
    """

    state: Literal["done", "not_yet", "lost", "blind"]
    id: str
    message: str


def done(message: str) -> Verdict:
    """The world is as the task asks."""
    return Verdict("done", "done", message)


def not_yet(id: str, message: str) -> Verdict:
    """Something is missing or wrong, and can be repaired from where the learner stands."""
    return Verdict("not_yet", id, message)


def lost(id: str, message: str) -> Verdict:
    """The world cannot be repaired from here; the message names the reset that mends it."""
    return Verdict("lost", id, message)


def blind(id: str, message: str) -> Verdict:
    """The check could not look at the world (engine or local AWS away); it says nothing about the learner's work."""
    return Verdict("blind", id, message)
