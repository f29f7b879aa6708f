"""Does a lifecycle policy, previewed first, keep the last three nightly images and the production image?"""

import json
import time

from labs.ecr import look
from labs.kit import remove_aws, remove_docker
from labs.kit.verdict import Verdict, done, lost, not_yet
from labs.kit.world import aws_client

NAME = "ecr-nightly"
OLD = {"nightly-1", "nightly-2"}
KEPT = {"nightly-3", "nightly-4", "nightly-5", "prod-1"}
ACT_SECONDS = 25.0  # the local AWS carries out a policy every 15 seconds
RESET = "Begin again with `chapter.reset('keep_last_three')`."


def check() -> Verdict:
    """Look at the policy, wait until it has been carried out once, then at the images and at the preview."""
    if look.repository(NAME) is None:
        return not_yet("no_repository", f"There is no repository {NAME!r} yet.")
    policy, preview = _policy(), _preview()
    return _before(preview) if policy is None else _after(policy, preview)


def reset() -> None:
    """Remove the repository and the images."""
    remove_aws.everything(NAME)
    remove_docker.everything(NAME)


def _before(preview: tuple[str, set[str]] | None) -> Verdict:
    if missing := (OLD | KEPT) - set(look.tags(NAME)):
        return not_yet("not_pushed", f"Tags that are still to be pushed: {', '.join(sorted(missing))}.")
    if preview is None:
        return not_yet("no_policy", "All six images are there, and neither a policy nor a preview of one.")
    return not_yet("only_previewed", "A policy was previewed; none is in force, so no image will ever go.")


def _after(policy: str, preview: tuple[str, set[str]] | None) -> Verdict:
    tags = set(look.tags(NAME))
    if missing := KEPT - tags:
        return lost("too_much", f"Images that were to stay are not there: {', '.join(sorted(missing))}. {RESET}")
    if still := OLD & tags:
        return not_yet("too_little", f"The policy has been carried out, and {', '.join(sorted(still))} is still there.")
    return _previewed(policy, preview)


def _policy() -> str | None:
    """The text of the policy in force, once it has been carried out; None where there is none."""
    ecr = aws_client("ecr")
    end = time.monotonic() + ACT_SECONDS
    while True:
        try:
            found = ecr.get_lifecycle_policy(repositoryName=NAME)
        except ecr.exceptions.LifecyclePolicyNotFoundException:
            return None
        if found["lastEvaluatedAt"].timestamp() > 0 or time.monotonic() > end:
            return found["lifecyclePolicyText"]
        time.sleep(look.LOOK_SECONDS)


def _preview() -> tuple[str, set[str]] | None:
    """The text of the last preview and the tags that it named."""
    ecr = aws_client("ecr")
    try:
        found = ecr.get_lifecycle_policy_preview(repositoryName=NAME)
    except ecr.exceptions.LifecyclePolicyPreviewNotFoundException:
        return None
    named = {tag for one in found.get("previewResults", []) for tag in one.get("imageTags", [])}
    return found["lifecyclePolicyText"], named


def _previewed(policy: str, preview: tuple[str, set[str]] | None) -> Verdict:
    if preview is None or preview[1] != OLD:
        return lost("no_preview", f"No preview named these two images before the policy acted. {RESET}")
    if json.loads(preview[0]) != json.loads(policy):
        return lost("other_policy", f"The policy in force is not the one that was previewed last. {RESET}")
    return done("The preview named two images, the same policy took just these two, and the rest is there.")
