"""Does one task run on an EC2 instance of the learner's own, in the cluster map-own?"""

import time

from labs.containers_on_aws import look
from labs.kit import remove_aws, remove_docker
from labs.kit.verdict import Verdict, done, not_yet

NAME = "map-own"
TYPE = "t3.small"
IMAGE = "map-web:1"
JOIN_PATIENCE = 4.0  # seconds for an agent that is just starting


def check() -> Verdict:
    """Look at the cluster, at the machine, whether it has joined, then at the task."""
    if look.cluster(NAME) is None:
        return not_yet("no_cluster", f"There is no cluster {NAME!r} yet.")
    return _machine() or _task()


def reset() -> None:
    """Remove the cluster, its instance, the profile, the role and the task definitions."""
    remove_aws.everything(NAME)
    remove_docker.everything(NAME)


def _machine() -> Verdict | None:
    machines = look.instances(NAME)
    if not machines:
        return not_yet("no_instance", f"The cluster is there. No EC2 instance with the Name {NAME!r} runs.")
    if len(machines) > 1:
        return not_yet("too_many_instances", f"{len(machines)} instances run; you pay for each. One is asked for.")
    machine = machines[0]
    if machine["InstanceType"] != TYPE:
        return not_yet("other_type", f"The instance is a {machine['InstanceType']}; a {TYPE} is asked for.")
    if not machine.get("IamInstanceProfile"):
        return not_yet("no_profile", "The instance has no instance profile, so its agent may not speak with ECS.")
    end = time.monotonic() + JOIN_PATIENCE
    while not (joined := look.container_instances(NAME)) and time.monotonic() < end:
        time.sleep(look.LOOK_SECONDS)
    if not joined:
        return not_yet(
            "not_joined",
            f"The instance runs, and has not joined {NAME!r}. Which cluster does its user data name, and what may its "
            "role do?",
        )
    return None


def _task() -> Verdict:
    found = look.settled(NAME)
    running = look.running(found)
    if not running:
        if found:
            reason = found[-1].get("stoppedReason", "")[:200]
            return not_yet("not_running", f"No task runs. The last one said: {reason}")
        return not_yet("not_run", "The instance has joined and waits. No task has been started in the cluster.")
    if any(task.get("launchType") == "FARGATE" for task in running):
        return not_yet("on_fargate", "A task runs on Fargate, and your instance idles beside it. You pay for both.")
    if len(running) > 1:
        return not_yet("too_many", f"{len(running)} tasks run; one is asked for.")
    image = running[0]["containers"][0]["image"]
    if image != IMAGE:
        return not_yet("other_image", f"The task runs {image!r}, not {IMAGE!r}.")
    return done("One task runs on your own instance: it has a containerInstanceArn, which no Fargate task has.")
