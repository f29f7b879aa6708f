"""What a container gets from elsewhere as variables: secrets, and environment files. No value is ever logged.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/use-environment-file.html
"""

import json
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.ecs import container_options
from labs.cloud.frame import arns, aws

NAMES_A_CALL = 10  # of SSM's GetParameters
FILE_BYTES = 1_000_000


class SecretError(Exception):
    """A secret or an environment file cannot be had. The text is what a task's `stoppedReason` says."""


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
    in_secrets_manager = [one for one in entries if _is_secrets_manager(one["valueFrom"])]
    in_ssm = [one for one in entries if not _is_secrets_manager(one["valueFrom"])]
    found.update(_parameters(in_ssm, region))
    found.update({one["name"]: _secret(one["valueFrom"], region) for one in in_secrets_manager})
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
    text = _secret_text(arn, region, {}, "unable to get registry auth from asm")
    try:
        value = json.loads(text)
        return {"username": value["username"], "password": value["password"]}
    except (ValueError, KeyError, TypeError):
        raise _unavailable(
            "unable to get registry auth from asm",
            "asm fetching authorization data: the secret has to be JSON with a username and a password",
        ) from None


# --- SSM --------------------------------------------------------------------------------------------------------------


def _parameters(entries: list[dict[str, str]], region: str) -> dict[str, str]:
    found = {}
    by_region: dict[str, list[dict[str, str]]] = {}
    for entry in entries:
        place = arns.region(entry["valueFrom"]) if entry["valueFrom"].startswith("arn:") else region
        by_region.setdefault(place, []).append(entry)
    for place, wanted in by_region.items():
        values = _parameter_values({one["valueFrom"] for one in wanted}, place)
        found.update({one["name"]: values[one["valueFrom"]] for one in wanted})
    return found


def _parameter_values(names: Iterable[str], region: str) -> dict[str, str]:
    """The decrypted values of parameters, by the name or ARN that was asked for."""
    what = "unable to retrieve secrets from ssm"
    ordered, values = sorted(names), {}
    for start in range(0, len(ordered), NAMES_A_CALL):
        asked = ordered[start : start + NAMES_A_CALL]
        try:
            answer = aws.client("ssm", region).get_parameters(Names=asked, WithDecryption=True)
        except (ClientError, BotoCoreError) as problem:
            raise _unavailable(what, _reason(problem)) from problem
        for parameter in answer["Parameters"]:
            selector = parameter.get("Selector") or ""
            for name in (parameter["Name"], parameter.get("ARN")):
                values[f"{name}{selector}"] = parameter["Value"]
        if missing := [name for name in asked if name not in values]:
            raise _unavailable(what, f"invalid parameters: {','.join(missing)}")
    return values


# --- Secrets Manager --------------------------------------------------------------------------------------------------


def _is_secrets_manager(value_from: str) -> bool:
    return value_from.startswith("arn:") and value_from.split(":")[2:3] == ["secretsmanager"]


def _secret(value_from: str, region: str) -> str:
    """A secret, or one key of it: `arn:...:secret:<name>[:<json key>:<version stage>:<version id>]`."""
    what = "unable to retrieve secret from asm"
    parts = value_from.split(":")
    if len(parts) not in (7, 10):
        reason = (
            "an invalid ARN format for the AWS Secrets Manager secret was specified. Specify a valid ARN and try again."
        )
        raise _unavailable(what, reason)
    key, stage, version = parts[7:] or ("", "", "")
    chosen = {name: value for name, value in (("VersionStage", stage), ("VersionId", version)) if value}
    text = _secret_text(":".join(parts[:7]), region, chosen, what)
    if not key:
        return text
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise _unavailable(what, f"the secret {':'.join(parts[:7])} is not JSON, so it has no key {key}")
    if key not in content:
        raise _unavailable(what, f"retrieved secret from Secrets Manager did not contain json key {key}")
    return _as_the_agent_prints(content[key])


def _secret_text(arn: str, region: str, chosen: dict[str, str], what: str) -> str:
    client = aws.client("secretsmanager", arns.region(arn) or region)
    try:
        answer = client.get_secret_value(SecretId=arn, **chosen)
    except (ClientError, BotoCoreError) as problem:
        reason = f"failed to fetch secret {arn} from secrets manager: {_reason(problem)}"
        raise _unavailable(what, reason) from problem
    if "SecretString" not in answer:
        raise _unavailable(what, f"the secret {arn} is binary. Only text can be a variable.")
    return answer["SecretString"]


def _as_the_agent_prints(value: Any) -> str:
    """A JSON value as Go's `%v` prints it, which the agent uses.

    https://github.com/aws/amazon-ecs-agent/blob/master/agent/asm/asm.go (GetSecretFromASMWithInput)
    """
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "<nil>"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if isinstance(value, list):
        return "[" + " ".join(_as_the_agent_prints(item) for item in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_as_the_agent_prints(value[key])}" for key in sorted(value)) + "]"
    return str(value)


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
                f"stream: service call has been retried 1 time(s): {file['value']}: {_reason(problem)}"
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


def _reason(problem: Exception) -> str:
    if isinstance(problem, ClientError):
        return f"{problem.response['Error']['Code']}: {problem.response['Error']['Message']}"
    return str(problem)


def _unavailable(what: str, reason: str) -> SecretError:
    """In the words of Fargate's agent.

    https://repost.aws/knowledge-center/ecs-unable-to-pull-secrets
    """
    return SecretError(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        f"{what}: service call has been retried 1 time(s): {reason}"
    )
