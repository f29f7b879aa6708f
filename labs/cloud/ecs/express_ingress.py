"""The way from outside to an Express Mode service: load balancer, listener, certificate, rule, target groups.

Up to 25 services of a VPC share a load balancer; the first one decides its subnets. Whoever changes what is shared
holds `Ecs.express_lock`. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/express-service-work.html
"""

import contextlib
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, aws
from labs.cloud.frame.errors import AwsError

MOST_SHARED = 25  # services of one load balancer


async def build(ecs: Ecs, record: dict[str, Any]) -> None:
    """Makes what is missing of the way to a service.

    Raises:
        AwsError, ClientError: a piece cannot be made.
    """
    async with ecs.express_lock:
        await _balancer(ecs, record)
        await _groups(ecs, record)
        await _rule(ecs, record)


async def remove(ecs: Ecs, record: dict[str, Any]) -> None:
    """Removes what `build` has made, when the tasks are gone."""
    async with ecs.express_lock:
        await _remove(ecs, record)


async def _remove(ecs: Ecs, record: dict[str, Any]) -> None:
    made, region = record["_made"], arns.region(record["serviceArn"])
    if "rule" in made:
        await _quietly(ecs, region, "DeleteRule", RuleArn=made["rule"])
    for group in made.get("groups", []):
        await _quietly(ecs, region, "DeleteTargetGroup", TargetGroupArn=group)
    shared = [
        one
        for one in _sharing(ecs, record)
        if one is not record and one["_made"].get("balancer") == made.get("balancer")
    ]
    if "listener" in made:
        if shared:
            await _pass_default_on(ecs, region, made, shared[0]["_made"]["certificate"])
        else:
            await _quietly(ecs, region, "DeleteListener", ListenerArn=made["listener"])
            await _quietly(ecs, region, "DeleteLoadBalancer", LoadBalancerArn=made["balancer"])
    if "certificate" in made:
        with contextlib.suppress(ClientError):
            await aws.call("acm", "delete_certificate", region=region, CertificateArn=made["certificate"])
    for key in ("service_group", *(() if shared else ("balancer_group",))):
        if key in made:
            with contextlib.suppress(ClientError):
                await aws.call("ec2", "delete_security_group", region=region, GroupId=made[key])


async def _balancer(ecs: Ecs, record: dict[str, Any]) -> None:
    """A load balancer that has room for one more service, or a new one; its HTTPS listener; the security groups."""
    made, region, place = record["_made"], arns.region(record["serviceArn"]), record["_place"]
    if not await _is_certificate(region, made.get("certificate")):
        answer = await aws.call(
            "acm", "request_certificate", region=region, DomainName=record["_host"], ValidationMethod="DNS"
        )
        made["certificate"] = answer["CertificateArn"]
        ecs.express.put(record["serviceArn"], record)
        ecs.store.flush_quietly()  # it has no name by which it could be found again
    if "balancer" not in made:
        others = [one["_made"] for one in _sharing(ecs, record) if "listener" in one["_made"]]
        free = [one for one in others if sum(two["balancer"] == one["balancer"] for two in others) < MOST_SHARED]
        if free:
            made |= {key: free[0][key] for key in ("balancer", "listener", "balancer_group")}
    if "balancer_group" not in made:
        made["balancer_group"] = await _security_group(
            region, f"ecs-express-gateway-alb-{record['_short']}", place["vpc"],
            {"FromPort": 443, "ToPort": 443, "IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
        )  # fmt: skip
    made["service_group"] = await _security_group(
        region, f"ecs-express-gateway-service-{record['_short']}", place["vpc"],
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": made["balancer_group"]}]},
    )  # fmt: skip
    if "balancer" not in made:
        answer = await call(
            ecs, region, "CreateLoadBalancer",
            Name=f"ecs-express-gateway-{record['_short']}",
            Subnets=place["subnets"],
            SecurityGroups=[made["balancer_group"]],
            Scheme="internet-facing" if place["public"] else "internal",
        )  # fmt: skip
        made["balancer"] = answer["LoadBalancers"][0]["LoadBalancerArn"]
    if "listener" not in made:
        nothing = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "Not Found"}
        answer = await call(
            ecs, region, "CreateListener",
            LoadBalancerArn=made["balancer"],
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": made["certificate"]}],
            SslPolicy="ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": nothing}],
        )  # fmt: skip
        made["listener"] = answer["Listeners"][0]["ListenerArn"]
    present = await call(ecs, region, "DescribeListenerCertificates", ListenerArn=made["listener"])
    if made["certificate"] not in [one["CertificateArn"] for one in present["Certificates"]]:
        more = [{"CertificateArn": made["certificate"]}]
        await call(ecs, region, "AddListenerCertificates", ListenerArn=made["listener"], Certificates=more)


