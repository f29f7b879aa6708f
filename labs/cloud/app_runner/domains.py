"""Custom domains of a service.

On AWS a domain is active when its owner has put the validation records into their DNS. There is no DNS here, so it
waits for them for good, as it does on AWS until they are there.
https://docs.aws.amazon.com/apprunner/latest/dg/manage-custom-domains.html
"""

import secrets
from typing import Any

from labs.cloud.app_runner.state import BUSY, DELETED, INVALID, NOT_FOUND, STATE, AppRunner, listed
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

MOST = 5  # https://docs.aws.amazon.com/apprunner/latest/dg/manage-custom-domains.html
_WAITING = "PENDING_CERTIFICATE_DNS_VALIDATION"


def associate(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Gives a service a domain."""
    service, name = _idle(runner, request), request["DomainName"]
    taken = {one["DomainName"] for every in runner.services.values() for one in every["_domains"]}
    if name in taken:
        raise AwsError(INVALID, f"The domain {name} is already associated with a service.")
    if len(service["_domains"]) >= MOST:
        raise AwsError(INVALID, f"A service can have {MOST} custom domains at most.")
    www = request.get("EnableWWWSubdomain", True)
    names = [name, f"www.{name}"] if www else [name]
    domain = {
        "DomainName": name,
        "EnableWWWSubdomain": www,
        "Status": _WAITING,
        "CertificateValidationRecords": [
            {
                "Name": f"_{secrets.token_hex(16)}.{one}.",
                "Type": "CNAME",
                "Value": f"_{secrets.token_hex(16)}.acm-validations.aws.",
                "Status": "PENDING_VALIDATION",
            }
            for one in names
        ],
    }
    runner.change(service["ServiceArn"], _domains=[*service["_domains"], domain])
    return _answer(service, domain)


def disassociate(runner: AppRunner, request: Request) -> dict[str, Any]:
    """Takes a domain away."""
    service, name = _idle(runner, request), request["DomainName"]
    domain = next((one for one in service["_domains"] if one["DomainName"] == name), None)
    if domain is None:
        raise AwsError(NOT_FOUND, f"The domain {name} is not associated with the service.")
    runner.change(service["ServiceArn"], _domains=[one for one in service["_domains"] if one is not domain])
    return _answer(service, {**domain, "Status": "DELETING"})


def describe(runner: AppRunner, request: Request) -> dict[str, Any]:
    """The domains of a service."""
    service = runner.service(request["ServiceArn"])
    answer = listed(service["_domains"], request, MOST)
    return {**_common(service), "CustomDomains": answer.pop("page"), **answer}


def _idle(runner: AppRunner, request: Request) -> Record:
    service = runner.service(request["ServiceArn"])
    if service["Status"] in (BUSY, DELETED):
        raise AwsError(STATE, f"Service cannot be changed in its current state: {service['Status']}.")
    return service


def _common(service: Record) -> dict[str, Any]:
    return {"DNSTarget": service["ServiceUrl"], "ServiceArn": service["ServiceArn"], "VpcDNSTargets": []}


def _answer(service: Record, domain: Record) -> dict[str, Any]:
    return {**_common(service), "CustomDomain": domain}


OPERATIONS = {
    "AssociateCustomDomain": associate,
    "DisassociateCustomDomain": disassociate,
    "DescribeCustomDomains": describe,
}
