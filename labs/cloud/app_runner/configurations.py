"""What has revisions: auto scaling and observability configurations and VPC connectors. ARNs can be partial.

An ARN without a revision, or without the id after it, means the latest active one.
"""

import secrets
from typing import Any

from labs.cloud.app_runner.state import INVALID, NOT_FOUND, QUOTA, AppRunner
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record, Table
from labs.cloud.frame.tags import merge


class Family:
    """One kind of them.

    Args:
        kind: the API's name, e.g. `AutoScalingConfiguration`.
        names: how many names a region can have.
        revisions: how many active revisions a name can have.
    """

    def __init__(self, kind: str, names: int, revisions: int) -> None:
        self.kind, self.names, self.revisions = kind, names, revisions
        self.arn, self.name, self.revision = f"{kind}Arn", f"{kind}Name", f"{kind}Revision"

    def create(self, table: Table, region: str, request: dict[str, Any], members: dict[str, Any]) -> Record:
        """Makes the next revision of a name.

        Raises:
            AwsError: ServiceQuotaExceededException, or a tag that is none.
        """
        name = request[self.name]
        same = [one for one in self.all(table, region) if one[self.name] == name]
        active = [one for one in same if one["Status"] == "ACTIVE"]
        used = {one[self.name] for one in self.all(table, region) if one["Status"] == "ACTIVE"}
        if len(active) >= self.revisions or (name not in used and len(used) >= self.names):
            raise AwsError(QUOTA, f"You have reached your limit for {self.kind}s in this region.")
        tags = merge([], request.get("Tags") or [], key="Key", code=INVALID)
        number = max((one[self.revision] for one in same), default=0) + 1
        for old in same:
            if old.get("Latest"):
                table.put(old[self.arn], {**old, "Latest": False})
        arn = arns.make("apprunner", region, f"{self.kind.lower()}/{name}/{number}/{secrets.token_hex(16)}")
        return table.put(
            arn,
            {
                self.arn: arn,
                self.name: name,
                self.revision: number,
                "Latest": True,
                "Status": "ACTIVE",
                **members,
                "CreatedAt": clock.now(),
                "_tags": tags,
            },
        )

    def all(self, table: Table, region: str) -> list[Record]:
        """Every revision in a region, oldest first."""
        return [one for key, one in table.items() if arns.region(key) == region]

    def find(self, table: Table, arn: str) -> Record:
        """The active revision that an ARN means, which can be partial.

        Raises:
            AwsError: ResourceNotFoundException.
        """
        exact = table.get(arn)
        if exact and exact["Status"] == "ACTIVE":
            return exact
        found = [
            one
            for key, one in table.items()
            if one["Status"] == "ACTIVE" and (key.startswith(f"{arn}/") or key.startswith(f"{arn.rstrip('/')}/"))
        ]
        if not found or arn.count("/") < 1:
            raise AwsError(NOT_FOUND, f"{self.kind} with the provided arn does not exist: {arn}")
        return max(found, key=lambda one: one[self.revision])

    def delete(self, table: Table, record: Record) -> Record:
        """Makes a revision inactive; the newest one left becomes the latest."""
        gone = {**record, "Status": "INACTIVE", "Latest": False, "DeletedAt": clock.now()}
        table.drop(record[self.arn])
        rest = [
            one
            for one in self.all(table, arns.region(record[self.arn]))
            if one[self.name] == record[self.name] and one["Status"] == "ACTIVE"
        ]
        if rest and record["Latest"]:
            newest = max(rest, key=lambda one: one[self.revision])
            table.put(newest[self.arn], {**newest, "Latest": True})
        return gone

    def chosen(self, records: list[Record], request: dict[str, Any]) -> list[Record]:
        """What a list shows: those of one name, the latest only, newest revision first."""
        found = [
            one
            for one in records
            if request.get(self.name) in (None, one[self.name]) and (one["Latest"] or not request.get("LatestOnly"))
        ]
        return sorted(found, key=lambda one: (one[self.name], -one[self.revision]))


def users(runner: AppRunner, member: str, arn: str) -> list[Record]:
    """The services whose record names an ARN in a member such as `AutoScalingConfigurationSummary`."""
    live = [one for one in runner.services.values() if one["Status"] != "DELETED"]
    return [one for one in live if arn in str(one.get(member) or "")]
