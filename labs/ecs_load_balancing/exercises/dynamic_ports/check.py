"""Do two tasks of lb-ports share one instance, each behind a host port of its own?"""

import time

from labs.ecs_load_balancing import look
from labs.kit import remove_aws
from labs.kit.verdict import Verdict, done, not_yet
from labs.kit.world import aws_client

NAME = "lb-ports"
TASKS = 2
LOWEST, HIGHEST = 32768, 60999  # the range from which Linux takes a dynamic port
EVERY_PROTOCOL = "-1"
REQUESTS = 20
BOOT_SECONDS = 20.0  # that an instance may take to join


def check() -> Verdict:
    """Look at the target group, the instance and what it lets in, at the service, then send requests."""
    if look.cluster(NAME) is None:
        return not_yet("missing", f"There is no cluster {NAME!r} yet.")
    return _group() or _instance() or _service()


def reset() -> None:
    """Remove the service, the cluster with its instance, the load balancer, the groups, the role and the profile."""
    remove_aws.everything(NAME)


def _group() -> Verdict | None:
    group = look.target_group(NAME)
    if group is None:
        return not_yet("missing", f"There is no target group {NAME!r} yet.")
    if group["TargetType"] != "instance":
        return not_yet(
            "wrong_target_type",
            f"The target group takes targets of type {group['TargetType']!r}. In bridge mode a task has no address "
            "of its own, so ECS refuses to join the two.",
        )
    if group["HealthCheckPort"] != "traffic-port":
        return not_yet(
            "check_port",
            f"The health check asks port {group['HealthCheckPort']} of the instance, whatever port a task got. "
            "On AWS, ECS refuses such a group for dynamic ports.",
        )
    return None


def _instance() -> Verdict | None:
    ecs = aws_client("ecs")
    launched = _launched()
    if len(launched) > 1:
        return not_yet("not_one_instance", f"{len(launched)} EC2 instances {NAME!r} are there; one is asked for.")
    end = time.monotonic() + BOOT_SECONDS
    while not (arns := ecs.list_container_instances(cluster=NAME)["containerInstanceArns"]):
        if not launched or time.monotonic() > end:
            return not_yet("missing", f"No instance is registered with the cluster {NAME!r} yet.")
        time.sleep(look.LOOK_SECONDS)
    machine = ecs.describe_container_instances(cluster=NAME, containerInstances=arns)["containerInstances"][0]
    answer = aws_client("ec2").describe_instances(InstanceIds=[machine["ec2InstanceId"]])
    instance = answer["Reservations"][0]["Instances"][0]
    return _lets_in([group["GroupId"] for group in instance["SecurityGroups"]])


def _launched() -> list[dict]:
    filters = [
        {"Name": "tag:Name", "Values": [NAME]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    pages = aws_client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
    return [one for page in pages for some in page["Reservations"] for one in some["Instances"]]


def _lets_in(groups: list[str]) -> Verdict | None:
    balancer = look.load_balancer(NAME)
    if balancer is None:
        return not_yet("missing", f"There is no load balancer {NAME!r} yet.")
    found = aws_client("ec2").describe_security_groups(GroupIds=groups)["SecurityGroups"]
    rules = [rule for group in found for rule in group["IpPermissions"]]
    if any(rule["IpRanges"] or rule.get("Ipv6Ranges") for rule in rules):
        return not_yet(
            "open_to_addresses",
            "The instance lets in ranges of addresses. Only members of the load balancer's security group are meant.",
        )
    if not any(_enough(rule, set(balancer.get("SecurityGroups", []))) for rule in rules):
        return not_yet(
            "closed_ports",
            "The instance's security group does not let the load balancer's group in on all ports that a task may get. "
            "On AWS the health checks would time out.",
        )
    return None


def _enough(rule: dict, allowed: set[str]) -> bool:
    whole = rule["IpProtocol"] == EVERY_PROTOCOL or (
        rule["IpProtocol"] == "tcp" and rule["FromPort"] <= LOWEST and rule["ToPort"] >= HIGHEST
    )
    return whole and bool(allowed & {pair["GroupId"] for pair in rule["UserIdGroupPairs"]})


def _service() -> Verdict:
    service = look.service(NAME, NAME)
    if service is None:
        return not_yet("missing", f"There is no service {NAME!r} in the cluster yet.")
    recipe = aws_client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    ports = [one for container in recipe["containerDefinitions"] for one in container.get("portMappings", [])]
    if any(one.get("hostPort") for one in ports):
        return not_yet(
            "fixed_port",
            f"The task definition asks for host port {next(one['hostPort'] for one in ports if one.get('hostPort'))}. "
            "One machine has it once, so a second task finds no place.",
        )
    if service["desiredCount"] != TASKS or not look.steady(service, TASKS):
        return not_yet(
            "not_serving",
            f"{service['runningCount']} of {TASKS} tasks run, "
            f"and {service['desiredCount']} are wanted. The service's events say why.",
        )
    return _answers(look.target_group(NAME)["TargetGroupArn"])


def _answers(group: str) -> Verdict:
    targets = look.healthy(group, TASKS)
    if len({(one["Id"], one["Port"]) for one in targets}) != TASKS:
        return not_yet("not_serving", f"{len(targets)} of {TASKS} targets are healthy ({look.troubles(group)}).")
    answers = [look.ask(look.load_balancer(NAME)["DNSName"]) for _ in range(REQUESTS)]
    hosts = {answer.host for answer in answers if answer.status == 200}
    if len(hosts) != TASKS:
        return not_yet(
            "not_serving",
            f"The targets are healthy, but {len(hosts)} of {TASKS} tasks answer through the load balancer.",
        )
    ports = " and ".join(str(one["Port"]) for one in targets)
    return done(f"One instance, twice in the target group: ports {ports}. Both tasks answer.")
