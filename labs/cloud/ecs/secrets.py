"""What a container gets from elsewhere as variables: secrets, and environment files. No value is ever logged.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/use-environment-file.html
"""

import json
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.ecs import container_options
from labs.cloud.frame import arns, aws, secret_values
from labs.cloud.frame.secret_values import SecretError

FILE_BYTES = 1_000_000


def resolve(
    definition: dict[str, Any], container: dict[str, Any], region: str, task: dict[str, Any] | None = None
) -> dict[str, str]:
    """The variables of a container that stand elsewhere. For a thread.

    A variable of the definition or of RunTask's overrides wins over one of a file, and is left out here.

    Args:
        definition: the task definition.
        container: the container definition in it.
        region: the task's region; a secret's ARN can name another one.
        task: the task's record, for its overrides.

    Raises:
        SecretError: one of them is missing or cannot be read.
    """
    wanted = container_options.overridden(task or {}, container)
    said = container_options.variables(wanted)
    files = _environment_files(wanted.get("environmentFiles") or [], region)
    found = {name: value for name, value in files.items() if name not in said}
    entries = container.get("secrets") or []
    found.update(secret_values.resolve({one["name"]: one["valueFrom"] for one in entries}, region))
    return found


def registry_credentials(container: dict[str, Any], region: str) -> dict[str, str] | None:
    """User name and password for the registry of a container's image, as `images.ensure` takes them; None if it names
    none. For a thread.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html

    Raises:
        SecretError: the secret is missing or has not the two.
    """
    if not (arn := (container.get("repositoryCredentials") or {}).get("credentialsParameter")):
        return None
    text = secret_values.secret_text(arn, region, {}, "unable to get registry auth from asm")
    try:
        value = json.loads(text)
        return {"username": value["username"], "password": value["password"]}
    except (ValueError, KeyError, TypeError):
        raise secret_values.unavailable(
            "unable to get registry auth from asm",
            "asm fetching authorization data: the secret has to be JSON with a username and a password",
        ) from None


# --- environment files ------------------------------------------------------------------------------------------------


def _environment_files(files: list[dict[str, str]], region: str) -> dict[str, str]:
    """The variables of all files; of a name that is in two the first one counts."""
    found: dict[str, str] = {}
    for file in files:
        bucket, _, key = arns.resource(file["value"]).partition("/")
        try:
            answer = aws.client("s3", region).get_object(Bucket=bucket, Key=key)
            content = answer["Body"].read(FILE_BYTES).decode("utf-8", "replace")
        except (ClientError, BotoCoreError) as problem:
            raise SecretError(
                "ResourceInitializationError: failed to download env files: file download command: non empty error "
                f"stream: service call has been retried 1 time(s): {file['value']}: {secret_values.reason(problem)}"
            ) from problem
        for name, value in _lines(content):
            found.setdefault(name, value)
    return found


def _lines(content: str) -> Iterable[tuple[str, str]]:
    """`NAME=value` lines. Those that begin with `#`, and those without a name, are skipped; quotes are kept."""
    for line in content.split("\n"):
        name, equals, value = line.rstrip("\r").partition("=")
        if equals and name and not line.startswith("#"):
            yield name, value
