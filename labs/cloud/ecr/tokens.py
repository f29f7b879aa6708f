"""The password of `docker login`: what GetAuthorizationToken gives out, good for twelve hours.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from typing import Any

from labs import settings
from labs.cloud.ecr import addresses
from labs.cloud.ecr.state import Ecr
from labs.cloud.frame import clock
from labs.cloud.frame.service import Request

USER = "AWS"
SECONDS = 12 * 3600
LINK_SECONDS = 3600  # an address for downloading one layer
_KEY = "registry"


class NotAuthorizedError(Exception):
    """Why a token does not let its bearer in, in AWS's words."""


def get_authorization_token(ecr: Ecr, request: Request) -> dict[str, Any]:
    """GetAuthorizationToken. All regions have one address here, so a token lets its bearer in to all of them."""
    expires = clock.now() + SECONDS
    token = base64.b64encode(f"{USER}:{password(ecr, expires)}".encode()).decode()
    endpoint = f"http://{addresses.host()}"
    wanted = request.get("registryIds") or [settings.ACCOUNT]
    return {
        "authorizationData": [
            {"authorizationToken": token, "expiresAt": expires, "proxyEndpoint": endpoint} for _ in wanted
        ]
    }


def password(ecr: Ecr, expires: float) -> str:
    """A password that is good until a time."""
    payload = json.dumps({"type": "AUTHORIZATION_TOKEN", "expiration": expires, "nonce": secrets.token_hex(8)})
    body = base64.urlsafe_b64encode(payload.encode()).decode()
    return f"{body}.{_sign(ecr, body)}"


def check(ecr: Ecr, header: str) -> None:
    """Whether the value of an `Authorization` header lets its sender in.

    Raises:
        NotAuthorizedError: it does not.
    """
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        raise NotAuthorizedError("Not Authorized")
    try:
        user, _, token = base64.b64decode(credentials, validate=True).decode().partition(":")
        body, _, signature = token.partition(".")
        if user != USER or not hmac.compare_digest(signature.encode(), _sign(ecr, body).encode()):
            raise NotAuthorizedError("Not Authorized")
        expires = json.loads(base64.urlsafe_b64decode(body))["expiration"]
    except (ValueError, binascii.Error):
        raise NotAuthorizedError("Not Authorized") from None
    if expires <= clock.now():
        raise NotAuthorizedError("Your authorization token has expired. Reauthenticate and try again.")


def link(ecr: Ecr, path: str) -> str:
    """The query that opens one path for an hour."""
    expires = int(clock.now() + LINK_SECONDS)
    return f"expires={expires}&signature={_sign(ecr, f'{path}?{expires}')}"


def opens(ecr: Ecr, path: str, expires: str, signature: str) -> bool:
    """Whether a query of `link` opens this path now."""
    fits = hmac.compare_digest(signature.encode(), _sign(ecr, f"{path}?{expires}").encode())
    return fits and expires.isascii() and expires.isdigit() and int(expires) > clock.now()


def _sign(ecr: Ecr, text: str) -> str:
    if _KEY not in ecr.keys:
        ecr.keys.put(_KEY, {"key": secrets.token_hex(32)})
        ecr.store.flush()
    return hmac.new(bytes.fromhex(ecr.keys[_KEY]["key"]), text.encode(), hashlib.sha256).hexdigest()
