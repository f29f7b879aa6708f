"""Images: the operations."""

from typing import Any

from labs.cloud.ecr import addresses, manifests, publishing, tokens
from labs.cloud.ecr.state import Ecr
from labs.cloud.frame import clock, paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record


def list_images(ecr: Ecr, request: Request) -> dict[str, Any]:
    """ListImages: one entry for each tag, and one for each image without."""
    repository = ecr.repository(request, request.region)["repositoryArn"]
    found = [one for image in _filtered(ecr.images_of(repository), request) for one in identifiers(image)]
    page, token = paging.page(found, request.get("maxResults"), request.get("nextToken"), most=1000)
    return {"imageIds": page, "nextToken": token}


def describe_images(ecr: Ecr, request: Request) -> dict[str, Any]:
    """DescribeImages."""
    repository = ecr.repository(request, request.region)
    if wanted := request.get("imageIds"):
        if {"maxResults", "nextToken", "filter"} & set(request):
            raise AwsError(
                "InvalidParameterException", "maxResults, nextToken and filter cannot be used together with imageIds."
            )
        found = {image["imageDigest"]: image for image in (require(ecr, repository, one) for one in wanted)}
        return {"imageDetails": [detail(image) for image in found.values()]}
    images = _filtered(ecr.images_of(repository["repositoryArn"]), request)
    page, token = paging.page(images, request.get("maxResults"), request.get("nextToken"), most=1000)
    return {"imageDetails": [detail(image) for image in page], "nextToken": token}


def detail(image: Record) -> dict[str, Any]:
    """An image as DescribeImages shows it."""
    found = dict(image)
    if not image["imageTags"]:
        del found["imageTags"]
    if scan := image.get("_scan"):
        found["imageScanStatus"] = scan["status"]
        if "findings" in scan:
            keys = ("imageScanCompletedAt", "vulnerabilitySourceUpdatedAt", "findingSeverityCounts")
            found["imageScanFindingsSummary"] = {key: scan["findings"][key] for key in keys}
    return found


def batch_get_image(ecr: Ecr, request: Request) -> dict[str, Any]:
    """BatchGetImage."""
    repository = ecr.repository(request, request.region)
    images, failures = [], []
    for wanted in request["imageIds"]:
        image, failure = find(ecr, repository["repositoryArn"], wanted)
        if image is None:
            failures.append(failure)
            continue
        found = {"imageDigest": image["imageDigest"]}
        if "imageTag" in wanted:
            found["imageTag"] = wanted["imageTag"]
        images.append(_image(image, found))
        ecr.keep({**image, "lastRecordedPullTime": clock.now()})
    return {"images": images, "failures": failures}


async def put_image(ecr: Ecr, request: Request) -> dict[str, Any]:
    """PutImage."""
    repository = ecr.repository(request, request.region)
    arn, tag = repository["repositoryArn"], request.get("imageTag")
    content = request["imageManifest"].encode()
    present = ecr.image(arn, manifests.digest(content))
    if present is not None and (tag is None or tag in present["imageTags"]):
        named = f"digest '{present['imageDigest']}'" + (f" and tag '{tag}'" if tag else "")
        raise AwsError(
            "ImageAlreadyExistsException",
            f"Image with {named} already exists in the repository with name '{repository['repositoryName']}' in "
            f"registry with id '{repository['registryId']}'",
        )
    image = await publishing.publish(
        ecr, arn, content, request.get("imageManifestMediaType"), tag, digest=request.get("imageDigest")
    )
    found = {"imageDigest": image["imageDigest"]} | ({"imageTag": tag} if tag else {})
    return {"image": _image(image, found)}


def batch_delete_image(ecr: Ecr, request: Request) -> dict[str, Any]:
    """BatchDeleteImage: a tag takes the image with it if it was the last one, a digest takes all tags with it."""
    repository = ecr.repository(request, request.region)["repositoryArn"]
    deleted, failures = [], []
    for wanted in request["imageIds"]:
        image, failure = find(ecr, repository, wanted)
        if image is None:
            failures.append(failure)
            continue
        tag = wanted.get("imageTag")
        left = [one for one in image["imageTags"] if tag is not None and one != tag]
        if left:
            ecr.keep({**image, "imageTags": left})
            publishing.tell(ecr, image, "DELETE", tag)
            deleted.append({"imageDigest": image["imageDigest"], "imageTag": tag})
            continue
        lists = [one["imageDigest"] for one in ecr.images_of(repository) if image["imageDigest"] in one["_children"]]
        if lists:
            reason = f"Requested image referenced by manifest list: [{', '.join(lists)}]"
            failures.append(_failure(wanted, "ImageReferencedByManifestList", reason))
            continue
        deleted += identifiers(image)
        publishing.remove(ecr, image, image["imageTags"])
    return {"imageIds": deleted, "failures": failures}


