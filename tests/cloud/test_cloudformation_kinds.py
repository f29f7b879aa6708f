"""Resource types of ours: what each property does, through the service's own API.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
"""

import json
from typing import Any

import boto3
import pytest
from cloud_lab import ASLEEP, network
from formation_lab import body, create, delete, events, outputs, physical, service, settled, task, unique, update

from labs import settings

pytestmark = pytest.mark.usefixtures("local_aws")

EXPIRE = json.dumps({"rules": [{
    "rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1},
    "action": {"type": "expire"},
}]})  # fmt: skip


def test_a_repository_with_its_policies() -> None:
    name, ecr = unique("registry"), boto3.client("ecr")
    statement = {"Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"], "Sid": "all"}
    wanted: dict[str, Any] = {
        "ImageTagMutability": "IMMUTABLE",
        "ImageScanningConfiguration": {"ScanOnPush": "true"},
        "LifecyclePolicy": {"LifecyclePolicyText": EXPIRE},
        "RepositoryPolicyText": {"Version": "2012-10-17", "Statement": [statement]},
        "EmptyOnDelete": True,
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    template = {"Repository": {"Type": "AWS::ECR::Repository", "Properties": wanted}}
    shown = {"Uri": {"Value": {"Fn::GetAtt": ["Repository", "RepositoryUri"]}}}
    create(name, body(template, Outputs=shown))
    repository = physical(name, "Repository")
    assert repository.startswith(f"{name}-repository-")
    found = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
    assert (found["imageTagMutability"], found["imageScanningConfiguration"]) == ("IMMUTABLE", {"scanOnPush": True})
    assert outputs(name)["Uri"] == found["repositoryUri"]
    policy = json.loads(ecr.get_repository_policy(repositoryName=repository)["policyText"])
    assert policy["Statement"] == [statement]
    assert ecr.get_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"]
    del wanted["LifecyclePolicy"], wanted["ImageTagMutability"]
    update(name, body(template, Outputs=shown))
    assert physical(name, "Repository") == repository
    found = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
    assert found["imageTagMutability"] == "MUTABLE"
    with pytest.raises(ecr.exceptions.LifecyclePolicyNotFoundException):
        ecr.get_lifecycle_policy(repositoryName=repository)
    delete(name)
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_repositories(repositoryNames=[repository])


def test_settings_of_the_registry() -> None:
    name, ecr = unique("registry"), boto3.client("ecr")
    rule = {"Destinations": [{"Region": "eu-west-1", "RegistryId": settings.ACCOUNT}]}
    create(name, body({
        "Replication": {"Type": "AWS::ECR::ReplicationConfiguration",
                        "Properties": {"ReplicationConfiguration": {"Rules": [rule]}}},
        "Cache": {"Type": "AWS::ECR::PullThroughCacheRule",
                  "Properties": {"EcrRepositoryPrefix": "quay", "UpstreamRegistryUrl": "quay.io"}},
    }))  # fmt: skip
    rules = ecr.describe_registry()["replicationConfiguration"]["rules"]
    assert rules[0]["destinations"] == [{"region": "eu-west-1", "registryId": settings.ACCOUNT}]
    assert physical(name, "Replication") == settings.ACCOUNT
    assert physical(name, "Cache") == "quay"
    delete(name)
    assert ecr.describe_registry()["replicationConfiguration"]["rules"] == []
    assert ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []


def test_listeners_rules_and_target_groups_are_changed_in_place() -> None:
    name, elb = unique("web"), boto3.client("elbv2")
    subnets = network()["awsvpcConfiguration"]["subnets"]
    vpc = boto3.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    prefix = "AWS::ElasticLoadBalancingV2::"
    group: dict[str, Any] = {"VpcId": vpc, "Port": 80, "Protocol": "HTTP", "TargetType": "ip",
                             "Matcher": {"HttpCode": "200-299"}}  # fmt: skip
    rule: dict[str, Any] = {
        "ListenerArn": {"Ref": "Listener"}, "Priority": 7,
        "Conditions": [{"Field": "host-header", "HostHeaderConfig": {"Values": ["a.example"]}}],
        "Actions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}],
    }  # fmt: skip
    listener: dict[str, Any] = {
        "LoadBalancerArn": {"Ref": "Balancer"}, "Port": 80, "Protocol": "HTTP",
        "DefaultActions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": 404}}],
    }  # fmt: skip
    template = {
        "Balancer": {"Type": f"{prefix}LoadBalancer", "Properties": {"Subnets": subnets, "Scheme": "internal"}},
        "Group": {"Type": f"{prefix}TargetGroup", "Properties": group},
        "Listener": {"Type": f"{prefix}Listener", "Properties": listener},
        "Rule": {"Type": f"{prefix}ListenerRule", "Properties": rule},
    }
    shown = {"Full": {"Value": {"Fn::GetAtt": ["Group", "TargetGroupFullName"]}},
             "Name": {"Value": {"Fn::GetAtt": ["Balancer", "LoadBalancerName"]}}}  # fmt: skip
    create(name, body(template, Outputs=shown))
    arn = physical(name, "Group")
    assert arn.endswith(outputs(name)["Full"])
    assert elb.describe_load_balancers(Names=[outputs(name)["Name"]])["LoadBalancers"][0]["Scheme"] == "internal"
    group |= {"HealthCheckPath": "/ok", "TargetGroupAttributes": [{"Key": "slow_start.duration_seconds", "Value": 30}]}
    rule["Priority"], listener["Port"] = 9, 81
    update(name, body(template, Outputs=shown))
    assert physical(name, "Group") == arn
    assert elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]["HealthCheckPath"] == "/ok"
    attributes = elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    assert {"Key": "slow_start.duration_seconds", "Value": "30"} in attributes
    assert elb.describe_rules(RuleArns=[physical(name, "Rule")])["Rules"][0]["Priority"] == "9"
    assert elb.describe_listeners(ListenerArns=[physical(name, "Listener")])["Listeners"][0]["Port"] == 81
    tags = elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
    assert {"Key": "aws:cloudformation:logical-id", "Value": "Group"} in tags
    delete(name)


