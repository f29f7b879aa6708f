"""What a message is on its way through a pipe: as an event, in an input template, in the parameters of a target.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-target.html
"""

import json
import re
from typing import Any

from labs.cloud.events import inputs
from labs.cloud.frame.store import Record

_PLACE = re.compile(r"<(\$\.[^<>]+|aws\.pipes\.[a-z.-]+)>")
_STRING_OR_PLACE = re.compile(r'"(?:\\.|[^"\\])*"|<(?:\$\.[^<>]+|aws\.pipes\.[a-z.-]+)>')
_WHOLE = re.compile(r"\$\.[A-Za-z0-9_.\[\]-]+")


def event(pipe: Record, message: dict[str, Any]) -> dict[str, Any]:
    """A message as pipes have it."""
    attributes = {
        name: {
            "dataType": one["DataType"],
            "stringListValues": [],
            "binaryListValues": [],
            **({"stringValue": one["StringValue"]} if "StringValue" in one else {}),
        }
        for name, one in message.get("MessageAttributes", {}).items()
    }
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": attributes,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": pipe["Source"],
        "awsRegion": pipe["Source"].split(":")[3],
    }


def parsed(body: Any) -> Any:
    """A message's body as JSON, or as it is where it is none."""
    try:
        return json.loads(body)
    except (ValueError, TypeError):
        return body


def _value(event: dict[str, Any], path: str) -> Any:
    """What a path such as `$.body.order` leads to; the body is read as JSON. None where it leads nowhere."""
    whole = {**event, "body": parsed(event["body"])} if path.startswith(("$.body.", "$.body[")) else event
    try:
        return inputs.at_path(whole, path)
    except inputs.PathError:
        return None


def filled(value: Any, event: dict[str, Any]) -> Any:
    """Parameters of a target with its dynamic paths replaced.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-target.html#pipes-target-parameters
    """
    if isinstance(value, dict):
        return {name: filled(one, event) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, event) for one in value]
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        found = _value(event, value)
        return found if isinstance(found, str) else json.dumps(found)
    return value


def shape(template: str, pipe: Record, event: dict[str, Any]) -> str:
    """An input template with its placeholders replaced."""
    own = {
        "aws.pipes.pipe-arn": pipe["Arn"], "aws.pipes.pipe-name": pipe["Name"], "aws.pipes.source-arn": pipe["Source"],
        "aws.pipes.target-arn": pipe["Target"], "aws.pipes.event.json": event,
    }  # fmt: skip

    def value(name: str) -> Any:
        return own.get(name) if name.startswith("aws.pipes.") else _value(event, name)

    def inside(found: re.Match[str]) -> str:
        text = value(found[1])
        return json.dumps(text if isinstance(text, str) else json.dumps(text))[1:-1]

    def piece(found: re.Match[str]) -> str:
        token = found[0]
        return _PLACE.sub(inside, token) if token.startswith('"') else json.dumps(value(token[1:-1]))

    return _STRING_OR_PLACE.sub(piece, template)
