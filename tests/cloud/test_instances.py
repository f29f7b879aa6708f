"""EC2 instances of ECS-optimized AMIs join their cluster, or do not, and leave it again.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/launch_container_instance.html
"""

import base64
import ipaddress
import json
import os
from collections.abc import Iterator

import boto3
import docker
import pytest
from botocore.exceptions import ClientError
from cloud_lab import CLUSTER, wait_until
from instances_lab import PARAMETER, PROFILE, address, ami, joined, launch, machine, profile, registered, terminate

from labs.cloud import server

CONFIG = 'ECS_INSTANCE_ATTRIBUTES={"stack": "prod"}\nECS_CONTAINER_INSTANCE_TAGS={"team": "blue"}'


@pytest.fixture(scope="module")
def cluster(local_aws: object) -> str:
    boto3.client("ecs").create_cluster(clusterName=CLUSTER)
    profile()
    return CLUSTER


@pytest.fixture(scope="module")
def one(cluster: str) -> Iterator[str]:
    """An instance that has joined."""
    (instance,) = launch(config=CONFIG)
    joined([instance])
    yield instance
    terminate(instance)


def described(instance: str) -> dict:
    return next(found for found in registered() if found["ec2InstanceId"] == instance)


def log(instance: str) -> str:
    return machine(instance).logs().decode()


def test_the_ami_is_found_by_its_public_parameter(local_aws: object) -> None:
    ssm = boto3.client("ssm")
    whole = json.loads(ssm.get_parameter(Name=PARAMETER.removesuffix("/image_id"))["Parameter"]["Value"])
    assert whole["image_id"] == ami()
    names = [PARAMETER, PARAMETER.replace("2023", "2"), "/course/none"]
    several = ssm.get_parameters(Names=names)
    assert len({found["Value"] for found in several["Parameters"]}) == 2
    assert several["InvalidParameters"] == ["/course/none"]
    path = ssm.get_parameters_by_path(Path="/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended")
    assert PARAMETER in [found["Name"] for found in path["Parameters"]]
    with pytest.raises(ClientError, match="ParameterNotFound"):
        ssm.get_parameter(Name="/aws/service/ecs/optimized-ami/none/recommended")


def test_an_instance_joins_with_what_its_type_has(one: str) -> None:
    found = described(one)
    resources = {each["name"]: each for each in found["registeredResources"]}
    assert resources["CPU"]["integerValue"] == 2048
    assert 1800 < resources["MEMORY"]["integerValue"] < 2048
    assert "51678" in resources["PORTS"]["stringSetValue"]
    assert found["status"] == "ACTIVE"
    attributes = {each["name"]: each.get("value") for each in found["attributes"]}
    assert attributes["ecs.instance-type"] == "t3.small"
    assert attributes["ecs.ami-id"] == ami()
    assert attributes["stack"] == "prod"
    assert found["versionInfo"]["agentVersion"]
    ecs = boto3.client("ecs")
    tags = ecs.describe_container_instances(
        cluster=CLUSTER, containerInstances=[found["containerInstanceArn"]], include=["TAGS"]
    )["containerInstances"][0]["tags"]
    assert tags == [{"key": "team", "value": "blue"}]
    assert ecs.describe_clusters(clusters=[CLUSTER])["clusters"][0]["registeredContainerInstancesCount"] == 1


def test_its_address_and_zone_are_those_of_its_subnet(one: str) -> None:
    ec2 = boto3.client("ec2")
    found = ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]
    subnet = ec2.describe_subnets(SubnetIds=[found["SubnetId"]])["Subnets"][0]
    assert ipaddress.ip_address(found["PrivateIpAddress"]) in ipaddress.ip_network(subnet["CidrBlock"])
    assert found["Placement"]["AvailabilityZone"] == subnet["AvailabilityZone"]
    own = {network["IPAddress"] for network in machine(one).attrs["NetworkSettings"]["Networks"].values()}
    assert address(one) in own


def test_user_data_can_be_read_back(one: str) -> None:
    answer = boto3.client("ec2").describe_instance_attribute(InstanceId=one, Attribute="userData")
    assert answer["UserData"]["Value"]


