"""The house style of the pictures: a small vocabulary, and one function that draws.

A picture is data. Nodes stand on a grid of columns and rows; a group is a frame around its members; an edge runs
from icon to icon; a step is a sentence that an edge, a node or a group carries the number of. `render` turns that into
one self-contained SVG. A picture script reads like this:

    from house import edge, group, node, picture, save, step

    PICTURE = picture(
        "chapter_what", "Title", "What the picture shows, in a sentence.",
        nodes=[node("users", "users", "Users", at=(0, 0)), node("task", "aws/compute/fargate", "Task", at=(1, 0))],
        groups=[group("vpc", "vpc", "VPC", ["task"])],
        edges=[edge("users", "task", "HTTP", step=1)],
        steps=[step("A user asks the task.")],
    )

    if __name__ == "__main__":
        save(PICTURE, __file__)
"""

from house.svg import render, save
from house.vocabulary import Picture, edge, group, node, picture, step

__all__ = ["Picture", "edge", "group", "node", "picture", "render", "save", "step"]
