"""Whether an input fits its shape in botocore's model, in the words of AWS's own services."""

import re
from math import inf
from typing import Any

from botocore.model import Shape

_TYPES = {
    "string": str, "boolean": bool, "integer": int, "long": int, "float": (int, float), "double": (int, float),
    "timestamp": (int, float, str), "blob": (str, bytes), "list": list, "map": dict, "structure": dict,
}  # fmt: skip
_BITS = {"integer": 2**31, "long": 2**63}
_PYTHON = {"L": r"\w", "N": r"\w", "Z": r"\s"}  # Java's classes of letters, numbers and separators, in tags
_CLASSES = re.compile(r"\\p\{([LNZ])\}")
_PATTERN = re.compile(r"^\^?[\x20-\x7e]*$")  # patterns beyond plain text use Java's syntax, which Python may not read


def wrong_type(value: Any, shape: Shape, path: str = "") -> str | None:
    """The first member whose JSON type cannot be read as its shape, in a sentence; None if all can."""
    if value is None:
        return None
    wanted = _TYPES[shape.type_name]
    too_big = isinstance(value, int) and not -_BITS.get(shape.type_name, inf) <= value < _BITS.get(shape.type_name, inf)
    if not isinstance(value, wanted) or too_big or (isinstance(value, bool) and shape.type_name != "boolean"):
        return f"The value at '{path or shape.name}' cannot be read as {shape.type_name}."
    if shape.type_name == "structure":
        inner = (
            (value[name], member, f"{path}.{name}".lstrip("."))
            for name, member in shape.members.items()
            if name in value
        )
    elif shape.type_name == "list":
        inner = ((item, shape.member, f"{path}.{number}.member") for number, item in enumerate(value, 1))
    elif shape.type_name == "map":
        inner = ((item, shape.value, f"{path}.{key}") for key, item in value.items())
    else:
        return None
    return next((found for found in (wrong_type(*one) for one in inner) if found), None)


def violations(value: Any, shape: Shape, path: str = "") -> list[str]:
    """The constraints that an input breaks, each as AWS words it; empty if none."""
    if shape.type_name == "structure":
        return _structure(value, shape, path)
    if shape.type_name == "list":
        found = _bounds(len(value), value, shape, path, "length")
        return found + [
            text
            for number, item in enumerate(value, 1)
            for text in violations(item, shape.member, f"{path}.{number}.member")
        ]
    if shape.type_name == "map":
        found = _bounds(len(value), value, shape, path, "length")
        return found + [text for key, item in value.items() for text in violations(item, shape.value, f"{path}.{key}")]
    if shape.type_name == "string":
        return _text(value, shape, path)
    if shape.type_name in ("integer", "long", "float", "double"):
        return _bounds(value, value, shape, path, "value")
    return []


def message(found: list[str]) -> str:
    """One error message for all violations."""
    count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: "
    return count + "; ".join(found)


def _structure(value: dict[str, Any], shape: Shape, path: str) -> list[str]:
    found = []
    for name, member in shape.members.items():
        inner = f"{path}.{name}".lstrip(".")
        if value.get(name) is not None:
            found += violations(value[name], member, inner)
        elif name in shape.required_members:
            found.append(f"Value null at '{inner}' failed to satisfy constraint: Member must not be null")
    return found


def _text(value: str, shape: Shape, path: str) -> list[str]:
    if shape.enum and value not in shape.enum:
        return [_broken(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")]
    found = _bounds(len(value), value, shape, path, "length")
    pattern = shape.metadata.get("pattern")
    if pattern and _PATTERN.match(pattern):
        try:
            fits = re.fullmatch(_CLASSES.sub(lambda found: _PYTHON[found[1]], pattern), value, re.DOTALL)
        except re.error:
            return found
        if not fits:
            found.append(_broken(value, path, f"Member must satisfy regular expression pattern: {pattern}"))
    return found


def _bounds(measure: float, value: Any, shape: Shape, path: str, what: str) -> list[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    word = "have length" if what == "length" else "have value"
    found = []
    if low is not None and measure < low:
        found.append(_broken(value, path, f"Member must {word} greater than or equal to {low}"))
    if high is not None and measure > high:
        found.append(_broken(value, path, f"Member must {word} less than or equal to {high}"))
    return found


def _broken(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"
