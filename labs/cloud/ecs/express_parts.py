"""The pieces of an Express Mode service, made and removed through public operations, so the learner sees each of them.

Every step looks at what its record says is there and makes what is missing, so it can be repeated after a failure or a
kill. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/express-service-work.html
"""

import contextlib
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.ecs import express_alarm, express_ingress, express_input
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, aws
from labs.cloud.frame.errors import AwsError

SCALING = "application-autoscaling"
CANARY = {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 3}
BAKE_MINUTES = 3
GRACE_SECONDS = 300


async def build(ecs: Ecs, record: dict[str, Any]) -> None:
    """Makes what is missing of a service, and the service itself.

    Raises:
        AwsError, ClientError: a piece cannot be made.
    """
    await _logs(record)
    await express_ingress.build(ecs, record)
    await _definition(ecs, record)
    record["_made"]["alarm"] = await express_alarm.put(record)
    await _service(ecs, record)
    await scale(ecs, record)


async def remove(ecs: Ecs, record: dict[str, Any]) -> None:
    """Removes what `build` has made, when the tasks are gone. The log group and the task definition stay."""
    if "alarm" in record["_made"]:
        region = arns.region(record["serviceArn"])
        await aws.call("cloudwatch", "delete_alarms", region=region, AlarmNames=[record["_made"]["alarm"]])
    await express_ingress.remove(ecs, record)


async def change(ecs: Ecs, record: dict[str, Any]) -> None:
    """Brings the pieces to a changed configuration: a canary deployment if the tasks change."""
    region, made = arns.region(record["serviceArn"]), record["_made"]
    for group in made["groups"]:
        path = record["_configuration"]["healthCheckPath"]
        await express_ingress.call(ecs, region, "ModifyTargetGroup", TargetGroupArn=group, HealthCheckPath=path)
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
