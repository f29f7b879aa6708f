"""E14: the ways to ECS tasks: an ALB with rules, ip and instance targets, and an NLB with PrivateLink."""

from house import edge, group, node, picture, save, step

FARGATE = "aws/compute/fargate"

PICTURE = picture(
    "ecs_load_balancing_ways_in",
    "Load balancers and ECS tasks: the ways in",
    "Users reach an Application Load Balancer, whose rules choose a target group by path: the shop's Fargate tasks in "
    "two Availability Zones, registered by address, or the orders' two tasks on one EC2 instance, registered by "
    "instance and port. A partner in another VPC reaches a third service by PrivateLink and a Network Load Balancer.",
    nodes=[
        node("users", "users", "Users", "browsers", at=(0, 0.5)),
        node(
            "alb", "aws/network/elb-application-load-balancer", "Application\nLoad Balancer", "reads HTTP", at=(1, 0.5)
        ),
        node("shop", "target", "Target group", "shop\ntype ip, port 8080", at=(2, 0)),
        node("orders", "target", "Target group", "orders\ntype instance", at=(2, 1)),
        node("one", FARGATE, "Shop task", "10.0.1.17:8080", at=(3, 0)),
        node("two", FARGATE, "Shop task", "10.0.2.34:8080", at=(4, 0)),
        node("three", "container", "Orders task", "host port 32801", at=(3, 1)),
        node("four", "container", "Orders task", "host port 45117", at=(4, 1)),
        node("partner", "user", "Partner", "another account", at=(0, 2)),
        node("endpoint", "aws/network/endpoint", "Endpoint", "interface, with an\naddress of this VPC", at=(1, 2)),
        node("nlb", "aws/network/elb-network-load-balancer", "Network\nLoad Balancer", "passes TCP on", at=(2, 2)),
        node("tcp", "target", "Target group", "rates\ntype ip, TCP", at=(3, 2)),
        node("five", FARGATE, "Rates task", "10.0.2.51:7000", at=(4, 2)),
    ],
    groups=[
        group("vpc", "vpc", "Your VPC", ["alb", "shop", "orders", "one", "two", "instance"]),
        group("other", "vpc", "The partner's VPC", ["partner", "endpoint"]),
        group("same", "vpc", "Your VPC, another service", ["nlb", "tcp", "five"]),
        group("service", "cluster", "ECS service shop, 2 tasks", ["one", "two"]),
        group("zone-a", "az", "Zone a", ["one"]),
        group("zone-b", "az", "Zone b", ["two"]),
        group("instance", "machine", "One EC2 instance, network mode bridge", ["three", "four"]),
    ],
    edges=[
        edge("users", "alb", "HTTPS", step=1),
        edge("alb", "shop", "the rest", step=2),
        edge("alb", "orders", "/orders/*", step=3),
        edge("shop", "service", step=4),
        edge("orders", "instance", step=5),
        edge("partner", "endpoint", "TCP"),
        edge("endpoint", "nlb", "PrivateLink", step=6),
        edge("nlb", "tcp", step=7),
        edge("tcp", "five"),
    ],
    steps=[
        step("A request reaches a listener of the Application Load Balancer, which reads it."),
        step("No rule fits? The listener's default action sends it to the shop's target group."),
        step("A rule fits the path: the same listener sends it to the orders' target group."),
        step(
            "Type ip: each Fargate task is a target by its own address, in two zones.",
            "node-one",
            "node-two",
        ),
        step(
            "Type instance: one machine is in the group twice, each time with a dynamic port.",
            "node-three",
            "node-four",
        ),
        step("PrivateLink: the partner calls an address of its own VPC, and it ends at a Network Load Balancer."),
        step(
            "A Network Load Balancer passes connections on, unread: no paths, but any TCP, and very many of them.",
            "node-five",
            "edge-tcp-five",
        ),
    ],
    column_gaps={1: 60, 2: 90, 3: 70, 4: 30},
    row_gaps={2: 30},
)

if __name__ == "__main__":
    save(PICTURE, __file__)
