"""Did the load balancer find the sick copy of lb-sick, and did ECS replace it?"""

import time

from labs.ecs_load_balancing import look
from labs.kit import remove_aws
from labs.kit.verdict import Verdict, done, not_yet

NAME = "lb-sick"
TASKS = 3
FOUND_WITHIN = 30  # seconds in which a sick copy is to be found
LONGEST_GRACE = 60


def check() -> Verdict:
    """Look at the service, at what its target group asks, then at the record of its tasks."""
    service = look.service(NAME, NAME)
    if service is None:
        return not_yet("no_service", f"There is no service {NAME!r} in a cluster {NAME!r} yet.")
    if service["desiredCount"] != TASKS:
        return not_yet("not_three", f"The service wants {service['desiredCount']} tasks, not {TASKS}.")
    if not service["loadBalancers"]:
        return not_yet("no_target_group", "The service names no target group: nobody asks its tasks how they are.")
    group = look.target_group(service["loadBalancers"][0]["targetGroupArn"])
    if group is None:
        return not_yet("no_target_group", "The target group that the service names is not there any more.")
    return _asks(group, service) or _record(service, group["TargetGroupArn"])


def reset() -> None:
    """Remove the service, its cluster and task definitions, the load balancer and its target group."""
    remove_aws.everything(NAME)


def _asks(group: dict, service: dict) -> Verdict | None:
    if group["HealthCheckProtocol"] != "HTTP" or group["HealthCheckPath"] not in ("/health", "/cart"):
        return not_yet(
            "shallow_check",
            f"The health check asks for {group.get('HealthCheckPath', 'a connection')!r}. "
            "A sick copy answers there as friendly as a well one.",
        )
    seconds = group["HealthCheckIntervalSeconds"] * group["UnhealthyThresholdCount"]
    if seconds > FOUND_WITHIN:
        return not_yet(
            "too_slow",
            f"{group['UnhealthyThresholdCount']} failed checks, one every {group['HealthCheckIntervalSeconds']} s: "
            f"a sick copy serves for about {seconds} s before it is found, and {FOUND_WITHIN} are allowed.",
        )
    grace = service.get("healthCheckGracePeriodSeconds", 0)
    if grace > LONGEST_GRACE:
        return not_yet(
            "long_grace",
            f"For the first {grace} s after a task's start the service does not listen to the load balancer "
            "(healthCheckGracePeriodSeconds), so a copy that falls ill in that time is not replaced.",
        )
    return None


def _record(service: dict, group: str) -> Verdict:
    end = time.monotonic() + 3 * look.PATIENCE_SECONDS
    while True:
        record = look.tasks(service)
        failed = [task for task in record if "failed ELB health checks" in task.get("stoppedReason", "")]
        ill = [one for one in look.targets(group) if one["TargetHealth"]["State"] == "unhealthy"]
        if failed or not ill or time.monotonic() > end:
            break
        time.sleep(look.LOOK_SECONDS)
    if not failed:
        return _nobody(record)
    if not any(_was_well(task, service) for task in failed):
        return not_yet(
            "nobody_sick",
            "A task has failed its health checks, but it had never passed them. One that was well is to fall ill.",
        )
    if not look.steady(service, TASKS) or len(look.healthy(group, TASKS)) != TASKS:
        return not_yet(
            "not_replaced", f"A sick copy was found, but not {TASKS} copies are well: {look.troubles(group)}."
        )
    return done(f"The sick copy failed its checks and was replaced; {TASKS} copies are well again.")


def _was_well(task: dict, service: dict) -> bool:
    """Whether the service was once at rest while this task ran."""
    now = look.service(NAME, NAME) or service
    at_rest = [event["createdAt"] for event in now["events"] if "has reached a steady state" in event["message"]]
    return any(task["createdAt"] < moment < task["stoppingAt"] for moment in at_rest)


def _nobody(record: list[dict]) -> Verdict:
    if any(task.get("stopCode") == "UserInitiated" for task in record):
        return not_yet("by_hand", "A task was stopped by hand. The load balancer is to find the sick one by itself.")
    return not_yet("nobody_sick", "No task of the service has failed its health checks. Has one copy been made sick?")
