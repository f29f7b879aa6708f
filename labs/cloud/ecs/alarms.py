"""CloudWatch alarms that end a deployment.

An alarm that is in ALARM when the deployment begins is not watched during that deployment.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
"""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.ecs import deployments
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, aws, clock

EVERY_SECONDS = clock.lesson(60.0)
ROLLING_BAKE_MINUTES = 5.0  # without a bakeTimeInMinutes: what AWS takes at least


def are_watched(service: dict[str, Any]) -> bool:
    """Whether the alarms of a service are looked at now."""
    enabled = service["deploymentConfiguration"].get("alarms", {}).get("enable")
    primary = deployments.primary(service)
    return bool(enabled) and primary["rolloutState"] == deployments.IN_PROGRESS and "_undoes" not in primary


async def look(service: dict[str, Any]) -> None:
    """Writes the alarms that are in ALARM into the primary deployment's record; old ones are passed over."""
    primary = deployments.primary(service)
    names = list(service["deploymentConfiguration"]["alarms"]["alarmNames"])
    region = arns.region(service["serviceArn"])
    try:
        answer = await aws.call(
            "cloudwatch",
            "describe_alarms",
            region=region,
            AlarmNames=names,
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        )
    except (ClientError, BotoCoreError):
        return  # the next look finds out
    loud = [
        one["AlarmName"]
        for kind in ("MetricAlarms", "CompositeAlarms")
        for one in answer.get(kind, [])
        if one["StateValue"] == "ALARM" and one["AlarmName"] in names
    ]
    old = primary.setdefault("_old_alarms", loud)
    primary["_alarmed"] = [name for name in loud if name not in old]


def triggered(ecs: Ecs, service: dict[str, Any]) -> list[str]:
    """The alarms that end the primary deployment now; noted in the service deployment's record."""
    primary = deployments.primary(service)
    found = primary.get("_alarmed", []) if are_watched(service) else []
    record = deployments.record_of(ecs, primary["id"])
    if found and record:
        record["alarms"] |= {"status": "TRIGGERED", "triggeredAlarmNames": found}
        ecs.service_deployments.put(record["serviceDeploymentArn"], record)
    return found


def bake_left(service: dict[str, Any], *, ready: bool) -> float:
    """How long a rolling deployment that is otherwise done goes on, so that alarms can tell; 0 for no longer."""
    configuration, primary = service["deploymentConfiguration"], deployments.primary(service)
    minutes = configuration.get("bakeTimeInMinutes") or (ROLLING_BAKE_MINUTES if are_watched(service) else 0.0)
    if configuration["strategy"] != "ROLLING" or "_undoes" in primary or not minutes or not ready:
        return 0.0
    since = primary.setdefault("_baking_since", clock.now())
    return max(0.0, since + clock.lesson(minutes * 60.0) - clock.now())