def test_scaling_with_steps_an_alarm_and_a_schedule() -> None:
    name, scaling = unique("scaling"), boto3.client("application-autoscaling")
    where = {"Fn::Join": ["/", ["service", {"Ref": "Cluster"}, {"Fn::GetAtt": ["Service", "Name"]}]]}
    action: dict[str, Any] = {"ScheduledActionName": "night", "Schedule": "cron(0 22 * * ? *)", "Timezone": "UTC",
                              "ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": "1"}}  # fmt: skip
    target: dict[str, Any] = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
                              "ResourceId": where, "MinCapacity": 0, "MaxCapacity": 3,
                              "ScheduledActions": [action]}  # fmt: skip
    steps = {"AdjustmentType": "ChangeInCapacity", "Cooldown": 60,
             "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]}  # fmt: skip
    template = {
        "Cluster": {"Type": "AWS::ECS::Cluster"},
        "Task": task(settings.BASE_IMAGE, Command=ASLEEP),
        "Service": service(DesiredCount=0),
        "Target": {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": target},
        "Policy": {"Type": "AWS::ApplicationAutoScaling::ScalingPolicy", "Properties": {
            "PolicyName": "up", "PolicyType": "StepScaling", "ScalingTargetId": {"Ref": "Target"},
            "StepScalingPolicyConfiguration": steps}},
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {
            "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 50, "ComparisonOperator": "GreaterThanThreshold",
            "AlarmActions": [{"Ref": "Policy"}]}},
    }  # fmt: skip
    create(name, body(template))
    resource = physical(name, "Target").split("|")[0]
    policy = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=resource)["ScalingPolicies"][0]
    assert policy["PolicyARN"] == physical(name, "Policy")
    assert policy["StepScalingPolicyConfiguration"]["StepAdjustments"][0]["ScalingAdjustment"] == 1
    alarm = boto3.client("cloudwatch").describe_alarms(AlarmNames=[physical(name, "Alarm")])["MetricAlarms"][0]
    assert alarm["AlarmActions"] == [policy["PolicyARN"]]
    actions = scaling.describe_scheduled_actions(ServiceNamespace="ecs", ResourceId=resource)["ScheduledActions"]
    assert actions[0]["ScalableTargetAction"] == {"MinCapacity": 0, "MaxCapacity": 1}
    target["MaxCapacity"], target["ScheduledActions"] = 2, []
    update(name, body(template))
    found = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])["ScalableTargets"][0]
    assert found["MaxCapacity"] == 2
    assert scaling.describe_scheduled_actions(ServiceNamespace="ecs", ResourceId=resource)["ScheduledActions"] == []
    delete(name)
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])["ScalableTargets"] == []


