"""The backend's own CloudFormation, reached without the gateway, for there the name is ours."""

import functools
import re
from typing import Any
from urllib.parse import urlencode

from botocore import parsers, serialize
from botocore.loaders import Loader
from botocore.model import ServiceModel

from labs import settings
from labs.cloud.environment import THROW_AWAY_KEY
from labs.cloud.frame import http
from labs.cloud.frame.errors import AwsError

_DAY = "20260101"  # of a signature that nobody checks


@functools.cache
def model() -> ServiceModel:
    """botocore's model of CloudFormation."""
    return ServiceModel(Loader().load_service_model("cloudformation", "service-2"), service_name="cloudformation")


async def call(app: http.App, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
    """One operation of the backend's CloudFormation.

    Args:
        app: the ASGI app of the backend.
        operation: AWS's name of it.
        region: the region to call it in.
        parameters: its input.

    Raises:
        AwsError: as the backend refuses it.
    """
    about = model().operation_model(operation)
    request = serialize.create_serializer("query", include_validation=False).serialize_to_request(parameters, about)
    body = urlencode(request["body"]).encode()
    scope_of = f"{THROW_AWAY_KEY}/{_DAY}/{region}/cloudformation/aws4_request"
    headers = {
        "host": f"{settings.GATEWAY_HOST}:{settings.gateway_port()}",
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "authorization": f"AWS4-HMAC-SHA256 Credential={scope_of}, SignedHeaders=host, Signature=0",
    }
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": (settings.GATEWAY_HOST, 0),
        "server": (settings.GATEWAY_HOST, settings.gateway_port()),
    }
    answer = await http.ask(app, scope, body)
    parsed = parsers.create_parser("query").parse(
        {"status_code": answer.status, "headers": answer.headers, "body": answer.body}, about.output_shape
    )
    if answer.status >= 300:
        error = parsed.get("Error", {})
        text = error.get("Message") or re.sub(rb"<[^>]+>", b" ", answer.body).decode("utf-8", "replace").strip()
        raise AwsError(error.get("Code") or "InternalFailure", text, answer.status)
    return parsed
