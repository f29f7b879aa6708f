"""What stands around App Runner's services: configurations, connectors, connections, domains, tags, events, pushes."""

import json
from pathlib import Path

import boto3
import docker
import pytest
from app_runner_lab import client, from_image, get, last_operation, push, service, settled
from botocore.exceptions import ClientError
from cloud_lab import role, wait_until


@pytest.fixture(scope="module")
def web(local_aws: Path, web_image: str) -> str:
    """The name of an image in ECR that answers on port 8080."""
    return push(web_image, "settings-web", "1")


def test_revisions_and_the_default_of_auto_scaling_configurations(local_aws: Path) -> None:
    runner = client()
    default = runner.list_auto_scaling_configurations()["AutoScalingConfigurationSummaryList"][0]
    assert (default["AutoScalingConfigurationName"], default["IsDefault"]) == ("DefaultConfiguration", True)
    made = [
        runner.create_auto_scaling_configuration(AutoScalingConfigurationName="sizes", MaxSize=size)[
            "AutoScalingConfiguration"
        ]
        for size in (3, 4)
    ]
    assert [one["AutoScalingConfigurationRevision"] for one in made] == [1, 2]
    assert (made[0]["MaxConcurrency"], made[0]["MinSize"]) == (100, 1)
    arn = made[0]["AutoScalingConfigurationArn"]
    by_name = arn.rsplit("/", 2)[0]
    latest = runner.describe_auto_scaling_configuration(AutoScalingConfigurationArn=by_name)["AutoScalingConfiguration"]
    assert latest["MaxSize"] == 4
    first = runner.describe_auto_scaling_configuration(AutoScalingConfigurationArn=arn)["AutoScalingConfiguration"]
    assert (first["MaxSize"], first["Latest"]) == (3, False)
    runner.update_default_auto_scaling_configuration(AutoScalingConfigurationArn=arn)
    with pytest.raises(ClientError, match="InvalidRequestException"):
        runner.delete_auto_scaling_configuration(AutoScalingConfigurationArn=arn)
    runner.update_default_auto_scaling_configuration(AutoScalingConfigurationArn=default["AutoScalingConfigurationArn"])
    runner.delete_auto_scaling_configuration(AutoScalingConfigurationArn=by_name, DeleteAllRevisions=True)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        runner.describe_auto_scaling_configuration(AutoScalingConfigurationArn=arn)
    with pytest.raises(ClientError, match="InvalidRequestException"):
        runner.create_auto_scaling_configuration(AutoScalingConfigurationName="sizes", MinSize=5, MaxSize=4)


