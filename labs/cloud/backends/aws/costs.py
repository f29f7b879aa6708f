"""What a chapter can cost in an hour on a real account: the most of everything that it has at one time, at list prices.

Prices in USD of the region us-east-1; other regions have their own. Each has the day on which it was read and its
source. Not in it, because it goes by use and not by the hour: data transfer, logs (a lesson's are megabytes), requests
to queues and topics, storage of images.
"""

from typing import NamedTuple

REGION = "us-east-1"


class Price(NamedTuple):
    """USD for an hour, the day it held, and where that is said."""

    usd: float
    day: str
    source: str


_FARGATE_CPU = Price(
    0.04048, "2026-09-20",
    "https://aws.amazon.com/ecs/pricing/ by https://github.com/api-evangelist/amazon-ecs/blob/main/plans/amazon-ecs-plans-pricing.yml",
)  # fmt: skip
_FARGATE_GB = Price(
    0.004445, "2026-06-17", "https://www.factualminds.com/blog/amazon-fargate-ecs-task-pricing-2026/"
)  # fmt: skip
_ELB = (
    "https://aws.amazon.com/elasticloadbalancing/pricing/ by https://github.com/api-evangelist/"
    "amazon-elastic-load-balancing/blob/main/plans/amazon-elastic-load-balancing-plans-pricing.yml"
)
PRICES = {
    "fargate vCPU": _FARGATE_CPU,
    "fargate GB": _FARGATE_GB,
    "load balancer": Price(0.0225, "2026-09-20", _ELB),
    "load balancer capacity unit": Price(0.008, "2026-09-20", _ELB),
    "public IPv4 address": Price(
        0.005,
        "2024-02-01",
        "https://aws.amazon.com/blogs/aws/new-aws-public-ipv4-address-charge-public-ip-insights/",
    ),
}
# The most that a chapter and all its exercises have at one time. A chapter without an entry was not added up.
AT_MOST: dict[str, dict[str, float]] = {
    "start_here": {},  # one queue and one parameter: both are free at this size
    # 6 + 1 + 3 + 5 + 6 + 3 tasks of 0.25 vCPU and 0.5 GB, in a rolling update twice as many; three load balancers, each
    # with two addresses and less than one capacity unit.
    "ecs_service": {
        "fargate vCPU": 24 * 0.25,
        "fargate GB": 24 * 0.5,
        "load balancer": 3,
        "load balancer capacity unit": 3,
        "public IPv4 address": 24 + 3 * 2,
    },
}


def of_chapter(slug: str) -> float | None:
    """The most that a chapter costs in an hour, in USD; None if it was not added up."""
    if slug not in AT_MOST:
        return None
    return sum(PRICES[item].usd * count for item, count in AT_MOST[slug].items())


def as_text(region: str) -> list[str]:
    """The bound of each chapter that was added up, and where the prices come from, a line each."""
    lines = [
        f"  {slug:<16} at most ${usd:.2f} an hour while everything in it runs"
        for slug in AT_MOST
        if (usd := of_chapter(slug)) is not None
    ]
    lines.append(f"  all of them      at most ${sum(of_chapter(slug) or 0 for slug in AT_MOST):.2f} an hour")
    if region != REGION:
        lines.append(f"  These are prices of {REGION}; {region} has its own, which may be higher.")
    lines.append("  Not in it: data transfer, logs, storage of images. Prices:")
    lines += [f"    {item}: ${price.usd} an hour ({price.day}, {price.source})" for item, price in PRICES.items()]
    return lines
