"""App Runner's services from an image: they run, answer at their URL, change without a failed request, and go.

https://docs.aws.amazon.com/apprunner/latest/dg/manage.html
"""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from app_runner_lab import (
    client,
    containers_of,
    create,
    from_image,
    get,
    last_operation,
    service,
    settled,
    status,
    web,
)
from botocore.exceptions import ClientError
from cloud_lab import CLUSTER, network, ours, register, role, run_task, wait_until

from labs.cloud import server

VERSIONS = ("one", "two", "broken", "deaf")


@pytest.fixture(scope="module")
def images(local_aws: Path) -> dict[str, str]:
    """The names of images in ECR, by the version that they answer with."""
    return {version: web(version) for version in VERSIONS}


@contextmanager
def asking(url: str) -> Iterator[Counter[str]]:
    """Requests one after another, by what was answered: a version, or the status of a failure."""
    seen: Counter[str] = Counter()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            code, text = get(url)
            seen[text.split()[1] if code == 200 else str(code)] += 1

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield seen
    finally:
        over.set()
        asker.join()


def test_a_service_answers_until_it_is_deleted(images: dict[str, str]) -> None:
    with service("first", images["one"]) as made:
        arn, url = made["ServiceArn"], made["ServiceUrl"]
        assert made["Status"] == "OPERATION_IN_PROGRESS"
        assert url.endswith(".us-east-1.awsapprunner.localhost")
        name, version = get(url)[1].split()
        assert version == "one"
        assert name == containers_of(arn)[0].attrs["Config"]["Hostname"]
        operation = last_operation(arn)
        assert (operation["Type"], operation["Status"]) == ("CREATE_SERVICE", "SUCCEEDED")
        assert operation["StartedAt"] <= operation["EndedAt"]
        assert arn in [one["ServiceArn"] for one in client().list_services()["ServiceSummaryList"]]
    assert status(arn) == "DELETED"
    assert get(url)[0] == 404
    assert arn not in [one["ServiceArn"] for one in client().list_services()["ServiceSummaryList"]]
    assert ours("app-runner") == ours("app-runner-instance") == []


def test_updates_roll_forward_and_back_without_a_failed_request(images: dict[str, str]) -> None:
    with service("rolling", images["one"]) as made:
        arn, url = made["ServiceArn"], made["ServiceUrl"]
        with asking(url) as seen:
            client().update_service(ServiceArn=arn, SourceConfiguration=from_image(images["two"]))
            with pytest.raises(ClientError, match="InvalidStateException"):
                client().pause_service(ServiceArn=arn)
            assert settled(arn) == "RUNNING"
            assert last_operation(arn)["Status"] == "SUCCEEDED"
            wait_until(lambda: get(url)[1].split()[1] == "two")
            for bad in ("broken", "deaf"):
                client().update_service(ServiceArn=arn, SourceConfiguration=from_image(images[bad]))
                assert settled(arn) == "RUNNING"
                assert last_operation(arn)["Status"] == "ROLLBACK_SUCCEEDED"
        assert set(seen) == {"one", "two"}
        kept = client().describe_service(ServiceArn=arn)["Service"]["SourceConfiguration"]["ImageRepository"]
        assert kept["ImageIdentifier"] == images["two"]


def test_a_service_that_never_works_fails_and_can_be_built_anew(images: dict[str, str]) -> None:
    made = create("failing", images["broken"])
    arn = made["ServiceArn"]
    assert settled(arn) == "CREATE_FAILED"
    assert last_operation(arn)["Status"] == "FAILED"
    said = messages(made, "service")
    assert any("failed" in one for one in said), said
    client().update_service(ServiceArn=arn, SourceConfiguration=from_image(images["one"]))
    assert settled(arn) == "RUNNING"
    assert get(made["ServiceUrl"])[1].split()[1] == "one"
    client().delete_service(ServiceArn=arn)
    assert settled(arn) == "DELETED"


def test_a_paused_service_has_no_instance_and_comes_back(images: dict[str, str]) -> None:
    with service("pausing", images["one"]) as made:
        arn = made["ServiceArn"]
        client().pause_service(ServiceArn=arn)
        assert settled(arn) == "PAUSED"
        assert containers_of(arn) == []
        assert get(made["ServiceUrl"])[0] == 404
        with pytest.raises(ClientError, match="InvalidStateException"):
            client().start_deployment(ServiceArn=arn)
        client().resume_service(ServiceArn=arn)
        assert settled(arn) == "RUNNING"
        assert get(made["ServiceUrl"])[1].split()[1] == "one"
        types = [one["Type"] for one in client().list_operations(ServiceArn=arn)["OperationSummaryList"]]
        assert types == ["RESUME_SERVICE", "PAUSE_SERVICE", "CREATE_SERVICE"]


