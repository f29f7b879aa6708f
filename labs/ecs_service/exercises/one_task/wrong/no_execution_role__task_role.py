"""The role in the wrong place: the application gets it, the platform does not. (With awslogs Fargate refuses that.)"""

import json

import boto3

trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
iam = boto3.client("iam")
role = iam.create_role(RoleName="svc-solo-execution", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
iam.attach_role_policy(
    RoleName="svc-solo-execution",
    PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy",
)
boto3.client("logs").create_log_group(logGroupName="/ecs/svc-solo")

ec2 = boto3.client("ec2")
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
subnets = [subnet["SubnetId"] for subnet in found[:2]]

ecs = boto3.client("ecs")
ecs.create_cluster(clusterName="svc-solo")
ecs.register_task_definition(
    family="svc-solo",
    requiresCompatibilities=["FARGATE"],
    networkMode="awsvpc",
    cpu="256",
    memory="512",
    taskRoleArn=role["Arn"],
    containerDefinitions=[
        {
            "name": "web",
            "image": "svc-web:1",
            "essential": True,
            "portMappings": [{"containerPort": 8080}],
        }
    ],
)