def test_lists_by_filter_and_status(one: str) -> None:
    ecs = boto3.client("ecs")

    def listed(**more: str) -> int:
        return len(ecs.list_container_instances(cluster=CLUSTER, **more)["containerInstanceArns"])

    assert listed(filter="attribute:ecs.instance-type =~ t3.* and attribute:stack == prod") == 1
    assert listed(filter="attribute:stack == test") == 0
    assert listed(filter=f"ec2InstanceId == {one}", status="ACTIVE") == 1
    assert listed(status="DRAINING") == 0
    with pytest.raises(ClientError, match="Invalid filter expression"):
        listed(filter="color == red")


def test_custom_attributes_belong_to_the_instance(one: str) -> None:
    ecs, arn = boto3.client("ecs"), described(one)["containerInstanceArn"]
    ecs.put_attributes(cluster=CLUSTER, attributes=[{"name": "disk", "value": "fast", "targetId": arn}])
    assert {"name": "disk", "value": "fast"} in described(one)["attributes"]
    found = ecs.list_container_instances(cluster=CLUSTER, filter="attribute:disk == fast")
    assert found["containerInstanceArns"] == [arn]
    ecs.delete_attributes(cluster=CLUSTER, attributes=[{"name": "disk", "targetId": arn}])
    assert "disk" not in [each["name"] for each in described(one)["attributes"]]


def test_an_agent_that_is_stopped_is_disconnected_and_comes_back(one: str) -> None:
    arn = described(one)["containerInstanceArn"]
    assert machine(one).exec_run(["systemctl", "stop", "ecs"]).exit_code == 0
    wait_until(lambda: not described(one)["agentConnected"], 30)
    machine(one).exec_run(["systemctl", "start", "ecs"])
    wait_until(lambda: described(one)["agentConnected"], 30)
    assert described(one)["containerInstanceArn"] == arn


def test_an_agent_that_is_killed_is_started_again(one: str) -> None:
    before = machine(one).exec_run(["cat", "/run/ecs-agent.pid"]).output
    machine(one).exec_run(["sh", "-c", "kill -9 $(cat /run/ecs-agent.pid)"])
    wait_until(lambda: machine(one).exec_run(["cat", "/run/ecs-agent.pid"]).output != before)
    wait_until(lambda: "Registration completed" in log(one).rpartition("the agent has ended")[2])
    assert described(one)["agentConnected"]


def test_an_instance_whose_container_is_removed_is_booted_again(one: str) -> None:
    arn, gone = described(one)["containerInstanceArn"], machine(one)
    gone.remove(force=True, v=True)
    wait_until(lambda: instance_runs(one) and machine(one).id != gone.id)
    wait_until(lambda: "Registration completed" in log(one) and described(one)["agentConnected"], 30)
    assert described(one)["containerInstanceArn"] == arn


def test_a_kill_of_the_gateway_loses_nothing(one: str) -> None:
    before, container = described(one), machine(one).id
    os.kill(server.health()["pid"], 9)
    assert server.ensure_running().how == "recovered"
    after = described(one)
    assert after["containerInstanceArn"] == before["containerInstanceArn"]
    wait_until(lambda: described(one)["agentConnected"], 30)
    assert machine(one).id == container


def test_a_stopped_instance_keeps_its_registration(one: str) -> None:
    ec2, arn = boto3.client("ec2"), described(one)["containerInstanceArn"]
    ec2.stop_instances(InstanceIds=[one])
    wait_until(lambda: not described(one)["agentConnected"])
    assert described(one)["status"] == "ACTIVE"
    ec2.start_instances(InstanceIds=[one])
    wait_until(lambda: described(one)["agentConnected"], 30)
    assert described(one)["containerInstanceArn"] == arn


def test_without_an_instance_profile_it_never_joins(cluster: str) -> None:
    (instance,) = launch(IamInstanceProfile=None)
    wait_until(lambda: instance_runs(instance) and "NoCredentialProviders" in log(instance))
    assert instance not in [found["ec2InstanceId"] for found in registered()]
    terminate(instance)


