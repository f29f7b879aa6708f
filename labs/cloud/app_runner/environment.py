"""The variables of an instance.

https://docs.aws.amazon.com/apprunner/latest/dg/develop.html
https://docs.aws.amazon.com/apprunner/latest/dg/env-variable.html
"""

from collections.abc import Mapping
from typing import Any

from labs import settings
from labs.cloud.app_runner import checks
from labs.cloud.frame import arns
from labs.cloud.frame.store import Record

_URL = f"http://{settings.RELAY_ADDRESS}"


def variables(service: Mapping[str, Any], revision: Record, secrets: Mapping[str, str]) -> dict[str, str]:
    """All variables of an instance: the learner's, App Runner's, and those by which SDKs find the local AWS.

    Args:
        service: the service's record.
        revision: what the instance runs.
        secrets: the values of the secrets, by variable.
    """
    region = arns.region(service["ServiceArn"])
    given = {**(checks.image_configuration(revision).get("RuntimeEnvironmentVariables") or {}), **secrets}
    found = {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": _URL,
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
        **given,
        "PORT": str(revision["_port"]),
    }
    if revision["InstanceConfiguration"].get("InstanceRoleArn"):
        found["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = f"/v2/credentials/{service['_credentials_id']}"
    return found
