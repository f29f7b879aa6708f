"""What roles and users may do: their policies hold for every service, and for what ECS does with a task's roles.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

import json
import uuid
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cloud_lab import CLUSTER, network, role, wait_until

from labs import settings
from labs.cloud import server

pytestmark = pytest.mark.usefixtures("local_aws")
ACCOUNT, REGION = settings.ACCOUNT, settings.REGION


def fresh(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def allow(actions: str | list[str], resources: str | list[str], effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Action": actions, "Resource": resources}


def session(arn: str) -> Callable[[str], Any]:
    """boto3 clients with a role's credentials."""
    given = boto3.client("sts").assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
    keys = {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }
    return lambda service: boto3.client(service, **keys)


def denied(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def words(name: str, action: str, resource: str, why: str = "") -> str:
    who = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/me"
    why = why or f"because no identity-based policy allows the {action} action"
    return f"User: {who} is not authorized to perform: {action} on resource: {resource} {why}"


def test_a_role_may_send_to_one_queue_and_not_to_another() -> None:
    sqs = boto3.client("sqs")
    mine, other = (sqs.create_queue(QueueName=fresh(name))["QueueUrl"] for name in ("mine", "other"))
    mine_arn, other_arn = (f"arn:aws:sqs:{REGION}:{ACCOUNT}:{url.rpartition('/')[2]}" for url in (mine, other))
    name = fresh("sender")
    client = session(role(name, statements=[allow("sqs:Send*", mine_arn)]))("sqs")
    client.send_message(QueueUrl=mine, MessageBody="x")
    code, said = denied(client.send_message, QueueUrl=other, MessageBody="x")
    assert (code, said) == ("AccessDeniedException", words(name, "sqs:SendMessage", other_arn))
    assert denied(client.receive_message, QueueUrl=mine)[1] == words(name, "sqs:ReceiveMessage", mine_arn)
    assert "Messages" not in sqs.receive_message(QueueUrl=other)


def test_services_of_ours_ask_too() -> None:
    name = fresh("watcher")
    client = session(role(name, statements=[allow("ecs:ListClusters", "*")]))("ecs")
    assert "clusterArns" in client.list_clusters()
    code, said = denied(client.create_cluster, clusterName=fresh("never"))
    assert (code, said) == ("AccessDeniedException", words(name, "ecs:CreateCluster", "*"))
    balancers = session(role(name))("elbv2")
    assert denied(balancers.describe_load_balancers)[0] == "AccessDenied"


def test_a_deny_wins_and_a_change_counts_at_once() -> None:
    name = fresh("denied")
    arn = role(name, statements=[allow("s3:*", "*"), allow("s3:DeleteBucket", "*", "Deny")])
    s3, bucket = session(arn)("s3"), fresh("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 3_000_000)
    assert s3.get_object(Bucket=bucket, Key="k")["ContentLength"] == 3_000_000
    code, said = denied(s3.delete_bucket, Bucket=bucket)
    why = "with an explicit deny in an identity-based policy"
    assert (code, said) == ("AccessDenied", words(name, "s3:DeleteBucket", f"arn:aws:s3:::{bucket}", why))
    role(name, statements=[allow("s3:ListBucket", "*")])
    assert denied(s3.get_object, Bucket=bucket, Key="k")[0] == "AccessDenied"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_a_secret_asked_for_by_its_name_is_the_one_of_its_arn() -> None:
    manager, name = boto3.client("secretsmanager"), fresh("password")
    arn = manager.create_secret(Name=name, SecretString="s")["ARN"]
    client = session(role(fresh("reader"), statements=[allow("secretsmanager:GetSecretValue", arn)]))("secretsmanager")
    assert client.get_secret_value(SecretId=name)["SecretString"] == "s"
    other = fresh("other")
    manager.create_secret(Name=other, SecretString="s")
    assert denied(client.get_secret_value, SecretId=other)[0] == "AccessDeniedException"


def test_a_user_has_the_policies_of_its_groups() -> None:
    iam, name = boto3.client("iam"), fresh("user")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    ecs = boto3.client("ecs", **keys)
    code, said = denied(ecs.list_clusters)
    assert code == "AccessDeniedException"
    assert said.startswith(f"User: arn:aws:iam::{ACCOUNT}:user/{name} is not authorized to perform: ecs:ListClusters")
    iam.create_group(GroupName=name)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow("ecs:List*", "*")]})
    iam.put_group_policy(GroupName=name, PolicyName="lists", PolicyDocument=policy)
    iam.add_user_to_group(GroupName=name, UserName=name)
    assert "clusterArns" in ecs.list_clusters()


