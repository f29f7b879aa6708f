import base64
import importlib.resources
import json

import boto3
import docker

ecr, ecs, iam, ec2 = (boto3.client(service) for service in ("ecr", "ecs", "iam", "ec2"))
engine = docker.from_env()

uri = ecr.create_repository(repositoryName="ecr-first")["repository"]["repositoryUri"]
data = ecr.get_authorization_token()["authorizationData"][0]
user, password = base64.b64decode(data["authorizationToken"]).decode().split(":", 1)
engine.login(user, password, registry=uri.split("/")[0], reauth=True)

app = importlib.resources.files("labs.ecr") / "app"
engine.images.build(path=str(app), tag=f"{uri}:1.0", rm=True)
for line in engine.images.push(uri, tag="1.0", stream=True, decode=True):
    if "error" in line:
        raise RuntimeError(line["error"])

trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
role = iam.create_role(RoleName="ecr-first-execution", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
iam.attach_role_policy(
    RoleName="ecr-first-execution",
    PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy",
)

ecs.create_cluster(clusterName="ecr-first")
image = f"{uri}:1.0"
ecs.register_task_definition(
    family="ecr-first",
    requiresCompatibilities=["FARGATE"],
    networkMode="awsvpc",
    cpu="256",
    memory="512",
    executionRoleArn=role["Arn"],
    containerDefinitions=[{"name": "app", "image": image, "essential": True}],
)
subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
started = ecs.run_task(
    cluster="ecr-first",
    taskDefinition="ecr-first",
    launchType="FARGATE",
    networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet], "assignPublicIp": "ENABLED"}},
)
tasks = [started["tasks"][0]["taskArn"]]
running = ecs.get_waiter("tasks_running")
running.wait(cluster="ecr-first", tasks=tasks, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
