"""M01 to M04: the container services of AWS as one map: who keeps images, who decides, what containers run on."""

from house import edge, group, node, picture, save, step

EC2 = "aws/compute/ec2-instances"

PICTURE = picture(
    "containers_on_aws_map",
    "The container services of AWS: who keeps, who decides, who carries",
    "An image goes from you to Amazon ECR. An orchestrator, Amazon ECS or Amazon EKS, decides which containers run. "
    "Capacity carries them: Fargate, EC2 instances managed by AWS, or EC2 instances of your own. "
    "Shorter roads do all of it at once.",
    nodes=[
        node("you", "terminal", "You", "docker push", at=(0, 1)),
        node("ecr", "aws/compute/ec2-container-registry", "Amazon ECR", "keeps images", at=(1, 1)),
        node("ecs", "aws/compute/elastic-container-service", "Amazon ECS", "AWS's own:\ntasks, services", at=(2, 0)),
        node("eks", "aws/compute/elastic-kubernetes-service", "Amazon EKS", "Kubernetes:\npods", at=(2, 2)),
        node("fargate", "aws/compute/fargate", "AWS Fargate", "no servers,\nfor ECS and EKS", at=(3, 0), step=3),
        node("managed", EC2, "EC2, run by AWS", "ECS Managed Instances,\nEKS Auto Mode", at=(3, 1), step=4),
        node("own", EC2, "EC2, run by you", "you patch\nand scale them", at=(3, 2), step=5),
        node("lambda", "aws/compute/lambda", "AWS Lambda", "a function\nfrom an image", at=(1, 3)),
        node(
            "express",
            "aws/compute/elastic-container-service-service",
            "ECS Express Mode",
            "a web app\nfrom an image",
            at=(2, 3),
        ),
        node(
            "runner",
            "browser",
            "AWS App Runner",
            "no new customers\nsince 2026-04-30",
            at=(3, 3),
            ghost=True,
        ),
    ],
    groups=[
        group("cloud", "region", "AWS Region", ["ecr", "deciders", "capacity", "roads"]),
        group("deciders", "deployment", "Decide", ["ecs", "eks"]),
        group("capacity", "deployment", "Carry", ["fargate", "managed", "own"]),
        group("roads", "folder", "Shorter roads", ["lambda", "express", "runner"], step=6),
    ],
    edges=[
        edge("you", "ecr", "image", step=1),
        edge("ecr", "deciders", "pull", step=2),
        edge("deciders", "capacity", "runs\ncontainers"),
    ],
    steps=[
        step("You push an image to Amazon ECR, where it stays when your laptop is off."),
        step(
            "An orchestrator, ECS or EKS (Kubernetes), decides what runs; its tasks and pods pull the image.",
            "node-ecs",
            "node-eks",
            "edge-deciders-capacity",
        ),
        step("Fargate carries ECS tasks and EKS pods, and you never see a server.", "node-eks"),
        step(
            "EC2 run by AWS: yours, but chosen, patched and replaced by AWS.",
            "node-eks",
        ),
        step(
            "EC2 run by you: you choose, patch and scale machines for ECS or EKS.",
            "node-ecs",
        ),
        step(
            "Shorter roads: Lambda, Express Mode, and App Runner for those who have it.",
            "node-lambda",
            "node-express",
            "node-runner",
        ),
    ],
    column_gaps={1: 40, 2: 50, 3: 90},
    row_gaps={3: 24},
)

if __name__ == "__main__":
    save(PICTURE, __file__)
