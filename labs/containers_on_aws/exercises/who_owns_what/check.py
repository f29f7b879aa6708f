"""Does each task of the cluster map-who carry the tags that say where it runs and where its image came from?"""

from typing import Any

from labs.containers_on_aws import look
from labs.kit import remove_aws, remove_docker
from labs.kit.verdict import Verdict, done, lost, not_yet

NAME = "map-who"
TASKS = 3
RUNS_ON, IMAGE_FROM = "runs-on", "image-from"
KNOWN = {RUNS_ON: {"fargate", "ec2"}, IMAGE_FROM: {"ecr", "engine"}}
RESET = "Begin again with `chapter.reset('who_owns_what')`."


def check() -> Verdict:
    """Look at the scene, then at the tags of each task."""
    if look.cluster(NAME) is None:
        return not_yet("no_scene", "The three tasks are not on stage yet: `scene.build()` starts them.")
    found = look.running(look.settled(NAME))
    if len(found) != TASKS:
        return lost("task_gone", f"{len(found)} of {TASKS} tasks run. A stopped task never comes back. {RESET}")
    return _tags(found)


def reset() -> None:
    """Remove the scene."""
    remove_aws.everything(NAME)
    remove_docker.everything(NAME)


def _tags(found: list[dict[str, Any]]) -> Verdict:
    given = [{tag["key"]: tag["value"] for tag in task.get("tags", [])} for task in found]
    if not any(tags.keys() & KNOWN.keys() for tags in given):
        return not_yet("not_tagged", f"The tasks run. None carries the tag {RUNS_ON!r} or {IMAGE_FROM!r}.")
    missing = sum(not tags.keys() >= KNOWN.keys() for tags in given)
    if missing:
        return not_yet("some_untagged", f"{missing} of {TASKS} tasks lack one of the two tags.")
    strange = sorted({tags[key] for tags in given for key in KNOWN if tags[key] not in KNOWN[key]})
    if strange:
        return not_yet("other_words", f"These values are not among the words asked for: {', '.join(strange)}.")
    if wrong := sum(tags[RUNS_ON] != _runs_on(task) for task, tags in zip(found, given, strict=True)):
        return not_yet("wrong_place", f"{wrong} of {TASKS} tasks run somewhere else than their tag says.")
    if wrong := sum(tags[IMAGE_FROM] != _image_from(task) for task, tags in zip(found, given, strict=True)):
        return not_yet("wrong_origin", f"{wrong} of {TASKS} tasks have another image than their tag says.")
    return done("All three are told apart: by launchType, and by the address in the image's name.")


def _runs_on(task: dict[str, Any]) -> str:
    return "ec2" if task.get("containerInstanceArn") else "fargate"


def _image_from(task: dict[str, Any]) -> str:
    return "ecr" if look.repository_of(task["containers"][0]["image"]) else "engine"
