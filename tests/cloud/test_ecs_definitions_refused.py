"""What ECS refuses in a task definition, in the words of AWS where they are known. A refusal registers nothing.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

WEB = {"name": "web", "image": "web:1", "memory": 128}
SIDE = {"name": "side", "image": "side:1", "memory": 64}
FARGATE = {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}
ROLE = "arn:aws:iam::000000000000:role/ecsTaskExecutionRole"
LOG = {"awslogs-group": "/g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}
EFS = {"fileSystemId": "fs-12345678"}
FAMILY = "refused"
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
SIZES = {
    256: [512, 1024, 2048],
    512: [1024, 2048, 3072, 4096],
    1024: [2048, 3072, 4096, 5120, 6144, 7168, 8192],
    2048: [gib * 1024 for gib in range(4, 17)],
    4096: [gib * 1024 for gib in range(8, 31)],
    8192: [gib * 1024 for gib in range(16, 61, 4)],
    16384: [gib * 1024 for gib in range(32, 121, 8)],
    32768: [60 * 1024, 120 * 1024, 244 * 1024],
}
TRIED = sorted({*(memory for row in SIZES.values() for memory in row), 256, 1000, 1536, 9216 + 512, 245 * 1024})

pytestmark = pytest.mark.usefixtures("local_aws")


def register(*containers: dict[str, Any], **more: Any) -> None:
    boto3.client("ecs").register_task_definition(**{
        "family": FAMILY, "containerDefinitions": list(containers), **more,
    })  # fmt: skip


def refusal(*containers: dict[str, Any], **more: Any) -> str:
    """The words with which ECS refuses to register this. There is no revision more than before."""
    ecs = boto3.client("ecs")
    before = ecs.list_task_definitions(familyPrefix=FAMILY)["taskDefinitionArns"]
    with pytest.raises(ClientError) as refused:
        register(*containers, **more)
    assert ecs.list_task_definitions(familyPrefix=FAMILY)["taskDefinitionArns"] == before
    assert refused.value.response["Error"]["Code"] == "ClientException"
    return refused.value.response["Error"]["Message"]


@pytest.mark.parametrize("cpu", [*SIZES, 128, 300, 65536])
def test_fargate_has_exactly_the_documented_sizes(cpu: int) -> None:
    accepted = []
    for memory in TRIED:
        try:
            register(SIDE, **{**FARGATE, "cpu": str(cpu), "memory": str(memory)})
        except ClientError as refused:
            assert refused.response["Error"] == {
                "Code": "ClientException",
                "Message": f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. "
                "See the Amazon ECS documentation for the valid values.",
            }
        else:
            accepted.append(memory)
    assert accepted == SIZES.get(cpu, [])


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"networkMode": "bridge"}, "Fargate only supports network mode ‘awsvpc’."),
        ({"networkMode": "host"}, "Fargate only supports network mode ‘awsvpc’."),
        ({"cpu": None}, "Fargate requires that 'cpu' be defined at the task level."),
        ({"memory": None}, "Fargate requires that 'memory' be defined at the task level."),
        ({"cpu": None, "memory": None}, "Fargate requires that 'cpu' be defined at the task level."),
        (
            {"placementConstraints": [{"type": "memberOf", "expression": "attribute:x == y"}]},
            "Fargate compatible task definitions do not support constraints",
        ),
        ({"ipcMode": "task"}, "Fargate compatible task definitions do not support ipcMode"),
        (
            {"pidMode": "host"},
            "Tasks using the Fargate launch type do not support pidMode 'host'. "
            "The supported value for pidMode is 'task'.",
        ),
        (
            {"volumes": [{"name": "v", "host": {"sourcePath": "/"}}]},
            "Fargate compatible task definitions do not support sourcePath",
        ),
        (
            {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"scope": "task"}}]},
            "Fargate compatible task definitions do not support dockerVolumeConfiguration",
        ),
        (
            {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}},
            "No Fargate configuration exists for given values: 256 CPU, 512 memory. "
            "See the Amazon ECS documentation for the valid values.",
        ),
    ],
)
def test_what_a_task_cannot_have_on_fargate(members: dict[str, Any], message: str) -> None:
    more = {key: value for key, value in {**FARGATE, **members}.items() if value is not None}
    assert refusal(WEB, **more) == message


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"privileged": True}, "Fargate requires that the 'privileged' setting be 'false'."),
        (
            {"dockerSecurityOptions": ["no-new-privileges"]},
            "Fargate compatible task definitions do not support dockerSecurityOptions",
        ),
        (
            {"linuxParameters": {"devices": [{"hostPath": "/dev/null"}]}},
            "Fargate compatible task definitions do not support devices",
        ),
        (
            {"linuxParameters": {"sharedMemorySize": 64}},
            "Fargate compatible task definitions do not support sharedMemorySize",
        ),
        (
            {"linuxParameters": {"tmpfs": [{"containerPath": "/t", "size": 64}]}},
            "Fargate compatible task definitions do not support tmpfs",
        ),
        ({"linuxParameters": {"maxSwap": 0}}, "Fargate compatible task definitions do not support maxSwap"),
        ({"linuxParameters": {"capabilities": {"add": ["NET_ADMIN"]}}}, "NET_ADMIN is not allowed on Fargate."),
        (
            {"stopTimeout": 121},
            "Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.",
        ),
        (
            {"resourceRequirements": [{"type": "GPU", "value": "1"}]},
            "Tasks using the Fargate launch type do not support GPU resource requirements",
        ),
        (
            {"logConfiguration": {"logDriver": "json-file"}},
            "json-file is not a valid log driver. Must be one of [awslogs, splunk, awsfirelens]",
        ),
        (
            {"logConfiguration": {"logDriver": "awslogs", "options": {**LOG}}},
            "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
        ),
        (
            {"logConfiguration": {"logDriver": "awslogs", "options": {key: LOG[key] for key in list(LOG)[:2]}}},
            "Fargate requires log configuration options to include awslogs-stream-prefix to support log driver "
            "awslogs.",
        ),
        (
            {"image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/web:1"},
            "Fargate requires task definition to have execution role ARN to support ECR images.",
        ),
    ],
)
def test_what_a_container_cannot_have_on_fargate(members: dict[str, Any], message: str) -> None:
    assert refusal({**WEB, **members}, **FARGATE) == message


@pytest.mark.parametrize(
    "members",
    [
        {"privileged": True},
        {"stopTimeout": 121},
        {"logConfiguration": {"logDriver": "json-file"}},
        {"linuxParameters": {"tmpfs": [{"containerPath": "/t", "size": 64}], "maxSwap": 0}},
        {"image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/web:1"},
    ],
)
def test_ec2_takes_what_fargate_refuses(members: dict[str, Any]) -> None:
    register({**WEB, **members}, requiresCompatibilities=["EC2"])


@pytest.mark.parametrize(
    "members",
    [
        {"stopTimeout": 120},
        {"linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"], "drop": ["NET_RAW"]}, "initProcessEnabled": True}},
        {"logConfiguration": {"logDriver": "awslogs", "options": LOG}},
        {"readonlyRootFilesystem": True, "user": "1000"},
        {"ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}]},
        {"image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/web@sha256:" + "a" * 64},
        {"healthCheck": {"command": ["CMD", "true"], "interval": 5, "timeout": 2, "retries": 1, "startPeriod": 0}},
        {"healthCheck": {"command": ["CMD", "true"], "interval": 300, "timeout": 60, "retries": 10}},
        {"healthCheck": {"command": ["CMD-SHELL", "true"], "startPeriod": 300}},
        {"portMappings": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 0}]},
        {"portMappings": [{"containerPortRange": "1000-2000", "name": "many", "appProtocol": "http"}]},
        {"secrets": [{"name": "A", "valueFrom": "/a"}], "environment": [{"name": "B", "value": ""}]},
        {"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/a.env"}]},
        {"restartPolicy": {"enabled": True, "restartAttemptPeriod": 60, "ignoredExitCodes": [0, 255]}},
        {"systemControls": [{"namespace": "net.core.somaxconn", "value": "1024"}]},
    ],
)  # fmt: skip
def test_fargate_takes_this(members: dict[str, Any]) -> None:
    register({**WEB, **members}, **FARGATE, executionRoleArn=ROLE, pidMode="task", ephemeralStorage={"sizeInGiB": 21})


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"family": ""}, "Family should not be null or empty."),
        ({"family": "a b"}, "Family contains invalid characters."),
        ({"family": "a:1"}, "Family contains invalid characters."),
        ({"family": "f" * 256}, "Family name is too long."),
        ({"containerDefinitions": []}, "Container list cannot be empty."),
        ({"containerDefinitions": [{**WEB, "name": f"c{n}"} for n in range(11)]}, "Too many containers."),
        ({"containerDefinitions": [WEB, WEB]}, "Container names must be unique within a task definition."),
        (
            {"containerDefinitions": [{**WEB, "essential": False}]},
            "Task definition doesn't have any essential container.",
        ),
        ({"cpu": "1 core"}, "Invalid 'cpu' setting for task."),
        ({"cpu": "0"}, "Invalid 'cpu' setting for task."),
        ({"cpu": "127"}, "Invalid 'cpu' setting for task."),
        ({"cpu": "193 vCPU"}, "Invalid 'cpu' setting for task."),
        ({"cpu": "-1"}, "Invalid 'cpu' setting for task."),
        ({"cpu": ""}, "Invalid 'cpu' setting for task."),
        ({"memory": "much"}, "Invalid 'memory' setting for task."),
        ({"memory": "0"}, "Invalid 'memory' setting for task."),
        ({"memory": "1.5"}, "Invalid 'memory' setting for task."),
        ({"memory": "127"}, "The 'memory' setting for container 'web' is greater than for the task."),
        (
            {"containerDefinitions": [{**WEB, "cpu": 200}, {**SIDE, "cpu": 57}], "cpu": "256"},
            "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
        ),
        (
            {"containerDefinitions": [WEB, SIDE], "memory": "191"},
            "The sum of all container 'memory' values cannot be greater than the value of the task 'memory'.",
        ),
        ({"taskRoleArn": "arn:aws:iam::000000000000:user/me"}, "Role is not valid"),
        ({"executionRoleArn": "arn:aws:iam::0:role/x"}, "Role is not valid"),
        (
            {"ephemeralStorage": {"sizeInGiB": 20}, **FARGATE},
            "EphemeralStorage size should be at least 21.",
        ),
        (
            {"ephemeralStorage": {"sizeInGiB": 201}, **FARGATE},
            "EphemeralStorage size should be at most 200.",
        ),
        (
            {"ephemeralStorage": {"sizeInGiB": 30}, "requiresCompatibilities": ["EC2"]},
            "Tasks using the EC2 launch type do not support EphemeralStorage.",
        ),
        (
            {"inferenceAccelerators": [{"deviceName": "d", "deviceType": "t"}]},
            "Unsupported field 'inferenceAccelerators'.",
        ),
        (
            {"proxyConfiguration": {"containerName": "envoy"}, "networkMode": "awsvpc"},
            "Proxy container [envoy] does not exist.",
        ),
    ],
)
def test_tasks(members: dict[str, Any], message: str) -> None:
    assert refusal(WEB, **members) == message


def test_a_definition_that_is_too_long() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html (task definition size)"""
    command = ["x" * 1000] * 66
    message = refusal({**WEB, "command": command})
    assert message.startswith("Actual length: '6")
    assert message.endswith("'. Max allowed length is '65536' bytes.")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"name": ""}, "Container.name should not be null or empty."),
        ({"name": "a.b"}, "Container.name contains invalid characters."),
        ({"name": "n" * 256}, "Container.name contains invalid characters."),
        ({"image": ""}, "Container.image should not be null or empty."),
        ({"image": "web 1"}, "Container.image contains invalid characters."),
        ({"image": "web@sha256:abc"}, "Container.image contains invalid characters."),
        ({"image": "w" * 256}, "Container.image contains invalid characters."),
        ({"cpu": -1}, "Invalid 'cpu' setting for container 'web'."),
        ({"memory": 0}, "Invalid 'memory' setting for container 'web'."),
        ({"memory": 5}, "Invalid 'memory' setting for container 'web'."),
        ({"memoryReservation": 5}, "Invalid 'memoryReservation' setting for container 'web'."),
        (
            {"memoryReservation": 129},
            "Invalid setting for container 'web'. 'memory' must be greater than or equal to 'memoryReservation'.",
        ),
        ({"startTimeout": 1}, "Granular start timeout on container 'web' must be at least 2 seconds."),
        ({"stopTimeout": 1}, "Granular stop timeout on container 'web' must be at least 2 seconds."),
        (
            {"restartPolicy": {"enabled": True, "restartAttemptPeriod": 59}},
            "The 'restartAttemptPeriod' setting for container 'web' must be between 60 and 1800.",
        ),
        (
            {"environment": [{"name": "A", "value": "1"}], "secrets": [{"name": "A", "valueFrom": "/a"}]},
            "The secret name must be unique and not shared with any new or existing environment variables set on the "
            "container, such as 'A'.",
        ),
        (
            {"secrets": [{"name": "A", "valueFrom": "/a"}, {"name": "A", "valueFrom": "/b"}]},
            "The secret name must be unique and not shared with any new or existing environment variables set on the "
            "container, such as 'A'.",
        ),
        (
            {"secrets": [{"name": "A", "valueFrom": "/a"}]},
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
        ),
        (
            {"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/a.env"}] * 11},
            "The maximum number of environment files was exceeded. Specify ten or less and try again.",
        ),
        ({"environmentFiles": [{"type": "s3", "value": "s3://b/a.env"}]}, "Invalid arn syntax."),
        (
            {"logConfiguration": {"logDriver": "awslogs"}},
            "Log driver awslogs requires options: awslogs-region, awslogs-group",
        ),
        (
            {"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-region": "us-east-1"}}},
            "Log driver awslogs requires options: awslogs-group",
        ),
        (
            {"logConfiguration": {"logDriver": "awsfirelens"}},
            "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be "
            "specified.",
        ),
        (
            {"firelensConfiguration": {"type": "fluentbit"}},
            "When a firelensConfiguration object is specified, at least one container has to be configured with the "
            "awsfirelens log driver.",
        ),
        ({"volumesFrom": [{"sourceContainer": "x"}]}, "Invalid 'volumesFrom' setting. Unknown container: 'x'."),
        ({"volumesFrom": [{"sourceContainer": "web"}]}, "Invalid 'volumesFrom' setting. Unknown container: 'web'."),
        ({"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}, "Unknown volume 'v'."),
        ({"mountPoints": [{"containerPath": "/v"}]}, "Unknown volume 'null'."),
        ({"links": ["x"]}, "Invalid 'links' setting. Unknown container: 'x'."),
        ({"links": ["web"]}, "Container links should not have a cycle"),
        (
            {"dependsOn": [{"containerName": "x", "condition": "START"}]},
            "Cannot depend on container + 'x' because it does not exist",
        ),
        (
            {"dependsOn": [{"containerName": "web", "condition": "START"}]},
            "Container dependencies should not have a cycle",
        ),
    ],
)
def test_containers(members: dict[str, Any], message: str) -> None:
    assert refusal({**WEB, **members}) == message


