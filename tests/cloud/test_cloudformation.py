"""Stacks: made, changed, rolled back and deleted, with resources of ours and of the backend.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

import boto3
import pytest
from cloud_lab import wait_until
from formation_lab import (
    body,
    create,
    delete,
    events,
    formation,
    outputs,
    physical,
    refused,
    resources,
    service,
    settled,
    stack,
    story,
    task,
    unique,
    update,
)

from labs import settings

pytestmark = pytest.mark.usefixtures("local_aws")

MIXED = """
Description: a mixed stack
Parameters:
  Retention: {Type: Number, Default: 7}
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: !Ref Retention}
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.9.0.0/16}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Select [1, !Cidr [!GetAtt Vpc.CidrBlock, 4, 8]]
      AvailabilityZone: !Select [0, !GetAZs ""]
  Cluster:
    Type: AWS::ECS::Cluster
    Properties:
      Tags: [{Key: own, Value: yes}]
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      RequiresCompatibilities: [FARGATE]
      NetworkMode: awsvpc
      Cpu: 256
      Memory: "512"
      ContainerDefinitions:
        - Name: main
          Image: nothing:1
          Environment:
            - {Name: WHERE, Value: !Sub "${AWS::Region}/${Logs}"}
Outputs:
  ClusterArn: {Value: !GetAtt Cluster.Arn}
  Where: {Value: !Join [" ", [!Ref Logs, !Ref Subnet]]}
