"""Pages of a list, and the tokens between them."""

from collections.abc import Sequence

import pytest

from labs.cloud.frame import paging
from labs.cloud.frame.errors import AwsError


def pages(items: list[str], size: int | None, most: int = 100) -> list[list[str]]:
    found, token = [], None
    while True:
        part, token = paging.page(items, size, token, most=most)
        found.append(part)
        if token is None:
            return found


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 100, 101, 250])
@pytest.mark.parametrize("size", [1, 10, 100, None])
def test_the_pages_together_are_the_list(count: int, size: int | None) -> None:
    items = [f"item-{number}" for number in range(count)]
    found = pages(items, size)
    assert [item for part in found for item in part] == items
    assert all(len(part) == (size or 100) for part in found[:-1])
    assert len(found) == max(1, -(-count // (size or 100)))


@pytest.mark.parametrize("size", [0, -1, 101])
def test_a_size_out_of_bounds_is_refused(size: int) -> None:
    with pytest.raises(AwsError) as refused:
        paging.page([], size, None)
    assert refused.value.code == "InvalidParameterException"


@pytest.mark.parametrize("token", ["x", "nonsense", "MTA=", "b2Zmc2V0Oi0x", "\u00e9", "AAAA", "Og==", "LTE6YQ=="])
def test_a_token_of_somebody_else_is_refused(token: str) -> None:
    with pytest.raises(AwsError, match="Invalid token") as refused:
        paging.page(["a", "b"], 1, token, code="OtherException")
    assert refused.value.code == "OtherException"


def test_what_is_deleted_between_two_pages_makes_nothing_disappear() -> None:
    """Clean-up scripts delete each page before they ask for the next."""
    left = [f"item-{number}" for number in range(25)]
    seen: list[str] = []
    token: str | None = ""
    while token is not None:
        part, token = paging.page(left, 10, token or None)
        seen += part
        left = [item for item in left if item not in part]
    assert left == []
    assert len(seen) == 25


def test_what_is_added_in_front_shows_nothing_twice() -> None:
    items: Sequence[str] = ["b", "c", "d"]
    first, token = paging.page(items, 2, None)
    second, end = paging.page(["a", *items], 2, token)
    assert (first, second, end) == (["b", "c"], ["d"], None)


def test_a_token_beyond_a_list_that_became_short_ends_it() -> None:
    _, token = paging.page(["a", "b", "c"], 2, None)
    assert paging.page(["a"], 2, token) == ([], None)
