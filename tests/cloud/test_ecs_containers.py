"""A container of a task is what its definition says: program, user, limits, health, variables, image, volumes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import docker
import pytest
from cloud_lab import ecr_login, role, wait_until
from docker.models.containers import Container

from labs import settings

pytestmark = pytest.mark.usefixtures("local_aws")

CLUSTER = "containers"
GROUP = "/containers"
ROLE = f"arn:aws:iam::{settings.ACCOUNT}:role/containers"
HEALTHY_IMAGE = "containers-test-health:1"


def subnets() -> list[dict[str, Any]]:
    found = boto3.client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    return sorted(found, key=lambda one: one["AvailabilityZone"])


def container(command: str, name: str = "main", **more: Any) -> dict[str, Any]:
    """A container that runs a shell command and logs."""
    logs = {
        "awslogs-group": GROUP,
        "awslogs-region": settings.REGION,
        "awslogs-stream-prefix": "test",
        "awslogs-create-group": "true",
    }
    return {
        "name": name,
        "image": settings.BASE_IMAGE,
        "entryPoint": ["bash", "-c"],
        "command": [command],
        "logConfiguration": {"logDriver": "awslogs", "options": logs},
        **more,
    }


def start(*containers: dict[str, Any], subnet: int = 0, overrides: dict[str, Any] | None = None, **more: Any) -> str:
    """Runs a Fargate task of these containers; its ARN."""
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    family = f"containers-{time.monotonic_ns()}"
    size = {"cpu": "256", "memory": "512", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"]}
    also = ["ssm:GetParameters", "secretsmanager:GetSecretValue", "s3:GetObject", "logs:CreateLogGroup"]
    role(
        ROLE.rpartition("/")[2],
        "service-role/AmazonECSTaskExecutionRolePolicy",
        statements=[{"Effect": "Allow", "Action": also, "Resource": "*"}],
    )
    ecs.register_task_definition(
        family=family, executionRoleArn=ROLE, containerDefinitions=list(containers), **size, **more
    )
    answer = ecs.run_task(
        cluster=CLUSTER,
        taskDefinition=family,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnets()[subnet]["SubnetId"]]}},
        overrides=overrides or {},
    )
    return answer["tasks"][0]["taskArn"]


def task(arn: str) -> dict[str, Any]:
    return boto3.client("ecs").describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"][0]


def await_status(arn: str, status: str = "STOPPED", seconds: float = 120) -> dict[str, Any]:
    """Waits until a task has a status; its description."""
    wait_until(lambda: task(arn)["lastStatus"] in (status, "STOPPED"), seconds)
    found = task(arn)
    assert found["lastStatus"] == status, found.get("stoppedReason")
    return found


def container_of(arn: str, name: str = "main") -> Container:
    """A task's container in Docker."""
    wanted = [f"com.amazonaws.ecs.task-arn={arn}", f"com.amazonaws.ecs.container-name={name}"]
    return docker.from_env().containers.list(all=True, filters={"label": wanted})[0]


def stop(arn: str) -> dict[str, Any]:
    boto3.client("ecs").stop_task(cluster=CLUSTER, task=arn)
    return await_status(arn)


def output(arn: str, name: str = "main") -> list[str]:
    """What a container has printed, as CloudWatch Logs has it."""
    logs = boto3.client("logs")
    names = {"logGroupName": GROUP, "logStreamName": f"test/{name}/{arn.rpartition('/')[2]}"}
    lines: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = logs.get_log_events(**names, startFromHead=True, **token)
        lines += [event["message"] for event in answer["events"]]
        if not answer["events"] or answer["nextForwardToken"] == token.get("nextToken"):
            return lines
        token = {"nextToken": answer["nextForwardToken"]}


def run(*containers: dict[str, Any], **more: Any) -> list[str]:
    """Runs a task to its end; what its container `main` printed."""
    arn = start(*containers, **more)
    await_status(arn)
    return output(arn)


def fails(*containers: dict[str, Any], **more: Any) -> str:
    """Runs a task that cannot start; why it could not."""
    arn = start(*containers, **more)
    found = await_status(arn)
    assert found["stopCode"] == "TaskFailedToStart"
    return found["stoppedReason"]


# --- the process ------------------------------------------------------------------------------------------------------


