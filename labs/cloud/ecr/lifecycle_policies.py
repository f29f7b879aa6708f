"""Lifecycle policies of repositories: the operations, and the loop that carries them out."""

import asyncio
from typing import Any

from labs.cloud.ecr import images, lifecycle, publishing
from labs.cloud.ecr.state import Ecr
from labs.cloud.frame import clock, paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

EVERY_SECONDS = 15.0  # AWS: within 24 hours. What a rule says in days lasts days.


def put_lifecycle_policy(ecr: Ecr, request: Request) -> dict[str, Any]:
    """PutLifecyclePolicy."""
    record = ecr.repository(request, request.region)
    lifecycle.parse(request["lifecyclePolicyText"])
    policy = {"text": request["lifecyclePolicyText"]}
    ecr.repositories.put(record["repositoryArn"], {**record, "_lifecycle": policy})
    return {**record, "lifecyclePolicyText": request["lifecyclePolicyText"]}


def get_lifecycle_policy(ecr: Ecr, request: Request) -> dict[str, Any]:
    """GetLifecyclePolicy."""
    record = ecr.repository(request, request.region)
    return _told(record, _policy(record))


def delete_lifecycle_policy(ecr: Ecr, request: Request) -> dict[str, Any]:
    """DeleteLifecyclePolicy."""
    record = ecr.repository(request, request.region)
    policy = _policy(record)
    left = {key: found for key, found in record.items() if key != "_lifecycle"}
    ecr.repositories.put(record["repositoryArn"], left)
    return _told(record, policy)


def start_preview(ecr: Ecr, request: Request) -> dict[str, Any]:
    """StartLifecyclePolicyPreview: of the policy given, or of the one that the repository has."""
    record = ecr.repository(request, request.region)
    text = request.get("lifecyclePolicyText") or _policy(record)["text"]
    found = lifecycle.hits(lifecycle.parse(text), ecr.images_of(record["repositoryArn"]), clock.now())
    results = [
        {
            "imageTags": hit.image["imageTags"],
            "imageDigest": hit.image["imageDigest"],
            "imagePushedAt": hit.image["imagePushedAt"],
            "action": {"type": hit.action} | ({"targetStorageClass": "ARCHIVE"} if hit.action == "TRANSITION" else {}),
            "appliedRulePriority": hit.priority,
            "storageClass": "STANDARD" if hit.image.get("imageStatus", "ACTIVE") == "ACTIVE" else "ARCHIVE",
        }
        for hit in found
    ]
    ecr.repositories.put(record["repositoryArn"], {**record, "_preview": {"text": text, "results": results}})
    return {**record, "lifecyclePolicyText": text, "status": "IN_PROGRESS"}


def get_preview(ecr: Ecr, request: Request) -> dict[str, Any]:
    """GetLifecyclePolicyPreview."""
    record = ecr.repository(request, request.region)
    preview = record.get("_preview")
    if preview is None:
        raise AwsError(
            "LifecyclePolicyPreviewNotFoundException",
            f"Lifecycle policy preview does not exist for the repository with name '{record['repositoryName']}' in the "
            f"registry with id '{record['registryId']}'",
        )
    found = preview["results"]
    if wanted := request.get("imageIds"):
        digests = {images.require(ecr, record, one)["imageDigest"] for one in wanted}
        found = [one for one in found if one["imageDigest"] in digests]
    tagged = {"TAGGED": True, "UNTAGGED": False}.get(request.get("filter", {}).get("tagStatus", "ANY"))
    found = [one for one in found if tagged in (None, bool(one["imageTags"]))]
    page, token = paging.page(found, request.get("maxResults"), request.get("nextToken"))
    actions = [one["action"]["type"] for one in preview["results"]]
    summary: dict[str, Any] = {"expiringImageTotalCount": actions.count("EXPIRE")}
    if "TRANSITION" in actions:
        total = {"targetStorageClass": "ARCHIVE", "imageTotalCount": actions.count("TRANSITION")}
        summary["transitioningImageTotalCounts"] = [total]
    return {
        **record,
        "lifecyclePolicyText": preview["text"],
        "status": "COMPLETE",
        "previewResults": page,
        "nextToken": token,
        "summary": summary,
    }


async def run(ecr: Ecr) -> None:
    """Carries out all policies, again and again."""
    while True:
        for arn in list(ecr.repositories):
            apply(ecr, arn)
        await asyncio.sleep(EVERY_SECONDS)


def apply(ecr: Ecr, repository: str) -> None:
    """Carries out the policy of one repository, if it has one."""
    record = ecr.repositories.get(repository)
    if record is None or "_lifecycle" not in record:
        return
    now = clock.now()
    found = lifecycle.hits(lifecycle.parse(record["_lifecycle"]["text"]), ecr.images_of(repository), now)
    policy = {**record["_lifecycle"], "evaluated": now}
    ecr.repositories.put(repository, {**record, "_lifecycle": policy})
    for hit in found:
        image = ecr.image(repository, hit.image["imageDigest"])
        if image is None:
            continue
        if hit.action == "EXPIRE":
            publishing.remove(ecr, image, image["imageTags"])
        else:
            ecr.keep({**image, "imageStatus": "ARCHIVED", "lastArchivedAt": now})
    ecr.store.flush_quietly()


def _policy(record: Record) -> dict[str, Any]:
    if "_lifecycle" not in record:
        raise AwsError(
            "LifecyclePolicyNotFoundException",
            f"Lifecycle policy does not exist for the repository with name '{record['repositoryName']}' in the "
            f"registry with id '{record['registryId']}'",
        )
    return record["_lifecycle"]


def _told(record: Record, policy: dict[str, Any]) -> dict[str, Any]:
    # Before the first look: the beginning of time, as AWS says it.
    return {**record, "lifecyclePolicyText": policy["text"], "lastEvaluatedAt": policy.get("evaluated", 0)}


OPERATIONS = {
    "PutLifecyclePolicy": put_lifecycle_policy,
    "GetLifecyclePolicy": get_lifecycle_policy,
    "DeleteLifecyclePolicy": delete_lifecycle_policy,
    "StartLifecyclePolicyPreview": start_preview,
    "GetLifecyclePolicyPreview": get_preview,
}