@pytest.mark.parametrize(
    "members",
    [
        {"healthCheck": {"command": []}},
        {"healthCheck": {"command": ["CMD-SHELL"]}},
        {"healthCheck": {"command": ["curl", "-f", "http://localhost"]}},
        {"healthCheck": {"command": ["CMD", "true"], "interval": 4}},
        {"healthCheck": {"command": ["CMD", "true"], "interval": 301}},
        {"healthCheck": {"command": ["CMD", "true"], "timeout": 1}},
        {"healthCheck": {"command": ["CMD", "true"], "timeout": 61}},
        {"healthCheck": {"command": ["CMD", "true"], "retries": 0}},
        {"healthCheck": {"command": ["CMD", "true"], "retries": 11}},
        {"healthCheck": {"command": ["CMD", "true"], "startPeriod": -1}},
        {"healthCheck": {"command": ["CMD", "true"], "startPeriod": 301}},
        {"environment": [{"value": "nameless"}]},
        {"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/a.txt"}]},
        {"ulimits": [{"name": "nofile", "softLimit": 2, "hardLimit": 1}]},
        {"ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 1}] * 2},
        {"systemControls": [{"namespace": "kernel.hostname", "value": "x"}]},
        {"linuxParameters": {"capabilities": {"add": ["FLY"]}}},
        {"linuxParameters": {"maxSwap": -1}},
        {"linuxParameters": {"maxSwap": 1, "swappiness": 101}},
        {"linuxParameters": {"swappiness": 10}},
        {"linuxParameters": {"tmpfs": [{"containerPath": "/t", "size": 0}]}},
        {"restartPolicy": {"enabled": True, "ignoredExitCodes": [256]}},
        {"portMappings": [{"containerPort": 80, "name": "Web"}]},
        {"portMappings": [{"containerPort": 80, "name": "-web"}]},
        {"portMappings": [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]},
        {"portMappings": [{"containerPort": 80}, {"containerPort": 80, "protocol": "udp"}]},
        {"portMappings": [{"containerPortRange": "90-80"}]},
        {"portMappings": [{"containerPortRange": "0-80"}]},
        {"portMappings": [{"containerPortRange": "80-65536"}]},
        {"portMappings": [{"containerPortRange": "80"}]},
        {"portMappings": [{"containerPortRange": "80-90", "hostPort": 80}]},
    ],
)
def test_bounds(members: dict[str, Any]) -> None:
    assert refusal({**WEB, **members})


