"""By label and by nothing else: what is removed, what never. On the real engine, under a label of its own."""

import io
import os
import tarfile
from collections.abc import Iterator

import pytest
from docker.errors import ImageNotFound, NotFound

from labs import settings
from labs.machine import engine, inventory

MINE = f"inventory-test-{os.getpid()}"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator:
    monkeypatch.setattr(settings, "LABEL_VALUE", MINE)
    monkeypatch.setattr(settings, "LABEL", f"course={MINE}")
    assert engine.use()
    with engine.client() as client:
        yield client


def image(api: object, tag: str, *labels: str) -> str:
    """An image with one small file."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        content = tag.encode()
        member = tarfile.TarInfo("file")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    repository, _, version = tag.partition(":")
    changes = ["CMD /none", *(f"LABEL {label}" for label in labels)]
    api.import_image_from_data(archive.getvalue(), repository=repository, tag=version, changes=changes)
    return tag


def test_everything_with_the_label_goes_and_nothing_else(api: object) -> None:
    label = {"course": MINE}
    ours, foreign = image(api, f"{MINE}:1", f"course={MINE}"), image(api, f"{MINE}-foreign:1", "course=other")
    child = api.build(
        fileobj=io.BytesIO(f"FROM {ours}\nLABEL step=2\n".encode()), tag=f"{MINE}-child:1", rm=True, decode=True
    )
    assert not [event for event in child if "error" in event]
    host = api.create_host_config(binds={f"{MINE}-v": {"bind": "/data"}})
    api.create_volume(f"{MINE}-v", labels=label)
    api.create_volume(f"{MINE}-foreign-v")
    api.create_network(f"{MINE}-n", labels=label)
    api.create_network(f"{MINE}-foreign-n")
    api.create_container(ours, "/none", name=f"{MINE}-c", labels={"course.role": "task"}, host_config=host)
    api.create_container(foreign, "/none", name=f"{MINE}-foreign-c")
    api.connect_container_to_network(f"{MINE}-foreign-c", f"{MINE}-n")
    try:
        found = inventory.find()
        assert inventory.summary(found) == "1 container, 1 network, 1 volume, 2 images"
        assert [thing.role for thing in found if thing.kind == "container"] == ["task"]
        gone, troubles = inventory.remove(found)
        assert (len(gone), troubles) == (5, [])
        assert inventory.find() == []
        assert inventory.remove(found)[1] == [], "what is gone already is no error"
        api.inspect_container(f"{MINE}-foreign-c")
        api.inspect_network(f"{MINE}-foreign-n")
        api.inspect_volume(f"{MINE}-foreign-v")
        api.inspect_image(foreign)
    finally:
        inventory.remove(inventory.find())
        _forget(api.remove_container, f"{MINE}-foreign-c")
        _forget(api.remove_network, f"{MINE}-foreign-n")
        _forget(api.remove_volume, f"{MINE}-foreign-v")
        _forget(api.remove_image, foreign)


def test_what_cannot_be_removed_is_said_and_the_rest_goes(api: object) -> None:
    tag = image(api, f"{MINE}-used:1", f"course={MINE}")
    api.create_volume(f"{MINE}-used-v", labels={"course": MINE})
    foreign = image(api, f"{MINE}-user:1")
    host = api.create_host_config(binds={f"{MINE}-used-v": {"bind": "/data"}})
    api.create_container(foreign, "/none", name=f"{MINE}-user-c", host_config=host, volumes=["/data"])
    try:
        gone, troubles = inventory.remove(inventory.find())
        assert [thing.kind for thing in gone] == ["image"]
        assert len(troubles) == 1
        assert f"volume {MINE}-used-v could not be removed" in troubles[0]
    finally:
        _forget(api.remove_container, f"{MINE}-user-c")
        inventory.remove(inventory.find())
        _forget(api.remove_image, foreign)
        _forget(api.remove_image, tag)


def test_the_base_image_is_never_in_the_list(api: object, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = image(api, f"{MINE}-base:1", f"course={MINE}")
    try:
        assert inventory.find()
        monkeypatch.setattr(settings, "BASE_IMAGE", tag)
        assert inventory.find() == []
    finally:
        _forget(api.remove_image, tag)


def _forget(remove: object, name: str) -> None:
    try:
        remove(name)
    except (NotFound, ImageNotFound):
        return
