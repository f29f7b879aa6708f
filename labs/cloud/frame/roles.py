"""What a role or user may do: the policies that IAM of the backend keeps, evaluated here. Nothing is cached.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/CWE_IAM_role.html
"""

import fnmatch
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from labs.cloud.frame import aws

Statement = dict[str, Any]


class RoleError(Exception):
    """The role cannot be used for this. The text says why."""


async def trusts(role_arn: str, principal: str) -> bool:
    """Whether a role exists and lets a service assume it.

    Args:
        role_arn: the role.
        principal: the service, e.g. `scheduler.amazonaws.com`.
    """
    try:
        role = await aws.call("iam", "get_role", RoleName=_name(role_arn))
    except ClientError as problem:
        if problem.response["Error"]["Code"] == "NoSuchEntity":
            return False
        raise
    return any(_trusts(statement, principal) for statement in _statements(role["Role"]["AssumeRolePolicyDocument"]))


async def require(
    role_arn: str, principal: str, action: str, resource: str, context: Mapping[str, str] | None = None
) -> None:
    """Makes sure that a service may do something with a role.

    Args:
        role_arn: the role.
        principal: the service that assumes it.
        action: e.g. `ecs:RunTask`.
        resource: the ARN it is done to, or `*` for any.
        context: condition keys to values; a condition on another key counts as met.

    Raises:
        RoleError: it may not.
    """
    if not await trusts(role_arn, principal):
        raise RoleError(f"{principal} cannot assume the role {role_arn}.")
    if (await permissions("role", _name(role_arn))).denial(action, resource, context):
        raise RoleError(f"The role {role_arn} is not authorized to perform: {action} on resource: {resource}")


class Permissions(NamedTuple):
    """What the policies of a role or user say.

    Attributes:
        statements: all of them; None if one of AWS's own policies is among them that is not known here.
    """

    statements: list[Statement] | None

    def denial(self, action: str, resource: str, context: Mapping[str, str] | None = None) -> str | None:
        """Why something is not allowed.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html

        Args:
            action: e.g. `sqs:SendMessage`.
            resource: the ARN it is done to, or `*` for any.
            context: condition keys to values; a condition on another key counts as met.

        Returns:
            The end of AWS's sentence: `because ...`; None if it is allowed.
        """
        if self.statements is None:
            return None
        effects = {one["Effect"] for one in self.statements if _applies(one, action, resource, context or {})}
        if "Deny" in effects:
            return "with an explicit deny in an identity-based policy"
        return None if "Allow" in effects else f"because no identity-based policy allows the {action} action"


def refusal(arn: str, action: str, resource: str, reason: str) -> str:
    """AWS's sentence to somebody who may not do something.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html

    Args:
        arn: who, as STS or IAM names it.
        action: e.g. `sqs:SendMessage`.
        resource: the ARN it was to be done to, or `*`.
        reason: as `Permissions.denial` gives it.
    """
    return f"User: {arn} is not authorized to perform: {action} on resource: {resource} {reason}"


async def permissions(kind: str, name: str) -> Permissions:
    """The policies of a role or user: its own, and those of its groups. No boundaries, no policies of resources,
    sessions or organizations.

    Args:
        kind: `role` or `user`.
        name: its name.
    """
    found = await _statements_of(kind, name)
    if kind == "user":
        for group in (await aws.call("iam", "list_groups_for_user", UserName=name))["Groups"]:
            more = await _statements_of("group", group["GroupName"])
            found = None if found is None or more is None else found + more
    return Permissions(found)


async def _statements_of(kind: str, name: str) -> list[Statement] | None:
    who = {f"{kind.capitalize()}Name": name}
    found: list[Statement] = []
    for inline in (await aws.call("iam", f"list_{kind}_policies", **who))["PolicyNames"]:
        policy = await aws.call("iam", f"get_{kind}_policy", **who, PolicyName=inline)
        found += _statements(policy["PolicyDocument"])
    for attached in (await aws.call("iam", f"list_attached_{kind}_policies", **who))["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        try:
            version = (await aws.call("iam", "get_policy", PolicyArn=arn))["Policy"]["DefaultVersionId"]
            policy = await aws.call("iam", "get_policy_version", PolicyArn=arn, VersionId=version)
        except ClientError:
            return None
        found += _statements(policy["PolicyVersion"]["Document"])
    return found


def _applies(statement: Statement, action: str, resource: str, context: Mapping[str, str]) -> bool:
    """Whether a statement is about an action on a resource."""
    actions, resources = _list(statement.get("Action")), _list(statement.get("Resource"))
    about = any(_like(action.lower(), pattern.lower()) for pattern in actions)
    if "NotAction" in statement:
        about = not any(_like(action.lower(), pattern.lower()) for pattern in _list(statement["NotAction"]))
    on = resource == "*" or any(_like(resource, pattern) for pattern in resources)
    if "NotResource" in statement:
        on = not any(_like(resource, pattern) for pattern in _list(statement["NotResource"]))
    return about and on and _conditions_met(statement, context)


def _conditions_met(statement: Statement, context: Mapping[str, str]) -> bool:
    for operator, wanted in statement.get("Condition", {}).items():
        for key, patterns in wanted.items():
            value = next((context[known] for known in context if known.lower() == key.lower()), None)
            if value is None or not operator.removesuffix("IfExists").startswith(("String", "Arn")):
                continue
            fits = any(_like(value, pattern) for pattern in _list(patterns))
            if fits == ("Not" in operator):
                return False
    return True


def _trusts(statement: Statement, principal: str) -> bool:
    """Whether a statement of a trust policy lets a service assume the role."""
    trusted = statement.get("Principal", {})
    services = [trusted] if isinstance(trusted, str) else _list(trusted.get("Service")) + _list(trusted.get("AWS"))
    actions = {action.lower() for action in _list(statement.get("Action"))}
    assumes = bool({"sts:assumerole", "sts:*", "*"} & actions)
    return statement.get("Effect") == "Allow" and bool({principal, "*"} & set(services)) and assumes


def _like(text: str, pattern: str) -> bool:
    """Whether a text fits a pattern of IAM, in which only `*` and `?` are special."""
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def _statements(document: Any) -> list[Statement]:
    if isinstance(document, str):
        document = json.loads(document)
    return _list(document.get("Statement"))


def _name(role_arn: str) -> str:
    return role_arn.rpartition("/")[2]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
