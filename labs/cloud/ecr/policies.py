"""Policies in IAM's language: of a repository, and of a registry. They are kept and checked for form; the local AWS
enforces no permissions, so nobody is let in or kept out by them.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html
"""

import json
from typing import Any

from labs import settings
from labs.cloud.ecr.state import Ecr
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

_STATEMENT = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}  # fmt: skip


def set_repository_policy(ecr: Ecr, request: Request) -> dict[str, Any]:
    """SetRepositoryPolicy."""
    record = ecr.repository(request, request.region)
    check(request["policyText"], "PolicyText")
    return _told(ecr.repositories.put(record["repositoryArn"], {**record, "_policy": request["policyText"]}))


def get_repository_policy(ecr: Ecr, request: Request) -> dict[str, Any]:
    """GetRepositoryPolicy."""
    return _told(_with_policy(ecr, request))


def delete_repository_policy(ecr: Ecr, request: Request) -> dict[str, Any]:
    """DeleteRepositoryPolicy."""
    record = _with_policy(ecr, request)
    left = {key: found for key, found in record.items() if key != "_policy"}
    ecr.repositories.put(record["repositoryArn"], left)
    return _told(record)


def put_registry_policy(ecr: Ecr, request: Request) -> dict[str, Any]:
    """PutRegistryPolicy."""
    check(request["policyText"], "PolicyText")
    ecr.registries.put(request.region, {**ecr.settings_of(request.region), "policy": request["policyText"]})
    return {"registryId": settings.ACCOUNT, "policyText": request["policyText"]}


def get_registry_policy(ecr: Ecr, request: Request) -> dict[str, Any]:
    """GetRegistryPolicy."""
    return {"registryId": settings.ACCOUNT, "policyText": _registry_policy(ecr, request)}


def delete_registry_policy(ecr: Ecr, request: Request) -> dict[str, Any]:
    """DeleteRegistryPolicy."""
    text = _registry_policy(ecr, request)
    kept = {key: found for key, found in ecr.settings_of(request.region).items() if key != "policy"}
    ecr.registries.put(request.region, kept)
    return {"registryId": settings.ACCOUNT, "policyText": text}


def check(text: str, member: str) -> None:
    """Whether a text is a policy.

    Raises:
        AwsError: InvalidParameterException.
    """
    problem = _problem(text)
    if problem:
        raise AwsError(
            "InvalidParameterException",
            f"Invalid parameter at '{member}' failed to satisfy constraint: 'Invalid repository policy provided': "
            f"{problem}",
        )


def _problem(text: str) -> str | None:
    """What is wrong with a policy; None if nothing is."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return "it is no JSON."
    if not isinstance(found, dict) or set(found) - {"Version", "Id", "Statement"}:
        return "it is an object of Version, Id and Statement."
    if found.get("Version", "2008-10-17") not in ("2008-10-17", "2012-10-17"):
        return "its Version is 2012-10-17 or 2008-10-17."
    statements = found.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements or not all(isinstance(one, dict) for one in statements):
        return "it needs a Statement."
    return next((problem for one in statements if (problem := _statement_problem(one))), None)


def _statement_problem(one: dict[str, Any]) -> str | None:
    if unknown := set(one) - _STATEMENT:
        return f"a statement has no member {', '.join(sorted(unknown))}."
    if one.get("Effect") not in ("Allow", "Deny"):
        return "the Effect of a statement is Allow or Deny."
    if ("Principal" in one) == ("NotPrincipal" in one):
        return "a statement needs a Principal."
    if ("Action" in one) == ("NotAction" in one):
        return "a statement needs an Action."
    actions = one.get("Action", one.get("NotAction"))
    actions = [actions] if isinstance(actions, str) else actions
    if not isinstance(actions, list) or not actions or not all(isinstance(action, str) for action in actions):
        return "an Action is a text or a list of texts."
    foreign = [action for action in actions if action != "*" and not action.lower().startswith("ecr:")]
    return f"the Action {foreign[0]} is none of ECR." if foreign else None


def _with_policy(ecr: Ecr, request: Request) -> dict[str, Any]:
    record = ecr.repository(request, request.region)
    if "_policy" not in record:
        raise AwsError(
            "RepositoryPolicyNotFoundException",
            f"Repository policy does not exist for the repository with name '{record['repositoryName']}' in the "
            f"registry with id '{record['registryId']}'",
        )
    return record


def _told(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "policyText": record["_policy"]}


def _registry_policy(ecr: Ecr, request: Request) -> str:
    found = ecr.settings_of(request.region).get("policy")
    if found is None:
        raise AwsError(
            "RegistryPolicyNotFoundException",
            f"Registry policy does not exist in the registry with id '{settings.ACCOUNT}'",
        )
    return found


OPERATIONS = {
    "SetRepositoryPolicy": set_repository_policy,
    "GetRepositoryPolicy": get_repository_policy,
    "DeleteRepositoryPolicy": delete_repository_policy,
    "PutRegistryPolicy": put_registry_policy,
    "GetRegistryPolicy": get_registry_policy,
    "DeleteRegistryPolicy": delete_registry_policy,
}
