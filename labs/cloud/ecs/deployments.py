"""Deployments of a service: their records, and the service deployments and revisions that the newer API shows of them.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html,
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
"""

import secrets
import uuid
from typing import Any

from labs.cloud.ecs import traffic
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, clock

KEPT_EVENTS = 100
# What of a service makes a deployment: a change of any of these is a new one.
MEMBERS = (
    "taskDefinition", "launchType", "capacityProviderStrategy", "platformVersion", "platformFamily",
    "networkConfiguration", "serviceConnectConfiguration", "volumeConfigurations",
)  # fmt: skip
BREAKER = "ECS deployment circuit breaker"
IN_PROGRESS, COMPLETED, FAILED = "IN_PROGRESS", "COMPLETED", "FAILED"


def primary(service: dict[str, Any]) -> dict[str, Any]:
    """The deployment that the service is to become."""
    return next(one for one in service["deployments"] if one["status"] == "PRIMARY")


def begin(ecs: Ecs, service: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Makes a new primary deployment; the one before becomes ACTIVE, and drains.

    Args:
        ecs: the state.
        service: the service's record, changed in place.
        settings: the members named in `MEMBERS`, and `_load_balancers` and the like.
    """
    now = clock.now()
    number = "".join(str(secrets.randbelow(10)) for _ in range(19))
    old = next((one for one in service["deployments"] if one["status"] == "PRIMARY"), None)
    if old:
        old.update(status="ACTIVE", updatedAt=now)
        if old["rolloutState"] == IN_PROGRESS:
            _end_service_deployment(ecs, old, "STOPPED", "A newer service deployment has taken its place.")
    deployment = {
        "id": f"ecs-svc/{number}",
        "status": "PRIMARY",
        "desiredCount": service["desiredCount"],
        "failedTasks": 0,
        "createdAt": now,
        "updatedAt": now,
        "rolloutState": IN_PROGRESS,
        "rolloutStateReason": f"ECS deployment ecs-svc/{number} in progress.",
        "_waves": 0,
        **{key: value for key, value in settings.items() if value is not None},
    }
    balancers = service.get("loadBalancers", [])
    used = service.get("_last_good", {}).get("_load_balancers", [])
    deployment["_given_balancers"] = balancers
    rolls = service["deploymentConfiguration"].get("strategy", "ROLLING") == "ROLLING"
    deployment["_load_balancers"] = traffic.kept(balancers, used) if rolls else traffic.turned(balancers, used)
    service["deployments"].insert(0, deployment)
    service["taskDefinition"] = deployment["taskDefinition"]
    deployment["_revision"] = _revision(ecs, service, deployment)
    _begin_service_deployment(ecs, service, deployment, old)
    changed(ecs, service, "SERVICE_DEPLOYMENT_IN_PROGRESS", "INFO", deployment)
    return deployment


def roll_back(ecs: Ecs, service: dict[str, Any], failed: dict[str, Any]) -> dict[str, Any]:
    """Makes the last completed deployment primary again, with the tasks that it still has.

    Args:
        ecs: the state.
        service: the service's record, changed in place; it has a `_last_good`.
        failed: the deployment that the circuit breaker has ended.
    """
    now, good = clock.now(), service["_last_good"]
    back = next((one for one in service["deployments"] if one["id"] == good["id"]), None)
    if back is None:
        back = {**good, "createdAt": now}
        service["deployments"].append(back)
    failed.update(status="ACTIVE", desiredCount=0, updatedAt=now)
    breaker = failed["rolloutStateReason"].startswith(BREAKER)
    start = f"{BREAKER}: rolling" if breaker else f"{failed['rolloutStateReason']} Rolling"
    failed["rolloutStateReason"] = f"{start} back to deploymentId {back['id']}."
    back.update(status="PRIMARY", desiredCount=service["desiredCount"], updatedAt=now, failedTasks=0, _waves=0)
    back.update(rolloutState=IN_PROGRESS, rolloutStateReason=f"ECS deployment {back['id']} in progress.")
    back["_undoes"] = failed["id"]
    forget_way(back)
    service["deployments"].sort(key=lambda one: one["status"] != "PRIMARY")
    service |= {key: back[key] for key in MEMBERS if key in back}
    service["loadBalancers"] = back.get("_given_balancers", service["loadBalancers"])
    say(service, f"(service {service['serviceName']}) rolling back to deployment {back['id']}.")
    return back


def complete(ecs: Ecs, service: dict[str, Any], deployment: dict[str, Any]) -> None:
    """A deployment has reached what it wanted."""
    text = f"ECS deployment {deployment['id']} completed."
    deployment.update(rolloutState=COMPLETED, rolloutStateReason=text, updatedAt=clock.now())
    forget_way(deployment)
    service["_last_good"] = {key: value for key, value in deployment.items() if key not in ("_undoes", "_not_before")}
    say(service, f"(service {service['serviceName']}) (deployment {deployment['id']}) deployment completed.")
    undone = record_of(ecs, deployment.pop("_undoes", ""))
    if undone:
        undone["status"] = "ROLLBACK_SUCCESSFUL"
        undone["finishedAt"] = undone["updatedAt"] = clock.now()
        ecs.service_deployments.put(undone["serviceDeploymentArn"], undone)
    else:
        _end_service_deployment(ecs, deployment, "SUCCESSFUL", None)
    service["currentServiceRevisions"] = [{"arn": deployment["_revision"]}]
    changed(ecs, service, "SERVICE_DEPLOYMENT_COMPLETED", "INFO", deployment)


def fail(
    ecs: Ecs,
    service: dict[str, Any],
    deployment: dict[str, Any],
    why: str,
    *,
    goes_back: bool,
    by_breaker: bool = True,
) -> None:
    """The circuit breaker has opened, or a learner has stopped the deployment.

    Args:
        ecs: the state.
        service: the service's record.
        deployment: the deployment that fails.
        why: e.g. `tasks failed to start`.
        goes_back: whether an earlier deployment will be rolled out again.
        by_breaker: whether the circuit breaker ends it.
    """
    text = f"{BREAKER}: {why}." if by_breaker else f"ECS deployment {deployment['id']}: {why}."
    deployment.update(rolloutState=FAILED, rolloutStateReason=text, updatedAt=clock.now())
    say(service, f"(service {service['serviceName']}) (deployment {deployment['id']}) deployment failed: {why}.")
    record = record_of(ecs, deployment["id"])
    if record:
        if by_breaker:
            record["deploymentCircuitBreaker"]["status"] = "TRIGGERED"
        if goes_back:
            record |= {"status": "ROLLBACK_IN_PROGRESS", "statusReason": text, "updatedAt": clock.now()}
            record["rollback"] = {"reason": text, "startedAt": clock.now()}
            ecs.service_deployments.put(record["serviceDeploymentArn"], record)
        else:
            _end_service_deployment(ecs, deployment, "STOPPED", text)
    changed(ecs, service, "SERVICE_DEPLOYMENT_FAILED", "ERROR", deployment)


def at_stage(ecs: Ecs, deployment: dict[str, Any], stage: str) -> None:
    """Shows in the service deployment's record how far a deployment is."""
    record = record_of(ecs, deployment.get("_undoes") or deployment["id"])
    if record and record.get("lifecycleStage") != stage:
        record |= {"lifecycleStage": stage, "updatedAt": clock.now()}
        ecs.service_deployments.put(record["serviceDeploymentArn"], record)


def weigh(ecs: Ecs, deployment: dict[str, Any], kind: str, percent: float) -> None:
    """Shows in the service deployment's record who gets how much of the traffic.

    Args:
        ecs: the state.
        deployment: the primary deployment.
        kind: `production` or `test`.
        percent: what this deployment gets; the rest is the other one's.
    """
    member = f"requested{kind.capitalize()}TrafficWeight"
    record = record_of(ecs, deployment.get("_undoes") or deployment["id"])
    if record is None:
        return
    to_new = 100.0 - percent if deployment.get("_undoes") else percent
    record["targetServiceRevision"][member] = to_new
    for one in record["sourceServiceRevisions"]:
        one[member] = 100.0 - to_new
    ecs.service_deployments.put(record["serviceDeploymentArn"], record)


def forget_way(deployment: dict[str, Any]) -> None:
    """Forgets how far a deployment was: it is over, or begins anew."""
    for key in ("_plan", "_at", "_since", "_traffic", "_baking_since", "_old_alarms", "_alarmed"):
        deployment.pop(key, None)


def say(service: dict[str, Any], message: str) -> None:
    """Adds an event to the service's own list, newest first."""
    entry = {"id": str(uuid.uuid4()), "createdAt": clock.now(), "message": message}
    service["events"] = [entry, *service["events"]][:KEPT_EVENTS]


def changed(ecs: Ecs, service: dict[str, Any], name: str, kind: str, deployment: dict[str, Any]) -> None:
    """Sends an 'ECS Deployment State Change' event.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html
    """
    detail = {
        "eventType": kind,
        "eventName": name,
        "deploymentId": deployment["id"],
        "updatedAt": clock.iso(deployment["updatedAt"]),
        "reason": deployment["rolloutStateReason"],
    }
    ecs.publish(arns.region(service["serviceArn"]), "ECS Deployment State Change", [service["serviceArn"]], detail)


def acted(ecs: Ecs, service: dict[str, Any], name: str, kind: str = "INFO", **more: Any) -> None:
    """Sends an 'ECS Service Action' event.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html
    """
    detail = {
        "eventType": kind,
        "eventName": name,
        "clusterArn": service["clusterArn"],
        "createdAt": clock.iso(clock.now()),
        **more,
    }
    ecs.publish(arns.region(service["serviceArn"]), "ECS Service Action", [service["serviceArn"]], detail)


def stop(ecs: Ecs, deployment: dict[str, Any], reason: str) -> None:
    """A learner has stopped a deployment, or the service is deleted."""
    _end_service_deployment(ecs, deployment, "STOPPED", reason)


def _begin_service_deployment(
    ecs: Ecs, service: dict[str, Any], deployment: dict[str, Any], old: dict[str, Any] | None
) -> None:
    region, now = arns.region(service["serviceArn"]), clock.now()
    path = f"{service['_cluster_name']}/{service['serviceName']}"
    arn = arns.make("ecs", region, f"service-deployment/{path}/{secrets.token_urlsafe(16)}")
    breaker = service["deploymentConfiguration"].get("deploymentCircuitBreaker", {})
    record = {
        "serviceDeploymentArn": arn,
        "serviceArn": service["serviceArn"],
        "clusterArn": service["clusterArn"],
        "createdAt": now,
        "startedAt": now,
        "updatedAt": now,
        "targetServiceRevision": {"arn": deployment["_revision"], "requestedTaskCount": service["desiredCount"]},
        "sourceServiceRevisions": [{"arn": old["_revision"]}] if old else [],
        "status": IN_PROGRESS,
        "deploymentConfiguration": service["deploymentConfiguration"],
        "deploymentCircuitBreaker": {
            "status": "MONITORING" if breaker.get("enable") else "DISABLED",
            "failureCount": 0,
            "threshold": threshold(service),
        },
        "_deployment": deployment["id"],
    }
    if alarms := service["deploymentConfiguration"].get("alarms"):
        status = "MONITORING" if alarms["enable"] else "DISABLED"
        record["alarms"] = {"status": status, "alarmNames": alarms["alarmNames"], "triggeredAlarmNames": []}
    ecs.service_deployments.put(arn, record)
    service["currentServiceDeployment"] = arn


def _end_service_deployment(ecs: Ecs, deployment: dict[str, Any], status: str, reason: str | None) -> None:
    record = record_of(ecs, deployment["id"])
    if record is None or "finishedAt" in record:
        return
    now = clock.now()
    record |= {"status": status, "finishedAt": now, "updatedAt": now}
    record |= {"statusReason": reason} if reason else {}
    if status == "STOPPED":
        record["stoppedAt"] = now
    if record["deploymentCircuitBreaker"]["status"] == "MONITORING":
        record["deploymentCircuitBreaker"]["status"] = "MONITORING_COMPLETE"
    if record.get("alarms", {}).get("status") == "MONITORING":
        record["alarms"]["status"] = "MONITORING_COMPLETE"
    ecs.service_deployments.put(record["serviceDeploymentArn"], record)


def count_failures(ecs: Ecs, deployment: dict[str, Any]) -> None:
    """Shows the number of failed tasks in the service deployment too."""
    if record := record_of(ecs, deployment["id"]):
        record["deploymentCircuitBreaker"]["failureCount"] = deployment["failedTasks"]
        ecs.service_deployments.put(record["serviceDeploymentArn"], record)


def threshold(service: dict[str, Any]) -> int:
    """After how many failed tasks the circuit breaker opens: half of the desired count, 3 at least, 200 at most.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
    """
    return max(3, min(200, -(-service["desiredCount"] // 2)))


def record_of(ecs: Ecs, deployment_id: str) -> dict[str, Any] | None:
    """The service deployment of a deployment."""
    return next((one for one in ecs.service_deployments.values() if one["_deployment"] == deployment_id), None)


def _revision(ecs: Ecs, service: dict[str, Any], deployment: dict[str, Any]) -> str:
    """Records what a deployment is made of; returns the ARN of that service revision."""
    path = f"{service['_cluster_name']}/{service['serviceName']}"
    number = "".join(str(secrets.randbelow(10)) for _ in range(19))
    arn = arns.make("ecs", arns.region(service["serviceArn"]), f"service-revision/{path}/{number}")
    definition = ecs.task_definitions.get(deployment["taskDefinition"], {})
    record = {
        "serviceRevisionArn": arn,
        "serviceArn": service["serviceArn"],
        "clusterArn": service["clusterArn"],
        "createdAt": clock.now(),
        "loadBalancers": service.get("loadBalancers", []),
        "serviceRegistries": service.get("serviceRegistries", []),
        "resolvedConfiguration": {"loadBalancers": [_resolved(one) for one in deployment["_load_balancers"]]},
        "containerImages": [
            {"containerName": one["name"], "image": one["image"]} for one in definition.get("containerDefinitions", [])
        ],
        **{key: deployment[key] for key in MEMBERS if key in deployment},
    }
    ecs.service_revisions.put(arn, record)
    return arn


def _resolved(balancer: dict[str, Any]) -> dict[str, str]:
    rule = balancer.get("advancedConfiguration", {}).get("productionListenerRule")
    found = {"targetGroupArn": balancer.get("targetGroupArn", "")}
    return found | ({"productionListenerRule": rule} if rule else {})
