"""`python3 -m labs clean_up`: removes from a real account all that the course has made, and proves it."""

import sys
from typing import TYPE_CHECKING

from labs import settings
from labs.cloud import server
from labs.machine import console

if TYPE_CHECKING:
    from labs.cloud.backends.aws import clean_up as cleaning


def clean_up(account: str | None = None) -> int:
    """Lists what carries the course's tags, asks, removes it, and looks again.

    Args:
        account: 12 digits, in place of typing them.

    Returns:
        The exit code: 0 if a last look found nothing of this course.

    Raises:
        Trouble: no real account was chosen, it cannot be reached, or the removal was not agreed to.
    """
    from labs.cloud.backends.aws import agreement
    from labs.cloud.backends.aws import clean_up as cleaning
    from labs.cloud.backends.errors import BackendUnavailableError

    if settings.backend() != agreement.BACKEND:
        raise console.Trouble(
            f"The backend is '{settings.backend()}', so there is nothing in a real account to clean up. "
            "`python3 -m labs reset` empties the local AWS."
        )
    try:
        agreed = agreement.read()
        server.ensure_running()
    except (BackendUnavailableError, server.CloudError) as problem:
        raise console.Trouble(str(problem)) from None
    console.say(f"Looking in account {agreed.account}, region {agreed.region}.")
    found = cleaning.look(agreed)
    if found.ours:
        console.say("With the tags of this course:")
        for thing in found.ours:
            console.say(f"  {thing}")
        _agree(agreed.account, account, len(found.ours))
        found, reasons = cleaning.remove(agreed, lambda gone: console.say(f"Removed: {gone}"))
        for thing, reason in reasons.items():
            console.complain(f"Still there: {thing}: {reason}")
    return _report(found)


def warning() -> str:
    """What is said whenever the course opens on a real account: which one, and what it can cost."""
    from labs.cloud.backends.aws import costs

    chosen = settings.chosen_backend()
    most = sum(costs.of_chapter(slug) or 0 for slug in costs.AT_MOST)
    return (
        f"REAL AWS ACCOUNT {chosen.get('account')}, region {chosen.get('region')}: what the chapters make costs up to "
        f"${most:.2f} an hour. `python3 -m labs clean_up` removes it; `python3 -m labs start --backend embedded` goes "
        "back to this machine."
    )


def _agree(wanted: str, given: str | None, count: int) -> None:
    if given is None and not sys.stdin.isatty():
        raise console.Trouble(
            f"Nothing was removed: nobody is there to type the account's number. Say it: --account {wanted}"
        )
    typed = given if given is not None else input(f"To remove these {count}, type the 12 digits of the account: ")
    if typed.strip() != wanted:
        raise console.Trouble(f"Nothing was removed: {typed.strip()!r} is not {wanted}.")


def _report(found: "cleaning.Look") -> int:
    for arn in found.unlisted:
        console.complain(f"Still there, and to be removed by hand: {arn}")
    for sentence in found.blind:
        console.complain(f"Not proven: {sentence}")
    if found.others:
        console.say(
            f"{len(found.others)} more carry the course's tag and belong to another data folder; they are untouched."
        )
    left = len(found.ours) + len(found.unlisted)
    if left or found.blind:
        return 1
    console.say("Nothing with the tags of this course is left: each service and the tagging API were asked.")
    return 0
