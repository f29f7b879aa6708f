"""Which part of the traffic each of two target groups of a service gets: the weights of listener rules.

Set and read through the public API of Elastic Load Balancing, so DescribeRules and DescribeListeners show them.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/alb-resources-for-blue-green.html
"""

from collections.abc import Mapping
from typing import Any

from labs.cloud.ecs.state import Ecs
from labs.cloud.frame.errors import AwsError

INVALID = "InvalidParameterException"
RULE, LISTENER = ":listener-rule/", ":listener/"
PRODUCTION, TEST = "productionListenerRule", "testListenerRule"


def groups(balancer: Mapping[str, Any]) -> list[str]:
    """The target groups of an entry of a service's `loadBalancers`: one, or two that take turns."""
    other = balancer.get("advancedConfiguration", {}).get("alternateTargetGroupArn")
    return [arn for arn in (balancer.get("targetGroupArn"), other) if arn]


def turned(balancers: list[dict[str, Any]], used: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The `loadBalancers` for a new revision: with the target groups that the one in `used` leaves free."""
    taken = {one.get("targetGroupArn") for one in used}
    found = []
    for balancer in balancers:
        free = [arn for arn in groups(balancer) if arn not in taken]
        found.append({**balancer, "targetGroupArn": (free or groups(balancer))[0]})
    return found


def kept(balancers: list[dict[str, Any]], used: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The `loadBalancers` for a rolling update: with the target groups that have the traffic."""
    taken = {one.get("targetGroupArn") for one in used}
    found = []
    for balancer in balancers:
        same = [arn for arn in groups(balancer) if arn in taken]
        found.append({**balancer, "targetGroupArn": same[0]} if same else balancer)
    return found


async def require(ecs: Ecs, region: str, balancer: Mapping[str, Any], strategy: str) -> None:
    """Whether the listener rules are there, forward, and lead to the service's target group.

    Raises:
        AwsError: they do not.
    """
    advanced = balancer["advancedConfiguration"]
    other = advanced["alternateTargetGroupArn"]
    try:
        await _call(ecs, region, "DescribeTargetGroups", TargetGroupArns=[other])
    except AwsError:
        raise AwsError(
            INVALID, f"Unable to assume role and validate the specified targetGroupArn: {other} does not exist."
        ) from None
    for member in (PRODUCTION, TEST):
        if place := advanced.get(member):
            actions = await _actions(ecs, region, member, place)
            if actions[-1]["Type"] != "forward":
                raise AwsError(INVALID, f"The {member} {place} must have a forward action.")
            if member == PRODUCTION and not set(groups(balancer)) & set(_weights(actions[-1])):
                raise AwsError(
                    INVALID, f"The {member} {place} forwards to none of the service's target groups, which it has to."
                )
            if LISTENER in place and strategy != "BLUE_GREEN":
                raise AwsError(
                    "UnsupportedFeatureException",
                    f"The local AWS of this course has no weights in listeners of Network Load Balancers, so no "
                    f"{strategy} deployment there. Use BLUE_GREEN, or an Application Load Balancer.",
                )


async def shift(ecs: Ecs, region: str, balancer: Mapping[str, Any], member: str, *, to: str, percent: float) -> None:
    """Gives a percentage of a listener rule's traffic to one of the two target groups, and the other one the rest.

    Raises:
        AwsError: the rule is gone, or does not forward any more.
    """
    place = balancer.get("advancedConfiguration", {}).get(member)
    if not place:
        return
    action = (await _actions(ecs, region, member, place))[-1]
    scale = 1 if percent == int(percent) else 10  # weights are whole numbers
    share = round(percent * scale)
    wanted = {arn: share if arn == to else 100 * scale - share for arn in groups(balancer)}
    if action["Type"] != "forward":
        raise AwsError(INVALID, f"The {member} {place} has no forward action any more.")
    if LISTENER in place:  # of a Network Load Balancer: all or nothing
        if percent < 100:
            wanted = {arn: weight for arn, weight in wanted.items() if arn != to}
        to_one = max(wanted, key=lambda arn: wanted[arn])
        if list(_weights(action)) != [to_one]:
            forward = [{"Type": "forward", "TargetGroupArn": to_one}]
            await _call(ecs, region, "ModifyListener", ListenerArn=place, DefaultActions=forward)
        return
    if _weights(action) == wanted:
        return
    pairs = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in wanted.items()]
    config = {**action.get("ForwardConfig", {}), "TargetGroups": pairs}
    forward = [{"Type": "forward", "ForwardConfig": config}]
    rule = (await _call(ecs, region, "DescribeRules", RuleArns=[place]))["Rules"][0]
    if rule["IsDefault"]:
        listener = place.replace(RULE, LISTENER).rpartition("/")[0]
        await _call(ecs, region, "ModifyListener", ListenerArn=listener, DefaultActions=forward)
    else:
        await _call(ecs, region, "ModifyRule", RuleArn=place, Actions=forward)


def _weights(action: Mapping[str, Any]) -> dict[str, int]:
    pairs = action.get("ForwardConfig", {}).get("TargetGroups", [])
    return {one["TargetGroupArn"]: one.get("Weight", 1) for one in pairs}


async def _actions(ecs: Ecs, region: str, member: str, place: str) -> list[dict[str, Any]]:
    try:
        if RULE in place:
            return (await _call(ecs, region, "DescribeRules", RuleArns=[place]))["Rules"][0]["Actions"]
        if f"{LISTENER}net/" in place:
            return (await _call(ecs, region, "DescribeListeners", ListenerArns=[place]))["Listeners"][0][
                "DefaultActions"
            ]
    except AwsError:
        raise AwsError(INVALID, f"The {member} {place} does not exist.") from None
    raise AwsError(
        INVALID,
        f"The {member} {place} must be the ARN of a rule of an Application Load Balancer's listener, or of a "
        "listener of a Network Load Balancer.",
    )


async def _call(ecs: Ecs, region: str, operation: str, **parameters: Any) -> dict[str, Any]:
    return await ecs.services.call("elasticloadbalancing", operation, region, **parameters)