async def batch_check_layer_availability(ecr: Ecr, request: Request) -> dict[str, Any]:
    """BatchCheckLayerAvailability."""
    repository = ecr.repository(request, request.region)
    layers, failures = [], []
    for digest in request["layerDigests"]:
        if not manifests.DIGEST.fullmatch(digest):
            reason = "Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
            failures.append({"layerDigest": digest, "failureCode": "InvalidLayerDigest", "failureReason": reason})
            continue
        size = await ecr.bytes.size(publishing.kept(repository), digest)
        found = {"layerDigest": digest, "layerAvailability": "UNAVAILABLE" if size is None else "AVAILABLE"}
        layers.append(found if size is None else found | {"layerSize": size})
    return {"layers": layers, "failures": failures}


async def get_download_url_for_layer(ecr: Ecr, request: Request) -> dict[str, Any]:
    """GetDownloadUrlForLayer: an address that needs no log-in, for an hour."""
    repository = ecr.repository(request, request.region)
    digest = request["layerDigest"]
    if await ecr.bytes.size(publishing.kept(repository), digest) is None:
        raise AwsError(
            "LayersNotFoundException",
            f"Layers with digests '[{digest}]' do not exist in the repository with name "
            f"'{repository['repositoryName']}' in the registry with id '{repository['registryId']}'",
        )
    path = f"/v2/{addresses.path(request.region, repository['repositoryName'])}/blobs/{digest}"
    return {"downloadUrl": f"http://{addresses.host()}{path}?{tokens.link(ecr, path)}", "layerDigest": digest}


def find(ecr: Ecr, repository: str, wanted: dict[str, Any]) -> tuple[Record | None, dict[str, Any]]:
    """The image that an identifier means; where there is none, why, as an ImageFailure."""
    digest, tag = wanted.get("imageDigest"), wanted.get("imageTag")
    if digest is None and tag is None:
        reason = "Invalid request parameters: both tag and digest cannot be null"
        return None, _failure(wanted, "MissingDigestAndTag", reason)
    if digest is not None and not manifests.DIGEST.fullmatch(digest):
        reason = "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
        return None, _failure(wanted, "InvalidImageDigest", reason)
    if tag is not None and not manifests.TAG.fullmatch(tag):
        reason = "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9-_.]{1,128}'"
        return None, _failure(wanted, "InvalidImageTag", reason)
    image = ecr.image(repository, digest) if digest is not None else ecr.tagged(repository, tag or "")
    if image is None:
        return None, _failure(wanted, "ImageNotFound", "Requested image not found")
    if digest is not None and tag is not None and tag not in image["imageTags"]:
        return None, _failure(wanted, "ImageTagDoesNotMatchDigest", "Requested image tag does not match its digest")
    return image, {}


def require(ecr: Ecr, repository: Record, wanted: dict[str, Any]) -> Record:
    """The image that an identifier means.

    Raises:
        AwsError: ImageNotFoundException, or InvalidParameterException for an identifier that says nothing.
    """
    image, failure = find(ecr, repository["repositoryArn"], wanted)
    if image is not None:
        return image
    if failure["failureCode"] not in ("ImageNotFound", "ImageTagDoesNotMatchDigest"):
        raise AwsError("InvalidParameterException", failure["failureReason"])
    raise AwsError(
        "ImageNotFoundException",
        f"The image with imageId {written(wanted)} does not exist within the repository with name "
        f"'{repository['repositoryName']}' in the registry with id '{repository['registryId']}'",
    )


def written(wanted: dict[str, Any]) -> str:
    """An identifier as AWS's messages write it."""
    return f"{{imageDigest:'{wanted.get('imageDigest', 'null')}', imageTag:'{wanted.get('imageTag', 'null')}'}}"


def identifiers(image: Record) -> list[dict[str, Any]]:
    """What an image can be called by: one entry a tag, or its digest alone."""
    digest = image["imageDigest"]
    return [{"imageDigest": digest, "imageTag": tag} for tag in image["imageTags"]] or [{"imageDigest": digest}]


def _filtered(images: list[Record], request: Request) -> list[Record]:
    wanted = request.get("filter", {})
    tagged = {"TAGGED": True, "UNTAGGED": False}.get(wanted.get("tagStatus", "ANY"))
    status = wanted.get("imageStatus", "ACTIVE")
    return [
        image
        for image in images
        if tagged in (None, bool(image["imageTags"])) and status in ("ANY", image.get("imageStatus", "ACTIVE"))
    ]


def _image(image: Record, identifier: dict[str, Any]) -> dict[str, Any]:
    return {
        "registryId": image["registryId"],
        "repositoryName": image["repositoryName"],
        "imageId": identifier,
        "imageManifest": image["_manifest"],
        "imageManifestMediaType": image["imageManifestMediaType"],
    }


def _failure(wanted: dict[str, Any], code: str, reason: str) -> dict[str, Any]:
    return {"imageId": wanted, "failureCode": code, "failureReason": reason}


OPERATIONS = {
    "ListImages": list_images,
    "DescribeImages": describe_images,
    "BatchGetImage": batch_get_image,
    "PutImage": put_image,
    "BatchDeleteImage": batch_delete_image,
    "BatchCheckLayerAvailability": batch_check_layer_availability,
    "GetDownloadUrlForLayer": get_download_url_for_layer,
}
