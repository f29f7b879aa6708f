"""Images, found as this machine can find them."""

import base64
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import docker as sdk
from botocore.exceptions import BotoCoreError, ClientError
from docker.auth import resolve_repository_name
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.images import Image
from docker.utils import parse_repository_tag
from requests.exceptions import RequestException

from labs import settings
from labs.cloud import guard
from labs.cloud.engine import docker
from labs.cloud.frame import aws

MANIFEST_SECONDS = 20  # how long a registry may take to say whether it has an image
HUB = "docker.io"

_ECR = re.compile(r"^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(.+)$")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_LOOPBACK = ("localhost", "127.0.0.1")

Progress = Callable[[dict[str, Any]], None]


class CannotPullError(Exception):
    """An image cannot be had. The text is what a task's `stoppedReason` says."""


def ensure(image: str, progress: Progress | None = None, *, credentials: dict[str, str] | None = None) -> Image:
    """The image of a container definition. For a thread.

    An image of our own ECR is always pulled from there, so a push counts and an image that was never pushed is not
    found. Any other image is used as it is if the machine has it, and is pulled if not: AWS asks the registry for each
    task instead (Fargate has no images of its own, the ECS agent's default pull behaviour is to try a pull first), and
    a learner would wait for a registry, or be offline.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html (ECS_IMAGE_PULL_BEHAVIOR)

    Args:
        image: the name as the definition has it.
        progress: called with each message of the pull: `{"status": ..., "id": ..., "progressDetail": ...}`.
        credentials: `username` and `password` for the image's registry.

    Raises:
        CannotPullError: there is no such image, or no way to it.
        RealAwsRefused: the image is in a registry of a real AWS account.
    """
    reference = local_reference(image)
    if _is_own_registry(reference):
        return _pull(image, reference, progress, credentials or _ecr_credentials(image))
    try:
        return docker.client().images.get(reference)
    except ImageNotFound:
        pass
    except APIError as problem:  # a name that is no name, for instance
        raise _cannot_resolve(image, problem.explanation) from problem
    _require_manifest(image, reference, credentials)
    return _pull(image, reference, progress, credentials)


def local_reference(image: str) -> str:
    """An image's name as this machine can pull it: our ECR's name becomes the gateway's own registry.

    Raises:
        RealAwsRefused: the name is in an ECR registry of an account that is not the local one.
    """
    match = _ECR.match(image)
    if match and match[1] == settings.ACCOUNT:
        return _at_the_gateway(match[2], match[3])
    host = image.split("/", 1)[0]
    if guard.is_real_aws(host.split(":", 1)[0]):
        raise guard.RealAwsRefused(f"{host} is a registry in a real AWS account, and the course sends nothing there.")
    return image


def own_repository(image: str) -> tuple[str, str] | None:
    """The repository of our own ECR that an image's name means.

    Returns:
        Its region and its name; None for an image of anywhere else.
    """
    reference = image
    if match := _ECR.match(image):
        if match[1] != settings.ACCOUNT:
            return None
        reference = _at_the_gateway(match[2], match[3])
    if not _is_own_registry(reference):
        return None
    name, _ = parse_repository_tag(reference.partition("/")[2])
    first, _, rest = name.partition("/")
    return (first, rest) if rest and _REGION.fullmatch(first) else (settings.REGION, name)


def digest(image: Image) -> str | None:
    """The digest by which a registry knows an image (`sha256:...`); None for one that was only ever built here."""
    digests = image.attrs.get("RepoDigests") or []
    return digests[0].rpartition("@")[2] if digests else None


def _at_the_gateway(region: str, name: str) -> str:
    """An image of our ECR as its `repositoryUri` writes it: the home region is left out where nothing is lost by it."""
    home = region == settings.REGION and not _REGION.fullmatch(name.partition("/")[0])
    return f"{settings.GATEWAY_HOST}:{settings.gateway_port()}/{name if home else f'{region}/{name}'}"


def _is_own_registry(reference: str) -> bool:
    host, _, port = reference.partition("/")[0].partition(":")
    return host in _LOOPBACK and port == str(settings.gateway_port())


def _ecr_credentials(image: str) -> dict[str, str]:
    """A log-in to our ECR, by its public API: the learner need not have run `docker login`."""
    region, _ = own_repository(image) or (settings.REGION, "")
    try:
        data = aws.client("ecr", region).get_authorization_token()["authorizationData"][0]
    except (ClientError, BotoCoreError) as problem:
        raise CannotPullError(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
            f"failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): {problem}"
        ) from problem
    username, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return {"username": username, "password": password}


def _require_manifest(image: str, reference: str, credentials: dict[str, str] | None) -> None:
    """Asks the registry whether it has the image. A pull itself has no limit to how long it waits for an answer.

    Raises:
        CannotPullError: it has not, or does not answer.
    """
    try:
        _impatient().api.inspect_distribution(reference, auth_config=credentials)
    except APIError as problem:
        raise _cannot_resolve(image, problem.explanation) from problem
    except RequestException as problem:
        reason = f"the registry did not answer within {MANIFEST_SECONDS} seconds. Check the network of this machine."
        raise _cannot_resolve(image, reason) from problem
    except DockerException as problem:
        raise _cannot_resolve(image, str(problem)) from problem


def _pull(image: str, reference: str, progress: Progress | None, credentials: dict[str, str] | None) -> Image:
    repository, tag = parse_repository_tag(reference)
    tag = tag or "latest"
    try:
        for message in _messages(repository, tag, credentials):
            if "error" in message:
                raise _cannot_resolve(image, message["error"])
            if progress:
                progress(message)
        return docker.client().images.get(f"{repository}{'@' if ':' in tag else ':'}{tag}")
    except APIError as problem:
        raise _cannot_resolve(image, problem.explanation) from problem
    except (DockerException, RequestException) as problem:
        raise _cannot_resolve(image, str(problem)) from problem


def _messages(repository: str, tag: str, credentials: dict[str, str] | None) -> Iterator[dict[str, Any]]:
    return docker.client().api.pull(repository, tag=tag, stream=True, decode=True, auth_config=credentials)


def _cannot_resolve(image: str, reason: object) -> CannotPullError:
    """The error in the words of Fargate's agent, with this engine's reason.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
    """
    return CannotPullError(
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
        f"failed to resolve ref {_canonical(image)}: {reason}"
    )


def _canonical(image: str) -> str:
    """A name with its registry and tag, as Fargate's agent writes it: `docker.io/library/nginx:latest`."""
    try:
        registry, name = resolve_repository_name(image)
    except DockerException:  # not a name at all
        return image
    registry = HUB if registry in ("docker.io", "index.docker.io") else registry
    if registry == HUB and "/" not in name:
        name = f"library/{name}"
    _, tag = parse_repository_tag(name)
    return f"{registry}/{name}" if tag else f"{registry}/{name}:latest"


@functools.cache
def _impatient() -> sdk.DockerClient:
    return sdk.DockerClient.from_env(timeout=MANIFEST_SECONDS)
