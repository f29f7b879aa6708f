"""What an Express Mode service is asked to be: checks, defaults, and the task definition that follows from it.

The defaults are the API reference's; the developer guide's page on Express services has others for three of them.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateExpressGatewayService.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/express-service-work.html
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.ecs import lookup
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import aws, roles
from labs.cloud.frame.errors import AwsError

INVALID = "InvalidParameterException"
MAIN = "Main"
METRICS = {
    "AVERAGE_CPU": "ECSServiceAverageCPUUtilization",
    "AVERAGE_MEMORY": "ECSServiceAverageMemoryUtilization",
    "REQUEST_COUNT_PER_TARGET": "ALBRequestCountPerTarget",
}
OWN = ("primaryContainer", "executionRoleArn", "taskRoleArn", "cpu", "memory", "cpuArchitecture")
MEMBERS = (*OWN, "taskDefinitionArn", "healthCheckPath", "networkConfiguration", "scalingTarget")
_AS_GIVEN = ("command", "environment", "secrets", "repositoryCredentials")
# One action of each service that the infrastructure role is for.
NEEDED = (
    "elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:ModifyRule", "ec2:CreateSecurityGroup",
    "acm:RequestCertificate", "application-autoscaling:RegisterScalableTarget", "cloudwatch:PutMetricAlarm",
    "logs:CreateLogGroup",
)  # fmt: skip


async def checked(ecs: Ecs, region: str, given: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a service after a request.

    Args:
        ecs: the state.
        region: the request's.
        given: the request.
        before: the configuration that the service has; empty for a new one.

    Raises:
        AwsError: it cannot be.
    """
    own = [member for member in OWN if member in given]
    if "taskDefinitionArn" in given and own:
        raise AwsError(INVALID, f"taskDefinitionArn can not be specified together with {', '.join(own)}.")
    found = {**before, **{key: given[key] for key in MEMBERS if key in given}}
    if "taskDefinitionArn" in given:
        found = {key: value for key, value in found.items() if key not in OWN}
        _require_definition(ecs, region, found["taskDefinitionArn"])
    elif own:
        found.pop("taskDefinitionArn", None)
    if "taskDefinitionArn" not in found:
        await _complete_own(found)
    path = found.setdefault("healthCheckPath", "/ping")
    if not path.startswith("/"):
        raise AwsError(INVALID, f"healthCheckPath must start with a forward slash: {path}")
    found["scalingTarget"] = _scaling({**before.get("scalingTarget", {}), **given.get("scalingTarget", {})})
    return found


async def require_role(arn: str, principal: str, *actions: str) -> None:
    """Whether a role exists, trusts a service of AWS and allows actions.

    Raises:
        AwsError: it does not.
    """
    if not await roles.trusts(arn, principal):
        raise AwsError(INVALID, f"The role {arn} does not exist, or {principal} cannot assume it.")
    try:
        for action in actions:
            await roles.require(arn, principal, action, "*")
    except roles.RoleError as problem:
        raise AwsError(INVALID, f"The role {arn} cannot be used for an Express service: {problem}") from problem


async def place(region: str, network: Mapping[str, Any]) -> dict[str, Any]:
    """The VPC and the subnets of a service, and whether they are public.

    Returns:
        `{"vpc": ..., "subnets": [...], "public": ...}`

    Raises:
        AwsError: there are not two subnets in two zones of one VPC.
    """
    wanted = network.get("subnets") or []
    by_default = [{"Name": "default-for-az", "Values": ["true"]}]
    try:
        chosen = {"SubnetIds": wanted} if wanted else {"Filters": by_default}
        found = (await aws.call("ec2", "describe_subnets", region=region, **chosen))["Subnets"]
    except ClientError as problem:
        raise AwsError(INVALID, f"The subnets cannot be used: {problem.response['Error']['Message']}") from problem
    by_zone = {one["AvailabilityZone"]: one for one in found}
    if len({one["VpcId"] for one in found}) > 1:
        raise AwsError(INVALID, "The subnets of an Express service must be in one VPC.")
    if len(by_zone) < 2:
        raise AwsError(
            INVALID, "An Express service needs two subnets in two Availability Zones; the default VPC or the "
            "networkConfiguration has fewer."
        )  # fmt: skip
    used = found if wanted else [by_zone[zone] for zone in sorted(by_zone)][:2]
    tables = (await aws.call("ec2", "describe_route_tables", region=region))["RouteTables"]
    public = {_is_public(one, tables) for one in used}
    if len(public) > 1:
        raise AwsError(INVALID, "The subnets of an Express service must be all public or all private.")
    return {"vpc": found[0]["VpcId"], "subnets": [one["SubnetId"] for one in used], "public": public == {True}}


