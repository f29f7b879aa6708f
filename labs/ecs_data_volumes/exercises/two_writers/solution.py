import time

import boto3

ec2, ecs, efs = (boto3.client(service) for service in ("ec2", "ecs", "efs"))
found = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
subnets = {one["AvailabilityZone"]: one["SubnetId"] for one in found}
zones = ["us-east-1a", "us-east-1b"]

made = efs.create_file_system(CreationToken="vol-draw", Encrypted=True, Tags=[{"Key": "Name", "Value": "vol-draw"}])
system = made["FileSystemId"]
while efs.describe_file_systems(FileSystemId=system)["FileSystems"][0]["LifeCycleState"] != "available":
    time.sleep(1)
for zone in zones:
    efs.create_mount_target(FileSystemId=system, SubnetId=subnets[zone])
targets = [{}]
while {one.get("LifeCycleState") for one in targets} != {"available"}:
    time.sleep(0.5)
    targets = efs.describe_mount_targets(FileSystemId=system)["MountTargets"]

draw = """
cd /data
touch here-$HOSTNAME
until [ $(ls here-* | wc -l) -ge 2 ]; do sleep 0.02; done
for i in $(seq 50); do
  flock next.lock sh -c '
    n=$(cat next.txt 2>/dev/null || echo 1)
    sleep 0.01
    echo $((n + 1)) > next.txt
    echo $n >> drawn-$HOSTNAME.txt
  '
done
"""

ecs.create_cluster(clusterName="vol-draw")
ecs.register_task_definition(
    family="vol-draw",
    requiresCompatibilities=["FARGATE"],
    networkMode="awsvpc",
    cpu="256",
    memory="512",
    volumes=[{"name": "roll", "efsVolumeConfiguration": {"fileSystemId": system}}],
    containerDefinitions=[
        {
            "name": "office",
            "image": "debian:bookworm-slim",
            "command": ["sh", "-c", draw],
            "mountPoints": [{"sourceVolume": "roll", "containerPath": "/data"}],
        }
    ],
)
tasks = []
for zone in zones:
    network = {"subnets": [subnets[zone]], "assignPublicIp": "ENABLED"}
    started = ecs.run_task(
        cluster="vol-draw",
        taskDefinition="vol-draw",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": network},
    )
    tasks += [task["taskArn"] for task in started["tasks"]]
stopped = ecs.get_waiter("tasks_stopped")
stopped.wait(cluster="vol-draw", tasks=tasks, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
