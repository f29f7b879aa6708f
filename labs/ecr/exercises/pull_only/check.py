"""Can a role pull from one repository, and nothing else? Tried with the role's own credentials."""

from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

from labs import settings
from labs.ecr import look, remove
from labs.kit.verdict import Verdict, done, not_yet
from labs.kit.world import aws_client

NAME = "ecr-shop"
ROLE = "ecr-shop-puller"
NO_LAYER = "sha256:" + "0" * 64
OTHER = "ecr-shop-of-somebody-else"  # need not exist: permission is asked first


def check() -> Verdict:
    """Take on the role and try: log in, pull, push, change, pull elsewhere. No call here changes anything."""
    if look.repository(NAME) is None:
        return not_yet("no_repository", f"There is no repository {NAME!r} yet.")
    iam = aws_client("iam")
    try:
        role = iam.get_role(RoleName=ROLE)["Role"]["Arn"]
    except iam.exceptions.NoSuchEntityException:
        return not_yet("no_role", f"The repository is there; there is no role {ROLE!r} yet.")
    return _try(_ecr(role))


def reset() -> None:
    """Remove the repository and the role."""
    remove.everything(NAME)


def _ecr(role: str) -> Any:
    """ECR with the credentials of the role."""
    given = aws_client("sts").assume_role(RoleArn=role, RoleSessionName="check")["Credentials"]
    return boto3.session.Session().client(
        "ecr",
        endpoint_url=settings.gateway_url(),
        region_name=settings.REGION,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def _try(ecr: Any) -> Verdict:
    if not _may(ecr.get_authorization_token):
        return not_yet("no_login", "With this role nobody can log in to the registry: no token is given out.")
    pulls = {
        "ecr:BatchCheckLayerAvailability": (ecr.batch_check_layer_availability, {"layerDigests": [NO_LAYER]}),
        "ecr:BatchGetImage": (ecr.batch_get_image, {"imageIds": [{"imageTag": "none"}]}),
        "ecr:GetDownloadUrlForLayer": (ecr.get_download_url_for_layer, {"layerDigest": NO_LAYER}),
    }
    refused = [action for action, (call, more) in pulls.items() if not _may(call, repositoryName=NAME, **more)]
    if refused:
        return not_yet("cannot_pull", f"The role is refused {len(refused)} of 3 things that a pull does in {NAME!r}.")
    if any(_may(call, repositoryName=NAME, **more) for call, more in _pushes(ecr)):
        return not_yet("can_push", f"The role can do more than pull: it may also push to {NAME!r}.")
    if any(_may(call, repositoryName=NAME, **more) for call, more in _changes(ecr)):
        return not_yet("can_change", f"The role cannot push, but it may delete images or change settings of {NAME!r}.")
    if _may(ecr.batch_get_image, repositoryName=OTHER, imageIds=[{"imageTag": "none"}]):
        return not_yet("other_repositories", "The role can pull from every repository, not from this one only.")
    return done(f"The role logs in and pulls from {NAME!r}; all else that was tried with it is refused.")


def _pushes(ecr: Any) -> list[tuple[Callable[..., Any], dict[str, Any]]]:
    upload = "00000000-0000-0000-0000-000000000000"
    return [
        (ecr.put_image, {"imageManifest": "{}", "imageTag": "none"}),
        (ecr.complete_layer_upload, {"uploadId": upload, "layerDigests": [NO_LAYER]}),
    ]


def _changes(ecr: Any) -> list[tuple[Callable[..., Any], dict[str, Any]]]:
    return [
        (ecr.batch_delete_image, {"imageIds": [{"imageDigest": NO_LAYER}]}),
        (ecr.put_lifecycle_policy, {"lifecyclePolicyText": "no policy, so this is refused by ECR itself" * 3}),
        (ecr.set_repository_policy, {"policyText": "no policy"}),
    ]


def _may(call: Callable[..., Any], **parameters: Any) -> bool:
    """Whether a call is allowed; one that is allowed and fails for another reason is allowed."""
    try:
        call(**parameters)
    except ClientError as problem:
        return problem.response["Error"]["Code"] != "AccessDeniedException"
    return True
