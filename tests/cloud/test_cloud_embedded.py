"""A contract test for every name of MiniStack that `backends/embedded.py` uses, and for what it does with them."""

import gzip
import importlib.metadata
import json
import re
import sys
from pathlib import Path

import botocore
import pytest
from cloud_lab import python

from labs.cloud import backends, server
from labs.cloud.backends import embedded
from labs.cloud.relay import relay

# MiniStack reads its settings when it is imported: here it is only ever imported in another process.
LOAD = (
    "from labs.cloud import server\n"
    "from labs.cloud.backends.embedded import Embedded\n"
    "from labs.cloud.engine import labels\n"
    "from labs.cloud.relay.relay import Relay\n"
    "backend = Embedded(Relay(labels.owner(), server.socket_path(), 1))\n"
)

NO_RELAY = relay.Relay("nobody", server.socket_path(), 1)

pytestmark = [pytest.mark.usefixtures("place"), pytest.mark.embedded]


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.5.34")
    with pytest.raises(embedded.WrongVersionError, match=r"needs MiniStack 1\.5\.33, and 1\.5\.34 is installed"):
        embedded.Embedded(NO_RELAY)


def test_the_pinned_version_is_the_one_in_the_requirements() -> None:
    pinned = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    assert f'"ministack=={embedded.VERSION}"' in pinned


def test_an_unknown_backend_is_said() -> None:
    with pytest.raises(backends.BackendUnknownError, match="There is no backend 'nonsense'; there are embedded, local"):
        backends.load("nonsense", NO_RELAY)


def test_every_name_that_is_used_exists_and_takes_what_it_is_given() -> None:
    done = python(
        LOAD
        + "import inspect, json\n"
        + "from ministack import app\n"
        + "from ministack.core import container_reaper, persistence, responses\n"
        + "names = [app.app, app._build_persistence_save_dict, persistence.save_state, persistence.load_state,\n"
        + "  responses.install_docker_hub_fallback]\n"
        + "print(json.dumps([list(inspect.signature(name).parameters) for name in names]))\n"
        + "assert persistence.PERSIST_STATE and app.PERSIST_STATE\n"
        + "assert container_reaper.SERVICE_LABELS == ()\n"
        + "assert container_reaper.instance_id().split(':')[0] == labels.owner()\n"
        + "assert len(app.SERVICE_HANDLERS) > 80\n"
    )
    assert done.returncode == 0, done.stderr
    parameters = json.loads(done.stdout)
    assert parameters[0] == ["scope", "receive", "send"]
    assert parameters[2:4] == [["service", "data"], ["service"]]


def test_the_router_takes_exactly_the_services_that_are_let_through() -> None:
    """For a signing name that it does not know it would load every model: 4 s and 400 MB. None of those gets there."""
    done = python(
        LOAD
        + "import json\n"
        + "from ministack.core import router\n"
        + "unknown = []\n"
        + "router._is_aws_service_name = lambda name: unknown.append(name) or True\n"
        + "def ask(name):\n"
        + "    signed = f'AWS4-HMAC-SHA256 Credential=k/20261122/us-east-1/{name}/aws4_request'\n"
        + "    headers = {'host': '127.0.0.1', 'authorization': signed}\n"
        + "    router.detect_service('POST', '/', headers, {})\n"
        + f"names = {_signing_names()!r}\n"
        + "for name in {*names, *backend.services}: ask(name)\n"
        + "print(json.dumps([sorted(set(names) - set(unknown) - backend.services),\n"
        + "                  sorted(backend.services & set(unknown))]))\n"
    )
    assert done.returncode == 0, done.stderr
    shut_out, unanswered = json.loads(done.stdout)
    assert shut_out == []
    assert unanswered == []


def _signing_names() -> list[str]:
    """The SigV4 names of all services in botocore."""
    names = set()
    for folder in (Path(botocore.__file__).parent / "data").iterdir():
        for model in sorted(folder.glob("*/service-2.json.gz"))[-1:]:
            with gzip.open(model, "rt", encoding="utf-8") as file:
                text = file.read()
            head = text[text.index('"metadata"') :][:3000]
            field = dict(re.findall(r'"(endpointPrefix|signingName)":\s*"([^"]+)"', head))
            names.add(field.get("signingName", field["endpointPrefix"]))
    return sorted(names)


def test_big_values_are_saved_apart_and_once() -> None:
    done = python(
        LOAD
        + "import json, os\n"
        + "from ministack.core import persistence, responses\n"
        + "layers = responses.AccountRegionScopedDict()\n"
        + "layers['repo'] = {'sha256:1': os.urandom(300_000), 'small': b'small'}\n"
        + "before = dict(layers['repo'])\n"
        + "persistence.save_state('ecr', {'layer_blobs': layers})\n"
        + "folder = backend._services.parent / 'blobs'\n"
        + "first = [(path.name, path.stat().st_mtime_ns) for path in folder.iterdir()]\n"
        + "layers['other'] = layers['repo']\n"
        + "persistence.save_state('ecr', {'layer_blobs': layers})\n"
        + "(folder / 'unused').write_text('')\n"
        + "backend._blobs.sweep()\n"
        + "assert [(path.name, path.stat().st_mtime_ns) for path in folder.iterdir()] == first and len(first) == 1\n"
        + "assert (backend._services / 'ecr.json').stat().st_size < 5000\n"
        + "assert dict(persistence.load_state('ecr')['layer_blobs']['repo']) == before\n"
        + "print('kept')\n"
    )
    assert done.stdout == "kept\n", done.stderr


def test_what_it_saved_of_our_services_is_forgotten(tmp_path: Path) -> None:
    """It would bring their containers back, beside ours."""
    for name in ("ecs", "alb", "sqs"):
        (tmp_path / f"{name}.json").write_text("{}")
    embedded._forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["sqs.json"]


def test_no_other_file_knows_ministack() -> None:
    cloud = Path(embedded.__file__).parents[1]
    knowing = [
        path.name
        for path in cloud.rglob("*.py")
        if re.search(r"^\s*(from|import) ministack", path.read_text("utf-8"), re.M)
    ]
    assert knowing == ["embedded.py"]
    assert "ministack" not in sys.modules
