"""Instance identity documents: who an EC2 instance is, signed, so that nobody else can say that he is it.

On AWS the signature is a certificate's; here it is a keyed hash whose key never leaves the data folder.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
"""

import functools
import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path
from typing import Any

from labs import settings


def document(facts: dict[str, Any]) -> str:
    """A document with these facts: `instanceId`, `instanceType`, `region`, `availabilityZone` and so on."""
    return json.dumps(facts, sort_keys=True)


def sign(text: str) -> str:
    """The signature of a document."""
    return hmac.new(_key(), text.encode(), hashlib.sha256).hexdigest()


def read(text: str, signature: str) -> dict[str, Any] | None:
    """The facts of a document; None if the signature is not ours."""
    if not hmac.compare_digest(sign(text).encode(), signature.encode()):
        return None
    return json.loads(text)


def _key() -> bytes:
    return _key_in(settings.data_dir().absolute() / "cloud" / "identity.key")


@functools.cache
def _key_in(path: Path) -> bytes:
    """The key in this file, made with the first signature."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        fresh.replace(path)
    return path.read_bytes()
