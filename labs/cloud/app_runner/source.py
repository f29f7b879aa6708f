"""The image that a service is to run, as its source means it at this moment."""

from typing import Any

from labs.cloud import guard
from labs.cloud.app_runner import building, checks
from labs.cloud.app_runner.state import AppRunner
from labs.cloud.engine import docker, images
from labs.cloud.frame import arns, roles
from labs.cloud.frame.store import Record

_ACTIONS = ("BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage")


class SourceError(Exception):
    """There is no image to run. The text says why."""


async def image(runner: AppRunner, service: Record) -> dict[str, Any]:
    """The image of a service.

    Returns:
        `image`: Docker's id of it; `digest`: the registry's, if it has one, or the commit; `_code`: how code is run.

    Raises:
        SourceError: it cannot be had.
    """
    source = service["SourceConfiguration"]
    if "CodeRepository" in source:
        try:
            return await docker.run(building.build, service)
        except building.CannotBuildError as problem:
            raise SourceError(str(problem)) from problem
    name = source["ImageRepository"]["ImageIdentifier"]
    if role := (source.get("AuthenticationConfiguration") or {}).get("AccessRoleArn"):
        await _require_access(name, role)
    try:
        found = await docker.run(images.ensure, name)
    except (images.CannotPullError, guard.RealAwsRefused) as problem:
        raise SourceError(f"Failed to pull your application image. Reason: {problem}") from problem
    return {"image": found.id, "digest": images.digest(found)}


async def _require_access(name: str, role: str) -> None:
    """Asks the access role's policies, as AWS pulls with that role."""
    region, repository = images.own_repository(name) or ("", "")
    resource = arns.make("ecr", region, f"repository/{repository}")
    needs = [("ecr:GetAuthorizationToken", "*"), *((f"ecr:{action}", resource) for action in _ACTIONS)]
    for action, what in needs:
        try:
            await roles.require(role, checks.BUILD_PRINCIPAL, action, what)
        except roles.RoleError as problem:
            raise SourceError(
                "Failed to pull your application image. Be sure you configure your service with a valid access role to "
                f"your ECR repository. Reason: {problem}"
            ) from problem
