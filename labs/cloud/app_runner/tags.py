"""Tags of all that App Runner keeps. https://docs.aws.amazon.com/apprunner/latest/api/API_TagResource.html"""

from typing import Any

from labs.cloud.app_runner.state import INVALID, NOT_FOUND, AppRunner
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record, Table
from labs.cloud.frame.tags import merge, without


def tag_resource(runner: AppRunner, request: Request) -> None:
    """Adds tags."""
    table, record = _find(runner, request["ResourceArn"])
    tags = merge(record["_tags"], request["Tags"], key="Key", code=INVALID)
    table.put(request["ResourceArn"], {**record, "_tags": tags})


def untag_resource(runner: AppRunner, request: Request) -> None:
    """Takes tags away."""
    table, record = _find(runner, request["ResourceArn"])
    tags = without(record["_tags"], request["TagKeys"], key="Key")
    table.put(request["ResourceArn"], {**record, "_tags": tags})


def list_tags(runner: AppRunner, request: Request) -> dict[str, Any]:
    """The tags of a resource."""
    return {"Tags": _find(runner, request["ResourceArn"])[1]["_tags"]}


def _find(runner: AppRunner, arn: str) -> tuple[Table, Record]:
    tables = (
        runner.services, runner.scaling, runner.connections, runner.connectors, runner.observability, runner.ingresses,
    )  # fmt: skip
    for table in tables:
        if arn in table and table[arn].get("Status") != "DELETED":
            return table, table[arn]
    raise AwsError(NOT_FOUND, f"Resource with the provided arn does not exist: {arn}")


OPERATIONS = {"TagResource": tag_resource, "UntagResource": untag_resource, "ListTagsForResource": list_tags}
