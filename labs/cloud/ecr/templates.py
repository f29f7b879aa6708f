"""Repository creation templates: what a repository looks like that is made by a push or by replication.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html
"""

from typing import Any

from labs import settings
from labs.cloud.ecr import lifecycle, policies, repositories
from labs.cloud.ecr.state import Ecr
from labs.cloud.frame import arns, clock, paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

ROOT = "ROOT"
KINDS = ("REPLICATION", "PULL_THROUGH_CACHE", "CREATE_ON_PUSH")


def create_template(ecr: Ecr, request: Request) -> dict[str, Any]:
    """CreateRepositoryCreationTemplate."""
    key = _key(request.region, request["prefix"])
    if key in ecr.templates:
        raise AwsError(
            "TemplateAlreadyExistsException",
            f"The repository creation template with prefix '{_plain(request['prefix'])}' already exists in the "
            f"registry with id '{settings.ACCOUNT}'",
        )
    now = clock.now()
    record = {"imageTagMutability": "MUTABLE", "encryptionConfiguration": {"encryptionType": "AES256"}, **request}
    record |= {"prefix": _plain(request["prefix"]), "createdAt": now, "updatedAt": now}
    _check(record)
    return _told(ecr.templates.put(key, record))


def update_template(ecr: Ecr, request: Request) -> dict[str, Any]:
    """UpdateRepositoryCreationTemplate: only what is given changes."""
    record = _find(ecr, request.region, request["prefix"])
    changed = {**record, **request, "prefix": record["prefix"], "updatedAt": clock.now()}
    if not changed["imageTagMutability"].endswith("_WITH_EXCLUSION"):
        changed.pop("imageTagMutabilityExclusionFilters", None)
    for member in ("repositoryPolicy", "lifecyclePolicy"):
        if changed.get(member) == "":
            del changed[member]
    _check(changed)
    return _told(ecr.templates.put(_key(request.region, request["prefix"]), changed))


def delete_template(ecr: Ecr, request: Request) -> dict[str, Any]:
    """DeleteRepositoryCreationTemplate."""
    record = _find(ecr, request.region, request["prefix"])
    ecr.templates.drop(_key(request.region, request["prefix"]))
    return _told(record)


def describe_templates(ecr: Ecr, request: Request) -> dict[str, Any]:
    """DescribeRepositoryCreationTemplates."""
    if prefixes := request.get("prefixes"):
        found = [_find(ecr, request.region, prefix) for prefix in prefixes]
    else:
        found = [one for key, one in ecr.templates.items() if arns.region(key) == request.region]
    page, token = paging.page(found, request.get("maxResults"), request.get("nextToken"), most=1000)
    return {"registryId": settings.ACCOUNT, "repositoryCreationTemplates": page, "nextToken": token}


def create_on_push(ecr: Ecr, region: str, name: str) -> None:
    """Makes a repository that something is pushed to, if a template says so."""
    template = matching(ecr, region, name, "CREATE_ON_PUSH")
    if template is not None:
        make(ecr, region, name, template)


def make(ecr: Ecr, region: str, name: str, template: Record | None) -> Record:
    """A new repository as a template, or no template, says.

    Raises:
        AwsError: its name is none.
    """
    if not _is_name(name):
        raise AwsError("InvalidParameterException", f"Invalid parameter at 'repositoryName': '{name}' is no name.")
    found = template or {}
    record = repositories.make(ecr, region, name, {**found, "tags": found.get("resourceTags", [])})
    if text := found.get("repositoryPolicy"):
        record["_policy"] = text
    if text := found.get("lifecyclePolicy"):
        record["_lifecycle"] = {"text": text}
    return ecr.repositories.put(record["repositoryArn"], record)


def matching(ecr: Ecr, region: str, name: str, kind: str) -> Record | None:
    """The template with the longest prefix that fits a repository's name and is for this kind of creation."""
    fits = [
        one
        for key, one in ecr.templates.items()
        if arns.region(key) == region
        and kind in one["appliedFor"]
        and (one["prefix"] == ROOT or f"{name}/".startswith(f"{one['prefix'].rstrip('/')}/"))
    ]
    return max(fits, key=lambda one: -1 if one["prefix"] == ROOT else len(one["prefix"]), default=None)


def _check(record: Record) -> None:
    unknown = [kind for kind in record["appliedFor"] if kind not in KINDS]
    if unknown or not record["appliedFor"]:
        raise AwsError("InvalidParameterException", f"appliedFor is a list of {', '.join(KINDS)}.")
    repositories.check_mutability(record["imageTagMutability"], record.get("imageTagMutabilityExclusionFilters"))
    if text := record.get("repositoryPolicy"):
        policies.check(text, "RepositoryPolicy")
    if text := record.get("lifecyclePolicy"):
        lifecycle.parse(text)


def _find(ecr: Ecr, region: str, prefix: str) -> Record:
    if _key(region, prefix) not in ecr.templates:
        raise AwsError(
            "TemplateNotFoundException",
            f"The repository creation template with prefix '{_plain(prefix)}' does not exist in the registry with id "
            f"'{settings.ACCOUNT}'",
        )
    return ecr.templates[_key(region, prefix)]


def _is_name(name: str) -> bool:
    return 2 <= len(name) <= 256 and repositories.NAME.fullmatch(name) is not None


def _plain(prefix: str) -> str:
    return prefix.rstrip("/")


def _key(region: str, prefix: str) -> str:
    return arns.make("ecr", region, f"repository-creation-template/{_plain(prefix)}")


def _told(record: Record) -> dict[str, Any]:
    return {"registryId": settings.ACCOUNT, "repositoryCreationTemplate": record}


OPERATIONS = {
    "CreateRepositoryCreationTemplate": create_template,
    "UpdateRepositoryCreationTemplate": update_template,
    "DeleteRepositoryCreationTemplate": delete_template,
    "DescribeRepositoryCreationTemplates": describe_templates,
}
