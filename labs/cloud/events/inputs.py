"""What a target of a rule is sent: the event, a part of it, a constant, or a text made from it.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

import json
import re
from typing import Any

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']+)'\]|\[\"([^\"]+)\"\]")
_PLACEHOLDER = re.compile(r"<([^<>]*)>")
_STRING_OR_PLACEHOLDER = re.compile(r'"(?:\\.|[^"\\])*"|<[^<>]*>')


class PathError(LookupError):
    """The event has nothing at a path."""


def render(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], ingested: str) -> str:
    """The text that a target gets for an event.

    Args:
        target: of the rule, with `Input`, `InputPath`, `InputTransformer` or none of them.
        event: the whole event.
        rule: its `Name` and `Arn`.
        ingested: when the event came in, ISO 8601.
    """
    if transformer := target.get("InputTransformer"):
        return _transform(transformer, event, rule, ingested)
    if (constant := target.get("Input")) is not None:
        return constant
    if path := target.get("InputPath"):
        try:
            return json.dumps(at_path(event, path))
        except PathError:
            return json.dumps(event)
    return json.dumps(event)


def at_path(event: Any, path: str) -> Any:
    """What an event holds at a JSONPath such as `$.detail.containers[0].name`.

    Raises:
        PathError: there is nothing, or it is no such path.
    """
    rest = path.removeprefix("$")
    while rest:
        step = _STEP.match(rest)
        if not step:
            raise PathError(path)
        key: Any = int(step[2]) if step[2] else step[1] or step[3] or step[4]
        try:
            event = event[key]
        except (KeyError, IndexError, TypeError):
            raise PathError(path) from None
        rest = rest[step.end() :]
    return event


def _transform(transformer: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], ingested: str) -> str:
    values: dict[str, Any] = {}
    for name, path in transformer.get("InputPathsMap", {}).items():
        try:
            values[name] = at_path(event, path)
        except PathError:
            values[name] = ""
    values |= {
        "aws.events.rule-arn": rule.get("Arn", ""),
        "aws.events.rule-name": rule.get("Name", ""),
        "aws.events.event.ingestion-time": ingested,
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        "aws.events.event.json": event,
    }
    template = transformer["InputTemplate"]
    if '"' not in template:  # then it is a text, and no JSON
        return _PLACEHOLDER.sub(lambda found: _inside(found, values), template)
    return _STRING_OR_PLACEHOLDER.sub(lambda found: _piece(found, values), template)


def _piece(found: re.Match[str], values: dict[str, Any]) -> str:
    """A string of the template with its placeholders filled in, or the JSON that a placeholder stands for."""
    token = found[0]
    if token.startswith('"'):
        return _PLACEHOLDER.sub(lambda inner: _inside(inner, values), token)
    name = token[1:-1]
    return json.dumps(values[name]) if name in values else token


def _inside(found: re.Match[str], values: dict[str, Any]) -> str:
    """A value inside of a string: a text as it is, anything else as JSON without its quotes."""
    if found[1] not in values:
        return found[0]
    value = values[found[1]]
    return value if isinstance(value, str) else json.dumps(value).replace('"', "")
