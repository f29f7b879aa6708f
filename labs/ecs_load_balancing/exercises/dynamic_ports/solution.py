import importlib.resources
import json

import boto3
import docker

app = importlib.resources.files("labs.ecs_load_balancing") / "app"
docker.from_env().images.build(path=str(app), tag="lb-shop:1", rm=True)

ec2 = boto3.client("ec2")
ecs = boto3.client("ecs")
elb = boto3.client("elbv2")
iam = boto3.client("iam")
ssm = boto3.client("ssm")
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
subnets = [subnet["SubnetId"] for subnet in found[:2]]

alb_group = ec2.create_security_group(GroupName="lb-ports-alb", Description="load balancer", VpcId=vpc)["GroupId"]
own_group = ec2.create_security_group(GroupName="lb-ports-instance", Description="instance", VpcId=vpc)["GroupId"]
ec2.authorize_security_group_ingress(
    GroupId=own_group,
    IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 32768, "ToPort": 65535, "UserIdGroupPairs": [{"GroupId": alb_group}]}
    ],
)

trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
iam.create_role(RoleName="lb-ports", AssumeRolePolicyDocument=json.dumps(trust))
iam.attach_role_policy(
    RoleName="lb-ports",
    PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role",
)
iam.create_instance_profile(InstanceProfileName="lb-ports")
iam.add_role_to_instance_profile(InstanceProfileName="lb-ports", RoleName="lb-ports")

ecs.create_cluster(clusterName="lb-ports")
path = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
ec2.run_instances(
    ImageId=ssm.get_parameter(Name=path)["Parameter"]["Value"],
    InstanceType="t3.small",
    MinCount=1,
    MaxCount=1,
    SubnetId=subnets[0],
    SecurityGroupIds=[own_group],
    IamInstanceProfile={"Name": "lb-ports"},
    UserData="#!/bin/bash\necho ECS_CLUSTER=lb-ports >> /etc/ecs/ecs.config\n",
    TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "lb-ports"}]}],
)

group = elb.create_target_group(
    Name="lb-ports",
    Protocol="HTTP",
    Port=8080,
    VpcId=vpc,
    TargetType="instance",
    HealthCheckPath="/health",
)["TargetGroups"][0]["TargetGroupArn"]
balancer = elb.create_load_balancer(Name="lb-ports", Subnets=subnets, SecurityGroups=[alb_group])["LoadBalancers"][0]
elb.create_listener(
    LoadBalancerArn=balancer["LoadBalancerArn"],
    Protocol="HTTP",
    Port=80,
    DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
)
ecs.register_task_definition(
    family="lb-ports",
    requiresCompatibilities=["EC2"],
    networkMode="bridge",
    containerDefinitions=[
        {
            "name": "web",
            "image": "lb-shop:1",
            "essential": True,
            "cpu": 128,
            "memory": 128,
            "portMappings": [{"containerPort": 8080, "hostPort": 0}],
        }
    ],
)
ecs.create_service(
    cluster="lb-ports",
    serviceName="lb-ports",
    taskDefinition="lb-ports",
    desiredCount=2,
    launchType="EC2",
    loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
)
ecs.get_waiter("services_stable").wait(
    cluster="lb-ports", services=["lb-ports"], WaiterConfig={"Delay": 1, "MaxAttempts": 90}
)
