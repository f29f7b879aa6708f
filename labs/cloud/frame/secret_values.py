"""Values that stand in SSM or Secrets Manager. No value is ever logged. For threads.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.frame import arns, aws

NAMES_A_CALL = 10  # of SSM's GetParameters


class SecretError(Exception):
    """A secret or an environment file cannot be had. The text is what a task's `stoppedReason` says."""


def resolve(wanted: Mapping[str, str], region: str) -> dict[str, str]:
    """The values of secrets.

    Args:
        wanted: names to the ARN of a secret (with a JSON key, stage and version, if it matters), or the ARN or name of
            a parameter.
        region: where a name is; an ARN can name another region.

    Raises:
        SecretError: one of them is missing or cannot be read.
    """
    entries = [{"name": name, "valueFrom": value} for name, value in wanted.items()]
    found = _parameters([one for one in entries if not is_secrets_manager(one["valueFrom"])], region)
    for one in entries:
        if is_secrets_manager(one["valueFrom"]):
            found[one["name"]] = _secret(one["valueFrom"], region)
    return found


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
            raise unavailable(what, reason(problem)) from problem
        for parameter in answer["Parameters"]:
            selector = parameter.get("Selector") or ""
            for name in (parameter["Name"], parameter.get("ARN")):
                values[f"{name}{selector}"] = parameter["Value"]
        if missing := [name for name in asked if name not in values]:
            raise unavailable(what, f"invalid parameters: {','.join(missing)}")
    return values


# --- Secrets Manager --------------------------------------------------------------------------------------------------


def is_secrets_manager(value_from: str) -> bool:
    """Whether a value is of Secrets Manager, and not of SSM."""
    return value_from.startswith("arn:") and value_from.split(":")[2:3] == ["secretsmanager"]


def _secret(value_from: str, region: str) -> str:
    """A secret, or one key of it: `arn:...:secret:<name>[:<json key>:<version stage>:<version id>]`."""
    what = "unable to retrieve secret from asm"
    parts = value_from.split(":")
    if len(parts) not in (7, 10):
        words = (
            "an invalid ARN format for the AWS Secrets Manager secret was specified. Specify a valid ARN and try again."
        )
        raise unavailable(what, words)
    key, stage, version = parts[7:] or ("", "", "")
    chosen = {name: value for name, value in (("VersionStage", stage), ("VersionId", version)) if value}
    text = secret_text(":".join(parts[:7]), region, chosen, what)
    if not key:
        return text
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise unavailable(what, f"the secret {':'.join(parts[:7])} is not JSON, so it has no key {key}")
    if key not in content:
        raise unavailable(what, f"retrieved secret from Secrets Manager did not contain json key {key}")
    return _as_the_agent_prints(content[key])


def secret_text(arn: str, region: str, chosen: dict[str, str], what: str) -> str:
    """The text of a secret.

    Args:
        arn: the secret's ARN.
        region: where it is, if the ARN does not say it.
        chosen: `VersionStage` and `VersionId`, if they matter.
        what: what was tried, for the error.

    Raises:
        SecretError: there is none.
    """
    client = aws.client("secretsmanager", arns.region(arn) or region)
    try:
        answer = client.get_secret_value(SecretId=arn, **chosen)
    except (ClientError, BotoCoreError) as problem:
        words = f"failed to fetch secret {arn} from secrets manager: {reason(problem)}"
        raise unavailable(what, words) from problem
    if "SecretString" not in answer:
        raise unavailable(what, f"the secret {arn} is binary. Only text can be a variable.")
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


def reason(problem: Exception) -> str:
    """AWS's error in a few words."""
    if isinstance(problem, ClientError):
        return f"{problem.response['Error']['Code']}: {problem.response['Error']['Message']}"
    return str(problem)


def unavailable(what: str, words: str) -> SecretError:
    """In the words of Fargate's agent.

    https://repost.aws/knowledge-center/ecs-unable-to-pull-secrets
    """
    return SecretError(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        f"{what}: service call has been retried 1 time(s): {words}"
    )
