"""E21: an ECS service on Fargate behind an Application Load Balancer, in the middle of a rolling update."""

from house import edge, group, node, picture, save, step

FARGATE = "aws/compute/fargate"
OLD, NEW = ["old1", "old2", "old3"], ["new1", "new2", "new3"]

PICTURE = picture(
    "ecs_service_rolling",
    "An ECS service on Fargate, and how a rolling update replaces its tasks",
    "An Application Load Balancer spreads requests over three Fargate tasks of the ECS service web in two Availability "
    "Zones, while a rolling update replaces the tasks of revision 1 by tasks of revision 2.",
    nodes=[
        node("users", "users", "Users", "browsers", at=(0, 0)),
        node(
            "alb", "aws/network/elb-application-load-balancer", "Application\nLoad Balancer", "listener :80", at=(1, 0)
        ),
        node("targets", "target", "Target group", "type ip, port 8080\nhealth check /", at=(1, 1)),
        *(node(name, FARGATE, "Fargate task", at=(2, row)) for row, name in enumerate(OLD)),
        *(node(name, FARGATE, "Fargate task", at=(3, row)) for row, name in enumerate(NEW)),
        node("ecs", "aws/compute/elastic-container-service", "Amazon ECS", "service scheduler", at=(4, 0)),
        node("ecr", "aws/compute/ec2-container-registry", "Amazon ECR", "images", at=(4, 1)),
        node("logs", "aws/management/cloudwatch", "CloudWatch\nLogs", at=(4, 2)),
        node("you", "terminal", "You", "boto3 or aws", at=(5, 0)),
    ],
    groups=[
        group("region", "region", "Region us-east-1", ["vpc", "ecs", "ecr", "logs"]),
        group("vpc", "vpc", "VPC", ["alb", "targets", "service"]),
        group("service", "cluster", "ECS cluster: service web, 3 tasks desired", OLD + NEW),
        group("old", "draining", "Revision web:1", OLD, step=7),
        group("new", "deployment", "Revision web:2", NEW, step=6),
        group("zone-a", "az", "Availability Zone a", [*OLD[:2], *NEW[:2]]),
        group("zone-b", "az", "Availability Zone b", [OLD[2], NEW[2]]),
    ],
    edges=[
        edge("users", "alb", "HTTP", step=1),
        edge("alb", "targets"),
        edge("targets", "old1", leave="right", enter="left", bend=0.4),
        edge("targets", "old2", step=2, label_at=0.2),
        edge("targets", "old3", leave="right", enter="left", bend=0.4),
        edge("ecr", "service", "pulls image", step=3),
        edge("service", "logs", "awslogs", step=4),
        edge("ecs", "service", "keeps 3 running", step=5, style="dashed"),
        edge("you", "ecs", "update", step=6, style="dashed"),
    ],
    steps=[
        step("A request reaches the load balancer's listener on port 80."),
        step(
            "The load balancer passes it to one of the healthy tasks in the target group.",
            "node-alb",
            "edge-alb-targets",
            *(f"edge-targets-{name}" for name in OLD),
            *(f"node-{name}" for name in OLD),
        ),
        step("Before a task starts, Fargate pulls the image that its task definition names."),
        step("The awslogs driver sends what each container prints to CloudWatch Logs."),
        step("When a task is killed, the service scheduler starts another, so that three run again."),
        step(
            "You update the service to revision 2: new tasks start, at most 200 %, here six in all.",
            *(f"node-{name}" for name in NEW),
        ),
        step(
            "Once new tasks are healthy, old ones drain and stop; 100 %, here three, stay healthy.",
            "node-targets",
            *(f"node-{name}" for name in OLD),
        ),
    ],
    column_gaps={1: 40, 2: 40, 4: 70, 5: 40},
    row_gaps={2: 0},
)

if __name__ == "__main__":
    save(PICTURE, __file__)
