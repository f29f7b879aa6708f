"""E15, E16: one file system of Amazon EFS, mounted by tasks in two zones and on both launch types."""

from house import edge, group, node, picture, save, step

PICTURE = picture(
    "ecs_data_volumes_shared",
    "One file system for tasks in two zones",
    "In Availability Zone a, a Fargate task mounts an Amazon EFS file system through the mount target of its zone. In "
    "zone b, a task on an EC2 instance mounts the same file system through the mount target there. Access points give "
    "each app a folder and a user of its own.",
    nodes=[
        node(
            "ecs",
            "aws/compute/elastic-container-service",
            "Amazon ECS",
            "task definition:\nvolume and mount",
            at=(0, 0.5),
        ),
        node("fargate", "aws/compute/fargate", "Fargate task", "/data", at=(1, 0)),
        node("ec2", "aws/compute/elastic-container-service-task", "Task", "/data", at=(1, 1)),
        node("target-a", "target", "Mount target", "an address here", at=(2, 0)),
        node("target-b", "target", "Mount target", "an address here", at=(2, 1)),
        node("efs", "aws/storage/elastic-file-system-efs", "Amazon EFS", "one file system", at=(3, 0.5), step=6),
        node("shop", "files", "Access point shop", "/shop as 1001", at=(4, 0)),
        node("blog", "files", "Access point blog", "/blog as 1002", at=(4, 1)),
    ],
    groups=[
        group("region", "region", "Region us-east-1", ["vpc", "ecs", "efs", "shop", "blog"]),
        group("vpc", "vpc", "VPC", ["zone-a", "zone-b"]),
        group("zone-a", "az", "Availability Zone a", ["fargate", "target-a"]),
        group("zone-b", "az", "Availability Zone b", ["instance", "target-b"]),
        group("instance", "machine", "EC2 instance", ["ec2"]),
    ],
    edges=[
        edge("fargate", "target-a", "NFS, 2049", step=2),
        edge("target-a", "efs", "write", step=3, leave="right", enter="top"),
        edge("ec2", "target-b", "NFS, 2049", step=4),
        edge("target-b", "efs", "read", step=5, leave="right", enter="bottom"),
        edge("ecs", "fargate", step=1, style="dashed", leave="right", enter="left", bend=0.3),
        edge("ecs", "ec2", style="dashed", leave="right", enter="left", bend=0.3),
        edge("efs", "shop", step=7, leave="right", enter="left", both=False),
        edge("efs", "blog", leave="right", enter="left"),
    ],
    steps=[
        step(
            "ECS starts tasks whose definition names the file system as a volume, and a path where it appears.",
            "edge-ecs-ec2",
            "node-ec2",
        ),
        step("A task in zone a starts, and mounts the file system through the mount target of its own zone."),
        step("What it writes is kept by EFS in several zones, and not in the task.", "node-fargate"),
        step("A task on an EC2 instance in zone b comes to the same file system by the door there.", "group-instance"),
        step("It reads the same content at the same path, in another zone and with another launch type.", "node-ec2"),
        step("When the first task is stopped, its own disk goes with it and the file stays.", "node-fargate"),
        step(
            "An access point shows an app one folder only, and makes each request that of one user.",
            "node-shop",
            "node-blog",
            "edge-efs-blog",
        ),
    ],
    column_gaps={1: 80, 2: 90, 3: 70, 4: 60},
    row_gaps={1: 60},
)

if __name__ == "__main__":
    save(PICTURE, __file__)
