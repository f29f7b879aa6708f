import time

import boto3

ec2, ecs, efs = (boto3.client(service) for service in ("ec2", "ecs", "efs"))
found = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
subnets = {one["AvailabilityZone"]: one["SubnetId"] for one in found}
vpc = found[0]["VpcId"]

app = ec2.create_security_group(GroupName="vol-note-app", Description="tasks", VpcId=vpc)["GroupId"]
nfs = ec2.create_security_group(GroupName="vol-note-nfs", Description="mount targets", VpcId=vpc)["GroupId"]
ec2.authorize_security_group_ingress(
    GroupId=nfs,
    IpPermissions=[{"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049, "UserIdGroupPairs": [{"GroupId": app}]}],
)

made = efs.create_file_system(CreationToken="vol-note", Encrypted=True, Tags=[{"Key": "Name", "Value": "vol-note"}])
system = made["FileSystemId"]
while efs.describe_file_systems(FileSystemId=system)["FileSystems"][0]["LifeCycleState"] != "available":
    time.sleep(1)
for zone in ("us-east-1a", "us-east-1b"):
    efs.create_mount_target(FileSystemId=system, SubnetId=subnets[zone], SecurityGroups=[nfs])
targets = [{}]
while {one.get("LifeCycleState") for one in targets} != {"available"}:
    time.sleep(0.5)
    targets = efs.describe_mount_targets(FileSystemId=system)["MountTargets"]

ecs.create_cluster(clusterName="vol-note")


def run(zone, command):
    """Run a Fargate task in this zone with the file system at /data; returns its ARN."""
    ecs.register_task_definition(
        family="vol-note",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        volumes=[{"name": "shared", "efsVolumeConfiguration": {"fileSystemId": system}}],
        containerDefinitions=[
            {
                "name": "app",
                "image": "debian:bookworm-slim",
                "command": ["sh", "-c", command],
                "mountPoints": [{"sourceVolume": "shared", "containerPath": "/data"}],
            }
        ],
    )
    network = {"subnets": [subnets[zone]], "securityGroups": [app], "assignPublicIp": "ENABLED"}
    started = ecs.run_task(
        cluster="vol-note",
        taskDefinition="vol-note",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": network},
    )
    return started["tasks"][0]["taskArn"]


writer = run("us-east-1a", "echo 'See you in b' > /data/note.txt")
ecs.get_waiter("tasks_stopped").wait(cluster="vol-note", tasks=[writer], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
reader = run("us-east-1b", "exec sleep infinity")
while ecs.describe_tasks(cluster="vol-note", tasks=[reader])["tasks"][0]["lastStatus"] not in ("RUNNING", "STOPPED"):
    time.sleep(0.5)
