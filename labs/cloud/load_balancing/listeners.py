"""Listeners: the operations."""

import secrets
from typing import Any

from labs.cloud.frame import arns, tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record
from labs.cloud.load_balancing import attributes, pages, rules, rules_check, tls
from labs.cloud.load_balancing.state import LoadBalancing

MOST = 50
_KINDS = {"application": ("HTTP", "HTTPS"), "network": ("TCP", "TLS", "UDP", "TCP_UDP")}
_SECURE = ("Certificates", "SslPolicy", "AlpnPolicy", "MutualAuthentication")


async def create(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """CreateListener. The same request for a listener that exists answers with that one."""
    balancer = lb.load_balancer(request["LoadBalancerArn"])
    arn = balancer["LoadBalancerArn"]
    if "Protocol" not in request:
        raise AwsError("ValidationError", "A protocol must be specified")
    if "Port" not in request:
        raise AwsError("ValidationError", "A port must be specified")
    _require_protocol(balancer, request["Protocol"])
    rules_check.actions(lb, balancer, request["DefaultActions"])  # what is wrong with them is told first
    secure = await tls.settings(request.region, request["Protocol"], request)
    balancer = lb.load_balancer(arn)  # it may have been deleted meanwhile
    actions = rules_check.actions(lb, balancer, request["DefaultActions"])
    rules_check.require_room(lb, balancer, actions)
    present = lb.listeners_of(arn)
    if same := next((one for one in present if one["Port"] == request["Port"]), None):
        if {**same, "Protocol": request["Protocol"], "DefaultActions": actions, **secure} == same:
            return {"Listeners": [same]}
        raise AwsError("DuplicateListener", "A listener already exists on this port for this load balancer")
    if len(present) >= MOST:
        raise AwsError("TooManyListeners", f"A load balancer can have {MOST} listeners at most")
    resource = f"{arns.resource(arn).partition('/')[2]}/{secrets.token_hex(8)}"
    record = {
        "ListenerArn": arns.make("elasticloadbalancing", arns.region(arn), f"listener/{resource}"),
        "LoadBalancerArn": arn,
        "Port": request["Port"],
        "Protocol": request["Protocol"],
        "DefaultActions": actions,
        **secure,
        "_attributes": attributes.defaults(attributes.of_listener(request["Protocol"])),
        "_tags": tags.merge([], request.get("Tags", []), key="Key", code="ValidationError"),
    }
    lb.listeners.put(record["ListenerArn"], record)
    rules.put_default(lb, record)
    lb.wake(arn)
    return {"Listeners": [record]}


def describe(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeListeners."""
    if balancer := request.get("LoadBalancerArn"):
        found = lb.listeners_of(lb.load_balancer(balancer)["LoadBalancerArn"])
    elif wanted := request.get("ListenerArns"):
        if missing := [arn for arn in wanted if arn not in lb.listeners]:
            raise AwsError("ListenerNotFound", f"One or more listeners not found: {', '.join(missing)}")
        found = [lb.listeners[arn] for arn in dict.fromkeys(wanted)]
    else:
        raise AwsError("ValidationError", "You must specify either listener ARNs or a load balancer ARN")
    return pages.page("Listeners", found, request)


async def modify(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """ModifyListener."""
    record = lb.listener(request["ListenerArn"])
    balancer = lb.load_balancer(record["LoadBalancerArn"])
    changed = {**record, **{key: request[key] for key in ("Port", "Protocol") if key in request}}
    _require_protocol(balancer, changed["Protocol"])
    secure = await tls.settings(request.region, changed["Protocol"], request, record)
    if lb.listener(request["ListenerArn"]) is not record:
        raise AwsError("OperationNotPermitted", "The listener was changed by another request meanwhile. Try again.")
    changed = {key: value for key, value in changed.items() if key not in _SECURE} | secure
    if changed["Protocol"] not in tls.PROTOCOLS:
        changed.pop("_certificates", None)
    others = [
        one for one in lb.listeners_of(balancer["LoadBalancerArn"]) if one["ListenerArn"] != record["ListenerArn"]
    ]
    if any(one["Port"] == changed["Port"] for one in others):
        raise AwsError("DuplicateListener", "A listener already exists on this port for this load balancer")
    if "DefaultActions" in request:
        changed["DefaultActions"] = rules_check.actions(lb, balancer, request["DefaultActions"])
        rules_check.require_room(lb, balancer, changed["DefaultActions"])
    lb.listeners.put(record["ListenerArn"], changed)
    rules.put_default(lb, changed)
    lb.wake(record["LoadBalancerArn"])
    return {"Listeners": [changed]}


def delete(lb: LoadBalancing, request: Request) -> None:
    """DeleteListener, with its rules."""
    record = lb.listener(request["ListenerArn"])
    for rule in lb.rules_of(record["ListenerArn"]):
        lb.rules.drop(rule["RuleArn"])
    lb.listeners.drop(record["ListenerArn"])
    lb.wake(record["LoadBalancerArn"])


def describe_attributes(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeListenerAttributes."""
    return {"Attributes": attributes.listed(lb.listener(request["ListenerArn"])["_attributes"])}


def modify_attributes(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """ModifyListenerAttributes."""
    record = lb.listener(request["ListenerArn"])
    known = attributes.of_listener(record["Protocol"])
    changed = attributes.merged(record["_attributes"], request["Attributes"], known)
    lb.listeners.put(record["ListenerArn"], {**record, "_attributes": changed})
    lb.wake(record["LoadBalancerArn"])
    return {"Attributes": attributes.listed(changed)}


def _require_protocol(balancer: Record, protocol: str) -> None:
    """Refuses what a listener of this load balancer cannot be.

    Raises:
        AwsError: as AWS refuses it, or because the local AWS cannot do it.
    """
    kinds = _KINDS[balancer["Type"]]
    if protocol not in kinds:
        raise AwsError("ValidationError", f"Listener protocol '{protocol}' must be one of '{', '.join(sorted(kinds))}'")
    if protocol in ("UDP", "TCP_UDP"):
        raise AwsError(
            "UnsupportedProtocol",
            "The local AWS of this course has no UDP listeners, as HAProxy does not balance UDP. Use TCP or TLS.",
        )
