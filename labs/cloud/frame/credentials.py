"""The credentials of a role that a container gets at 169.254.170.2, as every SDK asks for them there.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
"""

import logging
import threading
import time
from datetime import UTC
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.frame import arns, aws

FRESH_SECONDS = 30 * 60  # SDKs ask anew 15 minutes before the end

log = logging.getLogger(__name__)


class Refusal(Exception):  # noqa: N818 - it is an answer, as the agent gives it
    """A request is answered with an error: an HTTP status, and what is sent as JSON."""

    def __init__(self, status: int, content: Any) -> None:
        super().__init__(str(content))
        self.status = status
        self.content = content


class Credentials:
    """The credentials of roles, from the backend's STS, kept until they get old. For threads."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, str]] = {}
        self._expiry: dict[str, float] = {}
        self._lock = threading.Lock()

    def get(self, credentials_id: str, role: str, user_arn: str) -> dict[str, str]:
        """Credentials of a role for a task or an instance, as SDKs read them.

        Raises:
            Refusal: the role cannot be assumed.
        """
        with self._lock:
            if self._expiry.get(credentials_id, 0) - time.time() < FRESH_SECONDS:
                self._assume(credentials_id, role, user_arn)
            return self._kept[credentials_id]

    def _assume(self, credentials_id: str, role: str, user_arn: str) -> None:
        session = user_arn.rpartition("/")[2]
        try:
            answer = aws.client("sts", arns.region(user_arn)).assume_role(RoleArn=role, RoleSessionName=session)
        except (ClientError, BotoCoreError) as problem:
            log.warning("the role %s of %s cannot be assumed: %s", role, session, problem)
            raise no_credentials(503, "CredentialsUninitialized", "Credentials uninitialized for ID") from problem
        given = answer["Credentials"]
        for old in [one for one, when in self._expiry.items() if when < time.time()]:
            del self._expiry[old], self._kept[old]
        self._expiry[credentials_id] = given["Expiration"].timestamp()
        self._kept[credentials_id] = {
            "RoleArn": role,
            "AccessKeyId": given["AccessKeyId"],
            "SecretAccessKey": given["SecretAccessKey"],
            "Token": given["SessionToken"],
            "Expiration": given["Expiration"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


def no_credentials(status: int, code: str, reason: str) -> Refusal:
    """The refusal of a request for credentials, as the agent words it."""
    return Refusal(status, {"code": code, "message": f"CredentialsV2Request: {reason}", "HTTPErrorCode": status})
