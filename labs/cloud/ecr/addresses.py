"""How a repository of a region is written in an image's name, and back.

The engine takes 127.0.0.0/8 for registries without TLS, so the gateway's own address works in `docker push`, in a
Dockerfile and in a task definition, with no setting changed. One address serves all regions, so a region other than the
home region stands before the repository's name: `127.0.0.1:4566/eu-west-1/web`. The home region stands there only where
a repository's own name begins like a region. https://docs.docker.com/reference/cli/dockerd/#insecure-registries
"""

import functools

from botocore.loaders import Loader

from labs import settings


@functools.cache
def regions() -> frozenset[str]:
    """The names of all regions that botocore knows."""
    partitions = Loader().load_data("endpoints")["partitions"]
    return frozenset(region for partition in partitions for region in partition["regions"])


def host() -> str:
    """The registry's address as it stands in an image's name, e.g. `127.0.0.1:4566`."""
    return f"{settings.GATEWAY_HOST}:{settings.gateway_port()}"


def path(region: str, name: str) -> str:
    """What stands after the host in an image's name."""
    first = name.partition("/")[0]
    return name if region == settings.REGION and first not in regions() else f"{region}/{name}"


def uri(region: str, name: str) -> str:
    """The `repositoryUri` of a repository."""
    return f"{host()}/{path(region, name)}"


def locate(written: str) -> tuple[str, str]:
    """Region and name of the repository that a path after the host means."""
    first, _, rest = written.partition("/")
    return (first, rest) if rest and first in regions() else (settings.REGION, written)


def kept(region: str, name: str) -> str:
    """The name under which the registry container keeps a repository's bytes."""
    return f"{region}/{name}"
