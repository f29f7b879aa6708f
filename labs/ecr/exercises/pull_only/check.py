"""Can a role pull from one repository, and nothing else? Tried with the role's own credentials."""

import fnmatch
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

from labs import settings
from labs.ecr import look
from labs.kit import remove_aws, remove_docker
from labs.kit.verdict import Verdict, done, not_yet
from labs.kit.world import aws_client

NAME = "ecr-shop"
ROLE = "ecr-shop-puller"
OF_AWS = "arn:aws:iam::aws:policy/"
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
    # The local AWS knows few of AWS's own policies and lets all pass with the others, so these are not tried.
    if attached := [one["PolicyName"] for one in _attached() if one["PolicyArn"].startswith(OF_AWS)]:
        return not_yet("managed_policy", f"The AWS policy {attached[0]} knows no single repository: it is for all.")
    # The local AWS lets the log-in pass with any resource; AWS asks for "*", so the policies are read.
    if not _has_login():
        return not_yet("no_login", "No policy of the role allows to log in to the registry as a whole.")
    return _try(_ecr(role))


def reset() -> None:
    """Remove the repository and the role."""
    remove_aws.everything(NAME)
    remove_docker.everything(NAME)


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


def _has_login() -> bool:
    """Whether a statement of the role allows a token on the resource *."""
    allowed = [one for one in _statements() if one.get("Effect") == "Allow" and "*" in _list(one.get("Resource"))]
    patterns = [str(action).lower() for one in allowed for action in _list(one.get("Action"))]
    return any(fnmatch.fnmatchcase("ecr:getauthorizationtoken", pattern) for pattern in patterns)


def _attached() -> list[dict[str, str]]:
    return aws_client("iam").list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]


def _statements() -> list[dict[str, Any]]:
    """The statements of all policies of the role."""
    iam, documents = aws_client("iam"), []
    for name in iam.list_role_policies(RoleName=ROLE)["PolicyNames"]:
        documents.append(iam.get_role_policy(RoleName=ROLE, PolicyName=name)["PolicyDocument"])
    for policy in _attached():
        version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)
        documents.append(found["PolicyVersion"]["Document"])
    return [one for document in documents for one in _list(document["Statement"])]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


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
