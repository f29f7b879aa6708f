"""What answers behind the gateway for the services that are not ours. `settings.backend()` names it."""

from labs.cloud.backends.errors import BackendUnknownError
from labs.cloud.gateway import Backend
from labs.cloud.relay.relay import Relay

NAMES = ("embedded", "localstack", "aws")


def load(name: str, relay: Relay) -> Backend:
    """Imports and prepares a backend. It starts with the ASGI lifespan.

    Args:
        name: `settings.backend()`.
        relay: the way from containers to the gateway.

    Raises:
        BackendUnknownError: there is no such backend.
        BackendUnavailableError: it cannot be used now.
    """
    if name == "embedded":
        from labs.cloud.backends.embedded import Embedded

        return Embedded(relay)
    if name == "localstack":
        from labs.cloud.backends import localstack

        return localstack.LocalStack(localstack.chosen_url())
    if name == "aws":
        from labs.cloud.backends.aws.backend import Aws

        return Aws()
    raise BackendUnknownError(
        f"There is no backend {name!r}; there are {', '.join(NAMES)}. Unset COURSE_BACKEND, or set it to 'embedded'."
    )
