"""Operations on the tags of clusters, services, tasks, task definitions, container instances and capacity providers.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html
"""

from typing import Any

from labs.cloud.ecs import lookup
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Table

INVALID = "InvalidParameterException"
_MISSING = {
    "capacity-provider": "The specified capacity provider does not exist. Specify a valid ARN and try again.",
    "container-instance": "The specified container instance is inactive. Specify an active one and try again.",
    "service": "The specified service is inactive. Specify an active service and try again.",
    "task": "The specified task is stopped. Specify a running task and try again.",
    "task-definition": "The specified task definition does not exist. Specify a valid ARN and try again.",
}


def tag_resource(ecs: Ecs, request: Request) -> dict[str, Any]:
    """TagResource.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TagResource.html
    """
    table, arn = _find(ecs, request)
    record = table[arn]
    record["tags"] = tags.merge(record.get("tags", []), request["tags"], code=INVALID)
    table.put(arn, record)
    return {}


def untag_resource(ecs: Ecs, request: Request) -> dict[str, Any]:
    """UntagResource.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UntagResource.html
    """
    table, arn = _find(ecs, request)
    record = table[arn]
    record["tags"] = tags.without(record.get("tags", []), request["tagKeys"])
    table.put(arn, record)
    return {}


def list_tags_for_resource(ecs: Ecs, request: Request) -> dict[str, Any]:
    """ListTagsForResource.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTagsForResource.html
    """
    table, arn = _find(ecs, request)
    return {"tags": table[arn].get("tags", [])}


def _find(ecs: Ecs, request: Request) -> tuple[Table, str]:
    """The table and the ARN of the resource of a request.

    Raises:
        AwsError: InvalidParameterException for what is no ARN of such a resource; what AWS says when it is missing.
    """
    arn = request["resourceArn"]
    kind, _, name = arns.resource(arn).partition("/")
    tables = {
        "capacity-provider": ecs.capacity_providers,
        "cluster": ecs.clusters,
        "container-instance": ecs.container_instances,
        "service": ecs.service_records,
        "task": ecs.tasks,
        "task-definition": ecs.task_definitions,
    }
    if not arn.startswith("arn:") or kind not in tables or not name:
        raise AwsError(INVALID, f"Invalid resource ARN '{arn}'. Specify a valid ARN and try again.")
    if kind == "service" and "/" not in name:
        raise AwsError(INVALID, "Long arn format must be used for tagging operations")
    table = tables[kind]
    if arn not in table or arns.region(arn) != request.region or _is_gone(table[arn]):
        if kind == "cluster":
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        raise AwsError(INVALID, _MISSING[kind])
    return table, arn


def _is_gone(record: dict[str, Any]) -> bool:
    """Whether a resource is deleted. A task definition that was deregistered keeps its tags."""
    if "taskDefinitionArn" in record and "revision" in record:
        return False
    return record.get("status") == lookup.INACTIVE or record.get("lastStatus") == "STOPPED"


OPERATIONS = {
    "ListTagsForResource": list_tags_for_resource,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
