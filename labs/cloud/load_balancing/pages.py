"""What the Describe operations share: finding records by ARN or name, and pages of them."""

from typing import Any

from labs.cloud.frame import arns, paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record, Table

MOST = 400


def page(name: str, items: list[Any], request: Request) -> dict[str, Any]:
    """The output of a Describe operation: one page of `items` in the member `name`, and where the next one begins."""
    found, marker = paging.page(
        items, request.get("PageSize"), request.get("Marker"), most=MOST, code="ValidationError"
    )
    return {name: found} | ({"NextMarker": marker} if marker else {})


def chosen(
    table: Table, request: Request, arns_member: str, name_member: str, names_of: str, *, code: str, what: str
) -> list[Record]:
    """The records of the request's region that it names by ARN or by name; all if it names none.

    Raises:
        AwsError: one of them does not exist.
    """
    here = [record for arn, record in table.items() if arns.region(arn) == request.region]
    if wanted := request.get(arns_member):
        if missing := [arn for arn in wanted if arn not in table]:
            raise AwsError(code, f"One or more {what} not found: {', '.join(missing)}")
        return [table[arn] for arn in dict.fromkeys(wanted)]
    if names := request.get(names_of):
        by_name = {record[name_member]: record for record in here}
        if missing := [name for name in names if name not in by_name]:
            raise AwsError(code, f"One or more {what} not found: {', '.join(missing)}")
        return [by_name[name] for name in dict.fromkeys(names)]
    return here


def require_name(name: str, what: str) -> None:
    """Refuses a name that AWS would not take: 32 letters, digits and hyphens, none at the ends.

    Raises:
        AwsError: ValidationError.
    """
    if len(name) > 32:
        raise AwsError("ValidationError", f"{what} name '{name}' cannot be longer than '32' characters")
    if not name or not all(char.isascii() and (char.isalnum() or char == "-") for char in name):
        raise AwsError(
            "ValidationError",
            f"{what} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-)",
        )
    if name.startswith("-") or name.endswith("-"):
        raise AwsError("ValidationError", f"{what} name '{name}' cannot begin or end with '-'")
