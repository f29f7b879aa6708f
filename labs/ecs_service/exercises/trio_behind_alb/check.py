"""Does the load balancer svc-trio answer from the three tasks of the service svc-trio?"""

from labs.ecs_service import look
from labs.kit import remove_aws
from labs.kit.verdict import Verdict, done, not_yet
from labs.kit.world import aws_client

NAME = "svc-trio"
TASKS = 3
REQUESTS = 60  # each of the three tasks gets its turn many times


def check() -> Verdict:
    """Look at the service, at the way from the load balancer to it, then send requests."""
    service = look.service(NAME, NAME)
    if service is None:
        return _before_the_service()
    if service["desiredCount"] != TASKS:
        return not_yet("not_three", f"The service wants {service['desiredCount']} tasks, not {TASKS}.")
    if not service["loadBalancers"]:
        return not_yet("no_target_group", "The service names no target group, so no load balancer learns of its tasks.")
    link = service["loadBalancers"][0]
    if link["containerPort"] != look.APP_PORT:
        port = link["containerPort"]
        return not_yet("wrong_port", f"The service registers its tasks with port {port}. What does the app listen on?")
    return _way(link["targetGroupArn"]) or _running(service) or _healthy(link["targetGroupArn"]) or _answers(service)


def reset() -> None:
    """Remove the service, its cluster and task definitions, the load balancer and its target groups."""
    remove_aws.everything(NAME)


def _before_the_service() -> Verdict:
    """ECS refuses a service whose target group does not fit, so the mistake stands in the group, or before it."""
    none = not_yet("no_service", f"There is no service {NAME!r} in a cluster {NAME!r} yet.")
    group = next((group for group in look.target_groups() if group["TargetGroupName"] == NAME), None)
    if group is None:
        return none
    if group["TargetType"] != "ip":
        return not_yet(
            "wrong_target_type",
            f"The target group takes targets of type {group['TargetType']!r}. ECS refuses it for tasks with awsvpc: "
            "they have an address each and no instance.",
        )
    return _way(group["TargetGroupArn"]) or none


def _way(group: str) -> Verdict | None:
    """Whether a listener of the load balancer forwards to the target group."""
    balancer = look.load_balancer(NAME)
    if balancer is None:
        return not_yet("no_load_balancer", f"There is no load balancer {NAME!r} in front of the target group.")
    listeners = aws_client("elbv2").describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    if not listeners:
        return not_yet("no_listener", f"The load balancer {NAME!r} has no listener: it answers on no port.")
    forwards = {action.get("TargetGroupArn") for listener in listeners for action in listener["DefaultActions"]}
    if group not in forwards:
        return not_yet("other_group", "The listener forwards to another target group than the one for the service.")
    return None


def _running(service: dict) -> Verdict | None:
    running = len(look.running(look.service_tasks(service)))
    if running >= TASKS or look.steady(service, TASKS):
        return None
    return not_yet("not_running", f"{running} of {TASKS} tasks run. The stopped tasks say why.")


def _healthy(group: str) -> Verdict | None:
    healthy, other = look.healthy_targets(group, TASKS)
    if healthy == TASKS:
        return None
    return not_yet(
        "not_healthy",
        f"{healthy} of {TASKS} targets are healthy (another one: {other}), and only those get requests. "
        f"Does the health check ask where our app answers, on port {look.APP_PORT}?",
    )


def _answers(service: dict) -> Verdict:
    if not look.steady(service, TASKS):
        return not_yet("not_running", "The targets are healthy, but the service's deployment is not completed yet.")
    running = look.running(look.service_tasks(service))
    hosts = {container.attrs["Config"]["Hostname"] for task in running for container in look.containers(task)}
    answers = [look.ask(look.load_balancer(NAME)["DNSName"]) for _ in range(REQUESTS)]
    good = [answer for answer in answers if answer.status == 200]
    if len(good) < REQUESTS or {answer.host for answer in good} != hosts:
        return not_yet(
            "no_answer",
            f"{len(good)} of {REQUESTS} requests were answered by our app, from {len({a.host for a in good})} of "
            f"{len(hosts)} tasks. The targets are healthy; is it our app that runs in them?",
        )
    return done(f"{REQUESTS} requests, all answered, by all three tasks.")
