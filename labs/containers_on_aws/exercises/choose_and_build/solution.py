import importlib.resources

import boto3
import docker

app = importlib.resources.files("labs.containers_on_aws") / "app"
docker.from_env().images.build(path=str(app), tag="map-web:1", rm=True)

ec2 = boto3.client("ec2")
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
subnets = [s["SubnetId"] for s in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]]

ecs = boto3.client("ecs")
ecs.create_cluster(clusterName="map-pick", capacityProviders=["FARGATE", "FARGATE_SPOT"])
ecs.register_task_definition(
    family="map-pick",
    requiresCompatibilities=["FARGATE"],
    networkMode="awsvpc",
    cpu="256",
    memory="512",
    containerDefinitions=[{"name": "worker", "image": "map-web:1", "essential": True}],
)
ecs.create_service(
    cluster="map-pick",
    serviceName="map-pick",
    taskDefinition="map-pick",
    desiredCount=2,
    capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
    networkConfiguration={"awsvpcConfiguration": {"subnets": subnets[:2], "assignPublicIp": "ENABLED"}},
)
ecs.get_waiter("services_stable").wait(
    cluster="map-pick", services=["map-pick"], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
)
