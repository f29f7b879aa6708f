"""Artifacts that name an image as their subject: signatures, software bills of materials."""

from typing import Any

from labs.cloud.ecr.state import Ecr
from labs.cloud.frame import paging
from labs.cloud.frame.service import Request


def descriptors(ecr: Ecr, repository: str, subject: str, artifact_type: str | None = None) -> list[dict[str, Any]]:
    """The artifacts of an image, as the registry's protocol lists them."""
    found = (one for one in ecr.images_of(repository) if one.get("subjectManifestDigest") == subject)
    listed = [
        {
            "mediaType": one["imageManifestMediaType"],
            "digest": one["imageDigest"],
            "size": len(one["_manifest"].encode()),
            **({"artifactType": one["artifactMediaType"]} if one.get("artifactMediaType") else {}),
            **({"annotations": one["_annotations"]} if one["_annotations"] else {}),
        }
        for one in found
    ]
    return [one for one in listed if artifact_type in (None, one.get("artifactType"))]


def list_image_referrers(ecr: Ecr, request: Request) -> dict[str, Any]:
    """ListImageReferrers."""
    repository = ecr.repository(request, request.region)["repositoryArn"]
    wanted = request.get("filter", {}).get("artifactTypes") or []
    found = descriptors(ecr, repository, request["subjectId"]["imageDigest"])
    kept = [{**one, "artifactStatus": "ACTIVE"} for one in found if not wanted or one.get("artifactType") in wanted]
    page, token = paging.page(kept, request.get("maxResults"), request.get("nextToken"), most=50)
    return {"referrers": page, "nextToken": token}


OPERATIONS = {"ListImageReferrers": list_image_referrers}
