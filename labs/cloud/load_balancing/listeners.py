"""Listeners: the operations."""

import secrets
from typing import Any

from labs.cloud.frame import arns, tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record
from labs.cloud.load_balancing import attributes, pages, rules, rules_check
from labs.cloud.load_balancing.state import LoadBalancing

MOST = 50
_KINDS = {"application": ("HTTP", "HTTPS"), "network": ("TCP", "TLS", "UDP", "TCP_UDP")}


def create(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """CreateListener. The same request for a listener that exists answers with that one."""
    balancer = lb.load_balancer(request["LoadBalancerArn"])
    arn = balancer["LoadBalancerArn"]
    if "Protocol" not in request:
        raise AwsError("ValidationError", "A protocol must be specified")
    if "Port" not in request:
        raise AwsError("ValidationError", "A port must be specified")
    _require_protocol(balancer, request)
    actions = rules_check.actions(lb, balancer, request["DefaultActions"])
    rules_check.require_room(lb, balancer, actions)
    present = lb.listeners_of(arn)
    if same := next((one for one in present if one["Port"] == request["Port"]), None):
        if same["Protocol"] == request["Protocol"] and same["DefaultActions"] == actions:
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


def modify(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """ModifyListener."""
    record = lb.listener(request["ListenerArn"])
    balancer = lb.load_balancer(record["LoadBalancerArn"])
    changed = {**record, **{key: request[key] for key in ("Port", "Protocol") if key in request}}
    _require_protocol(balancer, Request({**request, "Protocol": changed["Protocol"]}, request.region))
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


def describe_certificates(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeListenerCertificates."""
    return pages.page("Certificates", list(lb.listener(request["ListenerArn"]).get("Certificates", [])), request)


def _require_protocol(balancer: Record, request: Request) -> None:
    """Refuses what a listener of this load balancer cannot be.

    Raises:
        AwsError: as AWS refuses it, or because the local AWS cannot do it.
    """
    protocol, kind = request["Protocol"], balancer["Type"]
    if protocol not in _KINDS[kind]:
        raise AwsError(
            "ValidationError", f"Listener protocol '{protocol}' must be one of '{', '.join(sorted(_KINDS[kind]))}'"
        )
    if protocol in ("HTTPS", "TLS") and not request.get("Certificates"):
        raise AwsError("ValidationError", f"A certificate must be specified for {protocol} listeners")
    if protocol in ("HTTPS", "TLS"):
        raise AwsError(
            "UnsupportedProtocol",
            f"The local AWS of this course has no {protocol} listeners: a certificate's private key never leaves ACM. "
            f"Use {'HTTP' if protocol == 'HTTPS' else 'TCP'}.",
        )
    if protocol in ("UDP", "TCP_UDP"):
        raise AwsError("UnsupportedProtocol", "The local AWS of this course has no UDP listeners. Use TCP.")
    for member in ("Certificates", "SslPolicy", "AlpnPolicy"):
        if request.get(member):
            what = {"Certificates": "certificate", "SslPolicy": "SSL policy", "AlpnPolicy": "ALPN policy"}[member]
            raise AwsError(
                "ValidationError", f"{what[0].upper() + what[1:]} cannot be specified for {protocol} listeners"
            )
    if request.get("MutualAuthentication", {}).get("Mode", "off") != "off":
        raise AwsError("ValidationError", "Mutual authentication can be used with HTTPS listeners only")
