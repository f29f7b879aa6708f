"""The protocols against botocore itself: what it writes is read, and what is written is what it reads.

For every operation of ECS (JSON), Elastic Load Balancing (Query) and EventBridge Scheduler (REST JSON), with examples
made from its shapes.
"""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from labs.cloud.frame import wire
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.http import Incoming

MODELS = {
    name: ServiceModel(Loader().load_service_model(name, "service-2"), name) for name in ("ecs", "elbv2", "scheduler")
}
KINDS = ("full", "least", "empty", "false")
CASES = [
    pytest.param(model.operation_model(name), kind, id=f"{service}-{name}-{kind}")
    for service, model in MODELS.items()
    for name in model.operation_names
    for kind in KINDS
    if service != "scheduler" or kind in ("full", "least")  # a path has no empty parts
]
TEXT = "a <b> & \"c\" = d+e %20;\u00e9\u4e16\U0001f433 'f'\tg"
MOMENT = 1_700_000_000
SCALARS = {
    "string": TEXT, "integer": 7, "long": 2**40, "float": 1.5, "double": 2.25, "boolean": True, "timestamp": MOMENT,
    "blob": b"\x00\xff",
}  # fmt: skip


def example(shape: Shape, kind: str, seen: tuple[str, ...] = ()) -> Any:
    """A value of a shape: `full` has every member and two of each item, `least` only what is required, `empty` lists
    and structures with nothing in them, `false` the values that count as nothing in Python."""
    if shape.type_name == "structure":
        members = {} if shape.name in seen else shape.members
        return {
            name: example(member, kind, (*seen, shape.name))
            for name, member in members.items()
            if kind != "least" or name in shape.required_members
        }
    if shape.type_name == "list":
        item = example(shape.member, kind, seen)
        if item == {}:  # the Query protocol has no way to send a list of nothing
            item = example(shape.member, "full", seen)
        return [] if kind == "empty" else [item] * 2
    if shape.type_name == "map":
        return {} if kind == "empty" else {f"key {n}": example(shape.value, kind, seen) for n in range(2)}
    if kind == "false":
        return {"string": "", "boolean": False, "timestamp": 0.0, "blob": b""}.get(shape.type_name, 0)
    return SCALARS[shape.type_name]


def told(value: Any, shape: Shape) -> Any:
    """A value as botocore tells it: times as `datetime`."""
    if shape.type_name == "structure":
        return {name: told(item, shape.members[name]) for name, item in value.items()}
    if shape.type_name == "list":
        return [told(item, shape.member) for item in value]
    if shape.type_name == "map":
        return {key: told(item, shape.value) for key, item in value.items()}
    return datetime.fromtimestamp(value, UTC) if shape.type_name == "timestamp" else value


def sent(given: dict[str, Any], operation: OperationModel) -> Incoming:
    """What botocore sends for this input."""
    protocol = operation.service_model.metadata["protocol"]
    request = create_serializer(protocol, include_validation=False).serialize_to_request(given, operation)
    body = request["body"]
    if isinstance(body, dict):
        body = urlencode(body)
    headers = {name.lower(): value for name, value in request["headers"].items()}
    path, query = request["url_path"].partition("?")[0], urlencode(request["query_string"] or {}, doseq=True)
    return Incoming(request["method"], path, query, headers, body.encode() if isinstance(body, str) else body)


def posted(body: bytes) -> Incoming:
    """A request with this body."""
    return Incoming("POST", "/", "", {}, body)


@pytest.mark.parametrize(("operation", "kind"), CASES)
def test_every_request_of_botocore_is_read_as_it_was_meant(operation: OperationModel, kind: str) -> None:
    given = example(operation.input_shape, kind)
    incoming = sent(given, operation)
    reader = wire.for_model(operation.service_model)
    assert reader.operation(incoming) == operation.name
    assert reader.read(operation, incoming) == given


@pytest.mark.parametrize(("operation", "kind"), CASES)
def test_every_answer_is_read_by_botocore_as_it_was_meant(operation: OperationModel, kind: str) -> None:
    given = example(operation.output_shape, kind) if operation.output_shape else {}
    answer = wire.for_model(operation.service_model).write(operation, given, "request-1")
    read = create_parser(operation.service_model.metadata["protocol"]).parse(
        {"status_code": answer.status, "headers": answer.headers, "body": answer.body}, operation.output_shape
    )
    assert read.pop("ResponseMetadata")["RequestId"] == "request-1"
    assert read == (told(given, operation.output_shape) if operation.output_shape else {})


