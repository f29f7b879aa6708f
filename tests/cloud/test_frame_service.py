"""A service of ours: how a request is refused before an operation sees it, and what happens when one fails."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request, Service, Services
from labs.cloud.frame.store import StateNotSavedError, Store

TARGET = "AmazonEC2ContainerServiceV20141113"


class Context:
    """What the operations of these tests see."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.calls: list[tuple[dict[str, Any], str]] = []


def list_clusters(context: Context, request: Request) -> dict[str, Any]:
    context.calls.append((dict(request), request.region))
    context.store.table("calls").put("last", {"count": len(context.calls)})
    return {"clusterArns": ["arn"], "_internal": 1}


async def describe_clusters(context: Context, request: Request) -> None:
    await asyncio.sleep(0)
    raise AwsError("ClusterNotFoundException", "Cluster not found.")


def delete_cluster(context: Context, request: Request) -> None:
    raise ZeroDivisionError("a fault of ours")


def tag_resource(context: Context, request: Request) -> None:
    context.calls.append((dict(request), request.region))


OPERATIONS = {
    "ListClusters": list_clusters,
    "DescribeClusters": describe_clusters,
    "DeleteCluster": delete_cluster,
    "TagResource": tag_resource,
    "CreateCluster": tag_resource,
}


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    store = Store(tmp_path / "state.sqlite")
    yield Context(store)
    store.close()


@pytest.fixture
def service(context: Context) -> Service:
    return Service("ecs", context, OPERATIONS, context.store, invalid="InvalidParameterException")


