"""Whose access key a request is signed with. Signatures themselves are not checked: the local AWS has one user.

A role's keys are known from STS's answers, which pass this door; a user's from IAM. The course's own throw-away key,
and any other that nobody has made, is the account's root, who may do everything.
"""

import re
import time
from typing import NamedTuple

from botocore.exceptions import ClientError

from labs.cloud import environment
from labs.cloud.frame import aws
from labs.cloud.frame.store import Store

USER_SECONDS = 5.0  # how long it is remembered that a key is a user's, or nobody's
_KEY = re.compile(r"\w{16,128}")  # as IAM's model has it
_ISSUED = re.compile(
    rb"<Arn>(arn:aws[\w-]*:sts::\d{12}:assumed-role/[^<]+)</Arn>.*?<AccessKeyId>(\w+)</AccessKeyId>"
    rb"|<AccessKeyId>(\w+)</AccessKeyId>.*?<Arn>(arn:aws[\w-]*:sts::\d{12}:assumed-role/[^<]+)</Arn>",
    re.DOTALL,
)


class Identity(NamedTuple):
    """A role in use, or a user.

    Attributes:
        arn: as STS names it, e.g. `arn:aws:sts::000000000000:assumed-role/web/<session>`.
        kind: `role` or `user`.
        name: the role's or user's.
    """

    arn: str
    kind: str
    name: str


class Identities:
    """What is known of access keys.

    Args:
        store: where the keys of roles are kept, without their secrets; a running task keeps its key over a restart.
    """

    def __init__(self, store: Store) -> None:
        self._roles = store.table("access.keys")
        self._store = store
        self._users: dict[str, tuple[float, Identity | None]] = {}

    async def find(self, key: str | None) -> Identity | None:
        """Who has an access key; None for the root of the account.

        Args:
            key: the access key ID; None for a request without one.
        """
        if key is None or key == environment.THROW_AWAY_KEY or not _KEY.fullmatch(key):
            return None
        if key in self._roles:
            arn = self._roles[key]["arn"]
            return Identity(arn, "role", arn.split("/")[1])
        when, user = self._users.get(key, (0.0, None))
        if time.monotonic() - when > USER_SECONDS:
            user = await _user(key)
            self._users[key] = (time.monotonic(), user)
        return user

    def learn(self, answer: bytes) -> None:
        """Remembers whom STS has given a key to, from its answer to one of the AssumeRole operations."""
        if found := _ISSUED.search(answer):
            arn, key = (found[1], found[2]) if found[1] else (found[4], found[3])
            self._roles.put(key.decode(), {"arn": arn.decode(), "since": time.time()})
            for old in [one for one in self._roles if time.time() - self._roles[one]["since"] > 86400]:
                self._roles.drop(old)
            self._store.flush_quietly()


async def _user(key: str) -> Identity | None:
    try:
        name = (await aws.call("iam", "get_access_key_last_used", AccessKeyId=key)).get("UserName")
        arn = (await aws.call("iam", "get_user", UserName=name))["User"]["Arn"] if name else ""
    except ClientError:
        return None
    return Identity(arn, "user", name) if arn else None
