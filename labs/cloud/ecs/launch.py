"""On what a task or a service runs: launch type or capacity provider, and in which subnets.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/launch-type-comparison.html
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labs.cloud.ecs import capacity_providers, networking
from labs.cloud.ecs.strategy import spread
from labs.cloud.frame.errors import AwsError

ARCHITECTURE = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}.get(
    platform.machine().lower(), "x86_64"
)
PLATFORM_VERSION = "1.4.0"  # what LATEST stands for on Linux, facts as of 2026-11
FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")


@dataclass(frozen=True)
class How:
    """A launch type; the capacity provider drawn and the strategy it was drawn from; Fargate's platform version."""

    launch_type: str
    provider: str | None = None
    platform_version: str | None = None
    strategy: tuple[dict[str, Any], ...] = ()

    @property
    def is_fargate(self) -> bool:
        """Whether AWS brings the machine."""
        return self.launch_type == "FARGATE"

    def members(self) -> dict[str, Any]:
        """What a task's record says of it."""
        found: dict[str, Any] = {"launchType": self.launch_type}
        if self.provider:
            found["capacityProviderName"] = self.provider
        if self.is_fargate:
            found |= {"platformVersion": self.platform_version or PLATFORM_VERSION, "platformFamily": "Linux"}
        return found


def choose(cluster: dict[str, Any], definition: dict[str, Any], request: Mapping[str, Any]) -> How:
    """What one task of a request runs on: see `choose_all`."""
    return choose_all(cluster, definition, request, {})[0]


def choose_all(
    cluster: dict[str, Any],
    definition: dict[str, Any],
    request: Mapping[str, Any],
    present: Mapping[str, int],
    *,
    count: int = 1,
) -> list[How]:
    """What each task of a request runs on.

    Args:
        cluster: the cluster.
        definition: the task definition.
        request: with `launchType`, `capacityProviderStrategy`, `platformVersion`, as RunTask takes them.
        present: how many tasks each capacity provider runs already for the same service, by its name.
        count: how many tasks begin.

    Raises:
        AwsError: the choice contradicts itself or the task definition, or there is no capacity.
    """
    strategy = request.get("capacityProviderStrategy") or []
    launch_type = request.get("launchType")
    if strategy and launch_type:
        raise AwsError(
            "InvalidParameterException",
            "Specifying both a launch type and capacity provider strategy is not supported.",
        )
    if not launch_type:
        strategy = strategy or cluster.get("defaultCapacityProviderStrategy") or []
    if strategy:
        _check_strategy(cluster, strategy)
        names = spread(strategy, count, present)
        found = [_through(name, strategy, request.get("platformVersion")) for name in names]
    else:
        found = [How(launch_type or "EC2", None, _version(request.get("platformVersion")))] * count
    for how in {one.provider: one for one in found}.values():
        _check(definition, how)
    return found


async def subnets(
    region: str, definition: dict[str, Any], configuration: Mapping[str, Any] | None
) -> list[networking.Subnet]:
    """The subnets that a task of this definition may live in; empty for other network modes than awsvpc.

    Raises:
        AwsError: the network configuration is missing, superfluous or names what does not exist.
    """
    wanted = (configuration or {}).get("awsvpcConfiguration")
    if definition.get("networkMode") != "awsvpc":
        if wanted:
            raise AwsError(
                "InvalidParameterException",
                "Network Configuration is not valid for the given networkMode of this task definition.",
            )
        return []
    if not wanted:
        raise AwsError(
            "InvalidParameterException",
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )
    await networking.check(region, wanted)
    return await networking.subnets(region, wanted["subnets"])


def _check_strategy(cluster: dict[str, Any], strategy: list[dict[str, Any]]) -> None:
    """Whether tasks of a cluster can be launched by a strategy.

    Raises:
        AwsError: InvalidParameterException.
    """
    capacity_providers.check_strategy(cluster.get("capacityProviders") or [], strategy)
    if not any(item.get("weight", 0) for item in strategy) and not any(item.get("base") for item in strategy):
        raise AwsError(
            "InvalidParameterException", "At least one capacity provider of the strategy must have a weight above 0."
        )


def _through(name: str, strategy: list[dict[str, Any]], version: str | None) -> How:
    """How a task runs by one capacity provider of a strategy."""
    if name in FARGATE_PROVIDERS:
        return How("FARGATE", name, _version(version), tuple(strategy))
    return How("EC2", name, None, tuple(strategy))


def _version(version: str | None) -> str | None:
    if version in (None, "LATEST", PLATFORM_VERSION):
        return None
    if version in ("1.3.0",):
        return version
    raise AwsError("PlatformUnknownException", f"The specified platform version does not exist: {version}.")


def _check(definition: dict[str, Any], how: How) -> None:
    compatible = definition.get("compatibilities", [])
    if how.launch_type not in compatible:
        raise AwsError(
            "InvalidParameterException",
            f"Task definition does not support launch_type {how.launch_type}.",
        )