def test_a_role_without_the_permission_is_told_so(cluster: str) -> None:
    name = profile("weak", policy=None)
    (instance,) = launch(IamInstanceProfile={"Name": name})
    words = "is not authorized to perform: ecs:RegisterContainerInstance on resource"
    wait_until(lambda: instance_runs(instance) and words in log(instance))
    assert f"assumed-role/weak/{instance}" in log(instance)
    statement = {"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}
    boto3.client("iam").put_role_policy(
        RoleName=name, PolicyName="more", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    joined([instance])
    terminate(instance)


def test_an_unknown_cluster_is_told_and_made_later(cluster: str) -> None:
    (instance,) = launch(cluster="later")
    wait_until(lambda: instance_runs(instance) and "Cluster not found" in log(instance))
    boto3.client("ecs").create_cluster(clusterName="later")
    joined([instance], "later")
    terminate(instance)
    wait_until(lambda: not registered("later"))
    ecs = boto3.client("ecs")
    gone = ecs.list_container_instances(cluster="later", status="ACTIVE")["containerInstanceArns"]
    assert gone == []


def test_nobody_can_pretend_to_be_an_instance(one: str) -> None:
    document = json.dumps({"instanceId": one, "privateIp": "10.0.0.1"})
    with pytest.raises(ClientError, match="signature is invalid"):
        boto3.client("ecs").register_container_instance(
            cluster=CLUSTER, instanceIdentityDocument=document, instanceIdentityDocumentSignature="0" * 64
        )
    assert len(registered()) == 1


def test_other_images_stay_the_backends(cluster: str) -> None:
    answer = boto3.client("ec2").run_instances(ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)
    instance = answer["Instances"][0]["InstanceId"]
    later = launch()
    joined(later)  # by now the other one would have been booted too
    assert not instance_runs(instance)
    terminate(instance, *later)


def test_a_launch_template_says_what_the_request_does_not(cluster: str) -> None:
    ec2 = boto3.client("ec2")
    script = base64.b64encode(f"#!/bin/bash\necho ECS_CLUSTER={CLUSTER} >> /etc/ecs/ecs.config".encode()).decode()
    role = {"Name": PROFILE}
    data = {"ImageId": ami(), "InstanceType": "t3.micro", "UserData": script, "IamInstanceProfile": role}
    ec2.create_launch_template(LaunchTemplateName="node", LaunchTemplateData=data)
    answer = ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "node"}, MinCount=1, MaxCount=1)
    instance = answer["Instances"][0]["InstanceId"]
    (found,) = joined([instance])
    attributes = {each["name"]: each.get("value") for each in found["attributes"]}
    assert attributes["ecs.instance-type"] == "t3.micro"
    terminate(instance)


def test_deregistering_needs_force_only_with_tasks(cluster: str) -> None:
    (instance,) = launch()
    (found,) = joined([instance])
    ecs = boto3.client("ecs")
    answer = ecs.deregister_container_instance(cluster=CLUSTER, containerInstance=found["containerInstanceArn"])
    assert answer["containerInstance"]["status"] == "INACTIVE"
    wait_until(lambda: "Container instance is deregistered" in log(instance))
    assert instance not in [one["ec2InstanceId"] for one in registered()]
    machine(instance).exec_run(["sh", "-c", "kill $(cat /run/ecs-agent.pid)"])
    (again,) = joined([instance])
    assert again["containerInstanceArn"] != found["containerInstanceArn"]
    with pytest.raises(ClientError, match="was not found"):
        ecs.deregister_container_instance(cluster=CLUSTER, containerInstance=found["containerInstanceArn"])
    terminate(instance)


def test_there_is_a_limit_of_instances(cluster: str) -> None:
    with pytest.raises(ClientError, match="InstanceLimitExceeded"):
        launch(21)


def test_an_agent_is_up_to_date(one: str) -> None:
    with pytest.raises(ClientError, match="NoUpdateAvailableException"):
        boto3.client("ecs").update_container_agent(
            cluster=CLUSTER, containerInstance=described(one)["containerInstanceArn"]
        )


def instance_runs(instance: str) -> bool:
    """Whether the instance has a container."""
    try:
        return machine(instance).status == "running"
    except docker.errors.NotFound:
        return False