def ask(
    service: Service, operation: str, body: bytes | dict[str, Any] = b"{}", region: str = "eu-west-3"
) -> tuple[int, dict[str, Any]]:
    """The status and the body that an HTTP request is answered with."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    credential = f"AWS4-HMAC-SHA256 Credential=key/20260101/{region}/ecs/aws4_request, SignedHeaders=host, Signature=00"
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"X-Amz-Target", f"{TARGET}.{operation}".encode()), (b"authorization", credential.encode())],
    }
    chunks = [content[start : start + 65536] for start in range(0, len(content), 65536)] or [b""]
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages[-1]["more_body"] = False
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(service(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_an_operation_gets_its_input_and_the_region_and_its_output_is_cut_to_the_model(
    service: Service, context: Context
) -> None:
    status, answer = ask(service, "ListClusters", {"maxResults": 5, "noSuchMember": 1})
    assert (status, answer) == (200, {"clusterArns": ["arn"]})
    assert context.calls == [({"maxResults": 5, "noSuchMember": 1}, "eu-west-3")]


def test_what_an_operation_changed_is_on_disk_before_it_is_told(
    service: Service, context: Context, tmp_path: Path
) -> None:
    ask(service, "ListClusters")
    second = Store(tmp_path / "state.sqlite")
    assert dict(second.table("calls")) == {"last": {"count": 1}}
    second.close()


@pytest.mark.parametrize(
    ("operation", "body", "refusal"),
    [
        ("NoSuchOperation", b"{}", (400, "UnknownOperationException")),
        ("", b"{}", (400, "UnknownOperationException")),
        ("ListTasks", b"{}", (501, "NotImplemented")),
        ("ListClusters", b"{", (400, "SerializationException")),
        ("ListClusters", b'{"maxResults": "5"}', (400, "SerializationException")),
        ("ListClusters", b"x" * 2_000_001, (413, "RequestEntityTooLargeException")),
        ("DescribeClusters", b"{}", (400, "ClusterNotFoundException")),
        ("DeleteCluster", b"{}", (400, "InvalidParameterException")),
    ],
)
def test_refusals(service: Service, context: Context, operation: str, body: bytes, refusal: tuple[int, str]) -> None:
    status, answer = ask(service, operation, body)
    assert (status, answer["__type"]) == refusal
    assert answer["message"]
    assert context.calls == []


@pytest.mark.parametrize(
    ("operation", "body", "message"),
    [
        (
            "DeleteCluster",
            {},
            "1 validation error detected: Value null at 'cluster' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            "TagResource",
            {"resourceArn": "x", "tags": [{"key": "a\u00e9 :/=+-@_.1"}, {"key": "b", "value": "c;"}]},
            "1 validation error detected: Value 'c;' at 'tags.2.member.value' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: ([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)",
        ),
        (
            "TagResource",
            {"tags": [{"key": ""}, {"key": "k" * 129, "value": "v" * 257}]},
            "4 validation errors detected: Value null at 'resourceArn' failed to satisfy constraint: "
            "Member must not be null; Value '' at 'tags.1.member.key' failed to satisfy constraint: "
            f"Member must have length greater than or equal to 1; Value '{'k' * 129}' at "
            "'tags.2.member.key' failed to satisfy constraint: Member must have "
            f"length less than or equal to 128; Value '{'v' * 257}' at 'tags.2.member.value' failed to satisfy "
            "constraint: Member must have length less than or equal to 256",
        ),
        (
            "CreateCluster",
            {"defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1001, "base": -1}]},
            "2 validation errors detected: Value '1001' at 'defaultCapacityProviderStrategy.1.member.weight' failed to "
            "satisfy constraint: Member must have value less than or equal to 1000; Value '-1' at "
            "'defaultCapacityProviderStrategy.1.member.base' failed to satisfy constraint: Member must have value "
            "greater than or equal to 0",
        ),
        (
            "CreateCluster",
            {"settings": [{"name": "insights", "value": "on"}]},
            "1 validation error detected: Value 'insights' at 'settings.1.member.name' failed to satisfy constraint: "
            "Member must satisfy enum value set: [containerInsights]",
        ),
    ],
)
def test_constraints_of_the_model_are_told_in_the_words_of_aws(
    service: Service, operation: str, body: dict[str, Any], message: str
) -> None:
    assert ask(service, operation, body) == (400, {"__type": "InvalidParameterException", "message": message})


def test_a_fault_of_ours_is_a_500_in_the_log_and_the_service_lives_on(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    status, answer = ask(service, "DeleteCluster", {"cluster": "x"})
    assert (status, answer["__type"]) == (500, "ServerException")
    assert "a fault of ours" not in answer["message"]
    assert "a fault of ours" in caplog.text
    assert ask(service, "ListClusters")[0] == 200


def test_state_that_cannot_be_saved_is_a_500_that_says_so(
    service: Service, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise StateNotSavedError("The disk is full.")

    monkeypatch.setattr(context.store, "flush", full)
    assert ask(service, "ListClusters") == (500, {"__type": "ServerException", "message": "The disk is full."})


def test_services_call_each_other_with_the_same_checks(service: Service, context: Context) -> None:
    services = Services()
    services.add("ecs", service)
    answer = asyncio.run(services.call("ecs", "ListClusters", "eu-west-3", maxResults=5))
    assert answer["clusterArns"] == ["arn"]
    assert context.calls == [({"maxResults": 5}, "eu-west-3")]
    for operation, parameters, code in (
        ("DescribeClusters", {}, "ClusterNotFoundException"),
        ("ListClusters", {"maxResults": "5"}, "SerializationException"),
        ("DeleteCluster", {}, "InvalidParameterException"),
        ("NoSuchOperation", {}, "UnknownOperationException"),
    ):
        with pytest.raises(AwsError) as refused:
            asyncio.run(services.call("ecs", operation, **parameters))
        assert refused.value.code == code


def test_an_operation_that_the_model_does_not_know_is_a_mistake_in_the_program(context: Context) -> None:
    with pytest.raises(ValueError, match="NoSuchThing"):
        Service("ecs", context, {"NoSuchThing": tag_resource}, context.store, invalid="InvalidParameterException")
