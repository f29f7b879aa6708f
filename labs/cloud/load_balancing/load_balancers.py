"""Load balancers: the operations, and their place in a VPC, which is read through EC2's public API."""

import secrets
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.engine import network
from labs.cloud.frame import arns, aws, clock, tags
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record
from labs.cloud.load_balancing import attributes, pages
from labs.cloud.load_balancing.state import LoadBalancing

DOMAIN = "elb.localhost"  # browsers find every name under localhost on this machine, RFC 6761 6.3
HOSTED_ZONE = "Z35SXDOTRQ7X7K"  # of us-east-1, https://docs.aws.amazon.com/general/latest/gr/elb.html
MOST = 50
_KINDS = {"application": "app", "network": "net"}


async def create(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """CreateLoadBalancer. The same request for a load balancer that exists answers with that one."""
    name, kind = request["Name"], request.get("Type", "application")
    pages.require_name(name, "Load balancer")
    if name.startswith("internal-"):
        raise AwsError("ValidationError", f"Load balancer name '{name}' cannot begin with 'internal-'")
    if kind not in _KINDS:
        raise AwsError(
            "InvalidConfigurationRequest",
            "The local AWS of this course has application and network load balancers only.",
        )
    labels = tags.merge([], request.get("Tags", []), key="Key", code="ValidationError")
    if len(labels) < len(request.get("Tags", [])):
        raise AwsError("DuplicateTagKeys", "A tag key was specified more than once")
    place = await _place(request, kind)
    groups = await _security_groups(request.region, request.get("SecurityGroups", []), place["VpcId"], kind)
    wanted = {
        "Scheme": request.get("Scheme", "internet-facing"),
        "Type": kind,
        "IpAddressType": _ip_address_type(request.get("IpAddressType", "ipv4")),
        "VpcId": place["VpcId"],
        "AvailabilityZones": place["AvailabilityZones"],
        **({"SecurityGroups": groups} if groups else {}),
    }
    if present := _named(lb, name, request.region):
        same = all(present.get(key) == value for key, value in wanted.items())
        if not same or present["_tags"] != labels:
            raise AwsError(
                "DuplicateLoadBalancerName",
                f"A load balancer with the same name '{name}' exists, but with different settings",
            )
        return {"LoadBalancers": [present]}
    if sum(arns.region(arn) == request.region for arn in lb.load_balancers) >= MOST:
        raise AwsError("TooManyLoadBalancers", f"You have reached the limit of {MOST} load balancers")
    resource = f"{_KINDS[kind]}/{name}/{secrets.token_hex(8)}"
    arn = arns.make("elasticloadbalancing", request.region, f"loadbalancer/{resource}")
    label = f"{name}-{secrets.randbelow(10**10):010d}".lower()
    label = f"internal-{label}" if wanted["Scheme"] == "internal" else label
    record = {
        "LoadBalancerArn": arn,
        "DNSName": f"{label}.{request.region}.{DOMAIN}",
        "CanonicalHostedZoneId": HOSTED_ZONE,
        "CreatedTime": clock.now(),
        "LoadBalancerName": name,
        "State": {"Code": "provisioning"},
        **wanted,
        "_network": place["_network"],
        "_attributes": attributes.defaults(attributes.of_load_balancer(kind)),
        "_tags": labels,
        "_doors": {},
    }
    answer = {"LoadBalancers": [{**record, "State": {"Code": "provisioning"}}]}
    lb.load_balancers.put(arn, record)
    lb.wake(arn)
    return answer


def describe(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeLoadBalancers."""
    if request.get("LoadBalancerArns") and request.get("Names"):
        raise AwsError(
            "ValidationError", "Load balancer names and load balancer ARNs cannot be specified at the same time"
        )
    found = pages.chosen(
        lb.load_balancers, request, "LoadBalancerArns", "LoadBalancerName", "Names",
        code="LoadBalancerNotFound", what="load balancers",
    )  # fmt: skip
    return pages.page("LoadBalancers", found, request)


def delete(lb: LoadBalancing, request: Request) -> None:
    """DeleteLoadBalancer, with its listeners and rules. One that does not exist is no error, as on AWS."""
    arn = request["LoadBalancerArn"]
    if arn not in lb.load_balancers:
        return
    if lb.load_balancers[arn]["_attributes"].get("deletion_protection.enabled") == "true":
        raise AwsError(
            "OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        )
    for listener in lb.listeners_of(arn):
        for rule in lb.rules_of(listener["ListenerArn"]):
            lb.rules.drop(rule["RuleArn"])
        lb.listeners.drop(listener["ListenerArn"])
    lb.load_balancers.drop(arn)
    lb.wake(arn)


def describe_attributes(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """DescribeLoadBalancerAttributes."""
    return {"Attributes": attributes.listed(lb.load_balancer(request["LoadBalancerArn"])["_attributes"])}


def modify_attributes(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """ModifyLoadBalancerAttributes."""
    record = lb.load_balancer(request["LoadBalancerArn"])
    known = attributes.of_load_balancer(record["Type"])
    changed = attributes.merged(record["_attributes"], request["Attributes"], known)
    _put(lb, {**record, "_attributes": changed})
    return {"Attributes": attributes.listed(changed)}


async def set_subnets(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """SetSubnets. A load balancer stays in its VPC."""
    record = lb.load_balancer(request["LoadBalancerArn"])
    place = await _place(request, record["Type"])
    record = lb.load_balancer(request["LoadBalancerArn"])  # it may have been deleted meanwhile
    if place["VpcId"] != record["VpcId"]:
        raise AwsError("InvalidConfigurationRequest", "The subnets are not in the VPC of the load balancer")
    kind = _ip_address_type(request.get("IpAddressType", record["IpAddressType"]))
    _put(lb, {**record, "AvailabilityZones": place["AvailabilityZones"], "IpAddressType": kind})
    return {"AvailabilityZones": place["AvailabilityZones"], "IpAddressType": kind}


async def set_security_groups(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """SetSecurityGroups."""
    record = lb.load_balancer(request["LoadBalancerArn"])
    if record["Type"] == "network" and not record.get("SecurityGroups"):
        raise AwsError(
            "InvalidConfigurationRequest",
            "You cannot add security groups to a Network Load Balancer that was created without security groups",
        )
    groups = await _security_groups(request.region, request["SecurityGroups"], record["VpcId"], "network")
    if not groups:
        raise AwsError("ValidationError", "A security group must be specified")
    record = lb.load_balancer(request["LoadBalancerArn"])
    _put(lb, {**record, "SecurityGroups": groups})
    return {"SecurityGroupIds": groups}


def set_ip_address_type(lb: LoadBalancing, request: Request) -> dict[str, Any]:
    """SetIpAddressType."""
    record = lb.load_balancer(request["LoadBalancerArn"])
    kind = _ip_address_type(request["IpAddressType"])
    _put(lb, {**record, "IpAddressType": kind})
    return {"IpAddressType": kind}


def _put(lb: LoadBalancing, record: Record) -> None:
    lb.load_balancers.put(record["LoadBalancerArn"], record)
    lb.wake(record["LoadBalancerArn"])


def _named(lb: LoadBalancing, name: str, region: str) -> Record | None:
    found = (one for one in lb.load_balancers.values() if one["LoadBalancerName"] == name)
    return next((one for one in found if arns.region(one["LoadBalancerArn"]) == region), None)


def _ip_address_type(kind: str) -> str:
    if kind != "ipv4":
        raise AwsError(
            "InvalidConfigurationRequest", "The subnets of the local AWS have no IPv6 addresses. Use 'ipv4'."
        )
    return kind


async def _place(request: Request, kind: str) -> dict[str, Any]:
    """The zones and the VPC of a request's subnets.

    Raises:
        AwsError: as AWS refuses them.
    """
    if request.get("Subnets") and request.get("SubnetMappings"):
        raise AwsError("ValidationError", "Either subnets or subnet mappings can be specified, not both")
    mappings = request.get("SubnetMappings", [])
    if any(set(one) - {"SubnetId"} for one in mappings):
        raise AwsError(
            "InvalidConfigurationRequest",
            "A load balancer of the local AWS has no addresses of its own. Give SubnetId only.",
        )
    wanted = list(request.get("Subnets") or [one.get("SubnetId", "") for one in mappings])
    least = 2 if kind == "application" else 1
    if not wanted:
        raise AwsError("ValidationError", "At least one subnet must be specified" if least == 1 else _TWO_ZONES)
    if len(set(wanted)) < len(wanted):
        raise AwsError("InvalidConfigurationRequest", "The same subnet was specified more than once")
    try:
        found = (await aws.call("ec2", "describe_subnets", region=request.region, SubnetIds=wanted))["Subnets"]
    except ClientError as problem:
        raise AwsError("SubnetNotFound", _missing(wanted, problem)) from None
    by_id = {subnet["SubnetId"]: subnet for subnet in found}
    if missing := [one for one in wanted if one not in by_id]:
        raise AwsError("SubnetNotFound", f"The subnet ID '{missing[0]}' does not exist")
    subnets = [by_id[one] for one in wanted]
    if len({subnet["VpcId"] for subnet in subnets}) > 1:
        raise AwsError("InvalidConfigurationRequest", "All subnets must belong to the same VPC")
    zones = [subnet["AvailabilityZone"] for subnet in subnets]
    if len(set(zones)) < len(zones):
        raise AwsError(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    if len(zones) < least:
        raise AwsError("ValidationError", _TWO_ZONES)
    vpc = subnets[0]["VpcId"]
    zones_of = [{"ZoneName": subnet["AvailabilityZone"], "SubnetId": subnet["SubnetId"]} for subnet in subnets]
    for zone in zones_of:
        zone["LoadBalancerAddresses"] = []
    zones_of.sort(key=lambda zone: zone["ZoneName"])
    return {"VpcId": vpc, "AvailabilityZones": zones_of, "_network": await _network(request.region, vpc)}


_TWO_ZONES = "At least two subnets in two different Availability Zones must be specified"


def _missing(wanted: list[str], problem: ClientError) -> str:
    message = problem.response.get("Error", {}).get("Message", "")
    named = next((one for one in wanted if one in message), wanted[0])
    return f"The subnet ID '{named}' does not exist"


async def _network(region: str, vpc: str) -> dict[str, str | None]:
    """The Docker network of a VPC: its key and the address range to ask for, as `engine.network` takes them."""
    found = (await aws.call("ec2", "describe_vpcs", region=region, VpcIds=[vpc]))["Vpcs"]
    if found and found[0].get("IsDefault"):
        return {"vpc": network.DEFAULT_VPC, "cidr": found[0].get("CidrBlock")}
    return {"vpc": vpc, "cidr": None}


async def _security_groups(region: str, wanted: list[str], vpc: str, kind: str) -> list[str]:
    """The security groups of a load balancer; for an Application Load Balancer without any the VPC's default one.

    Raises:
        AwsError: one of them does not exist.
    """
    if wanted:
        try:
            found = (await aws.call("ec2", "describe_security_groups", region=region, GroupIds=wanted))[
                "SecurityGroups"
            ]
        except ClientError:
            found = []
        known = {group["GroupId"] for group in found if group.get("VpcId", vpc) == vpc}
        if missing := [one for one in wanted if one not in known]:
            raise AwsError("InvalidSecurityGroup", f"One or more security groups are invalid: {', '.join(missing)}")
        return wanted
    if kind == "network":
        return []
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    found = (await aws.call("ec2", "describe_security_groups", region=region, Filters=filters))["SecurityGroups"]
    return [group["GroupId"] for group in found[:1]]
