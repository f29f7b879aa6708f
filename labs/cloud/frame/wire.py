"""Requests and answers on the wire, read and written from botocore's models: the JSON, REST JSON and Query protocols.

https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html, https://smithy.io/2.0/aws/protocols/aws-query-protocol.html,
https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
"""

import base64
import json
import re
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote
from xml.sax.saxutils import escape

from botocore.model import OperationModel, ServiceModel, Shape

from labs.cloud import protocol
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.http import Incoming
from labs.cloud.frame.validation import wrong_type


class JsonWire:
    """`X-Amz-Target: <prefix>.<operation>`, JSON in, JSON out."""

    unknown_operation = "UnknownOperationException"

    def __init__(self, model: ServiceModel) -> None:
        self._content_type = f"application/x-amz-json-{model.metadata.get('jsonVersion', '1.1')}"

    def operation(self, incoming: Incoming) -> str:
        """The name of the operation asked for; empty if none is."""
        return incoming.headers.get("x-amz-target", "").rpartition(".")[2]

    def read(self, operation: OperationModel, incoming: Incoming) -> dict[str, Any]:
        """The operation's input.

        Raises:
            AwsError: it is no JSON object or a member has a wrong type.
        """
        found = _json_object(incoming.body)
        if operation.input_shape is None:
            return {}
        if problem := wrong_type(found, operation.input_shape):
            raise AwsError("SerializationException", problem)
        return _without_nulls(found)

    def write(self, operation: OperationModel, output: dict[str, Any], request_id: str) -> protocol.Answer:
        """The answer to a request that succeeded."""
        shape = operation.output_shape
        body = json.dumps(_json(output, shape) if shape else {}).encode()
        return protocol.Answer(200, {"content-type": self._content_type, "x-amzn-requestid": request_id}, body)

    def write_error(self, refusal: AwsError, status: int, request_id: str) -> protocol.Answer:
        """The answer to a request that was refused."""
        body = json.dumps({"__type": refusal.code, "message": refusal.message}).encode()
        headers = {"content-type": self._content_type, "x-amzn-requestid": request_id, "x-amzn-errortype": refusal.code}
        return protocol.Answer(status, headers, body)


