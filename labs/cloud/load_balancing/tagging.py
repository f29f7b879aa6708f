"""Tags of load balancers, target groups, listeners and rules: the operations."""

from typing import Any

from labs.cloud.frame import tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record, Table
from labs.cloud.load_balancing.state import LoadBalancing


def add(lb: LoadBalancing, request: Request) -> None:
    """AddTags."""
    keys = [tag["Key"] for tag in request["Tags"]]
    if len(set(keys)) < len(keys):
        raise AwsError("DuplicateTagKeys", "A tag key was specified more than once")
    found = [_find(lb, arn) for arn in request["ResourceArns"]]
    changed = [tags.merge(record["_tags"], request["Tags"], key="Key", code="TooManyTags") for _, _, record in found]
    for (table, arn, record), merged in zip(found, changed, strict=True):
        table.put(arn, {**record, "_tags": merged})


def remove(lb: LoadBalancing, request: Request) -> None:
    """RemoveTags."""
    for table, arn, record in [_find(lb, arn) for arn in request["ResourceArns"]]:
        table.put(arn, {**record, "_tags": tags.without(record["_tags"], request["TagKeys"], key="Key")})


def describe(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeTags."""
    if len(request["ResourceArns"]) > 20:
        raise AwsError("ValidationError", "The maximum number of resources that can be described is '20'")
    found = [_find(lb, arn) for arn in request["ResourceArns"]]
    return {"TagDescriptions": [{"ResourceArn": arn, "Tags": record["_tags"]} for _, arn, record in found]}


def _find(lb: LoadBalancing, arn: str) -> tuple[Table, str, Record]:
    """Where a resource is kept.

    Raises:
        AwsError: there is none with this ARN.
    """
    if ":targetgroup/" in arn:
        return lb.target_groups, arn, lb.target_group(arn)
    if ":listener-rule/" in arn:
        return lb.rules, arn, lb.rule(arn)
    if ":listener/" in arn:
        return lb.listeners, arn, lb.listener(arn)
    if ":loadbalancer/" in arn:
        return lb.load_balancers, arn, lb.load_balancer(arn)
    raise AwsError("ValidationError", f"'{arn}' is not a valid ARN")
