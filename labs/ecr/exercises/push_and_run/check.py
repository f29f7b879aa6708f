"""Does a Fargate task run the image that lies in the repository?"""

from labs.ecr import look
from labs.kit import remove_aws, remove_docker
from labs.kit.verdict import Verdict, done, not_yet

NAME = "ecr-first"
TAG = "1.0"


def check() -> Verdict:
    """Look at the repository, at its tag, then at the newest task of the cluster and where its image came from."""
    repository = look.repository(NAME)
    if repository is None:
        return not_yet("no_repository", f"There is no repository {NAME!r} yet.")
    tags = look.tags(NAME)
    if TAG not in tags:
        held = ", ".join(sorted(tags)) or "none"
        return not_yet("not_pushed", f"The repository holds no image with the tag {TAG!r}. Tags there: {held}.")
    task = look.newest_task(NAME, repository["createdAt"])
    if task is None:
        return not_yet("no_task", f"The image is in the repository; no task has run in a cluster {NAME!r} yet.")
    return _task(task, repository["repositoryUri"], tags[TAG])


def reset() -> None:
    """Remove the repository, the cluster, the task definition, the role and the images."""
    remove_aws.everything(NAME)
    remove_docker.everything(NAME)


def _task(task: dict, uri: str, digest: str) -> Verdict:
    reason = task.get("stoppedReason", "")
    if task["lastStatus"] != "RUNNING":
        if "not authorized" in reason:
            return not_yet("may_not_pull", "The task stopped, because its execution role may not pull from ECR.")
        return not_yet("did_not_start", f"The newest task does not run. ECS says: {reason[:200] or 'nothing yet'}")
    image = look.image_of(task)
    official = ".dkr.ecr." in image.partition("/")[0] and image.partition("/")[2].startswith(NAME)
    if not official and not image.startswith((f"{uri}:", f"{uri}@")):
        return not_yet("local_image", f"The task runs {image!r}. That is no address in the repository {NAME!r}.")
    if task["containers"][0].get("imageDigest") != digest:
        return not_yet("stale", f"The running task has another image than the one that {TAG!r} stands for now.")
    return done("The task runs, and its digest is that of the image in your repository.")