class QueryWire:
    """`Action=<operation>&Member.1=...` in, XML out."""

    unknown_operation = "InvalidAction"

    def __init__(self, model: ServiceModel) -> None:
        self._namespace = model.metadata.get("xmlNamespace", "")

    def operation(self, incoming: Incoming) -> str:
        """The name of the operation asked for; empty if none is."""
        return _form(incoming.query, incoming.body).get("Action", "")

    def read(self, operation: OperationModel, incoming: Incoming) -> dict[str, Any]:
        """The operation's input.

        Raises:
            AwsError: a value cannot be read as its type.
        """
        tree: dict[str, Any] = {}
        for name, value in _form(incoming.query, incoming.body).items():
            if name in ("Action", "Version"):
                continue
            branch = tree
            *parents, last = name.split(".")
            for part in parents:
                step = branch.setdefault(part, {})
                if not isinstance(step, dict):
                    raise AwsError("MalformedInput", f"The parameter '{name}' contradicts another one.")
                branch = step
            branch[last] = value
        return _from_tree(tree, operation.input_shape, "") if operation.input_shape else {}

    def write(self, operation: OperationModel, output: dict[str, Any], request_id: str) -> protocol.Answer:
        """The answer to a request that succeeded."""
        shape = operation.output_shape
        result = _xml_members(output, shape) if shape else ""
        wrapper = (shape.serialization.get("resultWrapper") if shape else None) or f"{operation.name}Result"
        body = (
            f'<{operation.name}Response xmlns="{self._namespace}"><{wrapper}>{result}</{wrapper}>'
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation.name}Response>"
        )
        return protocol.Answer(200, {"content-type": "text/xml", "x-amzn-requestid": request_id}, body.encode())

    def write_error(self, refusal: AwsError, status: int, request_id: str) -> protocol.Answer:
        """The answer to a request that was refused."""
        body = (
            f'<ErrorResponse xmlns="{self._namespace}"><Error><Type>{"Sender" if status < 500 else "Receiver"}</Type>'
            f"<Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return protocol.Answer(status, {"content-type": "text/xml", "x-amzn-requestid": request_id}, body.encode())


class RestJsonWire:
    """Method and path name the operation; members are in the path, the query, the headers and a JSON body."""

    unknown_operation = "UnknownOperationException"

    def __init__(self, model: ServiceModel) -> None:
        operations = [model.operation_model(name) for name in model.operation_names]
        operations.sort(key=lambda operation: operation.http["requestUri"].count("{"))  # fixed paths come first
        self._routes = [(each.http["method"], _route(each.http["requestUri"]), each.name) for each in operations]
        messages = (name for shape in model.error_shapes for name in shape.members if name.lower() == "message")
        self._message = next(messages, "message")  # 'Message' in some models

    def operation(self, incoming: Incoming) -> str:
        """The name of the operation asked for; empty if none is."""
        fits = (
            name for method, route, name in self._routes if method == incoming.method and route.match(incoming.path)
        )
        return next(fits, "")

    def read(self, operation: OperationModel, incoming: Incoming) -> dict[str, Any]:
        """The operation's input.

        Raises:
            AwsError: it is no JSON object or a member has a wrong type.
        """
        shape = operation.input_shape
        if shape is None:
            return {}
        path = _route(operation.http["requestUri"]).match(incoming.path)
        labels = re.findall(r"{(\w+)\+?}", operation.http["requestUri"])
        places = {
            "uri": {name: [unquote(text)] for name, text in zip(labels, path.groups() if path else (), strict=False)},
            "querystring": parse_qs(incoming.query, keep_blank_values=True),
            "header": {name: [text] for name, text in incoming.headers.items()},
        }
        payload = shape.serialization.get("payload")
        if payload and shape.members[payload].type_name in ("blob", "string"):
            found: dict[str, Any] = {payload: incoming.body}
        else:
            content = _from_json(_json_object(incoming.body), shape.members[payload] if payload else shape)
            found = {payload: content} if payload else content
        for name, member in shape.members.items():
            if where := member.serialization.get("location"):
                wire_name = member.serialization.get("name", name)
                texts = places.get(where, {}).get(wire_name.lower() if where == "header" else wire_name)
                found.pop(name, None)
                if texts:
                    found[name] = _from_texts(texts, member, name)
        if problem := wrong_type(found, shape):
            raise AwsError("SerializationException", problem)
        return _without_nulls(found)

    def write(self, operation: OperationModel, output: dict[str, Any], request_id: str) -> protocol.Answer:
        """The answer to a request that succeeded."""
        headers = {"content-type": "application/json", "x-amzn-requestid": request_id}
        shape = operation.output_shape
        content = output
        if shape and (payload := shape.serialization.get("payload")):
            shape, content = shape.members[payload], output.get(payload, {})
        body = json.dumps(_json(content, shape) if shape else {}).encode()
        return protocol.Answer(operation.http.get("responseCode", 200), headers, body)

    def write_error(self, refusal: AwsError, status: int, request_id: str) -> protocol.Answer:
        """The answer to a request that was refused."""
        headers = {
            "content-type": "application/json", "x-amzn-requestid": request_id, "x-amzn-errortype": refusal.code,
        }  # fmt: skip
        return protocol.Answer(status, headers, json.dumps({self._message: refusal.message}).encode())


def for_model(model: ServiceModel) -> JsonWire | QueryWire | RestJsonWire:
    """The protocol of a service's model.

    Raises:
        KeyError: one that the frame does not speak.
    """
    return {"json": JsonWire, "query": QueryWire, "rest-json": RestJsonWire}[model.metadata["protocol"]](model)


# --- JSON -------------------------------------------------------------------------------------------------------------


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise AwsError("SerializationException", "The request's body is no JSON.") from None
    if not isinstance(found, dict):
        raise AwsError("SerializationException", "The request's body is no JSON object.")
    return found


def _from_json(value: Any, shape: Shape) -> Any:
    """JSON with the model's own member names where the wire has others; what does not fit is left for `wrong_type`."""
    if shape.type_name == "structure" and isinstance(value, dict):
        names = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
        known = ((*names[key], item) for key, item in value.items() if key in names)
        return {name: _from_json(item, member) for name, member, item in known}
    if shape.type_name == "list" and isinstance(value, list):
        return [_from_json(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _from_json(item, shape.value) for key, item in value.items()}
    return value


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    return value


def _json(value: Any, shape: Shape) -> Any:
    """A value as JSON, with the members that the shape has and no others."""
    kind = shape.type_name
    if kind == "structure":
        return {
            member.serialization.get("name", name): _json(value[name], member)
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if kind == "list":
        return [_json(item, shape.member) for item in value]
    if kind == "map":
        return {key: _json(item, shape.value) for key, item in value.items()}
    if kind == "blob":
        return base64.b64encode(value if isinstance(value, bytes) else str(value).encode()).decode()
    return value


# --- REST -------------------------------------------------------------------------------------------------------------


def _route(uri: str) -> re.Pattern[str]:
    """A path with labels, e.g. `/schedules/{Name}`, as a pattern over percent-encoded paths."""
    parts = re.split(r"({\w+\+?})", uri.partition("?")[0])
    patterns = [
        ("(.+)" if part.endswith("+}") else "([^/]+)") if part[:1] == "{" else re.escape(part) for part in parts
    ]
    return re.compile("".join(patterns) + "/?$")


def _from_texts(texts: list[str], shape: Shape, path: str) -> Any:
    """A member in path, query or header; a list is sent as several of the same name."""
    if shape.type_name == "list":
        return [_scalar(text, shape.member.type_name, path) for text in texts]
    return _scalar(texts[-1], shape.type_name, path)


# --- Query ------------------------------------------------------------------------------------------------------------


def _form(query: str, body: bytes) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    return dict(pairs + parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _from_tree(tree: Any, shape: Shape, path: str) -> Any:
    """The value that the split parameter names stand for."""
    kind = shape.type_name
    if kind in ("structure", "list", "map") and not isinstance(tree, dict):
        if tree == "":  # an empty list is sent as 'Name='
            return [] if kind == "list" else {}
        raise AwsError("MalformedInput", f"The value at '{path}' cannot be read as {kind}.")
    if kind == "structure":
        names = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
        known = ((*names[wire], inner) for wire, inner in tree.items() if wire in names)
        return {name: _from_tree(inner, member, f"{path}.{name}".lstrip(".")) for name, member, inner in known}
    if kind == "list":
        flat = shape.serialization.get("flattened")
        items = tree if flat else tree.get(shape.member.serialization.get("name", "member"), {})
        return [_from_tree(item, shape.member, f"{path}.{place}.member") for place, item in _numbered(items, path)]
    if kind == "map":
        entries = tree if shape.serialization.get("flattened") else tree.get("entry", {})
        pairs = [entry for _, entry in _numbered(entries, path)]
        return {entry.get("key", ""): _from_tree(entry.get("value", ""), shape.value, path) for entry in pairs}
    if isinstance(tree, dict):
        raise AwsError("MalformedInput", f"The value at '{path}' cannot be read as {kind}.")
    return _scalar(tree, kind, path)


def _numbered(items: Any, path: str) -> list[tuple[int, Any]]:
    if not isinstance(items, dict) or not all(place.isdecimal() for place in items):
        raise AwsError("MalformedInput", f"The value at '{path}' cannot be read as a list.")
    return sorted((int(place), item) for place, item in items.items())


def _scalar(text: str, kind: str, path: str) -> Any:
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
        if kind == "boolean":
            return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        raise AwsError("MalformedInput", f"The value '{text}' at '{path}' cannot be read as {kind}.") from None
    return text


def _xml_members(value: dict[str, Any], shape: Shape) -> str:
    return "".join(
        _xml(value[name], member, member.serialization.get("name", name))
        for name, member in shape.members.items()
        if value.get(name) is not None
    )


def _xml(value: Any, shape: Shape, tag: str) -> str:
    kind = shape.type_name
    if kind == "structure":
        return f"<{tag}>{_xml_members(value, shape)}</{tag}>"
    if kind == "list":
        flat = shape.serialization.get("flattened")
        item_tag = tag if flat else shape.member.serialization.get("name", "member")
        items = "".join(_xml(item, shape.member, item_tag) for item in value)
        return items if flat else f"<{tag}>{items}</{tag}>"
    if kind == "map":
        pairs = ((_xml(key, shape.key, "key"), _xml(item, shape.value, "value")) for key, item in value.items())
        items = "".join(f"<entry>{key}{item}</entry>" for key, item in pairs)
        return f"<{tag}>{items}</{tag}>"
    if kind == "boolean":
        text = "true" if value else "false"
    elif kind == "timestamp":
        text = clock.iso(value)
    else:
        text = escape(str(value))
    return f"<{tag}>{text}</{tag}>"
