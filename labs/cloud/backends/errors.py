"""Why a backend cannot be had."""


class BackendUnknownError(Exception):
    """The chosen backend does not exist. The text says what to do."""


class BackendUnavailableError(Exception):
    """The chosen backend cannot be used now. The text says why and what to do."""
