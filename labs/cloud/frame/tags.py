"""Tags of a record: a list of `{"key": ..., "value": ...}` (ECS, ECR) or `{"Key": ..., "Value": ...}` (elbv2)."""

from collections.abc import Iterable
from typing import Any

from labs.cloud.frame.errors import AwsError

MOST = 50  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html


def merge(
    present: Iterable[dict[str, Any]], more: Iterable[dict[str, Any]], *, key: str = "key", code: str
) -> list[dict[str, Any]]:
    """The tags after adding `more`: a key that is there gets the new value.

    Raises:
        AwsError: more than 50 tags, a tag without a key, or a key that AWS keeps for itself.
    """
    merged = {tag[key]: tag for tag in present}
    value = "value" if key == "key" else "Value"
    for tag in more:
        if not tag.get(key):
            raise AwsError(code, "Tag keys can not be null or empty.")
        if tag[key].lower().startswith("aws:"):
            raise AwsError(code, "Tag keys that begin with 'aws:' are reserved for AWS use.")
        merged[tag[key]] = {key: tag[key], value: tag.get(value, "")}
    if len(merged) > MOST:
        raise AwsError(code, f"A resource can have {MOST} tags at most.")
    return list(merged.values())


def without(present: Iterable[dict[str, Any]], keys: Iterable[str], *, key: str = "key") -> list[dict[str, Any]]:
    """The tags left when those with these keys are taken away."""
    gone = set(keys)
    return [tag for tag in present if tag[key] not in gone]
