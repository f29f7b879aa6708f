"""Does a service of two tasks run on Fargate Spot alone?"""

import time
from typing import Any

from labs.containers_on_aws import look
from labs.kit import remove_aws, remove_docker
from labs.kit.verdict import Verdict, done, not_yet

NAME = "map-pick"
TASKS = 2
IMAGE = "map-web:1"
PATIENCE_SECONDS = 8.0


def check() -> Verdict:
    """Look for the service, at what it asks for, then at its tasks."""
    service = look.service(NAME, NAME)
    if service is None:
        return _no_service()
    return _asked(service) or _running()


def reset() -> None:
    """Remove the service, its cluster and its task definitions."""
    remove_aws.everything(NAME)
    remove_docker.everything(NAME)


def _no_service() -> Verdict:
    if look.running(look.tasks(NAME)):
        return not_yet("only_tasks", "Tasks run, and nobody watches them: when one ends, none comes in its place.")
    return not_yet("no_service", f"There is no service {NAME!r} in a cluster {NAME!r} yet.")


def _asked(service: dict[str, Any]) -> Verdict | None:
    if service["desiredCount"] != TASKS:
        return not_yet("not_two", f"The service wants {service['desiredCount']} tasks; {TASKS} are asked for.")
    strategy = {one["capacityProvider"] for one in service.get("capacityProviderStrategy", [])}
    if service.get("launchType") == "EC2":
        return not_yet("own_servers", "The service asks for EC2 instances. Who in this team looks after them?")
    if not strategy or strategy == {"FARGATE"}:
        return not_yet("full_price", "Fargate fits. At this price nothing is ever interrupted, and nobody needs that.")
    if strategy != {"FARGATE_SPOT"}:
        return not_yet("mixed", f"The strategy names {', '.join(sorted(strategy))}. What is the cheapest that fits?")
    definition = look.task_definition(service["taskDefinition"])
    if (definition.get("cpu"), definition.get("memory")) != ("256", "512"):
        return not_yet("wrong_size", "A task is not of 256 CPU units and 512 MiB: you pay for what you reserve.")
    return None


def _running() -> Verdict:
    end = time.monotonic() + PATIENCE_SECONDS
    while len(found := look.running(look.tasks(NAME, stopped=False))) < TASKS and time.monotonic() < end:
        time.sleep(look.LOOK_SECONDS)
    if any(task["containers"][0]["image"] != IMAGE for task in found) or len(found) < TASKS:
        return not_yet(
            "not_running", f"{len(found)} tasks run in {NAME!r}; {TASKS} of {IMAGE!r} are asked for. See the events."
        )
    elsewhere = [task for task in found if task.get("capacityProviderName") != "FARGATE_SPOT"]
    if elsewhere:
        return not_yet("old_tasks", f"{len(elsewhere)} running tasks are not on FARGATE_SPOT, and are paid in full.")
    return done("Two workers run on Fargate Spot, and the service replaces each that is taken away.")