"""


def test_a_mixed_stack_is_made_in_order_and_deleted_in_reverse() -> None:
    name = unique("mixed")
    stack_id = create(name, MIXED, Tags=[{"Key": "team", "Value": "a"}])
    assert stack(name)["StackStatus"] == "CREATE_COMPLETE"
    assert stack(name)["Description"] == "a mixed stack"
    cluster = boto3.client("ecs").describe_clusters(clusters=[physical(name, "Cluster")], include=["TAGS"])["clusters"][
        0
    ]
    assert cluster["clusterName"].startswith(f"{name}-Cluster-")
    assert outputs(name)["ClusterArn"] == cluster["clusterArn"]
    assert {one["key"]: one["value"] for one in cluster["tags"]} == {
        "own": "true",  # YAML 1.1
        "team": "a",
        "aws:cloudformation:stack-name": name,
        "aws:cloudformation:logical-id": "Cluster",
        "aws:cloudformation:stack-id": stack_id,
    }
    group = boto3.client("logs").describe_log_groups(logGroupNamePrefix=f"{name}-Logs-")["logGroups"][0]
    assert group["retentionInDays"] == 7
    subnet = boto3.client("ec2").describe_subnets(SubnetIds=[physical(name, "Subnet")])["Subnets"][0]
    assert (subnet["CidrBlock"], subnet["AvailabilityZone"]) == ("10.9.1.0/24", "us-east-1a")
    assert outputs(name)["Where"] == f"{group['logGroupName']} {subnet['SubnetId']}"
    definition = boto3.client("ecs").describe_task_definition(taskDefinition=physical(name, "Task"))["taskDefinition"]
    assert definition["containerDefinitions"][0]["environment"] == [
        {"name": "WHERE", "value": f"{settings.REGION}/{group['logGroupName']}"}
    ]
    told = story(name)
    assert told[0] == f"{name} CREATE_IN_PROGRESS"
    assert told[-1] == f"{name} CREATE_COMPLETE"
    assert told.index("Vpc CREATE_COMPLETE") < told.index("Subnet CREATE_IN_PROGRESS")
    assert ("Cluster", "CREATE_IN_PROGRESS", "Resource creation Initiated") in events(name)

    delete(name)
    told = story(stack_id)
    assert told.index("Subnet DELETE_COMPLETE") < told.index("Vpc DELETE_IN_PROGRESS")
    assert told[-1] == f"{name} DELETE_COMPLETE"
    assert refused("describe_stacks", StackName=name) == ("ValidationError", f"Stack with id {name} does not exist")
    assert stack(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    assert (
        boto3.client("ecs").describe_clusters(clusters=[cluster["clusterArn"]])["clusters"][0]["status"] == "INACTIVE"
    )
    assert boto3.client("logs").describe_log_groups(logGroupNamePrefix=f"{name}-Logs-")["logGroups"] == []


def test_what_needs_a_new_resource_gets_one_and_the_old_one_goes_last() -> None:
    name = unique("replaced")
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 1}}
    cluster = {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": f"{name}-one"}}
    subject = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Cluster"}}}
    create(name, body({"Cluster": cluster, "Group": group, "Subject": subject}))
    before = resources(name)
    cluster["Properties"]["ClusterName"] = f"{name}-two"
    group["Properties"]["RetentionInDays"] = 3
    update(name, body({"Cluster": cluster, "Group": group, "Subject": subject}))
    after = resources(name)
    assert after["Cluster"]["PhysicalResourceId"] == f"{name}-two"
    assert after["Group"]["PhysicalResourceId"] == before["Group"]["PhysicalResourceId"]
    attributes = boto3.client("sns").get_topic_attributes(TopicArn=after["Subject"]["PhysicalResourceId"])["Attributes"]
    assert attributes["DisplayName"] == f"{name}-two"
    found = {one["clusterName"]: one["status"] for one in clusters(f"{name}-one", f"{name}-two")}
    assert found == {f"{name}-one": "INACTIVE", f"{name}-two": "ACTIVE"}
    told = events(name)
    reason = "Requested update requires the creation of a new physical resource; hence creating one."
    assert ("Cluster", "UPDATE_IN_PROGRESS", reason) in told
    steps = story(name)
    assert steps.index(f"{name} UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") < steps.index("Cluster DELETE_IN_PROGRESS")
    delete(name)
    assert {one["status"] for one in clusters(f"{name}-two")} == {"INACTIVE"}


def test_a_resource_that_fails_rolls_the_creation_back() -> None:
    name = unique("failing")
    broken = task("nothing:1")
    broken["Properties"]["Cpu"] = "300"
    template = body({
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Cluster": {"Type": "AWS::ECS::Cluster"},
        "Task": {**broken, "DependsOn": ["Cluster", "Topic"]},
        "Never": {"Type": "AWS::SNS::Topic", "DependsOn": "Task"},
    })  # fmt: skip
    stack_id = create(name, template, wait=None)
    assert settled(name)["StackStatus"] == "ROLLBACK_COMPLETE"
    told = events(name)
    [(_, _, reason)] = [one for one in told if one[:2] == ("Task", "CREATE_FAILED")]
    assert reason.startswith('Resource handler returned message: "')
    assert "(Service: Ecs, Status Code: 400" in reason
    assert "HandlerErrorCode: InvalidRequest)" in reason
    why = "The following resource(s) failed to create: [Task]. Rollback requested by user."
    assert (name, "ROLLBACK_IN_PROGRESS", why) in told
    assert not any(logical == "Never" for logical, _, _ in told)
    steps = story(name)
    assert "Topic DELETE_COMPLETE" in steps
    assert "Cluster DELETE_COMPLETE" in steps
    code, message = refused("update_stack", StackName=name, TemplateBody=template)
    assert (code, message) == (
        "ValidationError", f"Stack:{stack_id} is in ROLLBACK_COMPLETE state and can not be updated.",
    )  # fmt: skip
    delete(name)


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ({"Nonsense": 1}, "Encountered unsupported property Nonsense"),
        ({"ClusterSettings": [{"Name": "containerInsights", "Valu": "on"}]}, "Encountered unsupported property Valu"),
        ({"ClusterSettings": {"Name": "a"}},
         "Model validation failed (#/ClusterSettings: expected type: JSONArray, found: JSONObject)"),
    ],
)  # fmt: skip
def test_properties_that_do_not_exist_are_refused(properties: dict, why: str) -> None:
    name = unique("unsupported")
    template = body({"Cluster": {"Type": "AWS::ECS::Cluster", "Properties": properties}})
    create(name, template, wait=None, OnFailure="DO_NOTHING")
    assert settled(name)["StackStatus"] == "CREATE_FAILED"
    assert ("Cluster", "CREATE_FAILED", why) in events(name)
    delete(name)


def test_a_required_property_is_asked_for() -> None:
    name = unique("required")
    template = body({"L": {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": {"Port": 80}}})
    stack_id = create(name, template, wait=None, OnFailure="DELETE")
    assert settled(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    [(_, _, reason)] = [one for one in events(stack_id) if one[:2] == ("L", "CREATE_FAILED")]
    assert reason == (
        "Properties validation failed for resource L with message:\n#: required key [DefaultActions] not found"
    )


def test_a_failed_update_brings_back_what_was() -> None:
    name = unique("back")
    good = {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 10}},
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": f"{name}-one"}},
        "Old": {"Type": "AWS::SNS::Topic"},
    }
    create(name, body(good, Outputs={"Queue": {"Value": {"Ref": "Queue"}}}))
    before, shown = resources(name), outputs(name)
    bad = {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 20}},
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": f"{name}-two"}},
        "New": {"Type": "AWS::SNS::Topic"},
        "Broken": {"Type": "AWS::ECS::Service", "DependsOn": ["Queue", "Cluster", "New"],
                   "Properties": {"Cluster": {"Ref": "Cluster"}, "TaskDefinition": "nobody"}},
    }  # fmt: skip
    update(name, body(bad), wait=None)
    assert settled(name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    after = resources(name)
    assert {key: one["PhysicalResourceId"] for key, one in after.items()} == {
        key: one["PhysicalResourceId"] for key, one in before.items()
    }
    assert outputs(name) == shown
    url = after["Queue"]["PhysicalResourceId"]
    timeout = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert timeout["Attributes"]["VisibilityTimeout"] == "10"
    assert {one["clusterName"]: one["status"] for one in clusters(f"{name}-one", f"{name}-two")} == {
        f"{name}-one": "ACTIVE", f"{name}-two": "INACTIVE",
    }  # fmt: skip
    steps = story(name)
    assert "New DELETE_COMPLETE" in steps
    assert (name, "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Broken].") in [
        (logical, status, reason.strip()) for logical, status, reason in events(name)
    ]
    good["Queue"]["Properties"]["VisibilityTimeout"] = 30
    update(name, body(good))  # it can be updated again
    assert stack(name)["StackStatus"] == "UPDATE_COMPLETE"
    delete(name)


def test_a_custom_named_resource_is_not_replaced() -> None:
    name = unique("custom")
    group = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.8.0.0/24"}}
    target = {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
              "Properties": {"Name": name, "Port": 80, "Protocol": "HTTP", "VpcId": {"Ref": "Vpc"}}}  # fmt: skip
    create(name, body({"Vpc": group, "Target": target}))
    target["Properties"]["Port"] = 81
    update(name, body({"Vpc": group, "Target": target}), wait=None)
    assert settled(name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    why = (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename "
        f"{name} and update the stack again."
    )
    assert ("Target", "UPDATE_FAILED", why) in events(name)
    delete(name)


def test_a_service_whose_breaker_opens_fails_the_stack() -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html"""
    name = unique("breaker")
    breaker = {"DeploymentCircuitBreaker": {"Enable": True, "Rollback": True}}
    template = body({
        "Cluster": {"Type": "AWS::ECS::Cluster"},
        "Task": task(settings.BASE_IMAGE, Command=["false"]),
        "Service": service(DeploymentConfiguration=breaker),
    })  # fmt: skip
    create(name, template, wait=None)
    assert settled(name, 120)["StackStatus"] == "ROLLBACK_COMPLETE"
    [(_, _, reason)] = [one for one in events(name) if one[:2] == ("Service", "CREATE_FAILED")]
    assert "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'." in reason
    assert "HandlerErrorCode: GeneralServiceException" in reason
    delete(name)


