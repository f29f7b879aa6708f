"""Does one Fargate task run an image that is kept in the ECR repository map-shop?"""

from labs.containers_on_aws import look
from labs.kit import remove_aws, remove_docker
from labs.kit.verdict import Verdict, done, not_yet

NAME = "map-shop"
TAG = "1"
ROLE = "map-shop-execution"


def check() -> Verdict:
    """Look at the repository, at the family's latest revision, then at the task."""
    if look.repository(NAME) is None:
        return not_yet("no_repository", f"There is no ECR repository {NAME!r} yet.")
    return _pushed() or _recipe() or _running()


def reset() -> None:
    """Remove the repository, the cluster, the task definitions and the role."""
    remove_aws.everything(NAME)
    remove_docker.everything(NAME)


def _pushed() -> Verdict | None:
    found = look.images(NAME)
    if not found:
        return not_yet("not_pushed", f"The repository {NAME!r} is there, and empty. Did the push end with an error?")
    tags = sorted(tag for image in found for tag in image.get("imageTags", []))
    if TAG not in tags:
        return not_yet("other_tag", f"The repository holds the tags {', '.join(tags) or 'none'}; {TAG!r} is asked for.")
    return None


def _recipe() -> Verdict | None:
    known = look.revisions(NAME)
    if not known:
        return not_yet("no_task_definition", f"The image is in ECR. There is no task definition {NAME!r} yet.")
    latest = known[-1]
    image = latest["containerDefinitions"][0]["image"]
    if look.repository_of(image) != NAME:
        return not_yet("image_of_the_engine", f"{NAME}:{latest['revision']} names {image!r}: that is not in ECR.")
    if latest.get("executionRoleArn", "").rpartition("/")[2] != ROLE:
        return not_yet("other_role", f"{NAME}:{latest['revision']} does not have the execution role {ROLE!r}.")
    if (latest.get("cpu"), latest.get("memory")) != ("256", "512"):
        return not_yet("wrong_size", f"{NAME}:{latest['revision']} is not of 256 CPU units and 512 MiB.")
    return None


def _running() -> Verdict:
    found = [task for task in look.settled(NAME) if task["group"] == f"family:{NAME}"]
    running = look.running(found)
    if not running:
        reasons = [task.get("stoppedReason", "") for task in found]
        if reasons:
            return not_yet("cannot_start", f"No task runs. The last one stopped and said: {reasons[-1][:220]}")
        return not_yet("not_run", f"No task of {NAME!r} runs in the cluster {NAME!r}. A refused call starts none.")
    if len(running) > 1:
        return not_yet("too_many", f"{len(running)} tasks run; one is asked for.")
    task = running[0]
    if task.get("launchType") != "FARGATE":
        return not_yet("not_fargate", f"The task runs with the launch type {task.get('launchType')!r}.")
    wanted = next(one["imageDigest"] for one in look.images(NAME) if TAG in one.get("imageTags", []))
    if task["containers"][0].get("imageDigest") != wanted:
        return not_yet("old_image", "The task runs another image than the one that the tag names in ECR now.")
    return done("ECR keeps the image, and one Fargate task runs it: the digests of both are the same.")