def test_program_user_folder_and_variables_are_those_of_the_definition_and_the_overrides() -> None:
    """The image's own entry point is bash: the definition's `sh -c` has to take its place, not its arguments."""
    lines = run(
        container(
            "echo never",
            entryPoint=["sh", "-c"],
            user="1234:99",
            workingDirectory="/var/tmp",  # noqa: S108
            environment=[{"name": "KEPT", "value": "1"}, {"name": "CHANGED", "value": "old"}],
        ),
        overrides={
            "containerOverrides": [
                {
                    "name": "main",
                    "command": ["echo $0 $(id -u) $(id -g) $PWD $KEPT $CHANGED $NEW"],
                    "environment": [{"name": "CHANGED", "value": "new"}, {"name": "NEW", "value": "x"}],
                }
            ]
        },
    )
    assert lines == ["sh 1234 99 /var/tmp 1 new x"]


def test_a_read_only_root_refuses_writes_and_a_volume_takes_them() -> None:
    made = container(
        "touch /here 2>/dev/null || echo refused; touch /scratch/here && echo taken",
        readonlyRootFilesystem=True,
        mountPoints=[{"sourceVolume": "scratch", "containerPath": "/scratch"}],
    )
    lines = run(made, volumes=[{"name": "scratch"}])
    assert lines == ["refused", "taken"]


def test_ulimits() -> None:
    limits = [{"name": "nofile", "softLimit": 1111, "hardLimit": 2222}]
    assert run(container("ulimit -Sn; ulimit -Hn", ulimits=limits)) == ["1111", "2222"]


def test_the_task_size_is_a_hard_limit_of_cpu_and_memory() -> None:
    v1 = "cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us memory/memory.limit_in_bytes"
    v2 = "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/memory.max"
    quota, period, memory = " ".join(run(container(f"{v2} 2>/dev/null || {{ {v1}; }}"))).split()
    assert int(quota) / int(period) == pytest.approx(0.25)
    assert int(memory) == 512 * 1024 * 1024


def test_a_container_that_needs_more_memory_than_it_may_have_is_killed_with_137() -> None:
    arn = start(container("x=$(head -c 60m /dev/zero | tr '\\0' x); echo survived", memory=32))
    found = await_status(arn)["containers"][0]
    assert found["exitCode"] == 137
    assert found["reason"].startswith("OutOfMemoryError")
    assert output(arn) == []


def test_without_an_init_process_sigterm_is_ignored_until_the_stop_timeout() -> None:
    """The first process of a container has no default for SIGTERM; an init process passes it on."""
    deaf = container("exec sleep 600", stopTimeout=3)
    polite = container("exec sleep 600", stopTimeout=30, linuxParameters={"initProcessEnabled": True})
    seconds, codes = [], []
    for one in (deaf, polite):
        arn = start(one)
        await_status(arn, "RUNNING")
        begin = time.monotonic()
        codes.append(stop(arn)["containers"][0]["exitCode"])
        seconds.append(time.monotonic() - begin)
    assert codes == [137, 143]
    assert 3 <= seconds[0] < 8
    assert seconds[1] < 3


def test_labels_and_the_name_are_those_of_the_ecs_agent() -> None:
    arn = start(container("sleep 600", dockerLabels={"team": "blue", "course": "mine"}, stopTimeout=2))
    await_status(arn, "RUNNING")
    made = container_of(arn)
    family = task(arn)["taskDefinitionArn"].rpartition("/")[2].partition(":")[0]
    assert made.name.startswith(f"ecs-{family}-1-main-")
    assert made.labels["team"] == "blue"
    assert made.labels["course"] == settings.LABEL_VALUE  # ours cannot be taken over
    assert made.labels["com.amazonaws.ecs.task-definition-version"] == "1"
    assert made.attrs["NetworkSettings"]["Ports"] == {}
    stop(arn)


# --- health -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def healthy_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image whose HEALTHCHECK says every second that all is well."""
    folder = tmp_path_factory.mktemp("health")
    text = f"FROM {settings.BASE_IMAGE}\nLABEL {settings.LABEL}\nHEALTHCHECK --interval=1s CMD true\n"
    (folder / "Dockerfile").write_text(text)
    client = docker.from_env()
    client.images.build(path=str(folder), tag=HEALTHY_IMAGE, rm=True, forcerm=True)
    yield HEALTHY_IMAGE
    client.images.remove(HEALTHY_IMAGE, force=True)


def test_the_health_check_of_the_image_is_ignored(healthy_image: str) -> None:
    arn = start(container("sleep 600", image=healthy_image, stopTimeout=2))
    await_status(arn, "RUNNING")
    made = container_of(arn)
    assert made.attrs["Config"]["Healthcheck"]["Test"] == ["NONE"]
    assert "Health" not in made.attrs["State"]
    assert task(arn)["containers"][0]["healthStatus"] == "UNKNOWN"
    stop(arn)


