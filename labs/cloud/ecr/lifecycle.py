"""Lifecycle policies: their language, and which images they hit. Pure functions.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle-policy-parameters.html
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from labs.cloud.ecr import patterns
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record

DAY = 86400.0
_SINCE = {
    "sinceImagePushed": lambda image: image["imagePushedAt"],
    "sinceImagePulled": lambda image: image.get("lastRecordedPullTime") or image["imagePushedAt"],
    "sinceImageTransitioned": lambda image: image.get("lastArchivedAt") or image["imagePushedAt"],
}  # fmt: skip
_RULE = {"rulePriority", "description", "selection", "action"}
_SELECTION = {"tagStatus", "tagPrefixList", "tagPatternList", "storageClass", "countType", "countUnit", "countNumber"}


class Hit(NamedTuple):
    """An image that a policy does something with: the image, the rule's priority, `EXPIRE` or `TRANSITION`."""

    image: Record
    priority: int
    action: str


def parse(text: str) -> list[dict[str, Any]]:
    """The rules of a policy, the lowest priority number first.

    Raises:
        AwsError: InvalidParameterException, with what is wrong.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _invalid("the policy is no JSON") from None
    if not isinstance(found, dict) or set(found) != {"rules"} or not isinstance(found["rules"], list):
        raise _invalid("the policy is an object with the member 'rules', a list")
    rules = found["rules"]
    if not rules:
        raise _invalid("'rules' needs one rule at least")
    for rule in rules:
        if problem := _rule_problem(rule):
            raise _invalid(problem)
    if problem := _set_problem(rules):
        raise _invalid(problem)
    return sorted(rules, key=lambda rule: rule["rulePriority"])


def hits(rules: Sequence[dict[str, Any]], images: Sequence[Record], now: float) -> list[Hit]:
    """What a policy does.

    All rules look at all images. An image that fits the tags of a rule is never touched by one of lower priority, and
    one that a manifest list names is never touched.

    Args:
        rules: as `parse` returns them.
        images: of one repository.
        now: seconds since the epoch.
    """
    listed = {digest for image in images for digest in image["_children"]}
    claimed: set[str] = set()
    found = []
    for rule in rules:
        selection = rule["selection"]
        wanted = "ARCHIVED" if selection.get("storageClass") == "archive" else "ACTIVE"
        fits = [
            image
            for image in images
            if _fits(selection, image)
            and image.get("imageStatus", "ACTIVE") == wanted
            and image["imageDigest"] not in listed
        ]
        chosen = [image for image in _counted(selection, fits, now) if image["imageDigest"] not in claimed]
        found += [Hit(image, rule["rulePriority"], rule["action"]["type"].upper()) for image in chosen]
        claimed |= {image["imageDigest"] for image in fits}
    return found


def _fits(selection: dict[str, Any], image: Record) -> bool:
    """Whether an image has the tags that a rule is about: each prefix or pattern fits one of them."""
    tags = image["imageTags"]
    if selection["tagStatus"] == "any":
        return True
    if selection["tagStatus"] == "untagged":
        return not tags
    wanted = [f"{prefix}*" for prefix in selection.get("tagPrefixList", [])] + selection.get("tagPatternList", [])
    return bool(tags) and all(any(patterns.matches(pattern, tag) for tag in tags) for pattern in wanted)


def _counted(selection: dict[str, Any], images: list[Record], now: float) -> list[Record]:
    """The images that are too many, or too old; the oldest first."""
    ordered = sorted(images, key=lambda image: image["imagePushedAt"])
    number = selection["countNumber"]
    if selection["countType"] == "imageCountMoreThan":
        return ordered[: max(0, len(ordered) - number)]
    since: Callable[[Record], float] = _SINCE[selection["countType"]]
    return [image for image in ordered if since(image) < now - number * DAY]


def _rule_problem(rule: Any) -> str | None:
    if not isinstance(rule, dict) or not {"rulePriority", "selection", "action"} <= set(rule) or set(rule) - _RULE:
        return "a rule has rulePriority, selection, action, and may have a description"
    if not _is_count(rule["rulePriority"]):
        return "rulePriority is a whole number from 1"
    if not isinstance(rule.get("description", ""), str):
        return "the description of a rule is a text"
    selection = rule["selection"]
    if not isinstance(selection, dict) or set(selection) - _SELECTION:
        return f"a selection has no members but {', '.join(sorted(_SELECTION))}"
    return _tags_problem(selection) or _count_problem(selection) or _action_problem(rule["action"], selection)


def _tags_problem(selection: dict[str, Any]) -> str | None:
    status = selection.get("tagStatus")
    if status not in ("tagged", "untagged", "any"):
        return "tagStatus is tagged, untagged or any"
    lists = [name for name in ("tagPrefixList", "tagPatternList") if name in selection]
    if status != "tagged":
        return f"{lists[0]} needs the tagStatus tagged" if lists else None
    if len(lists) != 1:
        return "the tagStatus tagged needs either tagPrefixList or tagPatternList"
    values = selection[lists[0]]
    if not isinstance(values, list) or not values or not all(isinstance(one, str) and one for one in values):
        return f"{lists[0]} is a list of texts"
    if lists[0] == "tagPatternList" and any(one.count("*") > 4 for one in values):
        return "a pattern of tagPatternList has four wildcards (*) at most"
    return None


def _count_problem(selection: dict[str, Any]) -> str | None:
    kind, archived = selection.get("countType"), selection.get("storageClass") == "archive"
    checks = (
        (kind == "imageCountMoreThan" or kind in _SINCE, f"countType is imageCountMoreThan, {', '.join(_SINCE)}"),
        (kind not in _SINCE or selection.get("countUnit") == "days", f"the countType {kind} needs the countUnit days"),
        (kind in _SINCE or "countUnit" not in selection, "imageCountMoreThan does not take a countUnit"),
        (_is_count(selection.get("countNumber")), "countNumber is a whole number from 1"),
        (selection.get("storageClass", "standard") in ("standard", "archive"), "storageClass is standard or archive"),
        (
            (kind == "sinceImageTransitioned") == archived,
            "the countType sinceImageTransitioned goes with the storageClass archive, and the others do not",
        ),
    )
    return next((problem for holds, problem in checks if not holds), None)


def _action_problem(action: Any, selection: dict[str, Any]) -> str | None:
    if not isinstance(action, dict) or action.get("type") not in ("expire", "transition"):
        return "the type of an action is expire or transition"
    if action["type"] == "expire":
        return "the action expire takes nothing else" if set(action) != {"type"} else None
    if action != {"type": "transition", "targetStorageClass": "archive"}:
        return "the action transition needs the targetStorageClass archive"
    return "archived images cannot be archived" if selection.get("storageClass") == "archive" else None


def _set_problem(rules: list[dict[str, Any]]) -> str | None:
    """What is wrong with the rules together."""
    priorities = [rule["rulePriority"] for rule in rules]
    if len(set(priorities)) < len(priorities):
        return "each rulePriority is used once"
    last = max(rules, key=lambda rule: rule["rulePriority"])
    everything = [rule for rule in rules if rule["selection"]["tagStatus"] == "any"]
    classes = [(rule["selection"].get("storageClass", "standard"), rule["action"]["type"]) for rule in everything]
    if len(set(classes)) < len(classes):
        return "only one rule can have the tagStatus any"
    if everything and last not in everything:
        return "a rule with the tagStatus any has the highest rulePriority"
    untagged = [
        (rule["selection"].get("storageClass", "standard"), rule["action"]["type"])
        for rule in rules
        if rule["selection"]["tagStatus"] == "untagged"
    ]
    return "only one rule can have the tagStatus untagged" if len(set(untagged)) < len(untagged) else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _invalid(problem: str) -> AwsError:
    return AwsError(
        "InvalidParameterException",
        "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: "
        f"'Lifecycle policy validation failure: {problem}'",
    )
