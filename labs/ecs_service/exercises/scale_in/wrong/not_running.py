"""A tag that nobody has built: five are wanted, none runs."""

import boto3

ec2 = boto3.client("ec2")
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
subnets = [subnet["SubnetId"] for subnet in found[:2]]

ecs = boto3.client("ecs")
ecs.create_cluster(clusterName="svc-night")
ecs.register_task_definition(
    family="svc-night",
    requiresCompatibilities=["FARGATE"],
    networkMode="awsvpc",
    cpu="256",
    memory="512",
    containerDefinitions=[
        {
            "name": "web",
            "image": "svc-web:9",
            "essential": True,
            "portMappings": [{"containerPort": 8080}],
        }
    ],
)
ecs.create_service(
    cluster="svc-night",
    serviceName="svc-night",
    taskDefinition="svc-night",
    desiredCount=5,
    launchType="FARGATE",
    networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
)
