"""Does the load balancer lb-paths send /orders to the orders, and all the rest to the shop?"""

import time

from labs.ecs_load_balancing import look
from labs.kit import remove_aws
from labs.kit.verdict import Verdict, done, not_yet

NAME = "lb-paths"
PARTS = ("shop", "orders")
WAY = {  # path -> the service that is to answer
    "/orders/17": "orders",
    "/orders": "orders",
    "/orders-archive": "shop",
    "/orderss/1": "shop",
    "/": "shop",
    "/cart": "shop",
}
PATIENCE = 3.0  # seconds that a rule may take to be in force


def check() -> Verdict:
    """Look at the load balancer and its rules, at the two services, then send requests."""
    balancer = look.load_balancer(NAME)
    if balancer is None:
        return not_yet("no_load_balancer", f"There is no load balancer {NAME!r} yet.")
    return _rule(balancer) or _services() or _answers(balancer)


def reset() -> None:
    """Remove the services, their cluster, task definitions and target groups, and the load balancer."""
    remove_aws.everything(NAME)


def _rule(balancer: dict) -> Verdict | None:
    group = look.target_group(f"{NAME}-orders")
    if group is None or balancer["LoadBalancerArn"] not in group["LoadBalancerArns"]:
        return not_yet(
            "no_rule",
            f"Neither a rule nor a default action of {NAME!r} leads to a target group {NAME + '-orders'!r}, "
            "so no request can reach the orders.",
        )
    return None


def _services() -> Verdict | None:
    for part in PARTS:
        service = look.service(NAME, f"{NAME}-{part}")
        if service is None:
            return not_yet("no_service", f"There is no service '{NAME}-{part}' in a cluster {NAME!r} yet.")
        group = look.target_group(f"{NAME}-{part}")
        if group is None or not look.healthy(group["TargetGroupArn"], 1, patience=6):
            said = look.troubles(group["TargetGroupArn"]) if group else "the group is not there"
            return not_yet("not_healthy", f"The target group '{NAME}-{part}' has no healthy target ({said}).")
    return None


def _answers(balancer: dict) -> Verdict:
    end = time.monotonic() + PATIENCE
    while True:
        went = {path: look.ask(balancer["DNSName"], path).service for path in WAY}
        if went == WAY or time.monotonic() > end:
            break
        time.sleep(look.LOOK_SECONDS)
    if went == WAY:
        return done("Everything under /orders reaches the orders, and all the rest reaches the shop.")
    return _mistake(balancer, went)


def _mistake(balancer: dict, went: dict[str, str]) -> Verdict:
    if went["/"] == "orders":
        return not_yet("swapped", "The path / reaches the orders. What is to happen when no rule fits?")
    if went["/orders-archive"] == "orders" or went["/orderss/1"] == "orders":
        return not_yet("too_wide", "The path /orders-archive reaches the orders: a pattern takes more than it should.")
    if {went["/orders"], went["/orders/17"]} == {"shop", "orders"}:
        missing = "/orders" if went["/orders"] == "shop" else "/orders/17"
        return not_yet("bare_path", f"Only one of /orders and /orders/17 reaches the orders; {missing} does not.")
    if went["/orders"] == went["/orders/17"] == "shop":
        first = look.rules(balancer)[0]["Priority"] if look.rules(balancer) else "default"
        return not_yet(
            "shadowed",
            f"The path /orders/17 reaches the shop, though a rule leads to the orders. Rules are tried by priority, "
            f"beginning with {first}; the first that fits decides.",
        )
    return not_yet("not_healthy", "Not every path gets an answer of our app. Look at the health of the targets.")