def test_the_health_check_of_the_definition_decides() -> None:
    check = {"command": ["CMD-SHELL", "test -e /tmp/well"], "interval": 5, "retries": 1}
    arn = start(container("sleep 1; touch /tmp/well; sleep 600", healthCheck=check, stopTimeout=2))
    await_status(arn, "RUNNING")
    wait_until(lambda: task(arn)["containers"][0]["healthStatus"] == "HEALTHY")
    assert container_of(arn).attrs["Config"]["Healthcheck"]["Interval"] == 5_000_000_000
    stop(arn)


# --- variables from elsewhere -----------------------------------------------------------------------------------------


def test_secrets_and_environment_files_become_variables() -> None:
    ssm, manager, s3 = boto3.client("ssm"), boto3.client("secretsmanager"), boto3.client("s3")
    ssm.put_parameter(Name="/containers/secure", Value="s3cure=x", Type="SecureString")
    ssm.put_parameter(Name="containers-plain", Value="plain", Type="String")
    content = json.dumps({"user": "admin", "port": 5432})
    secret = manager.create_secret(Name="containers-db", SecretString=content)["ARN"]
    s3.create_bucket(Bucket="containers-env")
    s3.put_object(Bucket="containers-env", Key="a/app.env", Body=b"# no=1\nFILE=from=file\nOWN=file\n\nnothing\n")
    parameter = f"arn:aws:ssm:{settings.REGION}:{settings.ACCOUNT}:parameter"
    wanted = {
        "SECURE": "/containers/secure",
        "BY_ARN": f"{parameter}/containers/secure",
        "PLAIN": "containers-plain",
        "WHOLE": secret,
        "USER_NAME": f"{secret}:user::",
        "PORT": f"{secret}:port:AWSCURRENT:",
    }
    names = [*wanted, "FILE", "OWN"]
    lines = run(
        container(
            " ".join(f'echo "${name}";' for name in names) + 'echo "[$no$nothing]"',
            secrets=[{"name": name, "valueFrom": value} for name, value in wanted.items()],
            environment=[{"name": "OWN", "value": "definition"}],
            environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::containers-env/a/app.env"}],
        )
    )
    assert lines == [
        "s3cure=x", "s3cure=x", "plain", content, "admin", "5432", "from=file", "definition", "[]"
    ]  # fmt: skip


def test_a_missing_secret_stops_the_task_in_the_agents_words() -> None:
    one = {"name": "A", "valueFrom": "/containers/none"}
    assert fails(container("true", secrets=[one])) == (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        "unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: "
        "/containers/none"
    )
    manager = boto3.client("secretsmanager")
    secret = manager.create_secret(Name="containers-keys", SecretString='{"a": "1"}')["ARN"]
    reason = fails(container("true", secrets=[{"name": "A", "valueFrom": f"{secret}:b::"}]))
    assert reason.endswith("retrieved secret from Secrets Manager did not contain json key b")
    gone = f"arn:aws:secretsmanager:{settings.REGION}:{settings.ACCOUNT}:secret:gone-AbCdEf"
    reason = fails(container("true", secrets=[{"name": "A", "valueFrom": gone}]))
    assert f"failed to fetch secret {gone} from secrets manager: ResourceNotFoundException" in reason


# --- image ------------------------------------------------------------------------------------------------------------


def test_an_image_that_nobody_has_stops_the_task() -> None:
    begin = time.monotonic()
    reason = fails(container("true", image="containers-test-nobody-has:9"))
    assert time.monotonic() - begin < 60
    assert reason.startswith("CannotPullContainerError: pull image manifest has been retried 1 time(s): ")
    assert "failed to resolve ref docker.io/library/containers-test-nobody-has:9: " in reason