def definition(configuration: Mapping[str, Any], family: str, region: str, log_group: str) -> dict[str, Any]:
    """The input of RegisterTaskDefinition for a service's own container."""
    container = configuration["primaryContainer"]
    port = container.get("containerPort", 80)
    logs = container.get("awsLogsConfiguration", {})
    main = {
        "name": MAIN,
        "image": container["image"],
        "essential": True,
        "portMappings": [{"containerPort": port, "protocol": "tcp", "name": f"main-{port}-tcp", "appProtocol": "http"}],
        "stopTimeout": 30,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": logs.get("logGroup", log_group),
                "awslogs-region": region,
                "awslogs-stream-prefix": logs.get("logStreamPrefix", "ecs"),
                "mode": "non-blocking",
                "max-buffer-size": "25m",
            },
        },
        **{
            key: container[key]
            for key in ("command", "environment", "secrets", "repositoryCredentials")
            if key in container
        },
    }
    roles_of = {key: configuration[key] for key in ("executionRoleArn", "taskRoleArn") if key in configuration}
    return {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": configuration["cpu"],
        "memory": configuration["memory"],
        "runtimePlatform": {"cpuArchitecture": configuration["cpuArchitecture"], "operatingSystemFamily": "LINUX"},
        "containerDefinitions": [main],
        **roles_of,
    }


def port_of(definition_record: Mapping[str, Any]) -> int:
    """The port of the container `Main` of a task definition."""
    main = next(one for one in definition_record["containerDefinitions"] if one["name"] == MAIN)
    return int(main["portMappings"][0]["containerPort"])


async def _complete_own(found: dict[str, Any]) -> None:
    if "primaryContainer" not in found:
        raise AwsError(INVALID, "primaryContainer can not be blank unless taskDefinitionArn is specified.")
    if not found.get("executionRoleArn"):
        raise AwsError(INVALID, "executionRoleArn can not be blank unless taskDefinitionArn is specified.")
    await require_role(found["executionRoleArn"], "ecs-tasks.amazonaws.com")
    if found.get("taskRoleArn"):
        await require_role(found["taskRoleArn"], "ecs-tasks.amazonaws.com")
    found.setdefault("cpu", "256")
    found.setdefault("memory", "512")
    found.setdefault("cpuArchitecture", "X86_64")
    container = found["primaryContainer"] = {"containerPort": 80, **found["primaryContainer"]}
    if not container["image"]:
        raise AwsError(INVALID, "image can not be blank in primaryContainer.")
    if not 1 <= container["containerPort"] <= 65535:
        raise AwsError(INVALID, "containerPort must be between 1 and 65535.")


def _require_definition(ecs: Ecs, region: str, arn: str) -> None:
    record = lookup.task_definition(ecs, region, arn)
    lookup.require_active(record)
    main = next((one for one in record["containerDefinitions"] if one["name"] == MAIN), None)
    if main is None:
        raise AwsError(INVALID, f"The task definition must have a container named {MAIN}.")
    ports = main.get("portMappings", [])
    if len(ports) != 1 or ports[0].get("protocol", "tcp") != "tcp" or not ports[0].get("name"):
        raise AwsError(
            INVALID, f"The container {MAIN} must have a single TCP port mapping with a container port and name."
        )
    if "FARGATE" not in record.get("compatibilities", []):
        raise AwsError(INVALID, "The task definition must have FARGATE compatibility.")


def _scaling(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "minTaskCount": 1, "maxTaskCount": 20, "autoScalingMetric": "AVERAGE_CPU", "autoScalingTargetValue": 60,
        **given,
    }  # fmt: skip
    if found["minTaskCount"] < 1 or found["maxTaskCount"] < found["minTaskCount"]:
        raise AwsError(INVALID, "minTaskCount must be at least 1, and maxTaskCount not below it.")
    if found["autoScalingTargetValue"] < 1:
        raise AwsError(INVALID, "autoScalingTargetValue must be at least 1.")
    return found


def _is_public(subnet: Mapping[str, Any], tables: list[dict[str, Any]]) -> bool:
    """Whether a subnet's routes lead to an internet gateway. Without a table of its own it has the VPC's main one.

    A default subnet is public: a backend may leave out the route that AWS gives it.
    https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html
    """
    if subnet.get("DefaultForAz"):
        return True
    mine = [one for one in tables if one["VpcId"] == subnet["VpcId"]]
    links = [(one, link) for one in mine for link in one.get("Associations", [])]
    own = [one for one, link in links if link.get("SubnetId") == subnet["SubnetId"]]
    used = own or [one for one, link in links if link.get("Main")]
    return any(route.get("GatewayId", "").startswith("igw-") for one in used for route in one.get("Routes", []))
