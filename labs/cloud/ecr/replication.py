"""Replication: what is pushed in one region appears in others of the same account.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication.html
"""

import logging
from typing import Any

from labs import settings
from labs.cloud.ecr import addresses, images, publishing, templates
from labs.cloud.ecr.state import Ecr, repository_arn
from labs.cloud.frame import arns
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

log = logging.getLogger(__name__)


def put_replication_configuration(ecr: Ecr, request: Request) -> dict[str, Any]:
    """PutReplicationConfiguration."""
    found = request["replicationConfiguration"]
    for rule in found["rules"]:
        if not rule["destinations"]:
            raise AwsError("ValidationException", "A replication rule needs a destination.")
        for one in rule["destinations"]:
            _check(one, request.region)
    ecr.registries.put(request.region, {**ecr.settings_of(request.region), "replication": found})
    return {"replicationConfiguration": found}


def describe_image_replication_status(ecr: Ecr, request: Request) -> dict[str, Any]:
    """DescribeImageReplicationStatus."""
    repository = ecr.repository(request, request.region)
    image = images.require(ecr, repository, request["imageId"])
    statuses = [
        {"region": region, "registryId": settings.ACCOUNT, **state}
        for region, state in (image.get("_replication") or {}).items()
    ]
    return {
        "repositoryName": repository["repositoryName"],
        "imageId": {"imageDigest": image["imageDigest"], **request["imageId"]},
        "replicationStatuses": statuses,
    }


def begin(ecr: Ecr, key: str) -> None:
    """Begins to copy an image that was pushed to where its region's rules say."""
    image = ecr.images.get(key)
    wanted = _destinations(ecr, image) if image else []
    if image is None or not wanted:
        return
    ecr.keep({**image, "_replication": {region: {"status": "IN_PROGRESS"} for region in wanted}})
    ecr.store.flush_quietly()
    ecr.background.spawn(_replicate(ecr, key), f"replication of {key}")


def resume(ecr: Ecr) -> None:
    """Goes on with the copies that were under way when the process ended."""
    for key, image in ecr.images.items():
        if any(state["status"] == "IN_PROGRESS" for state in (image.get("_replication") or {}).values()):
            ecr.background.spawn(_replicate(ecr, key), f"replication of {key}")


async def _replicate(ecr: Ecr, key: str) -> None:
    image = ecr.images.get(key)
    for region, state in (image.get("_replication") or {}).items() if image else ():
        if state["status"] != "IN_PROGRESS":
            continue
        try:
            await _copy(ecr, image, region)
            result = {"status": "COMPLETE"}
        except AwsError as problem:
            log.warning("%s could not be replicated to %s: %s", key, region, problem)
            result = {"status": "FAILED", "failureCode": problem.code}
        if (present := ecr.images.get(key)) is None:
            return
        ecr.keep({**present, "_replication": {**(present.get("_replication") or {}), region: result}})
        ecr.store.flush_quietly()


async def _copy(ecr: Ecr, image: Record, region: str) -> None:
    """Puts an image with its tags into the repository of the same name in another region; makes it if need be."""
    name, home = image["repositoryName"], image["_repository"]
    arn = repository_arn(region, name)
    if arn not in ecr.repositories:
        templates.make(ecr, region, name, templates.matching(ecr, region, name, "REPLICATION"))
    source = addresses.kept(arns.region(home), name)
    for digest in image["_children"]:
        child = ecr.image(home, digest)
        if child is not None and ecr.image(arn, digest) is None:
            await _copy(ecr, {**child, "imageTags": []}, region)
    async with ecr.writing():
        for digest in image["_blobs"]:
            if not await ecr.bytes.mount(addresses.kept(region, name), digest, source):
                raise AwsError("LayersNotFoundException", f"The layer {digest} is not in {home}.")
    content = image["_manifest"].encode()
    for tag in image["imageTags"] or [None]:
        await publishing.publish(ecr, arn, content, image["imageManifestMediaType"], tag, copied=True)


def _destinations(ecr: Ecr, image: Record) -> list[str]:
    region = arns.region(image["_repository"])
    rules = ecr.settings_of(region).get("replication", {"rules": []})["rules"]
    found: dict[str, None] = {}
    for rule in rules:
        filters = rule.get("repositoryFilters") or [{"filter": ""}]
        if any(image["repositoryName"].startswith(one["filter"]) for one in filters):
            found |= dict.fromkeys(one["region"] for one in rule["destinations"])
    return list(found)


def _check(destination: dict[str, Any], region: str) -> None:
    if destination["registryId"] != settings.ACCOUNT:
        raise AwsError(
            "ValidationException",
            f"The local AWS has one account, {settings.ACCOUNT}, so nothing can be replicated to "
            f"{destination['registryId']}.",
        )
    if destination["region"] not in addresses.regions():
        raise AwsError("ValidationException", f"There is no region '{destination['region']}'.")
    if destination["region"] == region:
        raise AwsError("ValidationException", "The destination of a replication is another region than its source.")


OPERATIONS = {
    "PutReplicationConfiguration": put_replication_configuration,
    "DescribeImageReplicationStatus": describe_image_replication_status,
}