def test_rules_and_schedules_start_tasks_of_ours() -> None:
    name = unique("rules")
    trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trusts = {"Version": "2012-10-17", "Statement": [
        trust, {**trust, "Principal": {"Service": "scheduler.amazonaws.com"}}]}  # fmt: skip
    target = {
        "Arn": {"Fn::GetAtt": ["Cluster", "Arn"]}, "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        "EcsParameters": {"TaskDefinitionArn": {"Ref": "Task"}, "TaskCount": 1, "LaunchType": "FARGATE"},
    }  # fmt: skip
    template = {
        "Cluster": {"Type": "AWS::ECS::Cluster"},
        "Task": task(settings.BASE_IMAGE, Command=ASLEEP),
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trusts}},
        "Rule": {"Type": "AWS::Events::Rule", "Properties": {
            "EventPattern": {"source": ["my.app"]}, "State": "ENABLED", "Targets": [{**target, "Id": "t"}]}},
        "Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": {
            "FlexibleTimeWindow": {"Mode": "OFF"}, "ScheduleExpression": "rate(1 hour)", "State": "DISABLED",
            "Target": target}},
    }  # fmt: skip
    create(name, body(template), Capabilities=["CAPABILITY_IAM"])
    rule, events_ = physical(name, "Rule"), boto3.client("events")
    assert rule.startswith(f"{name}-Rule-")
    assert json.loads(events_.describe_rule(Name=rule)["EventPattern"]) == {"source": ["my.app"]}
    found = events_.list_targets_by_rule(Rule=rule)["Targets"][0]
    assert found["EcsParameters"]["TaskDefinitionArn"] == physical(name, "Task")  # ours: not the queue of the backend
    schedule = boto3.client("scheduler").get_schedule(Name=physical(name, "Schedule"))
    assert schedule["Target"]["EcsParameters"]["TaskDefinitionArn"] == physical(name, "Task")
    delete(name)
    assert all(one["Name"] != rule for one in events_.list_rules()["Rules"])


def test_capacity_providers_of_a_cluster() -> None:
    name = unique("capacity")
    association: dict[str, Any] = {
        "Cluster": {"Ref": "Cluster"}, "CapacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "DefaultCapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}],
    }  # fmt: skip
    kind = "AWS::ECS::ClusterCapacityProviderAssociations"
    template = {"Cluster": {"Type": "AWS::ECS::Cluster"}, "Has": {"Type": kind, "Properties": association}}
    create(name, body(template))
    cluster = boto3.client("ecs").describe_clusters(clusters=[physical(name, "Cluster")])["clusters"][0]
    assert sorted(cluster["capacityProviders"]) == ["FARGATE", "FARGATE_SPOT"]
    assert cluster["defaultCapacityProviderStrategy"][0]["capacityProvider"] == "FARGATE_SPOT"
    delete(name)


def test_what_is_there_already_is_not_taken_over() -> None:
    name = unique("taken")
    boto3.client("ecs").create_cluster(clusterName=name)
    template = body({"Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": name}}})
    create(name, template, wait=None)
    assert settled(name)["StackStatus"] == "ROLLBACK_COMPLETE"
    [(_, _, reason)] = [one for one in events(name) if one[:2] == ("Cluster", "CREATE_FAILED")]
    assert "HandlerErrorCode: AlreadyExists" in reason
    assert boto3.client("ecs").describe_clusters(clusters=[name])["clusters"][0]["status"] == "ACTIVE"
    delete(name)


def test_an_auto_scaling_group() -> None:
    name, scaling = unique("group"), boto3.client("autoscaling")
    image = boto3.client("ec2").describe_images()["Images"][0]["ImageId"]
    data = {"ImageId": image, "InstanceType": "t3.small"}
    version = {"LaunchTemplateId": {"Ref": "Launch"}, "Version": {"Fn::GetAtt": ["Launch", "LatestVersionNumber"]}}
    group: dict[str, Any] = {
        "MinSize": "0", "MaxSize": "2", "VPCZoneIdentifier": network()["awsvpcConfiguration"]["subnets"],
        "LaunchTemplate": version, "Tags": [{"Key": "a", "Value": "b", "PropagateAtLaunch": True}],
    }  # fmt: skip
    template = {
        "Launch": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": data}},
        "Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": group},
    }
    create(name, body(template))
    identity = physical(name, "Group")

    def found() -> list[dict[str, Any]]:
        return scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[identity])["AutoScalingGroups"]

    assert found()[0]["MaxSize"] == 2
    assert {"a": "b", "aws:cloudformation:logical-id": "Group"}.items() <= {
        one["Key"]: one["Value"] for one in found()[0]["Tags"]
    }.items()
    group["MaxSize"], data["InstanceType"] = "3", "t3.medium"
    update(name, body(template))
    assert (found()[0]["MaxSize"], physical(name, "Group")) == (3, identity)
    assert found()[0]["LaunchTemplate"]["Version"] == "2"
    delete(name)
    assert found() == []