def test_a_service_has_its_variables_secrets_role_limits_and_logs(images: dict[str, str]) -> None:
    boto3.client("ssm").put_parameter(Name="/colour", Value="blue", Type="SecureString")
    secret = boto3.client("secretsmanager").create_secret(Name="login", SecretString=json.dumps({"user": "ann"}))["ARN"]
    own = role("apprunner-instance", trust="tasks.apprunner.amazonaws.com")
    source = from_image(
        images["one"],
        Port="9090",
        RuntimeEnvironmentVariables={"GREETING": "hello"},
        RuntimeEnvironmentSecrets={"COLOUR": "/colour", "LOGIN": f"{secret}:user::"},
    )
    sizes = {"Cpu": "0.5 vCPU", "Memory": "1 GB", "InstanceRoleArn": own}
    with service("whole", "", SourceConfiguration=source, InstanceConfiguration=sizes) as made:
        url = made["ServiceUrl"]
        said = {name: get(url, f"/env/{name}")[1].split()[1] for name in ("GREETING", "COLOUR", "LOGIN", "PORT")}
        assert said == {"GREETING": "hello", "COLOUR": "blue", "LOGIN": "ann", "PORT": "9090"}
        credentials = json.loads(get(url, "/credentials")[1].partition(" ")[2])
        assert credentials["RoleArn"] == own
        session = boto3.Session(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["Token"])
        assert "apprunner-instance" in session.client("sts").get_caller_identity()["Arn"]
        host = containers_of(made["ServiceArn"])[0].attrs["HostConfig"]
        assert (host["NanoCpus"], host["Memory"]) == (500_000_000, 1024**3)
        wait_until(lambda: "this is version one" in messages(made, "application"))
        assert made["InstanceConfiguration"]["Cpu"] == "512"


def test_a_health_check_over_http_decides(images: dict[str, str]) -> None:
    checks = {"Protocol": "HTTP", "Path": "/status/204", "Interval": 1, "Timeout": 1, "UnhealthyThreshold": 1}
    with service("checked", images["one"], HealthCheckConfiguration=checks) as made:
        arn = made["ServiceArn"]
        client().update_service(ServiceArn=arn, HealthCheckConfiguration={**checks, "Path": "/status/500"})
        assert settled(arn) == "RUNNING"
        assert last_operation(arn)["Status"] == "ROLLBACK_SUCCEEDED"
        assert client().describe_service(ServiceArn=arn)["Service"]["HealthCheckConfiguration"]["Path"] == "/status/204"
        assert get(made["ServiceUrl"])[1].split()[1] == "one"


def test_a_connector_leads_into_the_vpc_and_nothing_else_does(images: dict[str, str]) -> None:
    register("database", images["two"], environment=[{"name": "PORT", "value": "8080"}])
    ecs, task = boto3.client("ecs"), run_task("database")
    found = ecs.describe_tasks(cluster=CLUSTER, tasks=[task])["tasks"][0]
    address = found["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    connector = client().create_vpc_connector(
        VpcConnectorName="database", Subnets=network()["awsvpcConfiguration"]["subnets"]
    )["VpcConnector"]["VpcConnectorArn"]
    with service("outside", images["one"]) as made:
        arn, url = made["ServiceArn"], made["ServiceUrl"]
        assert "no way" in get(url, f"/from/{address}")[1]
        egress = {"EgressType": "VPC", "VpcConnectorArn": connector}
        client().update_service(ServiceArn=arn, NetworkConfiguration={"EgressConfiguration": egress})
        assert settled(arn) == "RUNNING"
        wait_until(lambda: get(url, f"/from/{address}")[1].split()[-1] == "two")
        with pytest.raises(ClientError, match="InvalidRequestException"):
            client().delete_vpc_connector(VpcConnectorArn=connector)
    client().delete_vpc_connector(VpcConnectorArn=connector)
    ecs.stop_task(cluster=CLUSTER, task=task)
    ecs.get_waiter("tasks_stopped").wait(cluster=CLUSTER, tasks=[task], WaiterConfig={"Delay": 1})


