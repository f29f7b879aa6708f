"""Every chapter keeps its contract (`python3 -m labs check`), and the contract can be broken."""

import pytest

from labs.authoring import check
from tests.conftest import ready_chapters


@pytest.mark.parametrize("slug", ready_chapters())
def test_contract(slug: str) -> None:
    assert check.faults(slug) == []
