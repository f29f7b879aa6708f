"""Operations on services: create, update, delete, describe, list; their deployments and revisions.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
"""

import re
from collections.abc import Mapping
from typing import Any

from labs.cloud.ecs import deployments, execute, launch, lookup, placement, strategies, strategy_checks, task_state
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, clock, paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

INVALID = "InvalidParameterException"
SERVICE_CHANGED = "ecs-service"  # a signal, with the service's ARN
ROLE = "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
ROLLING = {"strategy": "ROLLING", "maximumPercent": 200, "minimumHealthyPercent": 100, "bakeTimeInMinutes": 0}
# "If the service uses the DAEMON scheduler, the default is 0 percent", and the maximum can only be 100.
DAEMON = {**ROLLING, "maximumPercent": 100, "minimumHealthyPercent": 0}
NAME = re.compile(r"[a-zA-Z0-9_-]{1,255}")
MOST_LISTED = 100
MOST_DESCRIBED = 10
_KEPT = ("platformVersion", "capacityProviderStrategy", "networkConfiguration", "serviceConnectConfiguration",
         "volumeConfigurations")  # fmt: skip


async def create_service(ecs: Ecs, request: Request) -> dict[str, Any]:
    """CreateService."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    name = request["serviceName"]
    if not NAME.fullmatch(name):
        raise AwsError(INVALID, "Service name must be 1-255 letters, numbers, hyphens or underscores.")
    arn = arns.make("ecs", request.region, f"service/{cluster['clusterName']}/{name}")
    _check_free(ecs, arn)
    if not request.get("taskDefinition"):
        raise AwsError(INVALID, "TaskDefinition can not be blank.")
    definition = lookup.task_definition(ecs, request.region, request["taskDefinition"])
    lookup.require_active(definition)
    kind = request.get("schedulingStrategy", "REPLICA")
    how = launch.choose(cluster, definition, request)
    if request.get("enableExecuteCommand"):
        execute.require_role(definition, None, "The service couldn't be created")
    _check_strategy(request, kind, how)
    await launch.subnets(request.region, definition, request.get("networkConfiguration"))
    await _check_balancers(ecs, request.region, definition, request.get("loadBalancers", []))
    configuration = _configuration(request.get("deploymentConfiguration", {}), ROLLING if kind == "REPLICA" else DAEMON)
    if kind == "DAEMON" and configuration["strategy"] != ROLLING["strategy"]:
        raise AwsError(INVALID, "The daemon scheduling strategy supports the ROLLING deployment strategy only.")
    await strategy_checks.require(ecs, request.region, configuration, request.get("loadBalancers", []))
    _check_free(ecs, arn)  # again: there was time for another request
    service = {
        "serviceArn": arn,
        "serviceName": name,
        "clusterArn": cluster["clusterArn"],
        "_cluster_name": cluster["clusterName"],
        "loadBalancers": request.get("loadBalancers", []),
        "serviceRegistries": request.get("serviceRegistries", []),
        "status": "ACTIVE",
        "desiredCount": request["desiredCount"] if kind == "REPLICA" else 0,
        "deploymentConfiguration": configuration,
        "deployments": [],
        "roleArn": f"arn:aws:iam::{arn.split(':')[4]}:{ROLE}",
        "events": [],
        "createdAt": clock.now(),
        "createdBy": f"arn:aws:iam::{arn.split(':')[4]}:root",
        "placementConstraints": request.get("placementConstraints", []),
        "placementStrategy": request.get("placementStrategy", []),
        **_grace(request),
        "schedulingStrategy": kind,
        "deploymentController": request.get("deploymentController", {"type": "ECS"}),
        "enableECSManagedTags": request.get("enableECSManagedTags", False),
        "propagateTags": request.get("propagateTags", "NONE"),
        "enableExecuteCommand": request.get("enableExecuteCommand", False),
        "availabilityZoneRebalancing": request.get("availabilityZoneRebalancing", "ENABLED"),
        "tags": request.get("tags", []),
        **_running_on(how, request),
    }
    deployments.begin(ecs, service, _settings(service, definition))
    return {"service": keep(ecs, service)}


async def update_service(ecs: Ecs, request: Request) -> dict[str, Any]:
    """UpdateService. What changes the tasks makes a new deployment; another desired count does not."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    service = lookup.service(ecs, cluster, request["service"])
    _require_active(service)
    _require_own_way(ecs, service, request)
    strategies.require_changeable(service, request.get("deploymentConfiguration", {}))
    primary = deployments.primary(service)
    text = request.get("taskDefinition") or primary["taskDefinition"]
    definition = lookup.task_definition(ecs, request.region, text)
    if request.get("taskDefinition"):
        lookup.require_active(definition)
    network = request.get("networkConfiguration") or service.get("networkConfiguration")
    balancers = request.get("loadBalancers", service["loadBalancers"])
    on = {"launchType": service.get("launchType"), "platformVersion": request.get("platformVersion")}
    if strategy := request.get("capacityProviderStrategy") or service.get("capacityProviderStrategy"):
        on = {"capacityProviderStrategy": strategy, "platformVersion": request.get("platformVersion")}
    how = launch.choose(cluster, definition, on)
    check_placement(request, service["schedulingStrategy"])
    if request.get("enableExecuteCommand"):
        execute.require_role(definition, None, "The service couldn't be updated")
    await launch.subnets(request.region, definition, network)
    await _check_balancers(ecs, request.region, definition, balancers)
    configuration = _configuration(request.get("deploymentConfiguration", {}), service["deploymentConfiguration"])
    await strategy_checks.require(ecs, request.region, configuration, balancers)
    _require_active(service)  # again: there was time for another request
    strategies.require_changeable(service, request.get("deploymentConfiguration", {}))

    service["deploymentConfiguration"] = configuration
    for key in (
        "healthCheckGracePeriodSeconds", "enableExecuteCommand", "enableECSManagedTags", "propagateTags",
        "placementConstraints", "placementStrategy", "availabilityZoneRebalancing", "serviceRegistries",
    ):  # fmt: skip
        if key in request:
            service[key] = request[key]
    if "desiredCount" in request and service["schedulingStrategy"] == "REPLICA":
        service["desiredCount"] = request["desiredCount"]
        primary = deployments.primary(service)
        primary.update(desiredCount=request["desiredCount"], updatedAt=clock.now())
    before = {**_settings(service, {"taskDefinitionArn": primary["taskDefinition"]})}
    service["loadBalancers"] = balancers
    for key in _KEPT:
        if key in request:
            service[key] = request[key]
    service |= _running_on(how, on)
    after = _settings(service, definition)
    if after != before or request.get("forceNewDeployment"):
        deployments.begin(ecs, service, after)
    return {"service": keep(ecs, service)}


