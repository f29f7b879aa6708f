"""How an image comes into a repository, by `docker push` or by PutImage, and how it goes."""

from typing import Any

from labs.cloud.ecr import addresses, manifests, patterns
from labs.cloud.ecr.state import SOURCE, Ecr, image_key
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.signals import IMAGE_PUSHED
from labs.cloud.frame.store import Record


async def publish(
    ecr: Ecr,
    repository: str,
    content: bytes,
    media_type: str | None,
    tag: str | None,
    *,
    digest: str | None = None,
    copied: bool = False,
) -> Record:
    """Takes a manifest whose layers are there.

    Args:
        ecr: the state.
        repository: the repository's ARN.
        content: the manifest, byte by byte as it is to be given out.
        media_type: its type, where the manifest does not say it itself.
        tag: the tag to give it; None for none.
        digest: what it must have; None for any.
        copied: whether it comes by replication; a copy is not copied on.

    Returns:
        The image.

    Raises:
        AwsError: as PutImage is refused. Nothing has changed.
    """
    facts = manifests.read(content, media_type)
    found = manifests.digest(content)
    if digest not in (None, found):
        raise AwsError("ImageDigestDoesNotMatchException", "The specified image digest does not match the manifest.")
    if tag is not None and not manifests.TAG.fullmatch(tag):
        raise AwsError(
            "InvalidParameterException",
            f"Invalid parameter at 'imageTag' failed to satisfy constraint: '{tag}' is not a tag",
        )
    async with ecr.writing():
        record = ecr.repositories.get(repository) or {}
        _require_parts(ecr, record, facts)
        require_free_tag(ecr, repository, tag)
        await ecr.bytes.put_manifest(kept(record), found, content, facts["imageManifestMediaType"])
        # The repository may have changed while the registry worked.
        if repository not in ecr.repositories:
            ecr.garbage.put(image_key(repository, found), {"since": clock.now()})
            raise AwsError("RepositoryNotFoundException", "The repository was deleted during the push.")
        require_free_tag(ecr, repository, tag)
        image = _record(ecr, record, found, content, facts)
        ecr.keep(image)
        ecr.garbage.drop(image_key(repository, found))
        if tag is not None:
            move_tag(ecr, image, tag)
    for blob in facts["_blobs"]:
        ecr.pending.drop(image_key(repository, blob))
    tell(ecr, image, "PUSH", tag)
    ecr.store.flush()
    ecr.pushed(image_key(repository, found), copied)
    ecr.signals.send(IMAGE_PUSHED, repository)
    return image


def require_free_tag(ecr: Ecr, repository: str, tag: str | None) -> None:
    """Makes sure that a tag may be given.

    Raises:
        AwsError: ImageTagAlreadyExistsException: an image has it, and tags are immutable here.
    """
    record = ecr.repositories.get(repository)
    if record is None or tag is None or ecr.tagged(repository, tag) is None:
        return
    if is_immutable(record, tag):
        raise AwsError(
            "ImageTagAlreadyExistsException",
            f"The image tag '{tag}' already exists in the '{record['repositoryName']}' repository and cannot be "
            "overwritten because the repository is immutable.",
        )


def is_immutable(repository: Record, tag: str) -> bool:
    """Whether a tag of a repository cannot be moved.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
    """
    mode = repository["imageTagMutability"]
    filters = repository.get("imageTagMutabilityExclusionFilters") or []
    excluded = any(patterns.matches(one["filter"], tag) for one in filters)
    return mode.startswith("IMMUTABLE") != (mode.endswith("_WITH_EXCLUSION") and excluded)


def move_tag(ecr: Ecr, image: Record, tag: str) -> None:
    """Gives an image a tag; the image that had it has it no more."""
    for other in ecr.images_of(image["_repository"]):
        if tag in other["imageTags"] and other is not image:
            ecr.keep({**other, "imageTags": [one for one in other["imageTags"] if one != tag]})
    if tag not in image["imageTags"]:
        image["imageTags"].append(tag)
    ecr.keep(image)


def remove(ecr: Ecr, image: Record, tags: list[str]) -> None:
    """Removes an image. Its bytes are garbage from now on: `collection` removes them.

    Args:
        ecr: the state.
        image: what to remove.
        tags: the tags to tell of in events; none for an untagged image.
    """
    key = image_key(image["_repository"], image["imageDigest"])
    ecr.images.drop(key)
    ecr.garbage.put(key, {"since": clock.now()})
    for tag in tags or [None]:
        tell(ecr, image, "DELETE", tag)


def kept(repository: Record) -> str:
    """The name under which the registry keeps a repository."""
    return addresses.kept(arns.region(repository["repositoryArn"]), repository["repositoryName"])


def tell(ecr: Ecr, image: Record, action: str, tag: str | None) -> None:
    """Sends the event `ECR Image Action`. https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html"""
    detail: dict[str, Any] = {
        "result": "SUCCESS",
        "repository-name": image["repositoryName"],
        "image-digest": image["imageDigest"],
        "action-type": action,
    }
    if tag is not None:
        detail["image-tag"] = tag
    for key, member in (
        ("manifest-media-type", "imageManifestMediaType"),
        ("artifact-media-type", "artifactMediaType"),
    ):
        if action == "PUSH" and image.get(member):
            detail[key] = image[member]
    ecr.publish(arns.region(image["_repository"]), "ECR Image Action", [image["_repository"]], detail, SOURCE)


def _require_parts(ecr: Ecr, repository: Record, facts: dict[str, Any]) -> None:
    arn = repository["repositoryArn"]
    missing = [one for one in facts["_children"] if ecr.image(arn, one) is None]
    if missing:
        raise AwsError(
            "ReferencedImagesNotFoundException",
            f"Images with digests '[{', '.join(missing)}]' required for pushing image into repository with name "
            f"'{repository['repositoryName']}' in the registry with id '{repository['registryId']}' do not exist",
        )


def _record(ecr: Ecr, repository: Record, digest: str, content: bytes, facts: dict[str, Any]) -> Record:
    """The image's record, new or as it was."""
    arn = repository["repositoryArn"]
    if (present := ecr.image(arn, digest)) is not None:
        return present
    children = [ecr.image(arn, one) for one in facts["_children"]]
    size = max((child["imageSizeInBytes"] for child in children if child), default=sum(facts["_blobs"].values()))
    return {
        "registryId": repository["registryId"],
        "repositoryName": repository["repositoryName"],
        "imageDigest": digest,
        "imageTags": [],
        "imageSizeInBytes": size,
        "imagePushedAt": clock.now(),
        "imageStatus": "ACTIVE",
        "_repository": arn,
        "_manifest": content.decode(),
        **facts,
    }