def test_connections_connectors_observability_and_tags(local_aws: Path) -> None:
    runner = client()
    connection = runner.create_connection(ConnectionName="source", ProviderType="GITHUB")["Connection"]
    assert [one["ConnectionName"] for one in runner.list_connections()["ConnectionSummaryList"]] == ["source"]
    runner.delete_connection(ConnectionArn=connection["ConnectionArn"])
    assert runner.list_connections()["ConnectionSummaryList"] == []
    subnets = [one["SubnetId"] for one in boto3.client("ec2").describe_subnets()["Subnets"][:2]]
    connector = runner.create_vpc_connector(
        VpcConnectorName="into", Subnets=subnets, Tags=[{"Key": "team", "Value": "a"}]
    )["VpcConnector"]
    arn = connector["VpcConnectorArn"]
    runner.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "cost", "Value": "1"}])
    runner.untag_resource(ResourceArn=arn, TagKeys=["cost"])
    assert runner.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "b"}]
    with pytest.raises(ClientError, match="InvalidRequestException"):
        runner.create_vpc_connector(VpcConnectorName="nowhere", Subnets=["subnet-0"])
    with pytest.raises(ClientError, match="reserved"):
        runner.tag_resource(ResourceArn=arn, Tags=[{"Key": "aws:cloudformation:stack-name", "Value": "mine"}])
    runner.delete_vpc_connector(VpcConnectorArn=arn)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        runner.list_tags_for_resource(ResourceArn=arn)
    traced = runner.create_observability_configuration(
        ObservabilityConfigurationName="traced", TraceConfiguration={"Vendor": "AWSXRAY"}
    )["ObservabilityConfiguration"]
    assert traced["ObservabilityConfigurationRevision"] == 1
    runner.delete_observability_configuration(ObservabilityConfigurationArn=traced["ObservabilityConfigurationArn"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"InstanceConfiguration": {"Cpu": "256", "Memory": "4096"}}, "combination"),
        (
            {"AutoScalingConfigurationArn": "arn:aws:apprunner:us-east-1:000000000000:autoscalingconfiguration/no"},
            "not",
        ),
        ({"port": "70000"}, "Port"),
        ({"variable": "PORT"}, "reserved"),
        ({"role": True}, "access role"),
        ({"image": "registry.example.org/web"}, "Image"),
    ],
)
def test_a_service_that_cannot_be_is_refused(local_aws: Path, change: dict, words: str) -> None:
    source = from_image(change.get("image", "127.0.0.1:4566/none:1"))
    if "image" not in change:
        uri = boto3.client("ecr").meta.endpoint_url.removeprefix("http://")
        source["ImageRepository"]["ImageIdentifier"] = f"{uri}/none:1"
    if "port" in change:
        source["ImageRepository"]["ImageConfiguration"]["Port"] = change["port"]
    if "variable" in change:
        source["ImageRepository"]["ImageConfiguration"]["RuntimeEnvironmentVariables"] = {change["variable"]: "1"}
    if "role" in change:
        source["AuthenticationConfiguration"]["AccessRoleArn"] = role("of-ecs")
    members = {key: value for key, value in change.items() if key[0].isupper()}
    with pytest.raises(ClientError, match=words):
        client().create_service(ServiceName="refused", SourceConfiguration=source, **members)
    assert client().list_services()["ServiceSummaryList"] == []


def test_a_push_deploys_and_events_tell_of_it(web: str, web_image: str) -> None:
    events, queue = boto3.client("events"), boto3.client("sqs")
    url = queue.create_queue(QueueName="app-runner")["QueueUrl"]
    arn = queue.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="app-runner", EventPattern=json.dumps({"source": ["aws.apprunner"]}))
    events.put_targets(Rule="app-runner", Targets=[{"Id": "1", "Arn": arn}])
    source = {**from_image(web), "AutoDeploymentsEnabled": True}
    with service("following", "", SourceConfiguration=source) as made:
        service_arn = made["ServiceArn"]
        client().associate_custom_domain(ServiceArn=service_arn, DomainName="example.org")
        domains = client().describe_custom_domains(ServiceArn=service_arn)["CustomDomains"]
        assert [one["DomainName"] for one in domains] == ["example.org"]
        before = get(made["ServiceUrl"])[1].split()[0]
        push("debian:bookworm-slim", "other", "1")  # of another repository: nothing happens
        push(_changed(web_image), "settings-web", "1")
        wait_until(lambda: last_operation(service_arn)["Type"] == "START_DEPLOYMENT", 10)
        assert settled(service_arn) == "RUNNING"
        assert last_operation(service_arn)["Status"] == "SUCCEEDED"
        wait_until(lambda: get(made["ServiceUrl"])[1].split()[0] != before)
    told: list[dict] = []

    def heard() -> set[str]:
        answer = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        told.extend(json.loads(one["Body"])["detail"] for one in answer.get("Messages", []))
        return {one["operationStatus"] for one in told if "operationStatus" in one}

    wanted = {"CreateServiceCompletedSuccessfully", "DeploymentStarted", "DeploymentCompletedSuccessfully"}
    wait_until(lambda: wanted <= heard(), 10)
    assert ("OPERATION_IN_PROGRESS", "RUNNING") in {
        (one.get("previousServiceStatus"), one.get("currentServiceStatus")) for one in told
    }


def _changed(image: str) -> str:
    """The image with one more label; its name."""
    engine = docker.from_env()
    container = engine.containers.create(image)
    container.commit("settings-web-changed", "2", changes="LABEL version=2")
    container.remove()
    return "settings-web-changed:2"
