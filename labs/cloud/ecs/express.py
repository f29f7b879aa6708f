"""Express Mode: one call makes a service with all that it needs around it.

The operations check, and write down what is wanted; `_keep` makes it so, piece after piece (`express_parts.py`), and
goes on with it after a kill. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/express-service-overview.html
"""

import logging
import re
import secrets
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.ecs import deployments, express_alarm, express_input, express_managed, express_parts, lookup, services
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.pulse import Pulse
from labs.cloud.frame.service import Request

INVALID = "InvalidParameterException"
DOMAIN = "on.localhost"  # AWS's is on.aws; browsers find every name under localhost on this machine
RETRY_SECONDS = 2.0
WATCH_SECONDS = clock.lesson(60.0)
ACTIVE, DRAINING, INACTIVE = "ACTIVE", "DRAINING", "INACTIVE"

log = logging.getLogger(__name__)


async def create(ecs: Ecs, request: Request) -> dict[str, Any]:
    """CreateExpressGatewayService."""
    region = request.region
    name = request.get("serviceName") or f"express-{secrets.token_hex(4)}"
    if not services.NAME.fullmatch(name):
        raise AwsError(INVALID, "Service name must be 1-255 letters, numbers, hyphens or underscores.")
    cluster = request.get("cluster") or lookup.DEFAULT_CLUSTER
    if cluster != lookup.DEFAULT_CLUSTER:
        cluster = lookup.cluster(ecs, region, cluster)["clusterName"]
    arn = arns.make("ecs", region, f"service/{cluster}/{name}")
    _require_free(ecs, arn)
    configuration = await express_input.checked(ecs, region, request, {})
    await express_input.require_role(request["infrastructureRoleArn"], "ecs.amazonaws.com", *express_input.NEEDED)
    place = await express_input.place(region, configuration.get("networkConfiguration", {}))
    if cluster == lookup.DEFAULT_CLUSTER:
        wanted = {"clusterName": cluster, "capacityProviders": ["FARGATE", "FARGATE_SPOT"]}
        present = ecs.clusters.get(lookup.cluster_arn(region, cluster))
        if present is None or present["status"] == lookup.INACTIVE:
            await ecs.services.call("ecs", "CreateCluster", region, **wanted)
    _require_free(ecs, arn)  # again: there was time for another request
    now, short = clock.now(), secrets.token_hex(4)
    label = re.sub(r"[^a-z0-9-]", "-", name.lower())[:40].strip("-") or "service"
    record = {
        "cluster": cluster,
        "serviceName": name,
        "serviceArn": arn,
        "infrastructureRoleArn": request["infrastructureRoleArn"],
        "status": {"statusCode": ACTIVE},
        "tags": request.get("tags", []),
        "createdAt": now,
        "updatedAt": now,
        "_configuration": configuration,
        "_place": place,
        "_host": f"{label}-{short}.ecs.{region}.{DOMAIN}",
        "_short": short,
        "_log_group": f"/aws/ecs/{cluster}/{name}-{short[:4]}",
        "_made": {},
        "_revisions": {},
        "_done": "",  # what the keeper has last done: `build` or `change`, and nothing if something is to do
        "_wants": "build",
    }
    _put(ecs, record)
    _begin(ecs, arn)
    return {"service": shown(ecs, record)}


