import time

import boto3

ec2, ecs, efs = (boto3.client(service) for service in ("ec2", "ecs", "efs"))
subnet = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"][0]["SubnetId"]

made = efs.create_file_system(CreationToken="vol-rooms", Encrypted=True, Tags=[{"Key": "Name", "Value": "vol-rooms"}])
system = made["FileSystemId"]
while efs.describe_file_systems(FileSystemId=system)["FileSystems"][0]["LifeCycleState"] != "available":
    time.sleep(1)
efs.create_mount_target(FileSystemId=system, SubnetId=subnet)
targets = [{}]
while {one.get("LifeCycleState") for one in targets} != {"available"}:
    time.sleep(0.5)
    targets = efs.describe_mount_targets(FileSystemId=system)["MountTargets"]

ecs.create_cluster(clusterName="vol-rooms")
tasks = []
for app, user in {"shop": 1001, "blog": 1002}.items():
    owner = {"OwnerUid": user, "OwnerGid": user, "Permissions": "0750"}
    point = efs.create_access_point(
        ClientToken=f"vol-rooms-{app}",
        FileSystemId=system,
        PosixUser={"Uid": user, "Gid": user},
        RootDirectory={"Path": f"/{app}", "CreationInfo": owner},
    )
    volume = {
        "fileSystemId": system,
        "transitEncryption": "ENABLED",
        "authorizationConfig": {"accessPointId": point["AccessPointId"]},
    }
    ecs.register_task_definition(
        family=f"vol-rooms-{app}",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        volumes=[{"name": "room", "efsVolumeConfiguration": volume}],
        containerDefinitions=[
            {
                "name": "app",
                "image": "debian:bookworm-slim",
                "command": ["sh", "-c", f"echo {app} > /data/hello.txt; exec sleep infinity"],
                "mountPoints": [{"sourceVolume": "room", "containerPath": "/data"}],
            }
        ],
    )
    started = ecs.run_task(
        cluster="vol-rooms",
        taskDefinition=f"vol-rooms-{app}",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet], "assignPublicIp": "ENABLED"}},
    )
    tasks += [task["taskArn"] for task in started["tasks"]]
while any(
    task["lastStatus"] not in ("RUNNING", "STOPPED")
    for task in ecs.describe_tasks(cluster="vol-rooms", tasks=tasks)["tasks"]
):
    time.sleep(0.5)