def delete_service(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DeleteService."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    service = lookup.service(ecs, cluster, request["service"])
    if service["status"] == "INACTIVE":
        raise AwsError("ServiceNotFoundException", "Service not found.")
    if service["desiredCount"] > 0 and not request.get("force"):
        raise AwsError(INVALID, "The service cannot be stopped while it is scaled above 0.")
    service["desiredCount"] = 0
    service["status"] = "DRAINING"
    for one in service["deployments"]:
        one["desiredCount"] = 0
        if one["rolloutState"] == deployments.IN_PROGRESS:
            deployments.stop(ecs, one, "The service was deleted.")
    return {"service": keep(ecs, service)}


def describe_services(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DescribeServices."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    if not 1 <= len(request["services"]) <= MOST_DESCRIBED:
        raise AwsError(INVALID, "Services must have between 1 and 10 members.")
    found, failures = [], []
    for text in request["services"]:
        arn = lookup.service_arn(cluster, text)
        if arn in ecs.service_records:
            found.append(shown(ecs, ecs.service_records[arn]))
        else:
            failures.append({"arn": arn, "reason": "MISSING"})
    if "TAGS" not in request.get("include", []):
        found = [{key: value for key, value in one.items() if key != "tags"} for one in found]
    return {"services": found, "failures": failures}


def list_services(ecs: Ecs, request: Request) -> dict[str, Any]:
    """ListServices: those that are not INACTIVE."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    found = [
        arn
        for arn, one in ecs.service_records.items()
        if one["clusterArn"] == cluster["clusterArn"]
        and one["status"] != "INACTIVE"
        and request.get("launchType") in (None, one.get("launchType"))
        and request.get("schedulingStrategy") in (None, one["schedulingStrategy"])
    ]
    part, token = paging.page(found, request.get("maxResults", 10), request.get("nextToken"), most=MOST_LISTED)
    return {"serviceArns": part, "nextToken": token}


def shown(ecs: Ecs, service: dict[str, Any]) -> dict[str, Any]:
    """A service's record as it is told: with the number of its tasks now, without deployments that are over."""
    found = tasks_of(ecs, service)

    def counted(one: dict[str, Any], mine: list[dict[str, Any]]) -> dict[str, Any]:
        running = sum(task["lastStatus"] == task_state.RUNNING for task in mine)
        pending = sum(task["lastStatus"] in task_state.STARTING for task in mine)
        return {**one, "runningCount": running, "pendingCount": pending}

    kept = [
        counted(one, [task for task in found if task.get("startedBy") == one["id"]])
        for one in service["deployments"]
        if one["status"] != "INACTIVE"
    ]
    managed_by = "ECS" if service["serviceArn"] in ecs.express else "CUSTOMER"
    return {**counted(service, found), "deployments": kept, "resourceManagementType": managed_by}


def keep(ecs: Ecs, service: dict[str, Any]) -> dict[str, Any]:
    """Keeps a changed service, wakes the scheduler, and returns what is told of it."""
    ecs.service_records.put(service["serviceArn"], service)
    ecs.signals.send(SERVICE_CHANGED, service["serviceArn"])
    return shown(ecs, service)


def _check_free(ecs: Ecs, arn: str) -> None:
    before = ecs.service_records.get(arn)
    if before and before["status"] == "ACTIVE":
        raise AwsError(INVALID, "Creation of service was not idempotent.")
    if before and before["status"] == "DRAINING":
        raise AwsError(INVALID, "Unable to Start a service that is still Draining.")


def _require_active(service: dict[str, Any]) -> None:
    if service["status"] != "ACTIVE":
        raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")


def _require_own_way(ecs: Ecs, service: dict[str, Any], request: Request) -> None:
    """Refuses another strategy or other load balancers for an Express service.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/express-service-update-full.html
    """
    if service["serviceArn"] not in ecs.express:
        return
    strategy = request.get("deploymentConfiguration", {}).get(
        "strategy", service["deploymentConfiguration"]["strategy"]
    )
    groups = [one.get("targetGroupArn") for one in request.get("loadBalancers", service["loadBalancers"])]
    mine = [one.get("targetGroupArn") for one in service["loadBalancers"]]
    if strategy != service["deploymentConfiguration"]["strategy"] or groups != mine:
        text = "The deployment strategy and the load balancers of an Express service cannot be changed."
        raise AwsError(INVALID, text)


def _check_strategy(request: Mapping[str, Any], kind: str, how: launch.How) -> None:
    if kind == "DAEMON":
        if how.is_fargate:
            raise AwsError(INVALID, "The daemon scheduling strategy is not supported for AWS Fargate.")
        if "desiredCount" in request:
            raise AwsError(INVALID, "The daemon scheduling strategy does not support a desired count for services.")
    elif "desiredCount" not in request:
        raise AwsError(INVALID, "The replica scheduling strategy requires a desired count.")
    elif request["desiredCount"] < 0:
        raise AwsError(INVALID, "desiredCount should not be negative.")
    if how.is_fargate and (request.get("placementConstraints") or request.get("placementStrategy")):
        raise AwsError(INVALID, "Placement constraints and strategies are not supported on AWS Fargate.")
    check_placement(request, kind)
    controller = request.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        text = f"The local AWS of this course has no deployment controller {controller}; it has ECS."
        raise AwsError("UnsupportedFeatureException", text)


def check_placement(request: Mapping[str, Any], kind: str) -> None:
    """Whether a service can have the placement constraints and strategies of a request.

    Raises:
        AwsError: InvalidParameterException.
    """
    constraints, strategies = request.get("placementConstraints", []), request.get("placementStrategy", [])
    if kind == "DAEMON" and strategies:
        raise AwsError(INVALID, "Placement strategies are not supported for the daemon scheduling strategy.")
    if problem := placement.problem_of(constraints, strategies):
        raise AwsError(INVALID, problem)


def _configuration(given: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """A deployment configuration: what is given over what was.

    Raises:
        AwsError: the percentages leave no way to roll, or the strategy is none of ours.
    """
    found = {**before, **given}
    breaker = {"enable": False, "rollback": False, **found.get("deploymentCircuitBreaker", {})}
    found["deploymentCircuitBreaker"] = breaker
    if "strategy" in given and given["strategy"] != before["strategy"]:  # what belongs to the old one goes with it
        for member in ("canaryConfiguration", "linearConfiguration", "lifecycleHooks"):
            if member not in given:
                found.pop(member, None)
    if found["strategy"] == "BLUE_GREEN" and before["strategy"] != "BLUE_GREEN" and "bakeTimeInMinutes" not in given:
        raise AwsError(INVALID, "bakeTimeInMinutes is required for the BLUE_GREEN deployment strategy.")
    found = strategy_checks.complete(found)
    most, least = found["maximumPercent"], found["minimumHealthyPercent"]
    if least < 0 or most < 100 or most < least or most == least == 100:
        raise AwsError(
            INVALID,
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."
            if most == least == 100
            else "maximumPercent must be at least 100 and minimumHealthyPercent not above it.",
        )
    return found


async def _check_balancers(ecs: Ecs, region: str, definition: dict[str, Any], balancers: list[dict[str, Any]]) -> None:
    """Whether the target groups exist, have a load balancer and fit the task definition."""
    for balancer in balancers:
        if not balancer.get("targetGroupArn"):
            raise AwsError(INVALID, "targetGroupArn can not be blank: a Classic Load Balancer is not supported here.")
        container = next(
            (one for one in definition["containerDefinitions"] if one["name"] == balancer.get("containerName")), None
        )
        if container is None:
            raise AwsError(
                INVALID, f"The container {balancer.get('containerName')} does not exist in the task definition."
            )
        ports = [one.get("containerPort") for one in container.get("portMappings", [])]
        if balancer.get("containerPort") not in ports:
            raise AwsError(
                INVALID,
                f"The container {container['name']} did not have a container port {balancer.get('containerPort')} "
                "defined.",
            )
        arn = balancer["targetGroupArn"]
        try:
            answer = await ecs.services.call(
                "elasticloadbalancing", "DescribeTargetGroups", region, TargetGroupArns=[arn]
            )
        except AwsError:
            raise AwsError(
                INVALID, f"Unable to assume role and validate the specified targetGroupArn: {arn} does not exist."
            ) from None
        group = answer["TargetGroups"][0]
        if definition.get("networkMode") == "awsvpc" and group.get("TargetType") != "ip":
            raise AwsError(
                INVALID,
                f"The provided target group {arn} has target type {group.get('TargetType')}, which is incompatible "
                "with the awsvpc network mode specified in the task definition.",
            )
        mode = definition.get("networkMode", "bridge")
        if mode != "awsvpc" and group.get("TargetType") != "instance":
            raise AwsError(
                INVALID,
                f"The provided target group {arn} has target type {group.get('TargetType')}, which is incompatible "
                f"with the {mode} network mode specified in the task definition.",
            )
        if not group.get("LoadBalancerArns"):
            raise AwsError(
                INVALID, f"The target group with targetGroupArn {arn} does not have an associated load balancer."
            )


def _grace(request: Mapping[str, Any]) -> dict[str, int]:
    """The grace period, which a service has if it has a load balancer or was given one."""
    key = "healthCheckGracePeriodSeconds"
    return {key: request.get(key, 0)} if key in request or request.get("loadBalancers") else {}


def _running_on(how: launch.How, request: Mapping[str, Any]) -> dict[str, Any]:
    """What a service's record says of where its tasks run."""
    strategy = list(how.strategy)
    found: dict[str, Any] = {"capacityProviderStrategy": strategy} if strategy else {"launchType": how.launch_type}
    if how.is_fargate:
        found |= {"platformVersion": request.get("platformVersion") or "LATEST", "platformFamily": "Linux"}
    if "networkConfiguration" in request:
        found["networkConfiguration"] = request["networkConfiguration"]
    return found


def _settings(service: dict[str, Any], definition: dict[str, Any]) -> dict[str, Any]:
    """What a deployment of this service is made of."""
    found = {key: service[key] for key in deployments.MEMBERS if key in service}
    return {**found, "taskDefinition": definition["taskDefinitionArn"], "_load_balancers": service["loadBalancers"]}


def tasks_of(ecs: Ecs, service: dict[str, Any]) -> list[dict[str, Any]]:
    """The service's tasks that have not stopped, oldest first."""
    arn = service["serviceArn"]
    return [
        task for task in ecs.tasks.values() if task.get("_service") == arn and task["lastStatus"] != task_state.STOPPED
    ]


OPERATIONS = {
    "CreateService": create_service,
    "UpdateService": update_service,
    "DeleteService": delete_service,
    "DescribeServices": describe_services,
    "ListServices": list_services,
}
