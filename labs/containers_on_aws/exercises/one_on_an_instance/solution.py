import importlib.resources
import json
import time

import boto3
import docker

app = importlib.resources.files("labs.containers_on_aws") / "app"
docker.from_env().images.build(path=str(app), tag="map-web:1", rm=True)

iam = boto3.client("iam")
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
iam.create_role(RoleName="map-own-instance", AssumeRolePolicyDocument=json.dumps(trust))
iam.attach_role_policy(
    RoleName="map-own-instance",
    PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role",
)
iam.create_instance_profile(InstanceProfileName="map-own-instance")
iam.add_role_to_instance_profile(InstanceProfileName="map-own-instance", RoleName="map-own-instance")

ecs = boto3.client("ecs")
ecs.create_cluster(clusterName="map-own")

optimized = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
boto3.client("ec2").run_instances(
    ImageId=boto3.client("ssm").get_parameter(Name=optimized)["Parameter"]["Value"],
    InstanceType="t3.small",
    MinCount=1,
    MaxCount=1,
    IamInstanceProfile={"Name": "map-own-instance"},
    UserData="#!/bin/bash\necho ECS_CLUSTER=map-own >> /etc/ecs/ecs.config\n",
    TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "map-own"}]}],
)
end = time.monotonic() + 120
while not ecs.list_container_instances(cluster="map-own")["containerInstanceArns"] and time.monotonic() < end:
    time.sleep(0.5)

ecs.register_task_definition(
    family="map-own",
    requiresCompatibilities=["EC2"],
    containerDefinitions=[{"name": "web", "image": "map-web:1", "essential": True, "memory": 256}],
)
started = ecs.run_task(cluster="map-own", taskDefinition="map-own", launchType="EC2")
tasks = [task["taskArn"] for task in started["tasks"]]
ecs.get_waiter("tasks_running").wait(cluster="map-own", tasks=tasks, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
