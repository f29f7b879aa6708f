"""Deleted and made again with version 2: an outage, not an update."""

import importlib.resources

import boto3
import docker

app = importlib.resources.files("labs.ecs_service") / "app"
for version in ("1", "2"):
    docker.from_env().images.build(path=str(app), tag=f"svc-web:{version}", buildargs={"VERSION": version}, rm=True)

ec2 = boto3.client("ec2")
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
subnets = [subnet["SubnetId"] for subnet in found[:2]]

ecs = boto3.client("ecs")
ecs.create_cluster(clusterName="svc-roll")


def register(image):
    """A revision of the family svc-roll with this image; returns its ARN."""
    answer = ecs.register_task_definition(
        family="svc-roll",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[
            {"name": "web", "image": image, "essential": True, "portMappings": [{"containerPort": 8080}]}
        ],
    )
    return answer["taskDefinition"]["taskDefinitionArn"]


ecs.create_service(
    cluster="svc-roll",
    serviceName="svc-roll",
    taskDefinition=register("svc-web:1"),
    desiredCount=3,
    launchType="FARGATE",
    networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
)
stable = ecs.get_waiter("services_stable")
stable.wait(cluster="svc-roll", services=["svc-roll"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})

ecs.delete_service(cluster="svc-roll", service="svc-roll", force=True)
ecs.get_waiter("services_inactive").wait(cluster="svc-roll", services=["svc-roll"], WaiterConfig={"Delay": 1})
ecs.create_service(
    cluster="svc-roll",
    serviceName="svc-roll",
    taskDefinition=register("svc-web:2"),
    desiredCount=3,
    launchType="FARGATE",
    networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
)
stable.wait(cluster="svc-roll", services=["svc-roll"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
