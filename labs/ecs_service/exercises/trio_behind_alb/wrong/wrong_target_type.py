"""Target type instance, the default: ECS refuses it for tasks with awsvpc."""

import contextlib

import boto3
from botocore.exceptions import ClientError

ec2 = boto3.client("ec2")
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
subnets = [subnet["SubnetId"] for subnet in found[:2]]

elb = boto3.client("elbv2")
balancer = elb.create_load_balancer(Name="svc-trio", Subnets=subnets)["LoadBalancers"][0]
groups = elb.create_target_group(Name="svc-trio", Protocol="HTTP", Port=8080, VpcId=vpc)
group = groups["TargetGroups"][0]
elb.create_listener(
    LoadBalancerArn=balancer["LoadBalancerArn"],
    Protocol="HTTP",
    Port=80,
    DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
)

ecs = boto3.client("ecs")
ecs.create_cluster(clusterName="svc-trio")
ecs.register_task_definition(
    family="svc-trio",
    requiresCompatibilities=["FARGATE"],
    networkMode="awsvpc",
    cpu="256",
    memory="512",
    containerDefinitions=[
        {
            "name": "web",
            "image": "svc-web:1",
            "essential": True,
            "portMappings": [{"containerPort": 8080}],
        }
    ],
)
with contextlib.suppress(ClientError):  # refused
    ecs.create_service(
        cluster="svc-trio",
        serviceName="svc-trio",
        taskDefinition="svc-trio",
        desiredCount=3,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
        loadBalancers=[{"targetGroupArn": group["TargetGroupArn"], "containerName": "web", "containerPort": 8080}],
    )