def test_what_was_pushed_to_ecr_last_is_what_runs_and_what_was_never_pushed_does_not(tmp_path: Path) -> None:
    boto3.client("ecr").create_repository(repositoryName="containers-repo")
    local = f"127.0.0.1:{settings.gateway_port()}/containers-repo"
    remote = f"{settings.ACCOUNT}.dkr.ecr.{settings.REGION}.amazonaws.com/containers-repo"
    images = docker.from_env().images
    try:
        for version in ("one", "two"):
            text = f"FROM {settings.BASE_IMAGE}\nLABEL {settings.LABEL}\nENV VERSION={version}\n"
            (tmp_path / "Dockerfile").write_text(text)
            images.build(path=str(tmp_path), tag=f"{local}:1", rm=True, forcerm=True)
            pushed = images.push(local, "1", auth_config=ecr_login())
            assert "errorDetail" not in pushed, pushed
            images.remove(f"{local}:1", force=True)
            assert run(container("echo $VERSION", image=f"{remote}:1")) == [version]
        images.get(f"{local}:1").tag(local, "never-pushed")
        reason = fails(container("true", image=f"{remote}:never-pushed"))
        assert reason.startswith("CannotPullContainerError: pull image manifest has been retried 1 time(s): ")
        assert f"failed to resolve ref {remote}:never-pushed: " in reason
    finally:
        for image in images.list(name=local):
            images.remove(image.id, force=True)


# --- volumes ----------------------------------------------------------------------------------------------------------


def task_volumes(arn: str) -> list[str]:
    found = docker.from_env().volumes.list(filters={"label": f"com.amazonaws.ecs.task-arn={arn}"})
    return [volume.name for volume in found]


def test_a_volume_of_a_task_is_shared_by_its_containers_and_gone_with_it() -> None:
    writer = container(
        "echo secret >/out/file; sleep 600",
        name="writer",
        mountPoints=[{"sourceVolume": "shared", "containerPath": "/out"}],
        essential=False,
        stopTimeout=2,
    )
    reader = container(
        "until cat /in/file; do sleep .1; done 2>/dev/null; touch /in/x 2>/dev/null || echo read-only; read -t 600",
        mountPoints=[{"sourceVolume": "shared", "containerPath": "/in", "readOnly": True}],
        interactive=True,
        stopTimeout=2,
    )
    arn = start(writer, reader, volumes=[{"name": "shared"}])
    await_status(arn, "RUNNING")
    wait_until(lambda: output(arn)[-2:] == ["secret", "read-only"])
    assert len(task_volumes(arn)) == 1
    stop(arn)
    assert task_volumes(arn) == []


@pytest.mark.needs("elasticfilesystem")
def test_an_efs_file_system_is_the_same_in_every_subnet_and_outlives_its_tasks() -> None:
    efs = boto3.client("efs")
    system = efs.create_file_system(CreationToken="containers")["FileSystemId"]
    volume = {"name": "data", "efsVolumeConfiguration": {"fileSystemId": system}}
    mount = [{"sourceVolume": "data", "containerPath": "/data"}]

    reason = fails(container("true", mountPoints=mount), volumes=[volume])
    assert reason.startswith(
        "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: "
        f'Failed to resolve "{system}.efs.{settings.REGION}.amazonaws.com"'
    )
    targets = [
        efs.create_mount_target(FileSystemId=system, SubnetId=subnet["SubnetId"])["MountTargetId"]
        for subnet in subnets()[:2]
    ]
    arn = start(
        container("until cat /data/b; do sleep .1; done 2>/dev/null", mountPoints=mount), volumes=[volume], subnet=0
    )
    await_status(arn, "RUNNING")
    run(container("echo from-b >/data/b", mountPoints=mount), volumes=[volume], subnet=1)
    await_status(arn)
    assert output(arn) == ["from-b"]

    point = efs.create_access_point(
        ClientToken="containers",
        FileSystemId=system,
        PosixUser={"Uid": 1000, "Gid": 1000},
        RootDirectory={
            "Path": "/app/data",
            "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0755"},
        },
    )["AccessPointId"]
    config = {
        "fileSystemId": system,
        "transitEncryption": "ENABLED",
        "authorizationConfig": {"accessPointId": point},
    }
    part = {"name": "data", "efsVolumeConfiguration": config}
    made = container("ls /data | wc -l; stat -c %u /data; echo y >/data/y", user="1234", mountPoints=mount)
    assert run(made, volumes=[part]) == ["0", "1000"]
    assert run(container("cat /data/app/data/y", mountPoints=mount), volumes=[volume]) == ["y"]
    missing = {"name": "data", "efsVolumeConfiguration": {"fileSystemId": system, "rootDirectory": "/none"}}
    assert "No such file or directory" in fails(container("true", mountPoints=mount), volumes=[missing])

    for target in targets:
        efs.delete_mount_target(MountTargetId=target)
    efs.delete_access_point(AccessPointId=point)
    efs.delete_file_system(FileSystemId=system)
    held = docker.from_env().volumes.list(filters={"label": f"course.efs={system}@{settings.REGION}"})
    for part in sorted(held, key=lambda one: len(one.name), reverse=True):
        part.remove()
