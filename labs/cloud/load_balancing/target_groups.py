"""Target groups: the operations.

Defaults and bounds: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
"""

import re
import secrets
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.frame import arns, aws, tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record
from labs.cloud.load_balancing import attributes, pages
from labs.cloud.load_balancing.state import LoadBalancing

MOST = 3000
HTTP = ("HTTP", "HTTPS")
_CHECK = (
    "HealthCheckProtocol", "HealthCheckPort", "HealthCheckEnabled", "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds", "HealthyThresholdCount", "UnhealthyThresholdCount", "HealthCheckPath", "Matcher",
)  # fmt: skip
_CODES = re.compile(r"\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*")


async def create(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """CreateTargetGroup. The same request for a target group that exists answers with that one."""
    name, kind = request["Name"], request.get("TargetType", "instance")
    pages.require_name(name, "Target group")
    if kind not in ("ip", "instance"):
        raise AwsError(
            "InvalidConfigurationRequest",
            f"The local AWS of this course has no targets of type '{kind}'. Use ip or instance.",
        )
    protocol = request.get("Protocol")
    if not protocol:
        raise AwsError("ValidationError", "A protocol must be specified")
    if protocol not in ("HTTP", "HTTPS", "TCP", "TLS"):
        raise AwsError(
            "UnsupportedProtocol",
            f"The local AWS of this course has no targets that speak {protocol}. Use HTTP or HTTPS (for an "
            "Application Load Balancer), TCP or TLS (for a Network Load Balancer).",
        )
    if request.get("ProtocolVersion", "HTTP1") != "HTTP1":
        raise AwsError("InvalidConfigurationRequest", "The local AWS of this course speaks HTTP1 to targets only.")
    if request.get("IpAddressType", "ipv4") != "ipv4":
        raise AwsError("InvalidConfigurationRequest", "The networks of the local AWS have IPv4 addresses only.")
    if "Port" not in request:
        raise AwsError("ValidationError", "A port must be specified")
    if "VpcId" not in request:
        raise AwsError("ValidationError", "A VPC ID must be specified")
    await _require_vpc(request.region, request["VpcId"])
    labels = tags.merge([], request.get("Tags", []), key="Key", code="ValidationError")
    wanted = {
        "TargetGroupName": name,
        "Protocol": protocol,
        "Port": request["Port"],
        "VpcId": request["VpcId"],
        "TargetType": kind,
        "IpAddressType": "ipv4",
        **({"ProtocolVersion": "HTTP1"} if protocol in HTTP else {}),
        **_checked(_check_defaults(protocol), request, protocol),
    }
    if present := _named(lb, name, request.region):
        if any(present.get(key) != value for key, value in wanted.items()) or present["_tags"] != labels:
            raise AwsError(
                "DuplicateTargetGroupName",
                f"A target group with the same name '{name}' exists, but with different settings",
            )
        return {"TargetGroups": [shown(lb, present)]}
    if sum(arns.region(arn) == request.region for arn in lb.target_groups) >= MOST:
        raise AwsError("TooManyTargetGroups", f"You have reached the limit of {MOST} target groups")
    arn = arns.make("elasticloadbalancing", request.region, f"targetgroup/{name}/{secrets.token_hex(8)}")
    record = {
        "TargetGroupArn": arn,
        **wanted,
        "_attributes": attributes.defaults(attributes.of_target_group(protocol)),
        "_tags": labels,
        "_targets": {},
    }
    lb.target_groups.put(arn, record)
    return {"TargetGroups": [shown(lb, record)]}


def describe(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeTargetGroups."""
    if balancer := request.get("LoadBalancerArn"):
        lb.load_balancer(balancer)
        used = set(lb.groups_of(balancer))
        found = [record for arn, record in lb.target_groups.items() if arn in used]
    else:
        found = pages.chosen(
            lb.target_groups, request, "TargetGroupArns", "TargetGroupName", "Names",
            code="TargetGroupNotFound", what="target groups",
        )  # fmt: skip
    return pages.page("TargetGroups", [shown(lb, record) for record in found], request)


def modify(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """ModifyTargetGroup: its health check."""
    record = lb.target_group(request["TargetGroupArn"])
    settings = {key: record[key] for key in _CHECK if key in record}
    changed = {**record, **_checked(settings, request, record["Protocol"])}
    if changed["HealthCheckProtocol"] == "TCP":
        changed.pop("HealthCheckPath", None)
        changed.pop("Matcher", None)
    _put(lb, changed)
    return {"TargetGroups": [shown(lb, changed)]}


def delete(lb: LoadBalancing, request: Request) -> None:
    """DeleteTargetGroup. One that does not exist is no error; one in use is."""
    arn = request["TargetGroupArn"]
    if arn not in lb.target_groups:
        return
    if lb.users_of(arn):
        raise AwsError("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
    lb.target_groups.drop(arn)


def describe_attributes(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeTargetGroupAttributes."""
    return {"Attributes": attributes.listed(lb.target_group(request["TargetGroupArn"])["_attributes"])}


def modify_attributes(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """ModifyTargetGroupAttributes."""
    record = lb.target_group(request["TargetGroupArn"])
    known = attributes.of_target_group(record["Protocol"])
    changed = attributes.merged(record["_attributes"], request["Attributes"], known)
    _put(lb, {**record, "_attributes": changed})
    return {"Attributes": attributes.listed(changed)}


def shown(lb: LoadBalancing, record: Record) -> Record:
    """A target group as the API returns it, with the load balancer that uses it."""
    return {**record, "LoadBalancerArns": lb.users_of(record["TargetGroupArn"])}


def _put(lb: LoadBalancing, record: Record) -> None:
    lb.target_groups.put(record["TargetGroupArn"], record)
    for balancer in lb.users_of(record["TargetGroupArn"]):
        lb.wake(balancer)


def _named(lb: LoadBalancing, name: str, region: str) -> Record | None:
    found = (one for one in lb.target_groups.values() if one["TargetGroupName"] == name)
    return next((one for one in found if arns.region(one["TargetGroupArn"]) == region), None)


async def _require_vpc(region: str, vpc: str) -> None:
    try:
        found = (await aws.call("ec2", "describe_vpcs", region=region, VpcIds=[vpc]))["Vpcs"]
    except ClientError:
        found = []
    if not found:
        raise AwsError("ValidationError", f"The VPC ID '{vpc}' is not found")


def _check_defaults(protocol: str) -> dict[str, Any]:
    common = {
        "HealthCheckPort": "traffic-port", "HealthCheckEnabled": True, "HealthCheckIntervalSeconds": 30,
        "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2,
    }  # fmt: skip
    if protocol in HTTP:
        return common | {"HealthCheckProtocol": protocol, "HealthCheckTimeoutSeconds": 5}
    return common | {"HealthCheckProtocol": "TCP", "HealthCheckTimeoutSeconds": 10}


def _checked(present: dict[str, Any], request: Request, protocol: str) -> dict[str, Any]:
    """The health check after a request.

    Raises:
        AwsError: it does not fit together.
    """
    found = present | {key: request[key] for key in _CHECK if key in request}
    if protocol in HTTP and found["HealthCheckProtocol"] not in HTTP:
        raise AwsError(
            "ValidationError",
            f"Health check protocol '{found['HealthCheckProtocol']}' is not valid for protocol '{protocol}'",
        )
    if found["HealthCheckProtocol"] not in ("HTTP", "HTTPS", "TCP"):
        raise AwsError(
            "UnsupportedProtocol",
            f"The local AWS of this course cannot check targets by {found['HealthCheckProtocol']}. Use HTTP, "
            "HTTPS or TCP.",
        )
    if not found["HealthCheckEnabled"]:
        raise AwsError("InvalidConfigurationRequest", "Health checks cannot be disabled for this target type")
    port = found["HealthCheckPort"]
    if port != "traffic-port" and not (port.isdecimal() and 1 <= int(port) <= 65535):
        raise AwsError(
            "ValidationError", f"Health check port '{port}' must be in the range '1-65535' or 'traffic-port'"
        )
    if found["HealthCheckTimeoutSeconds"] >= found["HealthCheckIntervalSeconds"] and protocol in HTTP:
        raise AwsError("ValidationError", "Health check timeout must be smaller than the interval")
    if found["HealthCheckTimeoutSeconds"] > found["HealthCheckIntervalSeconds"]:
        raise AwsError("ValidationError", "Health check timeout cannot be greater than the interval")
    if found["HealthCheckProtocol"] == "TCP":
        if "HealthCheckPath" in request or "Matcher" in request:
            raise AwsError("InvalidConfigurationRequest", "A path or matcher is not valid for TCP health checks")
        return found
    found.setdefault("HealthCheckPath", "/")
    found.setdefault("Matcher", {"HttpCode": "200" if protocol in HTTP else "200-399"})
    if not re.fullmatch(r"/[\x21-\x7e]*", found["HealthCheckPath"]):
        raise AwsError(
            "ValidationError", f"Health check path '{found['HealthCheckPath']}' must begin with a '/' character"
        )
    _require_codes(found["Matcher"].get("HttpCode", ""))
    return found


def _require_codes(codes: str) -> None:
    spans = [[int(end) for end in part.split("-")] for part in codes.split(",")] if _CODES.fullmatch(codes) else [[0]]
    if not all(200 <= end <= 499 for span in spans for end in span) or any(span[0] > span[-1] for span in spans):
        raise AwsError(
            "ValidationError", f"Health check matcher HTTP code '{codes}' must be within '200-499' inclusive"
        )
