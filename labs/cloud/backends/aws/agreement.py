"""What the learner agreed to when they chose a real account: which account, which region, whose credentials.

Kept in the data folder, without any secret: the credentials stay where the learner has them (a profile, single sign-on,
the environment of the terminal) and are read by the gateway's process alone.
"""

import os
import secrets
from collections.abc import MutableMapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from labs import settings
from labs.cloud import environment
from labs.cloud.backends.errors import BackendUnavailableError

BACKEND = "aws"
CHOOSE = "python3 -m labs start --backend aws"
# For tests: a server on this machine that plays AWS. A real request is impossible then.
STAND_IN_VARIABLE = "COURSE_AWS_STAND_IN"
_FILES = {"config_file": "AWS_CONFIG_FILE", "credentials_file": "AWS_SHARED_CREDENTIALS_FILE"}
_OWN_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


class Agreement(NamedTuple):
    """What was agreed.

    Args:
        account: 12 digits.
        region: the one region in which anything may be made.
        profile: the learner's AWS profile; None for what the SDKs find by themselves.
        files: where the learner's environment says that config and credentials lie; by `config_file`,
            `credentials_file`.
        key: what clients on this machine have to use as their access key, so that no other user's programs get in.
    """

    account: str
    region: str
    profile: str | None = None
    files: tuple[tuple[str, str], ...] = ()
    key: str = ""

    def as_choice(self) -> dict[str, Any]:
        """What is kept of it, see `settings.chosen_backend`."""
        return {"backend": BACKEND, **self._asdict(), "files": dict(self.files)}


def read() -> Agreement:
    """The agreement of this data folder.

    Raises:
        BackendUnavailableError: there is none.
    """
    found = settings.chosen_backend()
    complete = is_account(found.get("account")) and found.get("region") and found.get("key")
    if found.get("backend") != BACKEND or not complete:
        raise BackendUnavailableError(
            f"No real AWS account was agreed to, so none is used. To choose one, in so many words: `{CHOOSE}`. "
            "To go on without one, unset COURSE_BACKEND."
        )
    files = tuple((found.get("files") or {}).items())
    return Agreement(found["account"], found["region"], found.get("profile"), files, found["key"])


def new_key() -> str:
    """A key for clients on this machine."""
    return f"{environment.THROW_AWAY_KEY}-{secrets.token_hex(16)}"


def is_account(text: object) -> bool:
    """Whether something is an account's number."""
    return isinstance(text, str) and len(text) == 12 and text.isascii() and text.isdecimal()


def files_of(environ: MutableMapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Where an environment says that the learner's AWS files lie."""
    return tuple((key, environ[name]) for key, name in _FILES.items() if environ.get(name))


def apply(agreement: Agreement, environ: MutableMapping[str, str]) -> None:
    """Makes an environment that of the gateway's process: with the learner's own credentials, to real endpoints.

    Args:
        agreement: what was agreed.
        environ: changed in place. May be the course's own, in which nothing of the learner's is left.
    """
    if environ.get("AWS_ACCESS_KEY_ID", "").startswith(environment.THROW_AWAY_KEY):
        for name in [name for name in environ if name.upper().startswith(("AWS_", "BOTO_CONFIG"))]:
            del environ[name]
    for name in [name for name in environ if name.upper().startswith(("AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED"))]:
        del environ[name]
    if agreement.profile:
        for name in _OWN_KEYS:
            environ.pop(name, None)
        environ["AWS_PROFILE"] = agreement.profile
    for key, value in agreement.files:
        environ[_FILES[key]] = value
    environ["AWS_DEFAULT_REGION"] = environ["AWS_REGION"] = agreement.region


def stand_in() -> str | None:
    """The address of the server that plays AWS in tests.

    Raises:
        BackendUnavailableError: it is not on this machine.
    """
    url = os.environ.get(STAND_IN_VARIABLE)
    if url and urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise BackendUnavailableError(
            f"{STAND_IN_VARIABLE} names {url}, and only a server on this machine may play AWS."
        )
    return url or None