def test_what_is_retained_stays() -> None:
    name = unique("retained")
    template = body({
        "Kept": {"Type": "AWS::ECS::Cluster", "DeletionPolicy": "Retain"},
        "Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"},
        "Gone": {"Type": "AWS::ECS::Cluster"},
    })  # fmt: skip
    stack_id = create(name, template)
    kept, bucket = physical(name, "Kept"), physical(name, "Bucket")
    assert bucket == bucket.lower()
    assert bucket.startswith(f"{name}-bucket-")
    delete(name)
    assert {one["LogicalResourceId"]: one["ResourceStatus"] for one in resources(stack_id).values()} == {
        "Kept": "DELETE_SKIPPED", "Bucket": "DELETE_SKIPPED", "Gone": "DELETE_COMPLETE",
    }  # fmt: skip
    assert clusters(kept)[0]["status"] == "ACTIVE"
    boto3.client("s3").head_bucket(Bucket=bucket)
    boto3.client("ecs").delete_cluster(cluster=kept)


def test_an_export_is_imported_and_cannot_be_deleted_meanwhile() -> None:
    giver, taker = unique("giver"), unique("taker")
    export = {"Arn": {"Value": {"Fn::GetAtt": ["Cluster", "Arn"]}, "Export": {"Name": f"{giver}:arn"}}}
    create(giver, body({"Cluster": {"Type": "AWS::ECS::Cluster"}}, Outputs=export))
    imported = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::ImportValue": f"{giver}:arn"}}}
    create(taker, body({"Topic": imported}))
    topic = boto3.client("sns").get_topic_attributes(TopicArn=physical(taker, "Topic"))["Attributes"]
    assert topic["DisplayName"] == outputs(giver)["Arn"]
    assert formation().list_imports(ExportName=f"{giver}:arn")["Imports"] == [taker]
    code, message = refused("delete_stack", StackName=giver)
    assert (code, f"Cannot delete export {giver}:arn as it is in use by {taker}." in message) == (
        "ValidationError",
        True,
    )
    update(giver, body({"Cluster": {"Type": "AWS::ECS::Cluster"}}), wait=None)
    assert settled(giver)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    delete(taker)
    delete(giver)
    alone = unique("alone")
    create(alone, body({"Topic": imported}), wait=None)
    assert settled(alone)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any(f"No export named {giver}:arn found." in reason for _, _, reason in events(alone))
    delete(alone)


