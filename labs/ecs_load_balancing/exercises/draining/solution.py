import importlib.resources
import json
import os
import threading
import urllib.request

import boto3
import docker

app = importlib.resources.files("labs.ecs_load_balancing") / "app"
docker.from_env().images.build(path=str(app), tag="lb-shop:1", rm=True)

ec2 = boto3.client("ec2")
ecs = boto3.client("ecs")
elb = boto3.client("elbv2")
iam = boto3.client("iam")
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
subnets = [subnet["SubnetId"] for subnet in found[:2]]

trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
role = iam.create_role(RoleName="lb-drain-execution", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
iam.attach_role_policy(
    RoleName="lb-drain-execution",
    PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy",
)
boto3.client("logs").create_log_group(logGroupName="/ecs/lb-drain")

group = elb.create_target_group(
    Name="lb-drain", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip", HealthCheckPath="/health"
)["TargetGroups"][0]["TargetGroupArn"]
elb.modify_target_group_attributes(
    TargetGroupArn=group,
    Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}],
)
balancer = elb.create_load_balancer(Name="lb-drain", Subnets=subnets)["LoadBalancers"][0]
elb.create_listener(
    LoadBalancerArn=balancer["LoadBalancerArn"],
    Protocol="HTTP",
    Port=80,
    DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
)

ecs.create_cluster(clusterName="lb-drain")
ecs.register_task_definition(
    family="lb-drain",
    requiresCompatibilities=["FARGATE"],
    networkMode="awsvpc",
    cpu="256",
    memory="512",
    executionRoleArn=role,
    containerDefinitions=[
        {
            "name": "web",
            "image": "lb-shop:1",
            "essential": True,
            "portMappings": [{"containerPort": 8080}],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/ecs/lb-drain",
                    "awslogs-region": "us-east-1",
                    "awslogs-stream-prefix": "web",
                },
            },
        }
    ],
)
ecs.create_service(
    cluster="lb-drain",
    serviceName="lb-drain",
    taskDefinition="lb-drain",
    desiredCount=2,
    launchType="FARGATE",
    networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
    loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
)
stable = ecs.get_waiter("services_stable")
stable.wait(cluster="lb-drain", services=["lb-drain"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

gateway = os.environ["AWS_ENDPOINT_URL"]
stop = threading.Event()


def reports() -> None:
    """Ask for the slow report, again and again."""
    while not stop.is_set():
        try:
            urllib.request.urlopen(urllib.request.Request(f"{gateway}/slow/3", headers={"Host": balancer["DNSName"]}))
        except OSError as error:
            print(error)


clients = [threading.Thread(target=reports) for _ in range(6)]
for client in clients:
    client.start()
ecs.update_service(cluster="lb-drain", service="lb-drain", forceNewDeployment=True)
stable.wait(cluster="lb-drain", services=["lb-drain"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
stop.set()
for client in clients:
    client.join()
