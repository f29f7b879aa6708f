"""Does the load balancer svc-trio answer from the three tasks of the service svc-trio?"""

from labs.ecs_service import look, remove
from labs.kit.verdict import Verdict, done, not_yet
from labs.kit.world import aws_client

NAME = "svc-trio"
TASKS = 3
REQUESTS = 60  # one of three tasks is missed by chance in one of 10 thousand million runs


def check() -> Verdict:
    """Look at the service, at the way from the load balancer to it, then send requests, twice."""
    service = look.service(NAME, NAME)
    if service is None:
        return not_yet("no_service", f"There is no service {NAME!r} in a cluster {NAME!r} yet.")
    if service["desiredCount"] != TASKS:
        return not_yet("not_three", f"The service wants {service['desiredCount']} tasks, not {TASKS}.")
    return _target_group(service) or _way(service) or _running() or _answers()


def reset() -> None:
    """Remove the service, its cluster and task definitions, the load balancer and its target groups."""
    remove.everything(NAME)


def _target_group(service: dict) -> Verdict | None:
    if not service["loadBalancers"]:
        return not_yet("no_target_group", "The service names no target group, so no load balancer learns of its tasks.")
    link = service["loadBalancers"][0]
    group = look.target_group(link["targetGroupArn"])
    if group is None or group["TargetType"] != "ip":
        kind = group["TargetType"] if group else "unknown"
        return not_yet(
            "wrong_target_type",
            f"The target group takes targets of type {kind!r}. Tasks with awsvpc have an address each and no instance.",
        )
    if link["containerPort"] != look.APP_PORT:
        port = link["containerPort"]
        return not_yet("wrong_port", f"The service registers its tasks with port {port}. What does the app listen on?")
    return None


def _way(service: dict) -> Verdict | None:
    balancer = look.load_balancer(NAME)
    if balancer is None:
        return not_yet("no_load_balancer", f"There is no load balancer {NAME!r} in front of the service.")
    listeners = aws_client("elbv2").describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    if not listeners:
        return not_yet("no_listener", f"The load balancer {NAME!r} has no listener: it answers on no port.")
    forwards = {action.get("TargetGroupArn") for listener in listeners for action in listener["DefaultActions"]}
    if service["loadBalancers"][0]["targetGroupArn"] not in forwards:
        return not_yet("other_group", "The listener forwards to another target group than the service fills.")
    return None


def _running() -> Verdict | None:
    def running() -> list[dict]:
        return look.running(look.service_tasks(look.service(NAME, NAME)))

    if look.settled(running, TASKS):
        return None
    return not_yet("not_running", f"{len(running())} of {TASKS} tasks run. The stopped tasks say why.")


def _answers() -> Verdict:
    balancer = look.load_balancer(NAME)
    running = look.running(look.service_tasks(look.service(NAME, NAME)))
    hosts = {container.attrs["Config"]["Hostname"] for task in running for container in look.containers(task)}
    for _ in range(2):
        answers = [look.ask(balancer["DNSName"]) for _ in range(REQUESTS)]
        good = [answer for answer in answers if answer.status == 200]
        if len(good) < REQUESTS or {answer.host for answer in good} != hosts:
            return not_yet(
                "no_answer",
                f"{len(good)} of {REQUESTS} requests were answered by the app, from {len({a.host for a in good})} of "
                f"{len(hosts)} tasks. The containers run; is it our app, on port {look.APP_PORT}?",
            )
    return done(f"{2 * REQUESTS} requests, all answered, by all three tasks.")
