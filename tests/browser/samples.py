"""A question of every kind and a small picture, which tests of quiz and walk use instead of a chapter's own."""

import json
from pathlib import Path
from typing import Any

import yaml

from labs.kit.questions import Exam, Item, Option, Pair, Question

_COMMON: dict[str, Any] = {
    "topics": ("D01",),
    "exams": (Exam("CLF-C02", 3),),
    "source": "https://docs.docker.com/reference/cli/docker/container/run/",
    "checked": "2026-11-22",
    "difficulty": 1,
}

ONE = Question(
    id="port",
    kind="one",
    stem="A web server listens on port 80 in its container. Which option of `docker run` makes it answer on port 8080?",
    options=(
        Option("`-p 8080:80`", True, "The host's port stands first, the container's second."),
        Option("`-p 80:8080`", False, "This publishes port 8080 of the container, where nothing listens."),
        Option("`--expose 8080`", False, "This only documents a port. Nothing is published."),
        Option("`-e PORT=8080`", False, "An environment variable opens no port by itself."),
    ),
    **_COMMON,
)
SEVERAL = Question(
    id="survives",
    kind="several",
    stem="A container is removed. What is still there afterwards?",
    options=(
        Option("its image", True, "Containers use an image. They do not own it."),
        Option("a named volume that it used", True, "Volumes have a life of their own."),
        Option("its writable layer", False, "The layer belongs to the container and goes with it."),
        Option("its logs", False, "The engine removes them together with the container."),
    ),
    **_COMMON,
)
ORDER = Question(
    id="way",
    kind="order",
    stem="An image is on its way from a laptop into a task. Put the steps in order.",
    items=(
        Item("build the image", "Nothing can be pushed before it is built."),
        Item("push it to the registry", "ECS pulls from a registry, not from a laptop."),
        Item("register a task definition", "It names the image in the registry."),
        Item("create the service", "It starts tasks from the task definition."),
    ),
    **_COMMON,
)
MATCH = Question(
    id="jobs",
    kind="match",
    stem="Which service does which job?",
    pairs=(
        Pair("Amazon ECR", "keeps images", "It is a registry."),
        Pair("Amazon ECS", "starts and replaces tasks", "It is an orchestrator."),
        Pair("AWS Fargate", "provides CPU and memory", "It is capacity without servers to look after."),
    ),
    **_COMMON,
)
QUESTIONS = [ONE, SEVERAL, ORDER, MATCH]

PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="0 0 600 200" role="img">
<title>A request</title>
<metadata id="walk">{walk}</metadata>
<style>
.picture {{ --ink: #16191f; --card: #ffffff; }}
@media (prefers-color-scheme: dark) {{ .picture:not([data-theme=light]) {{ --ink: #f3f5f8; --card: #141c29; }} }}
.picture[data-theme=dark] {{ --ink: #f3f5f8; --card: #141c29; }}
.card {{ fill: var(--card); }} text {{ fill: var(--ink); }} .wire {{ stroke: var(--ink); fill: none; }}
p {{ color: rgb(255, 0, 255); }}
</style>
<rect class="card" width="600" height="200"/>
<g id="group-region" class="group"><rect x="280" y="20" width="300" height="160" fill="none" stroke="teal"/></g>
<g id="edge-users-alb" class="edge"><path class="wire" d="M100 100L380 100"/></g>
<g id="node-users" class="node"><rect x="40" y="70" width="60" height="60"/><text x="70" y="150">Users</text></g>
<g id="node-alb" class="node"><rect x="380" y="70" width="60" height="60"/><text x="410" y="150">Balancer</text></g>
</svg>
"""
STEPS = [
    {"n": 1, "text": "A user sends a request.", "targets": ["node-users"]},
    {"n": 2, "text": "The request goes to the load balancer.", "targets": ["edge-users-alb", "node-alb"]},
    {"n": 3, "text": "The load balancer lives in the Region.", "targets": ["group-region"]},
]
WALK = {"title": "A request", "description": "How a request reaches a load balancer.", "steps": STEPS}


def write_picture(path: Path, walk: dict[str, Any] | None = None) -> Path:
    """Write the small picture, with the walk given or its own."""
    path.write_text(PICTURE.format(walk=json.dumps(walk or WALK)), encoding="utf-8")
    return path


def entry(question: Question, **changes: Any) -> dict[str, Any]:
    """A question as its file has it, with some values changed."""
    values = {name: value for name, value in vars(question).items() if value != ()}
    for name in ("exams", "options", "items", "pairs"):
        if name in values:
            values[name] = [dict(vars(part)) for part in values[name]]
    return {**values, "topics": list(question.topics), **changes}


def write_questions(path: Path, entries: list[dict[str, Any]] | None = None) -> Path:
    """Write a file of questions: those given, or the four samples and copies of the first to make ten."""
    entries = entries or [entry(question) for question in QUESTIONS]
    copies = [entry(ONE, id=f"port-{n}") for n in range(len(entries), 10)]
    path.write_text(yaml.safe_dump({"questions": [*entries, *copies]}, sort_keys=False), encoding="utf-8")
    return path
