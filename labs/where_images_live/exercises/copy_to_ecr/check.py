"""Does ECR hold the image of the learner's registry, by the same digest?"""

from labs.kit import remove_aws, remove_docker
from labs.kit.verdict import Verdict, done, not_yet
from labs.kit.world import aws_client
from labs.where_images_live import look

NAME = "reg-copy"
REPOSITORY = "reg-copy-app"
TAG = "1.0"


def check() -> Verdict:
    """Look at the registry, at the repository in ECR, then compare the digests."""
    registry = look.registry(NAME)
    if isinstance(registry, str):
        return not_yet("no_registry", registry)
    original = registry.digest(REPOSITORY, TAG)
    if not original:
        return not_yet("nothing_pushed", f"The registry has no {REPOSITORY}:{TAG} yet.")
    tags = _ecr_tags()
    if tags is None:
        return not_yet("no_repository", f"The original is there. ECR has no repository {NAME!r} yet.")
    if TAG not in tags:
        held = ", ".join(sorted(tags)) or "none"
        return not_yet("not_copied", f"The repository {NAME!r} in ECR has no tag {TAG!r}. Tags there: {held}.")
    if tags[TAG] != original:
        return not_yet("other_digest", f"{TAG!r} in ECR has another digest than the original: another image.")
    return done("One digest in two registries: your copy is the original, bit for bit.")


def reset() -> None:
    """Remove both registries' copies and the registry."""
    remove_aws.everything(NAME)
    remove_docker.everything(NAME)


def _ecr_tags() -> dict[str, str] | None:
    ecr = aws_client("ecr")
    try:
        pages = list(ecr.get_paginator("describe_images").paginate(repositoryName=NAME))
    except ecr.exceptions.RepositoryNotFoundException:
        return None
    images = [image for page in pages for image in page["imageDetails"]]
    return {tag: image["imageDigest"] for image in images for tag in image.get("imageTags", [])}
