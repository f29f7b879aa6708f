"""A contract test for every name of MiniStack that `backends/embedded.py` uses, and for what it does with them."""

import gzip
import importlib.metadata
import json
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import botocore
import pytest
from cloud_lab import python

from labs.cloud import backends
from labs.cloud.backends import embedded

# MiniStack reads its settings when it is imported: here it is only ever imported in another process.
LOAD = "from labs.cloud.backends.embedded import Embedded\nbackend = Embedded()\n"

pytestmark = pytest.mark.usefixtures("place")


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.5.34")
    with pytest.raises(embedded.WrongVersionError, match=r"needs MiniStack 1\.5\.33, and 1\.5\.34 is installed"):
        embedded.Embedded()


def test_the_pinned_version_is_the_one_in_the_requirements() -> None:
    pinned = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    assert f'"ministack=={embedded.VERSION}"' in pinned


@pytest.mark.parametrize("name", ["localstack", "aws", "nonsense"])
def test_backends_to_come_say_so(name: str) -> None:
    with pytest.raises(backends.BackendUnknownError, match="COURSE_BACKEND"):
        backends.load(name)


def test_every_name_that_is_used_exists_and_takes_what_it_is_given() -> None:
    done = python(
        LOAD
        + "import inspect, json\n"
        + "from ministack import app\n"
        + "from ministack.core import container_reaper, persistence, responses\n"
        + "from ministack.services import alb\n"
        + "names = [app.app, app._send_if_handled, app._send_response, app.parse_qs,\n"
        + "  app._build_persistence_save_dict, persistence.save_state, persistence.load_state,\n"
        + "  responses.request_scope, responses.install_docker_hub_fallback, alb.find_lb_for_host,\n"
        + "  alb.dispatch_request]\n"
        + "print(json.dumps([list(inspect.signature(name).parameters) for name in names]))\n"
        + "assert persistence.PERSIST_STATE and app.PERSIST_STATE\n"
        + "assert container_reaper.SERVICE_LABELS == () and alb._listeners is not None\n"
        + "assert container_reaper.instance_id().split(':')[0] == __import__('labs.cloud.backends.containers',\n"
        + "  fromlist=['x']).owner()\n"
        + "assert len(app.SERVICE_HANDLERS) > 80\n"
    )
    assert done.returncode == 0, done.stderr
    parameters = json.loads(done.stdout)
    assert parameters[0] == ["scope", "receive", "send"]
    assert parameters[1] == ["send", "response", "receive", "head"]
    assert parameters[2][:4] == ["send", "status", "headers", "body"]
    assert parameters[5:8] == [["service", "data"], ["service"], ["account_id", "region"]]
    assert parameters[9] == ["host"]
    dispatch = ["lb", "method", "path", "headers", "body", "query_params", "port"]
    assert parameters[10] == [*dispatch, "client_ip", "raw_query_string", "raw_path"]


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


def test_a_service_scheduler_is_the_only_thing_that_waits_after_a_restore() -> None:
    """ECS_RESTORE_RECONCILE_DELAY_SECONDS and the format of ecs.json are relied upon."""
    done = python(
        LOAD
        + "from ministack.services import ecs\n"
        + "print(ecs._ECS_RESTORE_RECONCILE_DELAY, sorted(ecs.get_state()))\n"
    )
    assert done.stdout.startswith("0.2 "), done.stderr
    for kind in ("clusters", "services", "tasks"):
        assert f"'{kind}'" in done.stdout


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


def test_restored_tasks_are_stopped_and_say_why(tmp_path: Path) -> None:
    def stopped(seconds_ago: float) -> dict[str, object]:
        when = datetime.fromtimestamp(time.time() - seconds_ago, UTC).isoformat()
        return {"lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stoppedReason": "crash", "stoppedAt": when}

    running = {"lastStatus": "RUNNING", "desiredStatus": "RUNNING", "containers": [{"lastStatus": "RUNNING"}]}
    counted = {"runningCount": 3, "pendingCount": 1, "desiredCount": 3}
    payload = {
        "tasks": {"data": {"running": running, "recent": stopped(60), "old": stopped(4000)}},
        "services": {"data": {"s": {**counted, "deployments": [dict(counted)]}}},
        "clusters": {"data": {"c": {"runningTasksCount": 3, "pendingTasksCount": 1}}},
    }
    path = tmp_path / "ecs.json"
    path.write_text(json.dumps({"__ministack_format__": 3, "payload": payload}))
    embedded._settle_restored_tasks(path)
    result = json.loads(path.read_text())
    tasks, services, clusters = (result["payload"][kind]["data"] for kind in ("tasks", "services", "clusters"))
    assert result["__ministack_format__"] == 3
    assert list(tasks) == ["running", "recent"]
    assert (tasks["running"]["lastStatus"], tasks["running"]["desiredStatus"]) == ("STOPPED", "STOPPED")
    assert tasks["running"]["stoppedReason"] == "The local AWS was stopped."
    assert tasks["running"]["containers"] == [{"lastStatus": "STOPPED"}]
    assert tasks["recent"]["stoppedReason"] == "crash"
    assert services["s"]["runningCount"] == services["s"]["deployments"][0]["runningCount"] == 0
    assert services["s"]["desiredCount"] == 3
    assert clusters["c"]["runningTasksCount"] == 0


def test_no_other_file_knows_ministack() -> None:
    cloud = Path(embedded.__file__).parents[1]
    knowing = [
        path.name
        for path in cloud.rglob("*.py")
        if re.search(r"^\s*(from|import) ministack", path.read_text("utf-8"), re.M)
    ]
    assert knowing == ["embedded.py"]
    assert "ministack" not in sys.modules