@pytest.mark.parametrize(
    ("mode", "members", "message"),
    [
        ("awsvpc", {"links": ["side"]}, "Links are not supported when networkMode=awsvpc."),
        ("host", {"links": ["side"]}, "Links are not supported when networkMode=host."),
        ("awsvpc", {"hostname": "h"}, "hostname is not supported on container when networkMode=awsvpc."),
        (
            "awsvpc",
            {"extraHosts": [{"hostname": "h", "ipAddress": "10.0.0.1"}]},
            "Extra hosts are not supported on container when networkMode=awsvpc.",
        ),
        ("awsvpc", {"dnsServers": ["10.0.0.2"]}, "DNS servers are not supported on container when networkMode=awsvpc."),
        (
            "awsvpc",
            {"disableNetworking": True},
            "Disable Networking is not supported on container when networkMode=awsvpc.",
        ),
        (
            "awsvpc",
            {"portMappings": [{"containerPort": 80, "hostPort": 81}]},
            "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
        ),
        (
            "host",
            {"portMappings": [{"containerPort": 80, "hostPort": 81}]},
            "When networkMode=host, the host ports and container ports in port mappings must match.",
        ),
        ("none", {"portMappings": [{"containerPort": 80}]}, "Port mappings are not supported when networkMode=none."),
        (
            "bridge",
            {"portMappings": [{"containerPort": 0}]},
            "Invalid 'containerPort' setting for container 'web'.",
        ),
        ("bridge", {"portMappings": [{"hostPort": 80}]}, "Invalid 'containerPort' setting for container 'web'."),
        (
            "bridge",
            {"portMappings": [{"containerPort": 65536}]},
            "Invalid 'containerPort' setting for container 'web'.",
        ),
        (
            "bridge",
            {"portMappings": [{"containerPort": 80, "hostPort": 65536}]},
            "Invalid 'hostPort' setting for container 'web'.",
        ),
        (
            "bridge",
            {"portMappings": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}]},
            "TCP host port '80' is mapped multiple times in task.",
        ),
        (
            "bridge",
            {"portMappings": [{"containerPort": 80, "containerPortRange": "80-90"}]},
            "cannot specify both single port and port range",
        ),
    ],
)  # fmt: skip
def test_networks(mode: str, members: dict[str, Any], message: str) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html"""
    assert refusal({**WEB, **members}, SIDE, networkMode=mode) == message


def test_two_containers_of_an_awsvpc_task_share_its_ports() -> None:
    ports = {"portMappings": [{"containerPort": 3000}]}
    assert refusal({**WEB, **ports}, {**SIDE, **ports}, networkMode="awsvpc") == (
        "TCP host port '3000' is mapped multiple times in task."
    )
    register({**WEB, **ports}, {**SIDE, **ports}, networkMode="bridge")


@pytest.mark.parametrize(
    ("condition", "other", "message"),
    [
        ("COMPLETE", {}, "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"),
        ("SUCCESS", {}, "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"),
        ("HEALTHY", {}, "A dependency container with HEALTHY condition must have health check configured"),
        (
            "START",
            {"dependsOn": [{"containerName": "web", "condition": "START"}]},
            "Container dependencies should not have a cycle",
        ),
    ],
)
def test_dependencies(condition: str, other: dict[str, Any], message: str) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html"""
    web = {**WEB, "dependsOn": [{"containerName": "side", "condition": condition}]}
    assert refusal(web, {**SIDE, **other}) == message
    healthy = {"healthCheck": {"command": ["CMD", "true"]}, "essential": False}
    register(web, {**SIDE, **healthy})


