"""The pieces of an Express Mode service, made and removed through public operations, so the learner sees each of them.

Every step looks at what its record says is there and makes what is missing, so it can be repeated after a failure or a
kill. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/express-service-work.html
"""

import contextlib
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.ecs import express_alarm, express_input
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, aws
from labs.cloud.frame.errors import AwsError

BALANCING, SCALING = "elasticloadbalancing", "application-autoscaling"
MOST_SHARED = 25  # services of one load balancer
CANARY = {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 3}
BAKE_MINUTES = 3
GRACE_SECONDS = 300


async def build(ecs: Ecs, record: dict[str, Any]) -> None:
    """Makes what is missing of a service, and the service itself.

    Raises:
        AwsError, ClientError: a piece cannot be made.
    """
    await _logs(record)
    async with ecs.express_lock:
        await _balancer(ecs, record)
        await _rule(ecs, record)
    await _definition(ecs, record)
    record["_made"]["alarm"] = await express_alarm.put(record)
    await _service(ecs, record)
    await scale(ecs, record)


async def remove(ecs: Ecs, record: dict[str, Any]) -> None:
    """Removes what `build` has made, when the tasks are gone. The log group and the task definition stay."""
    made, region = record["_made"], arns.region(record["serviceArn"])
    if "rule" in made:
        await _quietly(ecs, region, "DeleteRule", RuleArn=made["rule"])
    for group in made.get("groups", []):
        await _quietly(ecs, region, "DeleteTargetGroup", TargetGroupArn=group)
    if "alarm" in made:
        await aws.call("cloudwatch", "delete_alarms", region=region, AlarmNames=[made["alarm"]])
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


async def change(ecs: Ecs, record: dict[str, Any]) -> None:
    """Brings the pieces to a changed configuration: a canary deployment if the tasks change."""
    region, made = arns.region(record["serviceArn"]), record["_made"]
    for group in made["groups"]:
        path = record["_configuration"]["healthCheckPath"]
        await _elb(ecs, region, "ModifyTargetGroup", TargetGroupArn=group, HealthCheckPath=path)
    await _definition(ecs, record)
    port = express_input.port_of(ecs.task_definitions[made["definition"]])
    await ecs.services.call(
        "ecs",
        "UpdateService",
        region,
        cluster=record["cluster"],
        service=record["serviceName"],
        taskDefinition=made["definition"],
        networkConfiguration=_network(record),
        loadBalancers=[_behind(record, port)],
    )
    await scale(ecs, record)


async def scale(ecs: Ecs, record: dict[str, Any]) -> None:
    """The scalable target and the target tracking policy."""
    region, target = arns.region(record["serviceArn"]), record["_configuration"]["scalingTarget"]
    about = _scaled(record)
    bounds = {"MinCapacity": target["minTaskCount"], "MaxCapacity": target["maxTaskCount"]}
    await ecs.services.call(SCALING, "RegisterScalableTarget", region, **about, **bounds)
    metric: dict[str, Any] = {"PredefinedMetricType": express_input.METRICS[target["autoScalingMetric"]]}
    if target["autoScalingMetric"] == "REQUEST_COUNT_PER_TARGET":
        balancer = record["_made"]["balancer"].rpartition("loadbalancer/")[2]
        group = arns.resource(serving_group(ecs, record))
        metric["ResourceLabel"] = f"{balancer}/{group}"
    made = await ecs.services.call(
        SCALING,
        "PutScalingPolicy",
        region,
        PolicyName=f"{record['serviceName']}-express-policy",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": float(target["autoScalingTargetValue"]), "PredefinedMetricSpecification": metric,
        },
        **about,
    )  # fmt: skip
    record["_made"] |= {"policy": made["PolicyARN"], "scaled_by": serving_group(ecs, record)}


def serving_group(ecs: Ecs, record: dict[str, Any]) -> str:
    """The target group that has the traffic: the two of a service take turns."""
    service = ecs.service_records.get(record["serviceArn"], {})
    used = service.get("_last_good", {}).get("_load_balancers") or [{"targetGroupArn": record["_made"]["groups"][0]}]
    return str(used[0]["targetGroupArn"])


async def unscale(ecs: Ecs, record: dict[str, Any]) -> None:
    """Removes the scalable target with its policies, if it is there."""
    with contextlib.suppress(AwsError):
        region = arns.region(record["serviceArn"])
        await ecs.services.call(SCALING, "DeregisterScalableTarget", region, **_scaled(record))


# --- one piece after another ------------------------------------------------------------------------------------------


