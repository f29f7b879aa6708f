"""Stacks: made, changed, rolled back and deleted, with resources of ours and of the backend.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

import boto3
import pytest
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
    settled,
    stack,
    story,
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
    cluster = boto3.client("ecs").describe_clusters(clusters=[physical(name, "Cluster")], include=["TAGS"])["clusters"][0]
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
    assert boto3.client("ecs").describe_clusters(clusters=[cluster["clusterArn"]])["clusters"][0]["status"] == "INACTIVE"
    assert boto3.client("logs").describe_log_groups(logGroupNamePrefix=f"{name}-Logs-")["logGroups"] == []
