"""The gateway lets in only this machine's own clients, and finds who answers; what nobody has is refused at once."""

import asyncio
import http.client
import json
import time
from pathlib import Path
from typing import Any, ClassVar

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError

from labs import settings
from labs.cloud import gateway, protocol, server

pytestmark = pytest.mark.usefixtures("local_aws")

HARMLESS = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}


def ask(path: str = gateway.HEALTH, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """A request as any program could send it; underscores in names stand for hyphens."""
    connection = http.client.HTTPConnection("127.0.0.1", settings.gateway_port(), timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    response.text = response.read().decode()  # type: ignore[attr-defined]
    connection.close()
    return response


def test_health() -> None:
    answer = server.health()
    assert answer is not None
    assert answer["course"] == settings.COURSE
    assert answer["backend"] == settings.backend()
    assert answer["version"] == {"embedded": "1.5.33", "localstack": "LocalStack 2026.3.0"}[settings.backend()]
    assert answer["pid"] != 0
    assert Path(answer["state_dir"]) == settings.cloud_dir()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.2", "169.254.169.254", "[::", ""])
def test_a_foreign_host_is_refused(host: str) -> None:
    response = ask(Host=host)
    assert response.status == 403 or (host == "" and response.status == 400)
    assert settings.COURSE not in response.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST", "169.254.170.2"])
def test_own_hosts_are_let_in(host: str) -> None:
    assert ask(Host=f"{host}:{settings.gateway_port()}").status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:8888", "file://"])
def test_a_foreign_web_page_is_refused(method: str, origin: str) -> None:
    response = ask("/?Action=GetCallerIdentity&Version=2011-06-15", method, Origin=origin)
    assert response.status == 403
    assert not [name for name in response.headers if name.lower().startswith("access-control-")]


def test_a_page_of_another_site_without_an_origin_is_refused() -> None:
    """An <img> or a link sends no Origin; browsers since 2023 say `Sec-Fetch-Site`."""
    assert ask(Sec_Fetch_Site="cross-site").status == 403
    assert ask(Sec_Fetch_Site="same-site").status == 403
    assert ask(Sec_Fetch_Site="none").status == 200


def test_the_same_origin_is_let_in() -> None:
    own = f"localhost:{settings.gateway_port()}"
    assert ask(Host=own, Origin=f"http://{own}", Sec_Fetch_Site="same-origin").status == 200


def test_no_answer_opens_the_door_to_web_pages() -> None:
    response = ask("/?Action=GetCallerIdentity&Version=2011-06-15")
    assert response.status == 200
    assert not [name for name in response.headers if name.lower().startswith("access-control-")]


def test_the_probe_of_a_hostile_page_starts_nothing() -> None:
    """Registering a task definition that mounts the host's disk, from a page: what an open emulator would allow."""
    target = "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition"
    response = ask("/", "POST", Origin="https://evil.example", X_Amz_Target=target)
    assert response.status == 403
    assert boto3.client("ecs").list_task_definitions()["taskDefinitionArns"] == []


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_ministack/config", "/_localstack/health", "/_alb/x/"])
def test_the_backends_own_doors_are_shut(path: str) -> None:
    assert ask(path, "POST").status == 404


def test_only_the_right_token_stops_it() -> None:
    assert ask(gateway.STOP, "POST").status == 403
    assert ask(gateway.STOP, "POST", X_Course_Token="guess").status == 403
    assert server.health() is not None


@pytest.mark.parametrize(
    ("service", "call", "arguments"),
    [
        ("voice-id", "list_domains", {}),  # json 1.0
        ("directconnect", "describe_connections", {}),  # json 1.1
        ("glacier", "list_vaults", {}),  # rest-json
        ("elasticbeanstalk", "describe_events", {}),  # query
        ("s3control", "list_regional_buckets", {"AccountId": "000000000000", "OutpostId": "op-1"}),  # rest-xml
        ("arc-region-switch", "list_plans", {}),  # cbor
    ],
)
def test_what_nobody_has_is_a_clear_501_at_once(service: str, call: str, arguments: dict[str, Any]) -> None:
    before = _gateway_memory()
    client = boto3.client(service)
    begin = time.monotonic()
    with pytest.raises(ClientError) as caught:
        getattr(client, call)(**arguments)
    assert time.monotonic() - begin < 1
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert "has no service" in caught.value.response["Error"]["Message"]
    assert _gateway_memory() - before < 10_000_000


def test_the_backend_answers_the_rest() -> None:
    assert boto3.client("sts").get_caller_identity()["Account"] == settings.ACCOUNT
    assert boto3.client("ecs").list_clusters()["clusterArns"] == []
    assert boto3.client("s3").list_buckets()["Buckets"] == []
    assert boto3.client("cloudwatch").list_metrics()["Metrics"] == []


def test_idle_memory() -> None:
    assert _gateway_memory() < 150 * 1024 * 1024


class Fake:
    """A backend that says its name."""

    name = "fake"
    version = "1"
    services = frozenset({"sts"})

    async def __call__(self, _scope: gateway.Scope, _receive: gateway.Receive, send: gateway.Send) -> None:
        await _say(send, "backend")

    def condition(self) -> dict[str, Any]:
        return {}


class Ours:
    """Services of ours; its load balancer says its name."""

    targets: ClassVar = {"AmazonEC2ContainerServiceV20141113": "ecs"}

    def __init__(self, apps: dict[str, gateway.App] | None) -> None:
        self.apps = apps or {}

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def balance(
        self, _scope: gateway.Scope, _receive: gateway.Receive, send: gateway.Send, host: str, port: int | None
    ) -> None:
        await _say(send, f"balancer {host} {port}")

    async def answer_task(self, _scope: gateway.Scope, _receive: gateway.Receive, send: gateway.Send) -> None:
        await _say(send, "agent")

    async def admit(
        self, app: gateway.App, _service: str | None, scope: gateway.Scope, receive: gateway.Receive, send: gateway.Send
    ) -> None:
        await app(scope, receive, send)

    async def registry(self, _scope: gateway.Scope, _receive: gateway.Receive, send: gateway.Send) -> None:
        await _say(send, "registry")

    def condition(self) -> dict[str, Any]:
        return {}


async def _say(send: gateway.Send, text: str) -> None:
    await gateway._answer(send, protocol.Answer(200, {}, text.encode()))


def _through(
    headers: dict[str, str], query: str = "", path: str = "/", apps: dict[str, gateway.App] | None = None
) -> tuple[int, str]:
    """What a gateway with the fake backend and these services of ours answers."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    raw = [(name.encode(), value.encode()) for name, value in {"host": "127.0.0.1", **headers}.items()]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": query.encode(), "headers": raw}
    asyncio.run(gateway.Gateway(Fake(), Ours(apps))(scope, receive, send))
    return sent[0]["status"], sent[1]["body"].decode()


SIGNED = "AWS4-HMAC-SHA256 Credential=key/20261122/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


def test_docker_reaches_the_registry_and_no_signed_request_does() -> None:
    assert _through({}, path="/v2/") == (200, "registry")
    assert _through({}, path="/v2/us-east-1/app/manifests/1") == (200, "registry")
    assert _through({}, path="/v20") == (200, "backend")
    assert _through({"authorization": SIGNED.format("sts")}, path="/v2/email") == (200, "backend")
    assert _through({"host": settings.RELAY_ADDRESS}, path="/v2/credentials/x") == (200, "agent")


def test_services_of_ours_come_before_the_backend() -> None:
    async def ours(_scope: gateway.Scope, _receive: gateway.Receive, send: gateway.Send) -> None:
        await _say(send, "ours")

    ecs = {"authorization": SIGNED.format("ecs")}
    assert _through(ecs)[0] == 501
    apps = {"ecs": ours}
    assert _through(ecs, apps=apps) == (200, "ours")
    assert _through({"x-amz-target": "AmazonEC2ContainerServiceV20141113.ListClusters"}, apps=apps) == (200, "ours")
    assert _through({}, "X-Amz-Credential=key%2F20261122%2Fus-east-1%2Fecs%2Faws4_request", apps=apps) == (200, "ours")
    assert _through({"authorization": SIGNED.format("sts")}, apps=apps) == (200, "backend")
    assert _through({}, apps=apps) == (200, "backend")  # unsigned: container credentials, the registry


def test_a_load_balancers_name_reaches_the_balancer_and_nothing_else() -> None:
    signed = {"authorization": SIGNED.format("sts")}
    for host in ("web-1.us-east-1.elb.amazonaws.com", "web-1.us-east-1.elb.localhost"):
        for path in ("/", gateway.HEALTH, gateway.STOP, "/_ministack/reset"):
            assert _through({"host": f"{host}:8080", **signed}, path=path) == (200, f"balancer {host} 8080")
    assert _through({"host": "elb.amazonaws.com", **signed})[0] == 403


def test_the_agent_answers_a_tasks_containers_and_nobody_else() -> None:
    for path in ("/v4/abc/task", "/v3/abc", "/v2/credentials/abc"):
        assert _through({"host": settings.RELAY_ADDRESS}, path=path) == (200, "agent")
        assert _through({}, path=path)[1] != "agent"


def test_errors_that_are_json_say_so() -> None:
    status, body = _through({"authorization": SIGNED.format("swf"), "content-type": "application/x-amz-json-1.0"})
    assert status == 501
    assert json.loads(body)["__type"] == "NotImplemented"


def _gateway_memory() -> int:
    answer = server.health()
    assert answer is not None
    return psutil.Process(answer["pid"]).memory_info().rss
