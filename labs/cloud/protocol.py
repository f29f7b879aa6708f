"""What the gateway has to know of the AWS protocols: whom a request is for, and how an error is written.

Read from the request alone: loading service models for it would cost seconds and hundreds of megabytes.
"""

import json
import re
import uuid
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

# 'Credential=<key>/<date>/<region>/<service>/aws4_request', in a header or in a presigned address
_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")
# The signing names of the services whose protocol is rest-xml, from botocore's models (a test compares them).
REST_XML = frozenset({"cloudfront", "route53", "s3", "s3-outposts", "s3express"})


class Answer(NamedTuple):
    """An HTTP response: status, headers, body."""

    status: int
    headers: dict[str, str]
    body: bytes


def signing_name(headers: Mapping[str, str], query: str) -> str | None:
    """The service a request is signed for, e.g. `ecs`.

    Args:
        headers: header names in lower case to values.
        query: the address's query string, undecoded.

    Returns:
        The service in the SigV4 credential scope, or None for a request without one.
    """
    if match := _CREDENTIAL.search(headers.get("authorization", "")):
        return match[2]
    scope = parse_qs(query).get("X-Amz-Credential", [""])[0].split("/")
    return scope[3] if len(scope) == 5 else None


def access_key(headers: Mapping[str, str], query: str) -> str | None:
    """The access key ID that a request is signed with; None for a request without one."""
    if match := _CREDENTIAL.search(headers.get("authorization", "")):
        return match[1]
    scope = parse_qs(query).get("X-Amz-Credential", [""])[0].split("/")
    return scope[0] if len(scope) == 5 else None


def target_prefix(headers: Mapping[str, str]) -> str:
    """The part of `X-Amz-Target` before the operation, e.g. `AmazonEC2ContainerServiceV20141113`; empty if absent."""
    return headers.get("x-amz-target", "").rpartition(".")[0]


def error(service: str | None, headers: Mapping[str, str], status: int, code: str, message: str) -> Answer:
    """An error in the form that the SDK which sent the request can read.

    Args:
        service: the signing name, as far as known.
        headers: the request's headers, names in lower case.
        status: the HTTP status.
        code: the AWS error code, which boto3 shows in brackets.
        message: one or two sentences for the learner.
    """
    request_id = str(uuid.uuid4())
    common = {"x-amzn-requestid": request_id}
    kind = headers.get("content-type", "")
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        fields = {"__type": code, "message": message}
        body = bytes([0xA0 + len(fields)]) + b"".join(_cbor(text) for pair in fields.items() for text in pair)
        return Answer(status, {**common, "content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, body)
    if "x-www-form-urlencoded" in kind or service in REST_XML:
        detail = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        inner = f"<Error><Type>Sender</Type>{detail}</Error><RequestId>{request_id}</RequestId>"
        xml = (
            f'<?xml version="1.0" encoding="UTF-8"?><Error>{detail}<RequestId>{request_id}</RequestId></Error>'
            if service in ("s3", "s3-outposts", "s3express")  # the one family without a wrapper
            else f'<?xml version="1.0" encoding="UTF-8"?><ErrorResponse>{inner}</ErrorResponse>'
        )
        return Answer(status, {**common, "content-type": "text/xml"}, xml.encode())
    body = json.dumps({"__type": code, "code": code, "message": message}).encode()
    return Answer(status, {**common, "content-type": "application/json", "x-amzn-errortype": code}, body)


def _cbor(text: str) -> bytes:
    """A text string in CBOR (RFC 8949, major type 3), up to 65535 bytes."""
    data = text.encode()
    return b"\x79" + len(data).to_bytes(2, "big") + data
