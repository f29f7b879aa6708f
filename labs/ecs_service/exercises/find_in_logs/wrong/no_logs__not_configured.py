"""The log group is there, and no container was told to write to it."""

import importlib.resources
import json

import boto3
import docker

app = importlib.resources.files("labs.ecs_service") / "app"
docker.from_env().images.build(path=str(app), tag="svc-web:1", buildargs={"VERSION": "1"}, rm=True)

trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
iam = boto3.client("iam")
role = iam.create_role(RoleName="svc-needle-execution", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
iam.attach_role_policy(
    RoleName="svc-needle-execution",
    PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy",
)
boto3.client("logs").create_log_group(logGroupName="/ecs/svc-needle")

ec2 = boto3.client("ec2")
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
subnets = [subnet["SubnetId"] for subnet in found[:2]]

elb = boto3.client("elbv2")
balancer = elb.create_load_balancer(Name="svc-needle", Subnets=subnets)["LoadBalancers"][0]
groups = elb.create_target_group(Name="svc-needle", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip")
group = groups["TargetGroups"][0]
elb.create_listener(
    LoadBalancerArn=balancer["LoadBalancerArn"],
    Protocol="HTTP",
    Port=80,
    DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
)

ecs = boto3.client("ecs")
ecs.create_cluster(clusterName="svc-needle")
ecs.register_task_definition(
    family="svc-needle",
    requiresCompatibilities=["FARGATE"],
    networkMode="awsvpc",
    cpu="256",
    memory="512",
    executionRoleArn=role["Arn"],
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
    cluster="svc-needle",
    serviceName="svc-needle",
    taskDefinition="svc-needle",
    desiredCount=3,
    launchType="FARGATE",
    networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
    loadBalancers=[{"targetGroupArn": group["TargetGroupArn"], "containerName": "web", "containerPort": 8080}],
)
stable = ecs.get_waiter("services_stable")
stable.wait(cluster="svc-needle", services=["svc-needle"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
