"""Repositories: the operations."""

import re
from collections.abc import Mapping
from typing import Any

from labs import settings
from labs.cloud.ecr import addresses, publishing
from labs.cloud.ecr.state import Ecr, repository_arn, repository_not_found
from labs.cloud.frame import arns, clock, paging, tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

NAME = re.compile(
    r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
)  # as botocore's model has it


def create_repository(ecr: Ecr, request: Request) -> dict[str, Any]:
    """CreateRepository."""
    if request.get("registryId", settings.ACCOUNT) != settings.ACCOUNT:
        raise AwsError("InvalidParameterException", f"The registry with id '{request['registryId']}' is not yours.")
    return {"repository": make(ecr, request.region, request["repositoryName"], request)}


def make(ecr: Ecr, region: str, name: str, wanted: Mapping[str, Any]) -> Record:
    """A new repository.

    Args:
        ecr: the state.
        region: where.
        name: its name.
        wanted: `tags`, `imageTagMutability` and the like, as CreateRepository has them.

    Raises:
        AwsError: as CreateRepository is refused.
    """
    arn = repository_arn(region, name)
    if arn in ecr.repositories:
        raise AwsError(
            "RepositoryAlreadyExistsException",
            f"The repository with name '{name}' already exists in the registry with id '{settings.ACCOUNT}'",
        )
    if region not in addresses.regions():
        raise AwsError("InvalidParameterException", f"There is no region '{region}'.")
    mutability = wanted.get("imageTagMutability", "MUTABLE")
    filters = wanted.get("imageTagMutabilityExclusionFilters")
    check_mutability(mutability, filters)
    record = {
        "repositoryArn": arn,
        "registryId": settings.ACCOUNT,
        "repositoryName": name,
        "repositoryUri": addresses.uri(region, name),
        "createdAt": clock.now(),
        "imageTagMutability": mutability,
        "imageScanningConfiguration": {"scanOnPush": False, **wanted.get("imageScanningConfiguration", {})},
        "encryptionConfiguration": _encryption(wanted.get("encryptionConfiguration"), region),
        "_tags": tags.merge([], wanted.get("tags", []), key="Key", code="TooManyTagsException"),
    }
    if filters:
        record["imageTagMutabilityExclusionFilters"] = filters
    return ecr.repositories.put(arn, record)


def describe_repositories(ecr: Ecr, request: Request) -> dict[str, Any]:
    """DescribeRepositories."""
    _require_own(request)
    if names := request.get("repositoryNames"):
        if "maxResults" in request or "nextToken" in request:
            raise AwsError(
                "InvalidParameterException", "maxResults and nextToken cannot be used together with repositoryNames."
            )
        return {"repositories": [ecr.repository({"repositoryName": name}, request.region) for name in names]}
    found = sorted(
        (one for arn, one in ecr.repositories.items() if arns.region(arn) == request.region),
        key=lambda one: one["repositoryName"],
    )
    page, token = paging.page(found, request.get("maxResults"), request.get("nextToken"), most=1000)
    return {"repositories": page, "nextToken": token}


def delete_repository(ecr: Ecr, request: Request) -> dict[str, Any]:
    """DeleteRepository."""
    record = ecr.repository(request, request.region)
    arn, name = record["repositoryArn"], record["repositoryName"]
    images = ecr.images_of(arn)
    if images and not request.get("force"):
        raise AwsError(
            "RepositoryNotEmptyException",
            f"The repository with name '{name}' in registry with id '{settings.ACCOUNT}' cannot be deleted because "
            "it still contains images",
        )
    ecr.repositories.drop(arn)
    for key in [key for key in ecr.pending if key.startswith(f"{arn}@")]:
        ecr.pending.drop(key)
    for image in images:
        publishing.remove(ecr, image, image["imageTags"])
    return {"repository": record}


def put_image_tag_mutability(ecr: Ecr, request: Request) -> dict[str, Any]:
    """PutImageTagMutability."""
    record = ecr.repository(request, request.region)
    filters = request.get("imageTagMutabilityExclusionFilters")
    check_mutability(request["imageTagMutability"], filters)
    changed = {key: found for key, found in record.items() if key != "imageTagMutabilityExclusionFilters"}
    changed["imageTagMutability"] = request["imageTagMutability"]
    if filters:
        changed["imageTagMutabilityExclusionFilters"] = filters
    return ecr.repositories.put(record["repositoryArn"], changed)


def check_mutability(mode: str, filters: list[dict[str, Any]] | None) -> None:
    """Whether a tag mutability and its exclusion filters go together.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html

    Raises:
        AwsError: InvalidParameterException.
    """
    if mode.endswith("_WITH_EXCLUSION") != bool(filters):
        needs = "needs" if not filters else "does not take"
        raise AwsError(
            "InvalidParameterException",
            f"Invalid parameter at 'imageTagMutabilityExclusionFilters': the image tag mutability {mode} {needs} them.",
        )
    for one in filters or []:
        if one["filter"].count("*") > 2:
            raise AwsError(
                "InvalidParameterException", f"The filter '{one['filter']}' has more than two wildcards (*)."
            )


def tag_resource(ecr: Ecr, request: Request) -> None:
    """TagResource."""
    record = _by_arn(ecr, request)
    merged = tags.merge(record["_tags"], request["tags"], key="Key", code="TooManyTagsException")
    ecr.repositories.put(record["repositoryArn"], {**record, "_tags": merged})


def untag_resource(ecr: Ecr, request: Request) -> None:
    """UntagResource."""
    record = _by_arn(ecr, request)
    left = tags.without(record["_tags"], request["tagKeys"], key="Key")
    ecr.repositories.put(record["repositoryArn"], {**record, "_tags": left})


def list_tags_for_resource(ecr: Ecr, request: Request) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"tags": _by_arn(ecr, request)["_tags"]}


def _by_arn(ecr: Ecr, request: Request) -> Record:
    arn = request["resourceArn"]
    kind, _, name = arns.resource(arn).partition("/")
    if not arn.startswith("arn:aws:ecr:") or kind != "repository":
        raise AwsError("InvalidParameterException", f"Invalid parameter at 'resourceArn': '{arn}' is no repository.")
    if arn not in ecr.repositories or arns.region(arn) != request.region:
        raise repository_not_found(name)
    return ecr.repositories[arn]


def _require_own(request: Request) -> None:
    if request.get("registryId", settings.ACCOUNT) != settings.ACCOUNT:
        raise AwsError("InvalidParameterException", f"The local AWS has no registry with id '{request['registryId']}'.")


def _encryption(wanted: dict[str, Any] | None, region: str) -> dict[str, Any]:
    found = dict(wanted or {"encryptionType": "AES256"})
    if found["encryptionType"] == "AES256":
        if found.get("kmsKey"):
            raise AwsError(
                "InvalidParameterException", "A kmsKey can be given only with the encryption types KMS and KMS_DSSE."
            )
        return {"encryptionType": "AES256"}
    found.setdefault("kmsKey", arns.make("kms", region, "alias/aws/ecr"))
    return found


OPERATIONS = {
    "CreateRepository": create_repository,
    "DescribeRepositories": describe_repositories,
    "DeleteRepository": delete_repository,
    "PutImageTagMutability": put_image_tag_mutability,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}
