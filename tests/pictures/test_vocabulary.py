"""The vocabulary refuses a picture that does not hold together, and says why."""

import pytest
from house import edge, group, node, picture, render, step

USERS, TASK = node("users", "users", "Users", at=(0, 0)), node("task", "container", "Task", at=(1, 0))
CALL = edge("users", "task", "HTTP", step=1)


def _picture(**changes):
    parts = {"nodes": [USERS, TASK], "groups": [], "edges": [CALL], "steps": [step("A user asks.")], **changes}
    return picture("trial", "A trial", "What it shows.", **parts)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"nodes": [USERS, USERS, TASK]}, "uses a name twice: users"),
        ({"edges": [CALL, CALL]}, "uses a name twice: edge-users-task"),
        ({"edges": [CALL, edge("users", "gone")]}, "speaks of gone"),
        ({"groups": [group("vpc", "vpc", "VPC", ["gone"])]}, "speaks of gone"),
        ({"steps": []}, "carries the numbers"),
        ({"steps": [step("One."), step("Two.")]}, "carries the numbers"),
        ({"steps": [step("One.", "node-gone")]}, "node-gone"),
    ],
)
def test_a_picture_that_does_not_hold_together_is_refused(changes: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        _picture(**changes)


def test_an_unknown_kind_of_group_is_refused_with_the_kinds_there_are() -> None:
    with pytest.raises(ValueError, match="Known kinds: account, region, vpc"):
        group("x", "galaxy", "X", ["task"])


def test_an_unknown_icon_is_refused() -> None:
    with pytest.raises(ValueError, match="No icon is called 'aws/compute/gone'"):
        render(_picture(nodes=[USERS, node("task", "aws/compute/gone", "Task", at=(1, 0))]))


def test_a_step_lights_up_its_edge_the_ends_and_what_it_names() -> None:
    whole = _picture(groups=[group("vpc", "vpc", "VPC", ["task"])], steps=[step("A user asks.", "group-vpc")])
    assert whole.targets(1) == ["edge-users-task", "group-vpc", "node-task", "node-users"]


def test_words_of_a_picture_cannot_become_markup() -> None:
    text = render(_picture(nodes=[USERS, node("task", "container", "<b>&", at=(1, 0))]))
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;" in text
