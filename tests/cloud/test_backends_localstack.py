"""LocalStack as the backend: by its address, and from an image, which a small server plays here."""

import http.client
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import boto3
import docker
import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from cloud_lab import free_port, ours, own_place, wait_until

from labs import settings
from labs.cloud import environment, server
from labs.cloud.backends import errors, localstack, localstack_container, table
from labs.cloud.engine import labels
from labs.machine import choosing, console

pytestmark = pytest.mark.embedded  # it has its own LocalStacks
IMAGE = "cloud-test-localstack:1"
TOKEN = "ls-the-right-token"


class Played(BaseHTTPRequestHandler):
    """A LocalStack that has SQS, answers each call with what it was sent, and names queues by its own host."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []

    def do_GET(self) -> None:
        services = {"sqs": "available", "s3": "running", "cloudwatch": "available", "efs": "disabled"}
        self._answer({"services": services, "version": "2026.3.0", "edition": "community"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self._answer({"QueueUrl": f"http://sqs.us-east-1.localhost.localstack.cloud:4566/{settings.ACCOUNT}/played"})

    def do_PUT(self) -> None:
        size = 0
        if self.headers.get("transfer-encoding") == "chunked":
            while length := int(self.rfile.readline(), 16):
                size += len(self.rfile.read(length + 2)) - 2
            self.rfile.readline()
        else:
            size = len(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append((self.path, dict(self.headers.items()), str(size).encode()))
        self._answer({})

    def _answer(self, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def played() -> Iterator[str]:
    """The address of a server that plays LocalStack; what it was sent is in `Played.seen`."""
    Played.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Played) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listener.server_address[1]}"
        listener.shutdown()


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Path]:
    """A place for a local AWS in which no backend is chosen."""
    with own_place(tmp_path) as folder:
        yield folder


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    client = docker.from_env()
    client.images.build(path=str(Path(__file__).parent / "localstack_stand_in"), tag=IMAGE, rm=True, forcerm=True)
    yield IMAGE
    client.images.remove(IMAGE, force=True)


# --- by address -----------------------------------------------------------------------------------------------


def test_a_running_one_is_chosen_by_its_address_and_remembered(mine: Path, played: str) -> None:
    server.ensure_running()
    assert server.health()["backend"] == "embedded"
    choosing.choose("localstack", url=played)
    assert server.ensure_running().how == "started"
    health = server.health()
    assert (health["backend"], health["backend_url"]) == ("localstack", played)
    assert health["services"] == ["monitoring", "s3", "sqs"]

    url = boto3.client("sqs").create_queue(QueueName="played")["QueueUrl"]
    assert url == f"{settings.gateway_url()}/{settings.ACCOUNT}/played"
    path, headers, body = Played.seen[-1]
    assert path == "/"
    assert headers["x-amz-target"] == "AmazonSQS.CreateQueue"
    assert f"Credential={environment.THROW_AWAY_KEY}/" in headers["authorization"]
    assert json.loads(body)["QueueName"] == "played"
    # Ours are ours on every backend; what it has not is said at once.
    assert boto3.client("ecs").list_clusters()["clusterArns"] == []
    with pytest.raises(ClientError, match="has no service 'elasticfilesystem'"):
        boto3.client("efs").describe_file_systems()
    # And back: each backend has its own state.
    boto3.client("ecs").create_cluster(clusterName="on-localstack")
    choosing.choose("embedded")
    server.ensure_running()
    assert server.health()["backend"] == "embedded"
    assert boto3.client("ecs").list_clusters()["clusterArns"] == []


def test_bodies_are_passed_on_as_they_come(mine: Path, played: str) -> None:
    choosing.choose("localstack", url=played)
    server.ensure_running()
    connection = http.client.HTTPConnection("127.0.0.1", settings.gateway_port(), timeout=20)
    scope = f"AWS4-HMAC-SHA256 Credential=x/20261101/{settings.REGION}/s3/aws4_request, Signature=x"
    pieces = (b"x" * 70_000 for _ in range(50))
    path = "/bucket/a%20key%2Fwith~odd+names%C3%A9?partNumber=1&uploadId=%2B"
    connection.request(
        "PUT", path, pieces, {"Authorization": scope, "Transfer-Encoding": "chunked"}, encode_chunked=True
    )
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.read() == b"{}"
    connection.close()
    assert Played.seen[-1][0] == path
    assert Played.seen[-1][2] == b"3500000"


def test_one_that_ends_is_said_in_a_sentence(mine: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Played) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        choosing.choose("localstack", url=f"http://127.0.0.1:{listener.server_address[1]}")
        server.ensure_running()
        listener.shutdown()
    with pytest.raises(ClientError, match=r"LocalStack at http://127\.0\.0\.1:\d+ gave no answer"):
        boto3.client("sqs").create_queue(QueueName="any")
    server.stop()
    with pytest.raises(server.CloudError, match="No LocalStack answers at"):
        server.ensure_running()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("localhost:4567", "is no address"),
        ("ftp://localhost:4567", "is no address"),
        ("http://localhost:4567/path", "is no address"),
        ("http://user:secret@localhost:4567", "is no address"),
        ("https://sqs.us-east-1.amazonaws.com", "is a real AWS host"),
        ("http://127.0.0.1:{own}", "is the course's own port"),
        ("http://127.0.0.1:{free}", "No LocalStack answers"),
    ],
)
def test_an_address_that_cannot_be_is_refused_and_nothing_changes(mine: Path, url: str, reason: str) -> None:
    with pytest.raises(console.Trouble, match=reason):
        choosing.choose("localstack", url=url.format(own=settings.gateway_port(), free=free_port()))
    assert settings.backend() == "embedded"


def test_names_of_services_are_botocores() -> None:
    loader = Loader()
    for name, signed in localstack.SIGNED_AS.items():
        metadata = loader.load_service_model(name, "service-2")["metadata"]
        assert metadata.get("signingName", metadata["endpointPrefix"]).removeprefix("streams.") == signed


# --- the image ------------------------------------------------------------------------------------------------


def _containers() -> list[str]:
    return ours(localstack_container.ROLE)


def test_the_image_is_started_with_the_token_which_is_seen_nowhere(
    mine: Path, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(localstack_container.IMAGE_VARIABLE, image)
    monkeypatch.setenv(localstack_container.TOKEN_VARIABLE, TOKEN)
    choosing.choose("localstack")
    assert server.ensure_running().how == "started"
    assert boto3.client("sts").get_caller_identity()["Arn"].endswith("user/stand-in")
    client = docker.from_env()
    (container,) = client.containers.list(filters={"label": labels.ours(localstack_container.ROLE)})
    assert TOKEN not in json.dumps(container.attrs)
    assert [one["HostIp"] for one in container.ports["4566/tcp"]] == ["127.0.0.1"]
    assert TOKEN not in container.logs().decode()
    assert TOKEN not in json.dumps(container.top())
    for path in (mine / "data").rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path

    # Killed: the next start finds the container, and needs no token.
    monkeypatch.delenv(localstack_container.TOKEN_VARIABLE)
    os.kill(server.health()["pid"], 9)
    wait_until(lambda: server.health() is None)
    assert server.ensure_running().how == "recovered"
    assert _containers() == [container.name]
    server.stop()
    assert _containers() == []
    for volume in client.volumes.list(filters={"label": labels.ours(localstack_container.ROLE)}):
        volume.remove()


def test_a_wrong_token_no_token_and_no_image_are_said(mine: Path, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choosing.choose("localstack")
    monkeypatch.setenv(localstack_container.IMAGE_VARIABLE, image)
    monkeypatch.delenv(localstack_container.TOKEN_VARIABLE, raising=False)
    with pytest.raises(server.CloudError, match="starts only with a token: set LOCALSTACK_AUTH_TOKEN"):
        server.ensure_running()
    monkeypatch.setenv(localstack_container.TOKEN_VARIABLE, "ls-a-wrong-secret")
    with pytest.raises(server.CloudError, match="License activation failed") as caught:
        server.ensure_running()
    assert "ls-a-wrong-secret" not in str(caught.value)
    assert "ls-a-wrong-secret" not in (mine / "data/logs/cloud.log").read_text()
    monkeypatch.setenv(localstack_container.IMAGE_VARIABLE, "127.0.0.1:1/no-such-image:1")
    with pytest.raises(server.CloudError, match="could not be pulled"):
        server.ensure_running()
    assert _containers() == []
    for volume in docker.from_env().volumes.list(filters={"label": labels.ours(localstack_container.ROLE)}):
        volume.remove()


# --- the table ------------------------------------------------------------------------------------------------


def test_the_table_says_what_is_missing() -> None:
    assert table.lacking("ecs_data_volumes", "localstack") == ["elasticfilesystem"]
    assert table.lacking("ecs_data_volumes", "localstack", ["elasticfilesystem"]) == []
    assert table.lacking("ecs_service", "embedded") == []
    assert "images built on this machine" in table.lacking("ecs_service", "aws")[0]


def test_only_backends_that_exist_can_be_chosen(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(console.Trouble, match=r"--url belongs to `--backend localstack`"):
        choosing.choose("embedded", url="http://127.0.0.1:1")
    monkeypatch.setenv("COURSE_BACKEND", "embedded")
    with pytest.raises(console.Trouble, match="COURSE_BACKEND is embedded"):
        choosing.choose("localstack")
    assert issubclass(errors.BackendUnavailableError, Exception)
