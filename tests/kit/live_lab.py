"""What the tests of the live picture share: a service of real containers behind a real load balancer, and samples."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labs.kit.live.plan import Part, Plan
from labs.kit.live.scene import Edge, Node, Scene
from labs.kit.world import aws_client, docker_client

IMAGE = "live-test-web:1"
WEB = Path(__file__).parents[1] / "cloud/web"  # answers HTTP on port 8080
PLAN = Plan(
    "svc-",
    ("load_balancing",),
    (
        Part("cluster", "svc-demo"),
        Part("service", "svc-web", "svc-demo", tasks=3),
        Part("load_balancer", "svc-alb"),
        Part("target_group", "svc-web", "svc-alb", healthy=3),
    ),
)


def make_web_image() -> str:
    docker_client().images.build(path=str(WEB), tag=IMAGE, rm=True, forcerm=True)
    return IMAGE


def make_service(prefix: str, image: str, tasks: int = 3) -> str:
    """The service <prefix>web of a cluster <prefix>demo behind <prefix>alb, steady; the cluster's name."""
    ecs, elb, cluster = aws_client("ecs"), aws_client("elbv2"), f"{prefix}demo"
    found = aws_client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    subnets = [one["SubnetId"] for one in found[:2]]
    ecs.create_cluster(clusterName=cluster)
    container = {"name": "web", "image": image, "essential": True, "portMappings": [{"containerPort": 8080}]}
    ecs.register_task_definition(
        family=f"{prefix}web",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[container],
    )
    balancer = elb.create_load_balancer(Name=f"{prefix}alb", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(
        Name=f"{prefix}web", Protocol="HTTP", Port=8080, VpcId=found[0]["VpcId"], TargetType="ip", HealthCheckPath="/"
    )["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)
    ecs.create_service(
        cluster=cluster,
        serviceName=f"{prefix}web",
        taskDefinition=f"{prefix}web",
        desiredCount=tasks,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
        loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
    )
    steady(cluster, f"{prefix}web")
    return cluster


def steady(cluster: str, service: str) -> None:
    """Wait until a service's deployment is completed: its tasks run and are healthy."""
    ecs = aws_client("ecs")

    def rollouts() -> list[str]:
        [found] = ecs.describe_services(cluster=cluster, services=[service])["services"]
        return [one["rolloutState"] for one in found["deployments"]]

    until(lambda: rollouts() == ["COMPLETED"], 180)


def running_tasks(cluster: str) -> list[str]:
    """The ARNs of the tasks that run, in order."""
    ecs = aws_client("ecs")
    arns = ecs.list_tasks(cluster=cluster)["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    return sorted(task["taskArn"] for task in tasks if task["lastStatus"] == "RUNNING")


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a condition; fails with its last value after some seconds."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {value!r}"
        time.sleep(0.05)


def task(id_: str, state: str = "RUNNING", zone: str = "us-east-1a", parent: str = "web", **facts: Any) -> Node:
    known = {
        "zone": zone,
        "revision": "svc-web:1",
        "launch": "FARGATE",
        "address": "",
        "ports": [],
        "instance": "",
        "health": "UNKNOWN",
        "containers": [],
        "exit": None,
        "why": "",
    }
    return Node("task", id_, id_, state, parent, {**known, **facts})


def sample(*tasks: Node, health: str = "healthy", desired: int = 3) -> Scene:
    """A scene of a service behind a load balancer, with these tasks."""
    running = sum(one.state == "RUNNING" for one in tasks)
    rollouts = [("svc-web:1", "COMPLETED", running)]
    facts = {"desired": desired, "running": running, "pending": 0, "rollouts": rollouts, "definition": ""}
    edges = [Edge("group", one.id, "target", health) for one in tasks if one.state == "RUNNING"]
    healthy = len(edges) if health == "healthy" else 0
    nodes = [
        Node("cluster", "cluster", "svc-demo", "ACTIVE"),
        Node("service", "web", "svc-web", "ACTIVE", "cluster", facts),
        *tasks,
        Node("load_balancer", "alb", "svc-alb", "active", "", {"type": "application", "listeners": ["HTTP :80"]}),
        Node("target_group", "group", "svc-web", "in use", "alb", {"healthy": healthy, "targets": len(edges)}),
    ]
    return Scene({node.id: node for node in nodes}, (Edge("alb", "group", "forward"), *edges))


def everything() -> Scene:
    """A scene with a node of each kind, in states of all sorts, and with long names."""
    base = sample(task("a"), task("b", zone="us-east-1b"), task("c", "PROVISIONING"))
    more = [
        Node(
            "load_balancer",
            "nlb",
            "svc-a-name-of-thirty-two-letters",
            "active",
            "",
            {"type": "network", "listeners": []},
        ),
        Node("target_group", "second", "svc-second", "in use", "alb", {"healthy": 0, "targets": 0}),
        Node(
            "instance", "i1", "i-0123456789abcdef0", "ACTIVE", "cluster", {"type": "t3.small", "zone": "", "tasks": 1}
        ),
        Node("instance", "i2", "i-0123456789abcdef1", "DISCONNECTED", "cluster", {"type": "", "zone": "", "tasks": 0}),
        Node("queue", "q", "svc-q", "available", "", {"visible": 2, "in_flight": 1, "delayed": 0}),
        Node("rule", "r1", "svc-tick", "ENABLED", "", {"trigger": "rate(1 minute)"}),
        Node("rule", "r2", "svc-tasks", "DISABLED", "", {"trigger": "ECS Task State Change"}),
        Node("file_system", "f", "svc-f", "available", "", {"mounts": 2}),
        task("lone", parent="cluster", instance="i-0123456789abcdef0"),
    ]
    lines = (
        Edge("r1", "q", "invoke", "ENABLED"),
        Edge("r2", "cluster", "invoke", "DISABLED"),
        Edge("web", "f", "mount"),
        Edge("alb", "second", "forward"),
    )
    return Scene({**base.nodes, **{node.id: node for node in more}}, (*base.edges, *lines))
