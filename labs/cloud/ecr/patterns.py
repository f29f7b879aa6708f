"""Patterns with `*` for any text, as ECR's filters and lifecycle rules have them."""

import re


def matches(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern as a whole."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None
