import importlib.resources

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

groups = {}
for part in ("shop", "orders"):
    made = elb.create_target_group(
        Name=f"lb-paths-{part}",
        Protocol="HTTP",
        Port=8080,
        VpcId=vpc,
        TargetType="ip",
        HealthCheckPath="/health",
    )
    groups[part] = made["TargetGroups"][0]["TargetGroupArn"]

balancer = elb.create_load_balancer(Name="lb-paths", Subnets=subnets)["LoadBalancers"][0]
listener = elb.create_listener(
    LoadBalancerArn=balancer["LoadBalancerArn"],
    Protocol="HTTP",
    Port=80,
    DefaultActions=[{"Type": "forward", "TargetGroupArn": groups["shop"]}],
)["Listeners"][0]
elb.create_rule(
    ListenerArn=listener["ListenerArn"],
    Priority=10,
    Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/orders", "/orders/*"]}}],
    Actions=[{"Type": "forward", "TargetGroupArn": groups["orders"]}],
)

ecs.create_cluster(clusterName="lb-paths")
for part in ("shop", "orders"):
    ecs.register_task_definition(
        family=f"lb-paths-{part}",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[
            {
                "name": "web",
                "image": "lb-shop:1",
                "essential": True,
                "portMappings": [{"containerPort": 8080}],
                "environment": [{"name": "SERVICE", "value": part}],
            }
        ],
    )
    ecs.create_service(
        cluster="lb-paths",
        serviceName=f"lb-paths-{part}",
        taskDefinition=f"lb-paths-{part}",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
        loadBalancers=[{"targetGroupArn": groups[part], "containerName": "web", "containerPort": 8080}],
    )
ecs.get_waiter("services_stable").wait(
    cluster="lb-paths",
    services=["lb-paths-shop", "lb-paths-orders"],
    WaiterConfig={"Delay": 1, "MaxAttempts": 60},
)
