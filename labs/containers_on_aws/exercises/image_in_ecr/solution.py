import base64
import importlib.resources
import json

import boto3
import docker

engine = docker.from_env()
app = importlib.resources.files("labs.containers_on_aws") / "app"
image = engine.images.build(path=str(app), tag="map-web:1", rm=True)[0]

ecr = boto3.client("ecr")
uri = ecr.create_repository(repositoryName="map-shop")["repository"]["repositoryUri"]
token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
user, password = base64.b64decode(token).decode().split(":", 1)
image.tag(uri, tag="1")
engine.images.push(uri, tag="1", auth_config={"username": user, "password": password})

trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
iam = boto3.client("iam")
role = iam.create_role(RoleName="map-shop-execution", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
iam.attach_role_policy(
    RoleName="map-shop-execution",
    PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy",
)

ec2 = boto3.client("ec2")
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
subnets = [s["SubnetId"] for s in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]]

ecs = boto3.client("ecs")
ecs.create_cluster(clusterName="map-shop")
ecs.register_task_definition(
    family="map-shop",
    requiresCompatibilities=["FARGATE"],
    networkMode="awsvpc",
    cpu="256",
    memory="512",
    executionRoleArn=role["Arn"],
    containerDefinitions=[{"name": "web", "image": f"{uri}:1", "essential": True}],
)
started = ecs.run_task(
    cluster="map-shop",
    taskDefinition="map-shop",
    launchType="FARGATE",
    networkConfiguration={"awsvpcConfiguration": {"subnets": subnets[:2], "assignPublicIp": "ENABLED"}},
)
tasks = [task["taskArn"] for task in started["tasks"]]
ecs.get_waiter("tasks_running").wait(cluster="map-shop", tasks=tasks, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
