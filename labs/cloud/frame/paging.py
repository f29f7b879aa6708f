"""Pages of a list, with a token that says where the next one begins."""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from labs.cloud.frame.errors import AwsError


def page(
    items: Sequence[Any],
    size: int | None,
    token: str | None,
    *,
    most: int = 100,
    code: str = "InvalidParameterException",
) -> tuple[list[Any], str | None]:
    """One page.

    Args:
        items: all of them, in an order that does not change.
        size: how many the caller wants; None for `most`.
        token: where to begin, from the page before; None for the first.
        most: the service's upper limit.
        code: the error code for a bad size or token.

    Returns:
        The page, and the token of the next one; None after the last.

    Raises:
        AwsError: the size is out of bounds, or the token is none of ours.
    """
    if size is not None and not 1 <= size <= most:
        raise AwsError(code, f"Invalid page size {size}. It must be between 1 and {most}.")
    start = _start(items, token, code) if token else 0
    end = start + (size or most)
    return list(items[start:end]), _token(end, items[end]) if end < len(items) else None


def _token(place: int, first: Any) -> str:
    """Where the next page begins: the place, and what was there, for items before it may be deleted meanwhile."""
    return base64.urlsafe_b64encode(f"{place}:{_mark(first)}".encode()).decode()


def _start(items: Sequence[Any], token: str, code: str) -> int:
    try:
        place, colon, mark = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
    except ValueError:
        place = colon = mark = ""
    if not (colon and place.isascii() and place.isdigit()):
        raise AwsError(code, "Invalid token in request.")
    if int(place) < len(items) and _mark(items[int(place)]) == mark:
        return int(place)
    return next((number for number, item in enumerate(items) if _mark(item) == mark), int(place))


def _mark(item: Any) -> str:
    return hashlib.sha256(json.dumps(item, sort_keys=True, default=str).encode()).hexdigest()[:16]
