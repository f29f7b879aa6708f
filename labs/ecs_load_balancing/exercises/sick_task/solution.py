import importlib.resources
import os
import time
import urllib.request

import boto3
import docker

app = importlib.resources.files("labs.ecs_load_balancing") / "app"
docker.from_env().images.build(path=str(app), tag="lb-shop:1", rm=True)

ec2 = boto3.client("ec2")
ecs = boto3.client("ecs")
elb = boto3.client("elbv2")
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
subnets = [subnet["SubnetId"] for subnet in found[:2]]

group = elb.create_target_group(
    Name="lb-sick",
    Protocol="HTTP",
    Port=8080,
    VpcId=vpc,
    TargetType="ip",
    HealthCheckPath="/health",
    HealthCheckIntervalSeconds=5,
    HealthCheckTimeoutSeconds=2,
    UnhealthyThresholdCount=2,
)["TargetGroups"][0]["TargetGroupArn"]
balancer = elb.create_load_balancer(Name="lb-sick", Subnets=subnets)["LoadBalancers"][0]
elb.create_listener(
    LoadBalancerArn=balancer["LoadBalancerArn"],
    Protocol="HTTP",
    Port=80,
    DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
)

ecs.create_cluster(clusterName="lb-sick")
ecs.register_task_definition(
    family="lb-sick",
    requiresCompatibilities=["FARGATE"],
    networkMode="awsvpc",
    cpu="256",
    memory="512",
    containerDefinitions=[
        {"name": "web", "image": "lb-shop:1", "essential": True, "portMappings": [{"containerPort": 8080}]}
    ],
)
service = ecs.create_service(
    cluster="lb-sick",
    serviceName="lb-sick",
    taskDefinition="lb-sick",
    desiredCount=3,
    launchType="FARGATE",
    networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
    loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
)["service"]
stable = ecs.get_waiter("services_stable")
stable.wait(cluster="lb-sick", services=["lb-sick"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

gateway = os.environ["AWS_ENDPOINT_URL"]
urllib.request.urlopen(urllib.request.Request(f"{gateway}/sick", headers={"Host": balancer["DNSName"]}))

end = time.monotonic() + 60
failed = False
while not failed and time.monotonic() < end:
    time.sleep(0.5)
    arns = ecs.list_tasks(cluster="lb-sick", serviceName="lb-sick", desiredStatus="STOPPED")["taskArns"]
    stopped = ecs.describe_tasks(cluster="lb-sick", tasks=arns)["tasks"] if arns else []
    failed = any(task["createdAt"] >= service["createdAt"] for task in stopped)
stable.wait(cluster="lb-sick", services=["lb-sick"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
