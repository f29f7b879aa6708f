"""Deleted and made again with two: an outage, not a scaling."""

import importlib.resources

import boto3
import docker

app = importlib.resources.files("labs.ecs_service") / "app"
docker.from_env().images.build(path=str(app), tag="svc-web:1", buildargs={"VERSION": "1"}, rm=True)

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
            "image": "svc-web:1",
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
stable = ecs.get_waiter("services_stable")
stable.wait(cluster="svc-night", services=["svc-night"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})

ecs.delete_service(cluster="svc-night", service="svc-night", force=True)
ecs.get_waiter("services_inactive").wait(cluster="svc-night", services=["svc-night"], WaiterConfig={"Delay": 1})
ecs.create_service(
    cluster="svc-night",
    serviceName="svc-night",
    taskDefinition="svc-night",
    desiredCount=2,
    launchType="FARGATE",
    networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
)
stable.wait(cluster="svc-night", services=["svc-night"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
