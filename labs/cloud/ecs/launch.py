"""On what a task or a service runs: launch type or capacity provider, and in which subnets.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/launch-type-comparison.html
"""

import platform
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labs.cloud.ecs import networking
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
    """What one task of a request runs on.

    Args:
        cluster: the cluster.
        definition: the task definition.
        request: with `launchType`, `capacityProviderStrategy`, `platformVersion`, as RunTask takes them.

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
        how = _from_strategy(cluster, strategy, request.get("platformVersion"))
    else:
        how = How(launch_type or "EC2", None, _version(request.get("platformVersion")))
    _check(definition, how)
    return how


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


def _from_strategy(cluster: dict[str, Any], strategy: list[dict[str, Any]], version: str | None) -> How:
    """One provider of a strategy, drawn by weight."""
    known = cluster.get("capacityProviders") or []
    for item in strategy:
        if item["capacityProvider"] not in known:
            raise AwsError(
                "InvalidParameterException",
                f"The specified capacity provider '{item['capacityProvider']}' is not associated with the cluster "
                f"'{cluster['clusterName']}'. Associate it first with PutClusterCapacityProviders.",
            )
    weights = [item.get("weight", 0) for item in strategy]
    if not any(weights) and not any(item.get("base") for item in strategy):
        raise AwsError(
            "InvalidParameterException", "At least one capacity provider of the strategy must have a weight above 0."
        )
    drawn = random.choices(strategy, weights if any(weights) else None)[0]["capacityProvider"]  # noqa: S311
    if drawn in FARGATE_PROVIDERS:
        return How("FARGATE", drawn, _version(version), tuple(strategy))
    return How("EC2", drawn, None, tuple(strategy))


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