async def _logs(record: dict[str, Any]) -> None:
    container = record["_configuration"].get("primaryContainer")
    if container is None:
        return
    name = container.get("awsLogsConfiguration", {}).get("logGroup") or record["_log_group"]
    region = arns.region(record["serviceArn"])
    try:
        await aws.call("logs", "create_log_group", region=region, logGroupName=name)
    except ClientError as problem:
        if problem.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
    record["_made"]["logGroup"] = name


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
        answer = await _elb(
            ecs, region, "CreateLoadBalancer",
            Name=f"ecs-express-gateway-{record['_short']}",
            Subnets=place["subnets"],
            SecurityGroups=[made["balancer_group"]],
            Scheme="internet-facing" if place["public"] else "internal",
        )  # fmt: skip
        made["balancer"] = answer["LoadBalancers"][0]["LoadBalancerArn"]
    if "listener" not in made:
        nothing = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "Not Found"}
        answer = await _elb(
            ecs, region, "CreateListener",
            LoadBalancerArn=made["balancer"],
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": made["certificate"]}],
            SslPolicy="ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": nothing}],
        )  # fmt: skip
        made["listener"] = answer["Listeners"][0]["ListenerArn"]
    present = await _elb(ecs, region, "DescribeListenerCertificates", ListenerArn=made["listener"])
    if made["certificate"] not in [one["CertificateArn"] for one in present["Certificates"]]:
        more = [{"CertificateArn": made["certificate"]}]
        await _elb(ecs, region, "AddListenerCertificates", ListenerArn=made["listener"], Certificates=more)


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
        answer = await _elb(
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
    await _groups(ecs, record)
    made, region = record["_made"], arns.region(record["serviceArn"])
    if "rule" in made:
        return
    present = (await _elb(ecs, region, "DescribeRules", ListenerArn=made["listener"]))["Rules"]
    for rule in present:
        if any(record["_host"] in one.get("Values", []) for one in rule["Conditions"]):
            made["rule"] = rule["RuleArn"]
            return
    taken = {rule["Priority"] for rule in present}
    first, second = made["groups"]
    answer = await _elb(
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


async def _definition(ecs: Ecs, record: dict[str, Any]) -> None:
    """The task definition that the configuration asks for; a new revision if it is another one than before."""
    made, configuration = record["_made"], record["_configuration"]
    if arn := configuration.get("taskDefinitionArn"):
        made["definition"] = arn
        made.pop("definition_of", None)
        return
    region, family = arns.region(record["serviceArn"]), f"{record['cluster']}-{record['serviceName']}"
    wanted = express_input.definition(configuration, family, region, record["_log_group"])
    if made.get("definition_of") != wanted:
        answer = await ecs.services.call("ecs", "RegisterTaskDefinition", region, **wanted)
        made["definition"] = answer["taskDefinition"]["taskDefinitionArn"]
        made["definition_of"] = wanted


async def _service(ecs: Ecs, record: dict[str, Any]) -> None:
    present = ecs.service_records.get(record["serviceArn"])
    if present and present["status"] != "INACTIVE":
        return
    region, made = arns.region(record["serviceArn"]), record["_made"]
    port = express_input.port_of(ecs.task_definitions[made["definition"]])
    await ecs.services.call(
        "ecs", "CreateService", region,
        cluster=record["cluster"],
        serviceName=record["serviceName"],
        taskDefinition=made["definition"],
        desiredCount=record["_configuration"]["scalingTarget"]["minTaskCount"],
        launchType="FARGATE",
        networkConfiguration=_network(record),
        loadBalancers=[_behind(record, port)],
        healthCheckGracePeriodSeconds=GRACE_SECONDS,
        availabilityZoneRebalancing="ENABLED",
        deploymentConfiguration={
            "strategy": "CANARY",
            "canaryConfiguration": CANARY,
            "bakeTimeInMinutes": BAKE_MINUTES,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "alarms": {"alarmNames": [made["alarm"]], "enable": True, "rollback": True},
        },
        tags=record["tags"],
        propagateTags="SERVICE",
    )  # fmt: skip


# --- helpers ----------------------------------------------------------------------------------------------------------


def _network(record: dict[str, Any]) -> dict[str, Any]:
    given = record["_configuration"].get("networkConfiguration", {}).get("securityGroups") or []
    return {
        "awsvpcConfiguration": {
            "subnets": record["_place"]["subnets"],
            "securityGroups": [*given, record["_made"]["service_group"]][:5],
            "assignPublicIp": "ENABLED" if record["_place"]["public"] else "DISABLED",
        }
    }


def _behind(record: dict[str, Any], port: int) -> dict[str, Any]:
    first, second = record["_made"]["groups"]
    return {
        "targetGroupArn": first,
        "containerName": express_input.MAIN,
        "containerPort": port,
        "advancedConfiguration": {
            "alternateTargetGroupArn": second,
            "productionListenerRule": record["_made"]["rule"],
            "roleArn": record["infrastructureRoleArn"],
        },
    }


def _scaled(record: dict[str, Any]) -> dict[str, str]:
    return {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{record['cluster']}/{record['serviceName']}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }


def _sharing(ecs: Ecs, record: dict[str, Any]) -> list[dict[str, Any]]:
    """The Express services of the same VPC with the same kind of load balancer."""
    return [
        one
        for one in ecs.express.values()
        if one["status"]["statusCode"] != "INACTIVE"
        and one["_place"]["vpc"] == record["_place"]["vpc"]
        and one["_place"]["public"] == record["_place"]["public"]
    ]


async def _pass_default_on(ecs: Ecs, region: str, made: dict[str, Any], heir: str) -> None:
    """Takes a certificate off a listener; if it is the default one, another service's becomes that."""
    found = await _elb(ecs, region, "DescribeListeners", ListenerArns=[made["listener"]])
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


async def _elb(ecs: Ecs, region: str, operation: str, **parameters: Any) -> dict[str, Any]:
    return await ecs.services.call(BALANCING, operation, region, **parameters)


async def _quietly(ecs: Ecs, region: str, operation: str, **parameters: Any) -> None:
    with contextlib.suppress(AwsError):
        await _elb(ecs, region, operation, **parameters)