@pytest.mark.parametrize("service", MODELS)
def test_an_answer_has_no_members_that_the_model_does_not_know(service: str) -> None:
    name, member = {
        "ecs": ("DescribeClusters", "clusters"),
        "elbv2": ("DescribeLoadBalancers", "LoadBalancers"),
        "scheduler": ("ListSchedules", "Schedules"),
    }[service]
    operation = MODELS[service].operation_model(name)
    answer = wire.for_model(MODELS[service]).write(operation, {member: [{"_secret": "x", "Other": 1}]}, "request-1")
    assert b"_secret" not in answer.body
    assert b"Other" not in answer.body


@pytest.mark.parametrize("service", MODELS)
def test_an_error_is_read_by_botocore(service: str) -> None:
    refusal = AwsError("ClusterNotFoundException", f"No: {TEXT}")
    answer = wire.for_model(MODELS[service]).write_error(refusal, 400, "request-1")
    parser = create_parser(MODELS[service].metadata["protocol"])
    read = parser.parse({"status_code": answer.status, "headers": answer.headers, "body": answer.body}, None)
    assert (read["Error"]["Code"], read["Error"]["Message"]) == (refusal.code, refusal.message)
    assert read["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "SerializationException"),
        (b'"text"', "SerializationException"),
        (b"[]", "SerializationException"),
        (b"\xff\xfe\x00", "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        (b'{"clusterName": 5}', "SerializationException"),
        (b'{"tags": {"key": "a"}}', "SerializationException"),
        (b'{"tags": [["a"]]}', "SerializationException"),
        (b'{"defaultCapacityProviderStrategy": [{"weight": "1"}]}', "SerializationException"),
        (b'{"defaultCapacityProviderStrategy": [{"weight": true}]}', "SerializationException"),
        (b'{"defaultCapacityProviderStrategy": [{"weight": 1.5}]}', "SerializationException"),
        (b'{"defaultCapacityProviderStrategy": [{"weight": 2147483648}]}', "SerializationException"),
    ],
)
def test_json_that_cannot_be_read_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(AwsError) as refused:
        wire.for_model(MODELS["ecs"]).read(MODELS["ecs"].operation_model("CreateCluster"), posted(body))
    assert refused.value.code == code


@pytest.mark.parametrize(
    "parameters",
    [
        {"Port": "eighty"},
        {"Port": "80.5"},
        {"DefaultActions": "x"},
        {"DefaultActions.member.one.Type": "forward"},
        {"DefaultActions.member.1": "forward"},
        {"DefaultActions.member.1.ForwardConfig.TargetGroupStickinessConfig.Enabled": "maybe"},
        {"Port": "80", "Port.member.1": "81"},
    ],
)
def test_form_fields_that_cannot_be_read_are_refused(parameters: dict[str, str]) -> None:
    operation = MODELS["elbv2"].operation_model("CreateListener")
    with pytest.raises(AwsError) as refused:
        wire.for_model(MODELS["elbv2"]).read(operation, posted(urlencode(parameters).encode()))
    assert refused.value.code == "MalformedInput"


def test_unknown_members_and_nulls_are_passed_over() -> None:
    operation = MODELS["ecs"].operation_model("CreateCluster")
    body = json.dumps({"clusterName": None, "tags": [None, {"key": "a", "value": None}]}).encode()
    assert wire.for_model(MODELS["ecs"]).read(operation, posted(body)) == {"tags": [{"key": "a"}]}
    form = urlencode({"Action": "CreateListener", "Version": "2015-12-01", "NoSuchMember": "1", "Port": "80"}).encode()
    listener = MODELS["elbv2"].operation_model("CreateListener")
    assert wire.for_model(MODELS["elbv2"]).read(listener, posted(form)) == {"Port": 80}


def test_list_items_of_a_form_are_ordered_by_their_number() -> None:
    form = urlencode({f"Subnets.member.{n}": f"subnet-{n}" for n in (10, 2, 1)}).encode()
    operation = MODELS["elbv2"].operation_model("CreateLoadBalancer")
    read = wire.for_model(MODELS["elbv2"]).read(operation, posted(form))
    assert read == {"Subnets": ["subnet-1", "subnet-2", "subnet-10"]}
