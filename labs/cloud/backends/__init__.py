"""What answers behind the gateway for the services that are not ours. `settings.backend()` names it."""

from labs.cloud.gateway import Backend
from labs.cloud.relay.relay import Relay


class BackendUnknownError(Exception):
    """The chosen backend does not exist, or not yet. The text says what to do."""


LATER = {
    "localstack": "LocalStack as the backend comes with a later version of the course.",
    "aws": "A real AWS account as the backend comes with a later version of the course.",
}


def load(name: str, relay: Relay) -> Backend:
    """Imports and prepares a backend. It starts with the ASGI lifespan.

    Args:
        name: `settings.backend()`.
        relay: the way from containers to the gateway.

    Raises:
        BackendUnknownError: there is no such backend.
    """
    if name == "embedded":
        from labs.cloud.backends.embedded import Embedded

        return Embedded(relay)
    reason = LATER.get(name, f"There is no backend {name!r}.")
    raise BackendUnknownError(f"{reason} Unset COURSE_BACKEND, or set it to 'embedded'.")
