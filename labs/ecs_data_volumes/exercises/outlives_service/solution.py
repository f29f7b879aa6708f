import time

import boto3

ec2, ecs, efs = (boto3.client(service) for service in ("ec2", "ecs", "efs"))
found = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
subnets = [one["SubnetId"] for one in found[:2]]

made = efs.create_file_system(CreationToken="vol-visits", Encrypted=True, Tags=[{"Key": "Name", "Value": "vol-visits"}])
system = made["FileSystemId"]
while efs.describe_file_systems(FileSystemId=system)["FileSystems"][0]["LifeCycleState"] != "available":
    time.sleep(1)
for subnet in subnets:
    efs.create_mount_target(FileSystemId=system, SubnetId=subnet)
targets = [{}]
while {one.get("LifeCycleState") for one in targets} != {"available"}:
    time.sleep(0.5)
    targets = efs.describe_mount_targets(FileSystemId=system)["MountTargets"]

ecs.create_cluster(clusterName="vol-visits")
ecs.register_task_definition(
    family="vol-visits",
    requiresCompatibilities=["FARGATE"],
    networkMode="awsvpc",
    cpu="256",
    memory="512",
    volumes=[{"name": "book", "efsVolumeConfiguration": {"fileSystemId": system}}],
    containerDefinitions=[
        {
            "name": "guest",
            "stopTimeout": 2,
            "image": "debian:bookworm-slim",
            "command": ["sh", "-c", "echo $HOSTNAME >> /data/visits.txt && exec sleep infinity"],
            "mountPoints": [{"sourceVolume": "book", "containerPath": "/data"}],
        }
    ],
)


def create():
    """Make the service."""
    ecs.create_service(
        cluster="vol-visits",
        serviceName="vol-visits",
        taskDefinition="vol-visits",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
    )


def await_task(not_this=None):
    """Wait until a task of the service runs, another one than this; returns its ARN."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        arns = ecs.list_tasks(cluster="vol-visits", serviceName="vol-visits", desiredStatus="RUNNING")["taskArns"]
        arns = [arn for arn in arns if arn != not_this]
        if arns and ecs.describe_tasks(cluster="vol-visits", tasks=arns)["tasks"][0]["lastStatus"] == "RUNNING":
            return arns[0]
        time.sleep(0.3)
    raise TimeoutError("No task runs.")


create()
first = await_task()
ecs.stop_task(cluster="vol-visits", task=first, reason="Who comes next?")
await_task(not_this=first)
ecs.delete_service(cluster="vol-visits", service="vol-visits", force=True)
gone = ecs.get_waiter("services_inactive")
gone.wait(cluster="vol-visits", services=["vol-visits"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
create()
await_task()