def test_termination_protection_and_names_that_are_taken() -> None:
    name = unique("protected")
    template = body({"Cluster": {"Type": "AWS::ECS::Cluster"}})
    create(name, template, EnableTerminationProtection=True)
    assert refused("create_stack", StackName=name, TemplateBody=template) == (
        "AlreadyExistsException", f"Stack [{name}] already exists",
    )  # fmt: skip
    assert refused("update_stack", StackName=name, TemplateBody=template) == (
        "ValidationError", "No updates are to be performed.",
    )  # fmt: skip
    assert refused("delete_stack", StackName=name) == (
        "ValidationError", f"Stack [{name}] cannot be deleted while TerminationProtection is enabled",
    )  # fmt: skip
    formation().update_termination_protection(StackName=name, EnableTerminationProtection=False)
    delete(name)
    formation().delete_stack(StackName=name)  # no error, as on AWS


def test_the_backends_hidden_stacks_are_not_told() -> None:
    name = unique("hidden")
    create(name, body({"Topic": {"Type": "AWS::SNS::Topic"}}))
    listed = [one["StackName"] for one in formation().list_stacks()["StackSummaries"]]
    assert name in listed
    assert not any(one.startswith("course-of-") for one in listed)
    delete(name)


def test_a_deletion_ends_a_creation_that_is_under_way() -> None:
    name = unique("early")
    template = body({
        "Cluster": {"Type": "AWS::ECS::Cluster"},
        "Task": task("never-steady:1"),
        "Service": service(),
    })  # fmt: skip
    stack_id = create(name, template, wait=None)
    wait_until(lambda: "Service" in resources(name) and resources(name)["Service"].get("PhysicalResourceId"))
    assert stack(name)["StackStatus"] == "CREATE_IN_PROGRESS"
    cluster = physical(name, "Cluster")
    delete(name)
    assert stack(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    assert clusters(cluster)[0]["status"] == "INACTIVE"


def test_an_update_can_be_cancelled_and_what_was_never_made_can_be_mended() -> None:
    name = unique("cancelled")
    template = {"Cluster": {"Type": "AWS::ECS::Cluster"}, "Task": task("never-steady:1")}
    create(name, body(template))
    more = {**template, "Service": service(), "Topic": {"Type": "AWS::SNS::Topic"}}
    update(name, body(more), wait=None)
    wait_until(lambda: resources(name).get("Service", {}).get("PhysicalResourceId"))
    code, _ = refused("update_stack", StackName=name, TemplateBody=body(template))
    assert code == "ValidationError"
    formation().cancel_update_stack(StackName=name)
    assert settled(name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert resources(name).keys() == template.keys()
    assert ("Service", "CREATE_FAILED", "Resource creation cancelled") in events(name)
    delete(name)

    name = unique("mended")
    broken = {"Task": task("nothing:1"), "Cluster": {"Type": "AWS::ECS::Cluster"}}
    broken["Task"]["Properties"]["Cpu"] = "300"
    create(name, body(broken), wait=None, DisableRollback=True)
    assert settled(name)["StackStatus"] == "CREATE_FAILED"
    broken["Task"]["Properties"]["Cpu"] = "256"
    update(name, body(broken))
    assert physical(name, "Task")
    delete(name)


def test_tags_of_a_stack_reach_what_it_made_and_leave_it() -> None:
    name = unique("tags")
    template = body({"Cluster": {"Type": "AWS::ECS::Cluster"}, "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {
        "CidrBlock": "10.7.0.0/24"}}})  # fmt: skip
    create(name, template, Tags=[{"Key": "team", "Value": "a"}, {"Key": "old", "Value": "1"}])
    vpc = physical(name, "Vpc")
    tags = boto3.client("ec2").describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"]
    found = {one["Key"]: one["Value"] for one in tags}
    assert (found["team"], found["aws:cloudformation:stack-name"]) == ("a", name)
    update(name, template, Tags=[{"Key": "team", "Value": "b"}])
    cluster = boto3.client("ecs").describe_clusters(clusters=[physical(name, "Cluster")], include=["TAGS"])
    found = {one["key"]: one["value"] for one in cluster["clusters"][0]["tags"]}
    assert {key: value for key, value in found.items() if not key.startswith("aws:")} == {"team": "b"}
    assert physical(name, "Vpc") == vpc
    delete(name)


def clusters(*names: str) -> list[dict]:
    return boto3.client("ecs").describe_clusters(clusters=list(names))["clusters"]
