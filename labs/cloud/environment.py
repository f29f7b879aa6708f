"""The environment variables that send every AWS client of the course to the local AWS, and to nothing else.

The standard variables of the AWS SDKs and the AWS CLI are enough: a plain `boto3.client("ecs")` or `aws ecs ...` needs
nothing of ours in between. Everything else that starts with `AWS_` is taken away, so that no credentials, profile or
endpoint of the learner's own is ever used.

Source of the names: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
"""

import os
from collections.abc import Mapping, MutableMapping

from labs import settings

# Not a secret: the local AWS accepts any key. Twelve digits would name an account, so it is a word.
THROW_AWAY_KEY = settings.COURSE
DIRECT_HOSTS = ("127.0.0.1", "localhost", settings.RELAY_ADDRESS)  # never through a proxy

# Taken away also where they are not set, so that the answer can be handed to a process with another environment.
UNWANTED = (
    "AWS_ACCOUNT_ID",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_CA_BUNDLE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_DEFAULT_PROFILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)


def access_key() -> str:
    """The key that clients use. With a real account one that only this user knows: who speaks to the gateway with it
    spends this user's money. It is kept in a file that others cannot read."""
    if settings.backend() != "aws":
        return THROW_AWAY_KEY
    return str(settings.chosen_backend().get("key") or THROW_AWAY_KEY)


def variables(environ: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """The variables of a process that is to use the local AWS.

    Args:
        environ: the environment they will be put over; this process's own if left out.

    Returns:
        Name to value; `None` means: must not be set. Applying it twice is the same as once.
    """
    environ = os.environ if environ is None else environ
    files = settings.data_dir() / "aws"  # `aws configure` writes here, and the learner's ~/.aws is not read
    no_proxy = _no_proxy(f"{environ.get('no_proxy', '')},{environ.get('NO_PROXY', '')}")
    found = {name: None for name in environ if name.upper().startswith("AWS_")}
    return {
        **dict.fromkeys(UNWANTED),
        **found,
        "AWS_ENDPOINT_URL": settings.gateway_url(),
        "AWS_ACCESS_KEY_ID": access_key(),
        "AWS_SECRET_ACCESS_KEY": THROW_AWAY_KEY,
        "AWS_DEFAULT_REGION": settings.region(),
        "AWS_REGION": settings.region(),
        "AWS_CONFIG_FILE": str(files / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(files / "credentials"),
        "BOTO_CONFIG": str(files / "boto"),  # botocore still looks for ~/.boto without it
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_OUTPUT": "json",
        "AWS_PAGER": "",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def apply(environ: MutableMapping[str, str] | None = None) -> None:
    """Puts `variables()` into an environment, this process's own if left out."""
    environ = os.environ if environ is None else environ
    for name, value in variables(environ).items():
        if value is None:
            environ.pop(name, None)
        else:
            environ[name] = value


def _no_proxy(present: str) -> str:
    """The hosts that are spoken to directly: those `present`, and ours."""
    hosts = [host.strip() for host in present.split(",") if host.strip()]
    return ",".join(dict.fromkeys([*hosts, *DIRECT_HOSTS]))
