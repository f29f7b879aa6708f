"""Tags of a record: a list of `{"key": ..., "value": ...}` (ECS, ECR) or `{"Key": ..., "Value": ...}` (elbv2)."""

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from labs.cloud.frame.errors import AwsError

MOST = 50  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html

_aws_itself: ContextVar[bool] = ContextVar("aws_itself", default=False)


@contextlib.contextmanager
def by_aws() -> Iterator[None]:
    """Calls of a service of AWS to another one may set tags that begin with `aws:`."""
    token = _aws_itself.set(True)
    try:
        yield
    finally:
        _aws_itself.reset(token)


def reserved(key: str) -> bool:
    """Whether a tag's key is AWS's, and the caller is not."""
    return key.lower().startswith("aws:") and not _aws_itself.get()


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
        if reserved(tag[key]):
            raise AwsError(code, "Tag keys that begin with 'aws:' are reserved for AWS use.")
        merged[tag[key]] = {key: tag[key], value: tag.get(value, "")}
    if sum(not name.lower().startswith("aws:") for name in merged) > MOST:
        raise AwsError(code, f"A resource can have {MOST} tags at most.")
    return list(merged.values())


def without(present: Iterable[dict[str, Any]], keys: Iterable[str], *, key: str = "key") -> list[dict[str, Any]]:
    """The tags left when those with these keys are taken away."""
    gone = set(keys)
    return [tag for tag in present if tag[key] not in gone]