@pytest.mark.parametrize("key", ["test", "000000000000", "AKIAZ7NOBODYHASTHIS"])
def test_a_key_that_nobody_has_is_the_roots(key: str) -> None:
    assert "clusterArns" in boto3.client("ecs", aws_access_key_id=key, aws_secret_access_key=key).list_clusters()


def test_a_roles_key_is_known_after_a_kill() -> None:
    name = fresh("kept")
    client = session(role(name))("ecs")
    assert denied(client.list_clusters)[0] == "AccessDeniedException"
    server.stop()
    server.ensure_running()
    role(name)
    assert denied(client.list_clusters)[0] == "AccessDeniedException"


# --- a task's roles ---------------------------------------------------------------------------------------------------


def stopped(container: dict[str, Any], **definition: Any) -> str:
    """Why a task with this container does not start."""
    ecs, family = boto3.client("ecs"), fresh("roles")
    ecs.create_cluster(clusterName=CLUSTER)
    ecs.register_task_definition(
        family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[{"name": "main", "image": settings.BASE_IMAGE, "command": ["true"], **container}],
        **definition,
    )  # fmt: skip
    answer = ecs.run_task(cluster=CLUSTER, taskDefinition=family, launchType="FARGATE", networkConfiguration=network())
    arn = answer["tasks"][0]["taskArn"]

    def task() -> dict[str, Any]:
        return ecs.describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"][0]

    wait_until(lambda: task()["lastStatus"] == "STOPPED", 60)
    found = task()
    assert found["stopCode"] == "TaskFailedToStart", found
    return found["stoppedReason"]


@pytest.mark.parametrize("member", ["taskRoleArn", "executionRoleArn"])
def test_a_role_that_does_not_trust_ecs_or_is_missing(member: str) -> None:
    for arn in (role(fresh("foreign"), trust="ec2.amazonaws.com"), f"arn:aws:iam::{ACCOUNT}:role/{fresh('missing')}"):
        assert stopped({}, **{member: arn}).startswith(f"ECS was unable to assume the role '{arn}' that was provided")


LOGS = {"logDriver": "awslogs", "options": {"awslogs-group": "/roles", "awslogs-region": REGION,
                                            "awslogs-stream-prefix": "x"}}  # fmt: skip


@pytest.mark.parametrize(
    ("container", "begin", "action"),
    [
        (
            {"secrets": [{"name": "A", "valueFrom": "/roles/parameter"}]},
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
            "failed: unable to retrieve secrets from ssm",
            "ssm:GetParameters",
        ),
        (
            {"secrets": [{"name": "A", "valueFrom": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:x-123456:k::"}]},
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
            "failed: unable to retrieve secret from asm",
            "secretsmanager:GetSecretValue",
        ),
        (
            {"logConfiguration": LOGS},
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times",
            "logs:CreateLogStream",
        ),
        (
            {"image": f"127.0.0.1:{{port}}/{REGION}/app:1"},
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
            "failed: unable to retrieve ecr registry auth",
            "ecr:GetAuthorizationToken",
        ),
    ],
)
def test_what_the_execution_role_may_not_do_stops_the_task(container: dict[str, Any], begin: str, action: str) -> None:
    boto3.client("ssm").put_parameter(Name="/roles/parameter", Value="x", Type="String", Overwrite=True)
    name = fresh("execution")
    if "image" in container:
        container = {"image": container["image"].format(port=settings.gateway_port())}
    said = stopped(container, executionRoleArn=role(name))
    assert said.startswith(begin), said
    assert f":assumed-role/{name}/" in said
    assert f"is not authorized to perform: {action} on resource: " in said


def test_an_image_of_ecr_that_the_execution_role_may_not_pull() -> None:
    repository = fresh("private")
    uri = boto3.client("ecr").create_repository(repositoryName=repository)["repository"]["repositoryUri"]
    arn = role(fresh("execution"), statements=[allow("ecr:GetAuthorizationToken", "*")])
    said = stopped({"image": f"{uri}:1"}, executionRoleArn=arn)
    assert said.startswith("CannotPullContainerError: pull image manifest has been retried 1 time(s)"), said
    assert f":repository/{repository} because no identity-based policy allows the ecr:BatchCheckLayer" in said
