"""What makes a listener speak TLS: certificates, SSL policy, ALPN policy. The operations on certificates of a listener.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/create-https-listener.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/https-listener-certificates.html
"""

from typing import Any

from labs.cloud.frame import arns
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record
from labs.cloud.load_balancing import certificates, pages, ssl_policies
from labs.cloud.load_balancing.state import LoadBalancing

PROTOCOLS = ("HTTPS", "TLS")
MOST = 25  # of a listener, without the default one
ALPN = {
    "None": "", "HTTP1Only": "http/1.1", "HTTP2Only": "h2", "HTTP2Optional": "http/1.1,h2",
    "HTTP2Preferred": "h2,http/1.1",
}  # fmt: skip


async def settings(region: str, protocol: str, request: Request, present: Record | None = None) -> dict[str, Any]:
    """The members of a listener that are TLS's, checked; its certificate is ready afterwards.

    Args:
        region: the load balancer's.
        protocol: what the listener speaks after the request.
        request: of CreateListener or ModifyListener.
        present: the listener as it is, if it is there.

    Raises:
        AwsError: as AWS refuses it.
    """
    if protocol not in PROTOCOLS:
        for member, what in (("Certificates", "A certificate"), ("SslPolicy", "An SSL policy"), ("AlpnPolicy", "ALPN")):
            if request.get(member):
                raise AwsError("ValidationError", f"{what} cannot be specified for {protocol} listeners")
        if request.get("MutualAuthentication", {}).get("Mode", "off") != "off":
            raise AwsError("ValidationError", "Mutual authentication can be used with HTTPS listeners only")
        return {}
    before = present or {}
    given = request.get("Certificates") or before.get("Certificates") or []
    if len(given) != 1 or not given[0].get("CertificateArn"):
        what = "A certificate must be specified" if not given else "Only one certificate can be specified"
        raise AwsError("ValidationError" if not given else "TooManyCertificates", f"{what} for {protocol} listeners")
    policy = request.get("SslPolicy") or before.get("SslPolicy") or ssl_policies.DEFAULT
    ssl_policies.require(policy)
    if request.get("MutualAuthentication", {}).get("Mode", "off") != "off":
        raise AwsError(
            "UnsupportedProtocol",
            "The local AWS of this course has no mutual authentication: its trust stores are not here. Use mode off.",
        )
    found = {"Certificates": [{"CertificateArn": given[0]["CertificateArn"]}], "SslPolicy": policy}
    alpn = request.get("AlpnPolicy") or before.get("AlpnPolicy") or []
    if alpn and protocol == "HTTPS":
        raise AwsError("ValidationError", "ALPN cannot be specified for HTTPS listeners")
    if alpn:
        if len(alpn) > 1 or alpn[0] not in ALPN:
            text = f"The ALPN policy '{', '.join(alpn)}' must be one of '{', '.join(ALPN)}'"
            raise AwsError("ALPNPolicyNotSupported", text)
        found["AlpnPolicy"] = alpn
    if protocol == "HTTPS":
        found["MutualAuthentication"] = {"Mode": "off"}
    await certificates.require(region, given[0]["CertificateArn"])
    return found


def bundles(listener: Record) -> list[str]:
    """The private keys and chains that a listener has, the default one first."""
    own = [one["CertificateArn"] for one in listener.get("Certificates", [])] + listener.get("_certificates", [])
    return [bundle for arn in own if (bundle := certificates.read(arn))]


def users(lb: LoadBalancing, certificate: str) -> list[str]:
    """The ARNs of the load balancers with a listener that has this certificate."""
    found: dict[str, None] = {}
    for one in lb.listeners.values():
        if {"CertificateArn": certificate} in one.get("Certificates", []) or certificate in one.get(
            "_certificates", []
        ):
            found[one["LoadBalancerArn"]] = None
    return list(found)


async def add(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """AddListenerCertificates: more of them, from which a client's SNI chooses. A listed one is left as it is."""
    record = _secure(lb, request)
    wanted = _named(request)
    await certificates.prepare(arns.region(record["ListenerArn"]), wanted)
    record = _secure(lb, request)  # it may have been deleted or changed meanwhile
    more = list(dict.fromkeys([*record.get("_certificates", []), *wanted]))
    if len(more) > MOST:
        raise AwsError("TooManyCertificates", f"A listener can have {MOST} certificates besides the default one")
    _put(lb, {**record, "_certificates": more})
    return {"Certificates": [{"CertificateArn": arn} for arn in wanted]}


def remove(lb: LoadBalancing, request: Request) -> None:
    """RemoveListenerCertificates. The default one stays."""
    record = _secure(lb, request)
    gone = _named(request)
    if any({"CertificateArn": arn} in record["Certificates"] for arn in gone):
        raise AwsError("OperationNotPermitted", "Default certificate cannot be removed from the listener")
    _put(lb, {**record, "_certificates": [one for one in record.get("_certificates", []) if one not in gone]})


def describe(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeListenerCertificates: the default one and those that were added."""
    record = _secure(lb, request)
    found = [{**one, "IsDefault": True} for one in record["Certificates"]]
    found += [{"CertificateArn": arn, "IsDefault": False} for arn in record.get("_certificates", [])]
    return pages.page("Certificates", found, request)


def _secure(lb: LoadBalancing, request: Request) -> Record:
    record = lb.listener(request["ListenerArn"])
    if record["Protocol"] not in PROTOCOLS:
        raise AwsError("UnsupportedProtocol", f"Certificates are for HTTPS and TLS, not {record['Protocol']} listeners")
    return record


def _named(request: Request) -> list[str]:
    found = [one.get("CertificateArn", "") for one in request["Certificates"]]
    if not found or not all(found):
        raise AwsError("ValidationError", "A certificate ARN must be specified")
    if any("IsDefault" in one for one in request["Certificates"]):
        raise AwsError("ValidationError", "IsDefault cannot be specified in this request")
    return found


def _put(lb: LoadBalancing, record: Record) -> None:
    lb.listeners.put(record["ListenerArn"], record)
    lb.wake(record["LoadBalancerArn"])
