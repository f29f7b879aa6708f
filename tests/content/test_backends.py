"""The table of what chapters need and backends offer is in step with the chapters themselves."""

import json
import re

import pytest
from botocore.loaders import Loader

from labs import settings
from labs.cloud.backends import table
from labs.cloud.backends.aws import services
from labs.kit import syllabus

CHAPTERS = syllabus.load().chapters
_CLIENT = re.compile(r"""(?:boto3|session)\.(?:client|resource)\(["']([a-z0-9-]+)|aws_client\(["']([a-z0-9-]+)""")
_CLI = re.compile(r"^!\s*aws ([a-z0-9-]+) ", re.MULTILINE)


def _used(slug: str, number: int) -> set[str]:
    """The services that a chapter's notebook and lab speak to, by their SigV4 signing names."""
    notebook = settings.NOTEBOOKS / f"{number:02d}_{slug}.ipynb"
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    texts += [path.read_text("utf-8") for path in (settings.LABS / slug).rglob("*.py")]
    names = {name for text in texts for found in _CLIENT.findall(text) for name in found if name}
    names |= {name for text in texts for name in _CLI.findall(text)}
    return {_signing_name(name) for name in names}


def _signing_name(name: str) -> str:
    metadata = Loader().load_service_model(name, "service-2")["metadata"]
    return metadata.get("signingName", metadata["endpointPrefix"])


def test_every_chapter_has_its_row() -> None:
    assert set(table.NEEDS) == {chapter.slug for chapter in CHAPTERS}
    for chapter in CHAPTERS:
        assert bool(table.NEEDS[chapter.slug]) == ("cloud" in chapter.needs), chapter.slug


@pytest.mark.parametrize("slug", [chapter.slug for chapter in CHAPTERS if chapter.state == "ready"])
def test_a_chapter_needs_what_it_speaks_to(slug: str) -> None:
    number = next(chapter.number for chapter in CHAPTERS if chapter.slug == slug)
    assert _used(slug, number) == table.NEEDS[slug] - {table.LOCAL_IMAGES}


def test_names_are_signing_names() -> None:
    known = {_signing_name(name) for name in Loader().list_available_services("service-2")} | {table.LOCAL_IMAGES}
    for names in (*table.NEEDS.values(), *table.OFFERS.values()):
        assert names <= known, names - known


def test_a_real_account_offers_what_passes() -> None:
    assert table.OFFERS["aws"] <= set(services.SERVICES)


def test_the_default_backend_lacks_nothing_of_a_chapter_that_is_ready() -> None:
    for chapter in CHAPTERS:
        if chapter.state == "ready":
            assert table.lacking(chapter.slug, "embedded") == []