def test_memory_has_to_be_somewhere() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html (memoryReservation)"""
    bare = {"name": "web", "image": "web:1"}
    assert refusal(bare) == (
        "Invalid setting for container 'web'. At least one of 'memory' or 'memoryReservation' must be specified."
    )
    register(bare, memory="512")
    register({**bare, "memoryReservation": 64})


@pytest.mark.parametrize(
    ("volumes", "message"),
    [
        ([{"host": {}}], "Volume.name should not be null or empty."),
        ([{"name": "a b"}], "Volume.name contains invalid characters."),
        ([{"name": "a"}, {"name": "a"}], "The volume name 'a' is used more than once. Volume names must be unique in a "
         "task definition."),
        ([{"name": "a", "host": {}, "efsVolumeConfiguration": EFS}], "Only one volume configuration can be specified "
         "for the volume 'a'."),
        ([{"name": "a", "configuredAtLaunch": True}], "Volumes [a] are not referenced by any of the containers."),
        ([{"name": "a", "configuredAtLaunch": True}, {"name": "b", "configuredAtLaunch": True}], "Only one volume of a "
         "task definition can be configured at launch."),
        ([{"name": "a", "dockerVolumeConfiguration": {"scope": "task", "autoprovision": True}}], "The autoprovision "
         "parameter is valid only when the scope of a Docker volume is shared."),
        ([{"name": "a", "efsVolumeConfiguration": {"fileSystemId": "efs"}}], "Invalid EFS file system ID 'efs'."),
        ([{"name": "a", "efsVolumeConfiguration": {**EFS, "authorizationConfig": {"iam": "ENABLED"}}}],
         "EFS IAM authorization requires TransitEncryption to be enabled."),
        ([{"name": "a", "efsVolumeConfiguration": {**EFS, "authorizationConfig": {"accessPointId": "fsap-1"}}}],
         "EFS access points require TransitEncryption to be enabled."),
        ([{"name": "a", "efsVolumeConfiguration": {**EFS, "transitEncryption": "ENABLED", "rootDirectory": "/x",
                                                   "authorizationConfig": {"accessPointId": "fsap-1"}}}],
         'When using an EFS access point, the root directory must either be set to "/" or be omitted.'),
        ([{"name": "a", "efsVolumeConfiguration": {**EFS, "transitEncryptionPort": 2049}}],
         "TransitEncryptionPort requires that TransitEncryption is enabled."),
        ([{"name": "a", "s3filesVolumeConfiguration": {"fileSystemArn": "arn:aws:s3files:us-east-1:0:file-system/1"}}],
         "A task role is required to mount an Amazon S3 Files file system. Specify 'taskRoleArn'."),
    ],
)  # fmt: skip
def test_volumes(volumes: list[dict[str, Any]], message: str) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Volume.html"""
    assert refusal(WEB, volumes=volumes) == message


def test_one_path_is_one_mount_point() -> None:
    volumes = [{"name": "a"}, {"name": "b"}]
    points = [{"sourceVolume": name, "containerPath": "/data"} for name in "ab"]
    assert "/data" in refusal({**WEB, "mountPoints": points}, volumes=volumes)
    assert "containerPath" in refusal({**WEB, "mountPoints": [{"sourceVolume": "a"}]}, volumes=volumes)


@pytest.mark.parametrize(
    "tags", [[{"value": "keyless"}], [{"key": "aws:mine"}], [{"key": f"k{n}"} for n in range(51)], [{"key": "a;b"}]]
)
def test_tags(tags: list[dict[str, str]]) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html"""
    with pytest.raises(ClientError) as refused:
        register(WEB, tags=tags)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