async def _is_certificate(region: str, arn: str | None) -> bool:
    """Whether a certificate is there. A backend that was killed may have forgotten what it made in its last second."""
    if arn is None:
        return False
    try:
        await aws.call("acm", "describe_certificate", region=region, CertificateArn=arn)
    except ClientError:
        return False
    return True


async def _groups(ecs: Ecs, record: dict[str, Any]) -> None:
    made, region = record["_made"], arns.region(record["serviceArn"])
    if "groups" in made:
        return
    found = []
    for number in (1, 2):  # they take turns in deployments
        answer = await call(
            ecs, region, "CreateTargetGroup",
            Name=f"ecs-gateway-tg-{record['_short']}-{number}",
            Protocol="HTTP",
            Port=80,
            VpcId=record["_place"]["vpc"],
            TargetType="ip",
            HealthCheckPath=record["_configuration"]["healthCheckPath"],
        )  # fmt: skip
        found.append(answer["TargetGroups"][0]["TargetGroupArn"])
    made["groups"] = found


async def _rule(ecs: Ecs, record: dict[str, Any]) -> None:
    made, region = record["_made"], arns.region(record["serviceArn"])
    if "rule" in made:
        return
    present = (await call(ecs, region, "DescribeRules", ListenerArn=made["listener"]))["Rules"]
    for rule in present:
        if any(record["_host"] in one.get("Values", []) for one in rule["Conditions"]):
            made["rule"] = rule["RuleArn"]
            return
    taken = {rule["Priority"] for rule in present}
    first, second = made["groups"]
    answer = await call(
        ecs, region, "CreateRule",
        ListenerArn=made["listener"],
        Priority=next(number for number in range(1, 50_000) if str(number) not in taken),
        Conditions=[{"Field": "host-header", "Values": [record["_host"]]}],
        Actions=[{
            "Type": "forward",
            "ForwardConfig": {"TargetGroups": [
                {"TargetGroupArn": first, "Weight": 100}, {"TargetGroupArn": second, "Weight": 0},
            ]},
        }],
    )  # fmt: skip
    made["rule"] = answer["Rules"][0]["RuleArn"]


async def _pass_default_on(ecs: Ecs, region: str, made: dict[str, Any], heir: str) -> None:
    """Takes a certificate off a listener; if it is the default one, another service's becomes that."""
    found = await call(ecs, region, "DescribeListeners", ListenerArns=[made["listener"]])
    own = [{"CertificateArn": made["certificate"]}]
    if found["Listeners"][0]["Certificates"] == own:
        others = [{"CertificateArn": heir}]
        await _quietly(ecs, region, "ModifyListener", ListenerArn=made["listener"], Certificates=others)
    await _quietly(ecs, region, "RemoveListenerCertificates", ListenerArn=made["listener"], Certificates=own)


async def _security_group(region: str, name: str, vpc: str, rule: dict[str, Any]) -> str:
    about = "Made for an Express service of Amazon ECS"
    try:
        made = await aws.call(
            "ec2", "create_security_group", region=region, GroupName=name, Description=about, VpcId=vpc
        )
    except ClientError as problem:
        if problem.response["Error"]["Code"] != "InvalidGroup.Duplicate":
            raise
        filters = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [vpc]}]
        found = await aws.call("ec2", "describe_security_groups", region=region, Filters=filters)
        return str(found["SecurityGroups"][0]["GroupId"])
    await aws.call(
        "ec2", "authorize_security_group_ingress", region=region, GroupId=made["GroupId"], IpPermissions=[rule]
    )
    return str(made["GroupId"])


def _sharing(ecs: Ecs, record: dict[str, Any]) -> list[dict[str, Any]]:
    """The Express services of the same VPC with the same kind of load balancer."""
    return [
        one
        for one in ecs.express.values()
        if one["status"]["statusCode"] != "INACTIVE"
        and one["_place"]["vpc"] == record["_place"]["vpc"]
        and one["_place"]["public"] == record["_place"]["public"]
    ]


async def call(ecs: Ecs, region: str, operation: str, **parameters: Any) -> dict[str, Any]:
    return await ecs.services.call("elasticloadbalancing", operation, region, **parameters)


async def _quietly(ecs: Ecs, region: str, operation: str, **parameters: Any) -> None:
    with contextlib.suppress(AwsError):
        await call(ecs, region, operation, **parameters)
