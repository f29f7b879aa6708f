"""The error that a service answers with."""


class AwsError(Exception):
    """A request is refused, as AWS refuses it. It has changed nothing.

    Args:
        code: AWS's error code, e.g. `ClusterNotFoundException`.
        message: AWS's words, or ours where its documentation gives none.
        status: the HTTP status where the service's model does not say it.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
