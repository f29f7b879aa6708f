"""Automatic deployments: what a service runs follows the tag of its image in ECR.

https://docs.aws.amazon.com/apprunner/latest/dg/manage-deploy.html#manage-deploy.auto
"""

import logging

from botocore.exceptions import ClientError
from docker.utils import parse_repository_tag

from labs.cloud.app_runner import operations
from labs.cloud.app_runner.state import RUNNING, AppRunner
from labs.cloud.engine import images
from labs.cloud.frame import arns, aws
from labs.cloud.frame.store import Record

log = logging.getLogger(__name__)


async def look(runner: AppRunner, repository: str | None = None) -> None:
    """Begins a deployment of each service whose image is not what its tag names now.

    Args:
        runner: the state.
        repository: the ARN of the repository that has changed; None for any.
    """
    for arn, service in list(runner.services.items()):
        found = _follows(service)
        if found is None or repository not in (None, arns.make("ecr", found[0], f"repository/{found[1]}")):
            continue
        region, name, tag = found
        try:
            answer = await aws.call(
                "ecr", "batch_get_image", region=region, repositoryName=name, imageIds=[{"imageTag": tag}]
            )
        except ClientError as problem:  # the repository was deleted
            log.info("the image of %s cannot be followed: %s", service["ServiceName"], problem)
            continue
        digests = [one["imageId"]["imageDigest"] for one in answer["images"]]
        now = runner.services.get(arn)  # it may have changed meanwhile
        if now and now["Status"] == RUNNING and digests and digests[0] not in _known(now):
            runner.change(arn, _tried=digests[0])
            operations.begin(runner, arn, "START_DEPLOYMENT")
            runner.store.flush_quietly()


def _known(service: Record) -> tuple[str | None, str | None]:
    """The digests that run or were tried: one that does not work is not tried for ever."""
    return service["_active"]["digest"], service.get("_tried")


def _follows(service: Record) -> tuple[str, str, str] | None:
    """Region, repository and tag of the image that a service follows; None if it follows none."""
    source = service["SourceConfiguration"]
    if not source.get("AutoDeploymentsEnabled") or "ImageRepository" not in source or service["Status"] != RUNNING:
        return None
    identifier = source["ImageRepository"]["ImageIdentifier"]
    own = images.own_repository(identifier)
    _, tag = parse_repository_tag(identifier)
    return None if own is None or "@" in identifier else (*own, tag or "latest")
