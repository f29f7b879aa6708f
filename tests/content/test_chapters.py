"""Every chapter keeps its contract (`python3 -m labs check`), and the contract can be broken."""

import pytest

from labs.authoring import check
from labs.kit import syllabus


@pytest.mark.parametrize("slug", syllabus.ready())
def test_contract(slug: str) -> None:
    assert check.faults(slug) == []
