"""Amazon Resource Names: arn:aws:<service>:<region>:<account>:<resource>."""

from labs import settings


def make(service: str, region: str, resource: str) -> str:
    """The ARN of a resource of the local account, e.g. `make("ecs", "us-east-1", "cluster/default")`."""
    return f"arn:aws:{service}:{region}:{settings.ACCOUNT}:{resource}"


def region(arn: str) -> str:
    """The region in an ARN; ours where it is no ARN."""
    parts = arn.split(":", 5)
    return parts[3] if len(parts) == 6 else settings.REGION


def account(arn: str) -> str:
    """The account in an ARN; ours where it is no ARN."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else settings.ACCOUNT


def resource(arn: str) -> str:
    """What stands after the account in an ARN; the text itself where it is no ARN."""
    parts = arn.split(":", 5)
    return parts[5] if len(parts) == 6 and parts[0] == "arn" else arn
