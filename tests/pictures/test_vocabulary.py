"""The vocabulary refuses a picture that does not hold together, and says why."""

import re

import pytest
from contrast import LEAST, contrast
from house import edge, group, node, picture, render, step
from house.theme import COLOURS, GROUP_KINDS

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


@pytest.mark.parametrize("kind", GROUP_KINDS)
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_kind_of_group_has_legible_words_in_and_on_it(kind: str, theme: int) -> None:
    look = GROUP_KINDS[kind]
    ground = COLOURS["card"][theme] if look.fill[theme] == "none" else look.fill[theme]
    for ink in (look.ink, COLOURS["ink"], COLOURS["soft"]):
        assert contrast(_rgb(ink[theme]), _rgb(ground)) >= LEAST


def _rgb(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_a_line_that_leaves_and_enters_on_one_side_goes_around(side: str) -> None:
    along = (1, 0) if side in ("top", "bottom") else (0, 1)
    nodes = [USERS, node("task", "container", "Task", at=along)]
    text = render(_picture(nodes=nodes, edges=[edge("users", "task", step=1, leave=side, enter=side, bend=20)]))
    wire = re.search(r'class="wire" d="([^"]+)"', text)[1]
    start, *corners, end = [tuple(map(float, point)) for point in re.findall(r"([\d.]+) ([\d.]+)", wire)]
    axis = 0 if side in ("left", "right") else 1
    outwards = -1 if side in ("left", "top") else 1
    assert max(outwards * corner[axis] for corner in corners) > max(outwards * tip[axis] for tip in (start, end))


def test_a_line_without_room_to_turn_is_refused() -> None:
    with pytest.raises(ValueError, match="edge-users-task cannot leave at the left"):
        render(_picture(edges=[edge("users", "task", step=1, leave="left", enter="left", bend=20)]))
