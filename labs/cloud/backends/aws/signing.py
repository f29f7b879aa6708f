"""Signs requests with the learner's own credentials, for AWS's own endpoints.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

import functools
from typing import NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader
from botocore.regions import EndpointResolver
from botocore.session import Session

from labs.cloud.backends.aws import agreement, services
from labs.cloud.backends.errors import BackendUnavailableError
from labs.cloud.frame.http import Incoming

# What the client signed with, and what is made anew.
_REPLACED = ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "host", "content-length")


class Endpoint(NamedTuple):
    """Where a service answers: address, and the region that its requests are signed for."""

    url: str
    region: str


@functools.cache
def _resolver() -> EndpointResolver:
    """botocore's list of AWS's endpoints; a test compares it with the addresses of boto3's clients."""
    return EndpointResolver(Loader().load_data("endpoints"))


class Signer:
    """The learner's credentials. Only the gateway's process and `start --backend aws` have one.

    Args:
        agreed: whose credentials, and for which region.
    """

    def __init__(self, agreed: agreement.Agreement) -> None:
        self._region = agreed.region
        self._session = Session(profile=agreed.profile)
        self._stand_in = agreement.stand_in()

    def endpoint(self, signing_name: str) -> Endpoint:
        """Where a service of `services.SERVICES` answers in the agreed region. Loads its model."""
        prefix = services.model(signing_name).endpoint_prefix
        found = _resolver().construct_endpoint(prefix, self._region)
        if not found:
            raise BackendUnavailableError(f"There is no region {self._region!r}.")
        region = found.get("credentialScope", {}).get("region", self._region)
        return Endpoint(self._stand_in or f"https://{found['hostname']}", region)

    def sign(self, signing_name: str, where: Endpoint, incoming: Incoming) -> tuple[str, dict[str, str]]:
        """A request, signed. For a thread: credentials may have to be fetched or renewed.

        Args:
            signing_name: the service.
            where: `endpoint(signing_name)`.
            incoming: the request as it is to be sent; what a client has signed it with is replaced.

        Returns:
            The address and the headers.

        Raises:
            BackendUnavailableError: there are no credentials, or they have ended.
        """
        try:
            credentials = self._session.get_credentials()
            frozen = credentials.get_frozen_credentials() if credentials else None
        except BotoCoreError as problem:
            raise BackendUnavailableError(f"Your AWS credentials cannot be had: {problem}") from problem
        if frozen is None:
            raise BackendUnavailableError(
                "There are no AWS credentials. Sign in as you do for the AWS CLI, in the terminal in which you then "
                f"run `{agreement.CHOOSE}`."
            )
        url = where.url + incoming.path + (f"?{incoming.query}" if incoming.query else "")
        kept = {name: value for name, value in incoming.headers.items() if name not in _REPLACED}
        request = AWSRequest(method=incoming.method, url=url, headers=kept, data=incoming.body)
        SigV4Auth(frozen, signing_name, where.region).add_auth(request)
        return url, dict(request.headers.items())