def test_a_private_service_has_no_public_address(images: dict[str, str]) -> None:
    ec2 = boto3.client("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.apprunner.requests", VpcEndpointType="Interface"
    )["VpcEndpoint"]["VpcEndpointId"]
    private = {"IngressConfiguration": {"IsPubliclyAccessible": False}}
    with service("private", images["one"], NetworkConfiguration=private) as made:
        code, said = get(made["ServiceUrl"])
        assert (code, "private" in said) == (404, True)
        place = {"VpcId": vpc, "VpcEndpointId": endpoint}
        connection = client().create_vpc_ingress_connection(
            ServiceArn=made["ServiceArn"], VpcIngressConnectionName="entry", IngressVpcConfiguration=place
        )["VpcIngressConnection"]
        assert connection["Status"] == "AVAILABLE"
        listed = client().list_vpc_ingress_connections(Filter={"ServiceArn": made["ServiceArn"]})
        assert [one["VpcIngressConnectionArn"] for one in listed["VpcIngressConnectionSummaryList"]] == [
            connection["VpcIngressConnectionArn"]
        ]
        with pytest.raises(ClientError, match="InvalidRequestException"):
            client().create_vpc_ingress_connection(
                ServiceArn=made["ServiceArn"],
                VpcIngressConnectionName="nowhere",
                IngressVpcConfiguration={**place, "VpcEndpointId": "vpce-0"},
            )
        client().delete_vpc_ingress_connection(VpcIngressConnectionArn=connection["VpcIngressConnectionArn"])
        public = {"IngressConfiguration": {"IsPubliclyAccessible": True}}
        client().update_service(ServiceArn=made["ServiceArn"], NetworkConfiguration=public)
        assert settled(made["ServiceArn"]) == "RUNNING"
        assert get(made["ServiceUrl"])[1].split()[1] == "one"


def test_instances_follow_the_requests(images: dict[str, str]) -> None:
    configuration = client().create_auto_scaling_configuration(
        AutoScalingConfigurationName="small", MaxConcurrency=2, MinSize=1, MaxSize=3
    )["AutoScalingConfiguration"]
    arn = configuration["AutoScalingConfigurationArn"]
    with service("scaling", images["one"], AutoScalingConfigurationArn=arn) as made:
        with ThreadPoolExecutor(8) as pool:
            over = time.monotonic() + 12
            asked = [pool.submit(_ask_until, made["ServiceUrl"], over) for _ in range(8)]
            wait_until(lambda: len(containers_of(made["ServiceArn"])) == 3, 12)
            names = {one for future in asked for one in future.result()}
        assert len(names) == 3
        wait_until(lambda: len(containers_of(made["ServiceArn"])) == 1, 60)
        assert client().list_services_for_auto_scaling_configuration(AutoScalingConfigurationArn=arn)[
            "ServiceArnList"
        ] == [made["ServiceArn"]]
        found = boto3.client("cloudwatch").list_metrics(Namespace="AWS/AppRunner")["Metrics"]
        assert {"Requests", "ActiveInstances", "Concurrency"} <= {one["MetricName"] for one in found}


def test_what_is_lost_comes_back_and_a_killed_gateway_finds_its_service(images: dict[str, str]) -> None:
    with service("lasting", images["one"]) as made:
        arn, url = made["ServiceArn"], made["ServiceUrl"]
        lost = containers_of(arn)[0]
        lost.remove(force=True)
        wait_until(lambda: containers_of(arn) and get(url)[0] == 200, 10)
        before = containers_of(arn)[0].id
        os.kill(server.health()["pid"], 9)
        server.ensure_running()
        wait_until(lambda: get(url)[0] == 200, 10)
        assert [one.id for one in containers_of(arn)] == [before]


def _ask_until(url: str, over: float) -> set[str]:
    """The names of the instances that answer slow requests until some time."""
    found = set()
    while time.monotonic() < over:
        code, text = get(url, "/slow")
        assert code == 200, text
        found.add(text.split()[0])
    return found


def messages(made: dict, which: str) -> list[str]:
    """What is in a log group of a service."""
    group = f"/aws/apprunner/{made['ServiceName']}/{made['ServiceId']}/{which}"
    try:
        return [one["message"] for one in boto3.client("logs").filter_log_events(logGroupName=group)["events"]]
    except ClientError:
        return []
