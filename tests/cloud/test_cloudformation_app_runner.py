"""App Runner in CloudFormation: a stack makes the service in ours, follows its operations, and takes it away.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_AppRunner.html
"""

from pathlib import Path
from typing import Any

import pytest
from app_runner_lab import INSTANT, access_role, client, get, status, web
from botocore.exceptions import ClientError
from cloud_lab import network
from formation_lab import body, create, delete, events, formation, outputs, physical, settled, unique, update


@pytest.fixture(scope="module")
def images(local_aws: Path) -> dict[str, str]:
    return {version: web(version) for version in ("one", "two", "broken")}


def template(image: str, most: int = 2) -> str:
    """A service with a configuration and a connector of its own."""
    source = {
        "ImageRepository": {
            "ImageIdentifier": image,
            "ImageRepositoryType": "ECR",
            "ImageConfiguration": {
                "Port": "8080",
                "RuntimeEnvironmentVariables": [{"Name": "GREETING", "Value": "hello"}],
            },
        },
        "AuthenticationConfiguration": {"AccessRoleArn": access_role()},
        "AutoDeploymentsEnabled": False,
    }
    connected = {"EgressType": "VPC", "VpcConnectorArn": {"Fn::GetAtt": ["Connector", "VpcConnectorArn"]}}
    resources: dict[str, dict[str, Any]] = {
        "Service": {
            "Type": "AWS::AppRunner::Service",
            "Properties": {
                "SourceConfiguration": source,
                "InstanceConfiguration": {"Cpu": "256", "Memory": "512"},
                "HealthCheckConfiguration": INSTANT,
                "AutoScalingConfigurationArn": {"Fn::GetAtt": ["Scaling", "AutoScalingConfigurationArn"]},
                "NetworkConfiguration": {"EgressConfiguration": connected},
                "Tags": [{"Key": "team", "Value": "web"}],
            },
        },
        "Scaling": {
            "Type": "AWS::AppRunner::AutoScalingConfiguration",
            "Properties": {"MaxConcurrency": 10, "MinSize": 1, "MaxSize": most},
        },
        "Connector": {
            "Type": "AWS::AppRunner::VpcConnector",
            "Properties": {"Subnets": network()["awsvpcConfiguration"]["subnets"]},
        },
    }
    shown = {"Url": {"Value": {"Fn::GetAtt": ["Service", "ServiceUrl"]}}}
    return body(resources, Outputs=shown)


def test_a_stack_makes_updates_and_deletes_a_service(images: dict[str, str]) -> None:
    name = unique("run")
    create(name, template(images["one"]))
    arn, url = physical(name, "Service"), outputs(name)["Url"]
    found = client().describe_service(ServiceArn=arn)["Service"]
    assert found["ServiceUrl"] == url
    assert get(url)[1].split()[1] == "one"
    assert get(url, "/env/GREETING")[1].split()[1] == "hello"
    assert found["AutoScalingConfigurationSummary"]["AutoScalingConfigurationArn"] == physical(name, "Scaling")
    assert found["NetworkConfiguration"]["EgressConfiguration"]["VpcConnectorArn"] == physical(name, "Connector")
    tags = client().list_tags_for_resource(ResourceArn=arn)["Tags"]
    assert {"Key": "team", "Value": "web"} in tags
    first = physical(name, "Scaling")
    update(name, template(images["two"], most=3))
    assert physical(name, "Service") == arn
    assert get(url)[1].split()[1] == "two"
    assert physical(name, "Scaling") != first  # a configuration is never changed, only replaced
    scaling = client().describe_service(ServiceArn=arn)["Service"]["AutoScalingConfigurationSummary"]
    assert scaling["AutoScalingConfigurationArn"] == physical(name, "Scaling")
    delete(name)
    assert status(arn) == "DELETED"
    assert not client().list_vpc_connectors()["VpcConnectors"]
    with pytest.raises(ClientError, match=r"ResourceNotFoundException|InvalidRequestException"):
        client().describe_auto_scaling_configuration(AutoScalingConfigurationArn=first)


def test_a_service_that_never_works_fails_its_stack(images: dict[str, str]) -> None:
    name = unique("failing")
    formation().create_stack(StackName=name, TemplateBody=template(images["broken"]))
    assert settled(name, 90)["StackStatus"] == "ROLLBACK_COMPLETE"
    (reason,) = [text for logical, state, text in events(name) if (logical, state) == ("Service", "CREATE_FAILED")]
    assert "NotStabilized" in reason
    assert not client().list_services()["ServiceSummaryList"]
    delete(name)