def describe(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DescribeExpressGatewayService."""
    record = _found(ecs, request["serviceArn"], "ResourceNotFoundException")
    told = shown(ecs, record)
    if "TAGS" not in request.get("include", []):
        told.pop("tags", None)
    return {"service": told}


async def update(ecs: Ecs, request: Request) -> dict[str, Any]:
    """UpdateExpressGatewayService."""
    record = _active(ecs, request["serviceArn"])
    configuration = await express_input.checked(ecs, request.region, request, record["_configuration"])
    place = record["_place"]
    if "networkConfiguration" in request:
        place = await express_input.place(request.region, configuration.get("networkConfiguration", {}))
        if (place["vpc"], place["public"]) != (record["_place"]["vpc"], record["_place"]["public"]):
            raise AwsError(INVALID, "An Express service stays in its VPC, and its subnets stay public or private.")
    record = _active(ecs, request["serviceArn"])
    record |= {"_configuration": configuration, "_place": place, "updatedAt": clock.now()}
    record["_wants"] = "build" if record["_wants"] == "build" else "change"
    _put(ecs, record)
    _begin(ecs, record["serviceArn"])
    told = shown(ecs, record)
    target = {**_configured(record, configuration), "createdAt": record["updatedAt"]}
    kept = ("serviceArn", "cluster", "serviceName", "status", "createdAt", "updatedAt")
    return {"service": {**{key: told[key] for key in kept}, "targetConfiguration": target}}


async def delete(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DeleteExpressGatewayService: the tasks drain, then the pieces go. The log group stays."""
    record = _active(ecs, request["serviceArn"])
    record |= {"status": {"statusCode": DRAINING}, "updatedAt": clock.now(), "_wants": "remove"}
    _put(ecs, record)
    _begin(ecs, record["serviceArn"])
    return {"service": shown(ecs, record)}


def managed(ecs: Ecs, arn: str) -> dict[str, Any]:
    """What a service revision tells of the pieces of an Express service; empty for other services."""
    record = ecs.express.get(arn)
    if record is None or record["status"]["statusCode"] == INACTIVE:
        return {}
    found = express_managed.resources(ecs, record, _paths(ecs, record)[0])
    return {"ecsManagedResources": found} if found else {}


def resume(ecs: Ecs) -> None:
    """Goes on with the services that the state knows."""
    ecs.signals.listen(services.SERVICE_CHANGED, lambda arn: _wake(ecs, arn))
    for arn, record in ecs.express.items():
        if record["status"]["statusCode"] != INACTIVE:
            _begin(ecs, arn)


def shown(ecs: Ecs, record: dict[str, Any]) -> dict[str, Any]:
    """An Express service as it is told."""
    service = ecs.service_records.get(record["serviceArn"])
    found: dict[str, Any] = {key: value for key, value in record.items() if not key.startswith("_")}
    if not service or INACTIVE in (service["status"], record["status"]["statusCode"]):
        if record["status"]["statusCode"] == ACTIVE:
            first = {**_configured(record, record["_configuration"]), "createdAt": record["createdAt"]}
            found["activeConfigurations"] = [first | {"ingressPaths": _paths(ecs, record)}]
        return found
    if deployments.primary(service)["rolloutState"] == deployments.IN_PROGRESS:
        found["currentDeployment"] = service.get("currentServiceDeployment")
    found["tags"] = service["tags"]
    found["activeConfigurations"] = [
        {
            **_configured(record, record["_revisions"].get(one["taskDefinition"], record["_configuration"])),
            "serviceRevisionArn": one["_revision"],
            "taskDefinitionArn": one["taskDefinition"],
            "ingressPaths": _paths(ecs, record),
            "createdAt": one["createdAt"],
        }
        for one in service["deployments"]
        if one["status"] != INACTIVE
    ]
    return found


# --- the keeper -------------------------------------------------------------------------------------------------------


def _begin(ecs: Ecs, arn: str) -> None:
    if arn in ecs.express_pulses:
        ecs.express_pulses[arn].beat()
    else:
        ecs.express_pulses[arn] = Pulse()
        ecs.background.spawn(_keep(ecs, arn), f"Express service {arn}")


def _wake(ecs: Ecs, arn: str) -> None:
    if arn in ecs.express_pulses:
        ecs.express_pulses[arn].beat()


async def _keep(ecs: Ecs, arn: str) -> None:
    """Brings one service to what is wanted of it, until it is INACTIVE."""
    try:
        while ecs.express[arn]["status"]["statusCode"] != INACTIVE:
            record = ecs.express[arn]
            wanted, configuration = record["_wants"], record["_configuration"]
            wait: float | None = None
            try:
                wait = await _look(ecs, record)
                record["status"].pop("statusReason", None)
                if configuration is record["_configuration"] and record["_wants"] == wanted != "remove":
                    record["_wants"] = ""
            except (AwsError, ClientError, BotoCoreError) as problem:
                log.warning("the Express service %s: %s", arn, problem)
                record["status"]["statusReason"] = str(problem)
                wait = RETRY_SECONDS
            _put(ecs, record)
            ecs.store.flush_quietly()
            if record["_wants"] and wait is None:
                continue  # a request has come meanwhile, or all is over
            else:
                await ecs.express_pulses[arn].wait(wait)
    finally:
        ecs.express_pulses.pop(arn, None)


async def _look(ecs: Ecs, record: dict[str, Any]) -> float | None:
    """One step; seconds until the next one is due without any news."""
    if record["_wants"] == "remove":
        return await _remove(ecs, record)
    if record["_wants"]:
        do = express_parts.build if record["_wants"] == "build" else express_parts.change
        await do(ecs, record)
        record["_revisions"][record["_made"]["definition"]] = record["_configuration"]
    service = ecs.service_records.get(record["serviceArn"])
    if service is None or service["status"] != ACTIVE:
        return None
    primary = deployments.primary(service)
    rolls = primary["rolloutState"] == deployments.IN_PROGRESS
    if not rolls and record["_made"].get("scaled_by") != express_parts.serving_group(ecs, record):
        await express_parts.scale(ecs, record)  # the target groups have changed places
    if not rolls and record["_made"].get("alarm_state") != "ALARM":
        return None
    await express_alarm.judge(record, primary["createdAt"])
    return WATCH_SECONDS


async def _remove(ecs: Ecs, record: dict[str, Any]) -> float | None:
    arn, region = record["serviceArn"], arns.region(record["serviceArn"])
    service = ecs.service_records.get(arn)
    if service and service["status"] == ACTIVE:
        await express_parts.unscale(ecs, record)
        who = {"cluster": record["cluster"], "service": record["serviceName"]}
        await ecs.services.call("ecs", "DeleteService", region, force=True, **who)
    service = ecs.service_records.get(arn)
    if service and service["status"] != INACTIVE:
        return RETRY_SECONDS / 4
    await express_parts.remove(ecs, record)
    record |= {"status": {"statusCode": INACTIVE}, "updatedAt": clock.now(), "_made": {}}
    return None


# --- helpers ----------------------------------------------------------------------------------------------------------


def _configured(record: dict[str, Any], configuration: dict[str, Any]) -> dict[str, Any]:
    """A configuration as the API returns it."""
    network = {
        "subnets": record["_place"]["subnets"],
        "securityGroups": [
            *configuration.get("networkConfiguration", {}).get("securityGroups", []),
            *([record["_made"]["service_group"]] if "service_group" in record["_made"] else []),
        ],
    }
    return {**configuration, "networkConfiguration": network}


def _paths(ecs: Ecs, record: dict[str, Any]) -> list[dict[str, str]]:
    door = ecs.door(record["_made"].get("balancer", ""), 443)
    place = f"https://{record['_host']}" + (f":{door}" if door else "")
    return [{"accessType": "PUBLIC" if record["_place"]["public"] else "PRIVATE", "endpoint": place}]


def _require_free(ecs: Ecs, arn: str) -> None:
    for table in (ecs.express, ecs.service_records):
        record = table.get(arn)
        status = record["status"] if record else INACTIVE
        status = status["statusCode"] if isinstance(status, dict) else status
        if status == ACTIVE:
            raise AwsError(INVALID, "Creation of service was not idempotent.")
        if status == DRAINING:
            raise AwsError(INVALID, "Unable to Start a service that is still Draining.")


def _found(ecs: Ecs, arn: str, code: str) -> dict[str, Any]:
    if arn not in ecs.express:
        raise AwsError(code, f"The Express service {arn} was not found.")
    return ecs.express[arn]


def _active(ecs: Ecs, arn: str) -> dict[str, Any]:
    record = _found(ecs, arn, "ServiceNotFoundException")
    if record["status"]["statusCode"] != ACTIVE:
        raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
    return record


def _put(ecs: Ecs, record: dict[str, Any]) -> None:
    ecs.express.put(record["serviceArn"], record)


OPERATIONS = {
    "CreateExpressGatewayService": create,
    "DeleteExpressGatewayService": delete,
    "DescribeExpressGatewayService": describe,
    "UpdateExpressGatewayService": update,
}
