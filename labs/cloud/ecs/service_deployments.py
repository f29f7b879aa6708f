"""Operations on the deployments and revisions of services.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
"""

from typing import Any

from labs.cloud.ecs import deployments, express, hooks, lookup, services, task_state
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request


def list_service_deployments(ecs: Ecs, request: Request) -> dict[str, Any]:
    """ListServiceDeployments, newest first."""
    cluster = lookup.cluster(ecs, request.region, request.get("cluster"))
    service = lookup.service(ecs, cluster, request["service"])
    wanted = request.get("status")
    between = request.get("createdAt", {})
    found = [
        {**one, "targetServiceRevisionArn": one["targetServiceRevision"]["arn"]}
        for one in ecs.service_deployments.values()
        if one["serviceArn"] == service["serviceArn"]
        and (not wanted or one["status"] in wanted)
        and between.get("after", 0) <= one["createdAt"] <= between.get("before", float("inf"))
    ]
    found.sort(key=lambda one: one["createdAt"], reverse=True)
    part, token = paging.page(found, request.get("maxResults"), request.get("nextToken"))
    return {"serviceDeployments": part, "nextToken": token}


def describe_service_deployments(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DescribeServiceDeployments."""
    known = ecs.service_deployments
    found = [_counted(ecs, known[arn]) for arn in request["serviceDeploymentArns"] if arn in known]
    missing = [arn for arn in request["serviceDeploymentArns"] if arn not in ecs.service_deployments]
    return {"serviceDeployments": found, "failures": [{"arn": arn, "reason": "MISSING"} for arn in missing]}


def continue_service_deployment(ecs: Ecs, request: Request) -> dict[str, Any]:
    """ContinueServiceDeployment: ends the pause of a lifecycle hook, onwards or back.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContinueServiceDeployment.html
    """
    arn = request["serviceDeploymentArn"]
    record = ecs.service_deployments.get(arn)
    if record is None:
        raise AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")
    if not hooks.decide(ecs, record, request["hookId"], request.get("action", hooks.CONTINUE)):
        raise AwsError("InvalidParameterException", f"No paused lifecycle hook has the id {request['hookId']}.")
    services.keep(ecs, ecs.service_records[record["serviceArn"]])
    return {"serviceDeploymentArn": arn}


def _counted(ecs: Ecs, record: dict[str, Any]) -> dict[str, Any]:
    """A service deployment with the tasks that its revisions have now."""
    service = ecs.service_records.get(record["serviceArn"], {"deployments": []})
    revisions = {one["id"]: one.get("_revision") for one in service["deployments"]}
    mine = [task for task in ecs.tasks.values() if task.get("startedBy") in revisions]

    def counted(one: dict[str, Any]) -> dict[str, Any]:
        own = [task["lastStatus"] for task in mine if revisions[task["startedBy"]] == one["arn"]]
        running = own.count(task_state.RUNNING)
        pending = sum(status in task_state.STARTING for status in own)
        return {"requestedTaskCount": 0, **one, "runningTaskCount": running, "pendingTaskCount": pending}

    sources = [counted(one) for one in record["sourceServiceRevisions"]]
    return {
        **record,
        "targetServiceRevision": counted(record["targetServiceRevision"]),
        "sourceServiceRevisions": sources,
    }


def describe_service_revisions(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DescribeServiceRevisions."""
    known = ecs.service_revisions
    found = [
        {**known[arn], **express.managed(ecs, known[arn]["serviceArn"])}
        for arn in request["serviceRevisionArns"]
        if arn in known
    ]
    missing = [arn for arn in request["serviceRevisionArns"] if arn not in ecs.service_revisions]
    return {"serviceRevisions": found, "failures": [{"arn": arn, "reason": "MISSING"} for arn in missing]}


def stop_service_deployment(ecs: Ecs, request: Request) -> dict[str, Any]:
    """StopServiceDeployment: goes back to the last completed deployment.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html
    """
    arn = request["serviceDeploymentArn"]
    record = ecs.service_deployments.get(arn)
    if record is None:
        raise AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")
    if request.get("stopType", "ROLLBACK") != "ROLLBACK":
        raise AwsError("UnsupportedFeatureException", "The only stop type is ROLLBACK.")
    service = ecs.service_records[record["serviceArn"]]
    primary = deployments.primary(service)
    if record["status"] != deployments.IN_PROGRESS or primary["id"] != record["_deployment"]:
        raise AwsError("ConflictException", f"The service deployment is {record['status']} and cannot be stopped.")
    if not service.get("_last_good"):
        raise AwsError("ConflictException", "There is no completed service deployment to roll back to.")
    deployments.fail(ecs, service, primary, "stopped by the user", goes_back=True, by_breaker=False)
    deployments.roll_back(ecs, service, primary)
    services.keep(ecs, service)
    return {"serviceDeploymentArn": arn}


OPERATIONS = {
    "ContinueServiceDeployment": continue_service_deployment,
    "ListServiceDeployments": list_service_deployments,
    "DescribeServiceDeployments": describe_service_deployments,
    "DescribeServiceRevisions": describe_service_revisions,
    "StopServiceDeployment": stop_service_deployment,
}
