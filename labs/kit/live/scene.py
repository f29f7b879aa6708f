"""A scene: what exists at one moment, as plain values.

| kind            | state                                | facts                                                    |
|-----------------|--------------------------------------|----------------------------------------------------------|
| `cluster`       | ACTIVE ...                           |                                                          |
| `service`       | ACTIVE, DRAINING                     | desired, running, pending, rollouts, definition          |
| `task`          | PROVISIONING ... RUNNING ... STOPPED | zone, revision, launch, address, ports, instance, health, |
|                 |                                      | containers, exit, why                                    |
| `instance`      | ACTIVE, DRAINING, DISCONNECTED       | zone, type, tasks                                        |
| `load_balancer` | active, provisioning, failed         | type, listeners                                          |
| `target_group`  | in use, unused                       | healthy, targets, kind                                   |
| `queue`         | available                            | visible, in_flight, delayed                              |
| `rule`          | ENABLED, DISABLED                    | trigger                                                  |
| `file_system`   | available ...                        | mounts                                                   |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KINDS = {
    "cluster": "cluster",
    "service": "service",
    "task": "task",
    "instance": "container instance",
    "load_balancer": "load balancer",
    "target_group": "target group",
    "queue": "queue",
    "rule": "rule",
    "file_system": "file system",
}


@dataclass(frozen=True)
class Node:
    """One thing that exists, or that is planned and does not (`planned`).

    Args:
        kind: a key of `KINDS`.
        id: its ARN, or what else names it for good.
        name: what people call it.
        state: the word that its API has for its state.
        parent: the id of what it stands in; empty at the top.
        facts: what else is known of it, by kind.
        planned: it is only in the plan.
    """

    kind: str
    id: str
    name: str
    state: str
    parent: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    planned: bool = False


@dataclass(frozen=True)
class Edge:
    """A line from one node to another: `forward` (load balancer to group), `target`, `invoke`, `mount`; its state."""

    start: str
    end: str
    kind: str
    state: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Scene:
    """Nodes by id in a stable order, edges, and sentences about what could not be looked at."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    missing: tuple[str, ...] = ()

    def of(self, kind: str, parent: str | None = None) -> list[Node]:
        """The nodes of a kind, or those of them that stand in `parent`."""
        return [node for node in self.nodes.values() if node.kind == kind and parent in (None, node.parent)]

    def health(self, task: str) -> list[Edge]:
        """What target groups say of a task."""
        return [edge for edge in self.edges if edge.kind == "target" and edge.end == task]


AT_REST = {"RUNNING", "STOPPED"}  # states of a task in which it can stay


def on_its_way(scene: Scene) -> bool:
    """Whether something in the scene will change by itself, so that it is worth looking again soon."""
    if any(node.state not in AT_REST for node in scene.of("task")):
        return True
    if any(edge.state in ("initial", "draining") for edge in scene.edges):
        return True
    if any(node.state == "provisioning" for node in scene.of("load_balancer")):
        return True
    return any(
        node.state == "DRAINING" or "IN_PROGRESS" in [state for _, state, _ in node.facts["rollouts"]]
        for node in scene.of("service")
        if not node.planned
    )
