"""Where everything stands. Nested boxes on a fixed width; what stays keeps its place while other things come and go.

The answer is plain values in units (1 unit = 1 px at full width), ready to be drawn: frames, nodes, wires.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from labs.kit.live import parts, wires
from labs.kit.live.plan import Difference
from labs.kit.live.scene import Node, Scene
from labs.kit.live.words import sentence

WIDTH, MARGIN, PAD = 920.0, 18.0, 14.0
LEFT, RIGHT, GAP = 168.0, 150.0, 40.0  # the columns beside the clusters, and the room for the lines to them
HEADER, SERVICE_HEADER, ZONE_HEADER = 30.0, 46.0, 24.0
BIG, SMALL = parts.Cell(122, 141, 44), parts.Cell(68, 80, 28)
CROWD, FEW = 10, 6  # tasks of a row from which cells get small, and below which they get big again
LONE = "Tasks without a service"


@dataclass
class Memory:
    """What a layout remembers of the last ones, so that nothing jumps: places, sizes of cells, columns once there."""

    places: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    crowded: set[str] = field(default_factory=set)
    zones: dict[str, set[str]] = field(default_factory=dict)
    left: bool = False
    right: bool = False

    def place(self, row: tuple[str, str], ids: list[str]) -> dict[str, int]:
        """The place of each, from 0: its old one, or the first that is free."""
        known = {id_: at for id_, at in self.places.get(row, {}).items() if id_ in ids}
        free = (at for at in range(len(ids)) if at not in set(known.values()))
        for id_ in ids:
            if id_ not in known:
                known[id_] = next(free)
        self.places[row] = known
        return known


def arrange(scene: Scene, differences: list[Difference], memory: Memory) -> dict[str, Any]:
    """A drawing: `width`, `height`, `frames`, `nodes` and `wires`."""
    return _Page(scene, {one.about: one for one in differences}, memory).draw()


class Area(NamedTuple):
    """Where a frame or rows begin, and how wide they are; how tall shows when all is placed."""

    x: float
    y: float
    width: float


class _Page:
    def __init__(self, scene: Scene, marks: dict[str, Difference], memory: Memory) -> None:
        self.scene, self.marks, self.memory = scene, marks, memory
        self.frames: list[dict[str, Any]] = []
        self.nodes: list[dict[str, Any]] = []
        self.boxes: dict[str, parts.Box] = {}  # of icons and frames, for the lines

    def draw(self) -> dict[str, Any]:
        scene, memory = self.scene, self.memory
        at_left = scene.of("load_balancer") + scene.of("target_group")
        at_right = scene.of("rule") + scene.of("queue") + scene.of("file_system")
        memory.left, memory.right = memory.left or bool(at_left), memory.right or bool(at_right)
        x0 = MARGIN + (LEFT + GAP if memory.left else 0)
        x1 = WIDTH - MARGIN - (RIGHT + GAP if memory.right else 0)
        bottoms = [self._balancers(), self._column(at_right, WIDTH - MARGIN - RIGHT, RIGHT), self._clusters(x0, x1)]
        drawn = wires.draw(scene, self.boxes)
        height = max(120.0, *bottoms) + MARGIN
        return {"width": WIDTH, "height": height, "frames": self.frames, "nodes": self.nodes, "wires": drawn}

    def _clusters(self, x0: float, x1: float) -> float:
        y = MARGIN
        for cluster in self.scene.of("cluster"):
            frame = self._frame(cluster, "cluster", Area(x0, y, x1 - x0), f"Cluster {cluster.name}")
            below = y + HEADER
            for service in self.scene.of("service", cluster.id):
                below = self._service(service, x0 + PAD, below, x1 - x0 - 2 * PAD) + PAD
            if lone := self.scene.of("task", cluster.id):
                below = self._lone(cluster, lone, x0 + PAD, below, x1 - x0 - 2 * PAD) + PAD
            if instances := self.scene.of("instance", cluster.id):
                below = self._row(f"{cluster.id}/instances", instances, Area(x0 + PAD, below, x1 - x0 - 2 * PAD)) + PAD
            self._close(frame, max(below, y + 64))
            y = max(below, y + 64) + PAD
        return y - PAD if self.scene.of("cluster") else y

    def _service(self, service: Node, x: float, y: float, width: float) -> float:
        kind = "draining" if service.state == "DRAINING" else "deployment"
        frame = self._frame(service, kind, Area(x, y, width), f"Service {service.name}", parts.service_line(service))
        bottom = self._zones(service.id, self.scene.of("task", service.id), Area(x, y + SERVICE_HEADER, width))
        self._close(frame, bottom + 8)
        return bottom + 8

    def _lone(self, cluster: Node, tasks: list[Node], x: float, y: float, width: float) -> float:
        box = Node("service", f"{cluster.id}/lone", "", "", cluster.id)
        frame = self._frame(box, "folder", Area(x, y, width), LONE)
        bottom = self._zones(box.id, tasks, Area(x, y + HEADER, width))
        self._close(frame, bottom + 8)
        return bottom + 8

    def _zones(self, owner: str, tasks: list[Node], area: Area) -> float:
        """The tasks in rows by zone. A zone once there stays, and planned tasks fill the shortest rows."""
        x, y, width = area
        zones = self.memory.zones.setdefault(owner, set())
        zones |= {task.facts["zone"] for task in tasks if task.facts["zone"]}
        rows: dict[str, list[Node]] = {zone: [] for zone in sorted(zones)} or {"": []}
        for task in tasks:
            if task.planned or not task.facts["zone"]:
                shortest = min(rows, key=lambda zone: len([one for one in rows[zone] if one.state != "STOPPED"]))
                rows[shortest].append(task)
            else:
                rows[task.facts["zone"]].append(task)
        most = max(len(row) for row in rows.values())
        if most >= CROWD or (owner in self.memory.crowded and most > FEW):
            self.memory.crowded.add(owner)
        else:
            self.memory.crowded.discard(owner)
        cell = SMALL if owner in self.memory.crowded else BIG
        for zone, row in rows.items():
            name = f"Availability Zone {zone}" if zone else "Zone not chosen yet"
            box = Node("service", f"{owner}/{zone}", zone, "", owner)
            frame = self._frame(box, "az", Area(x + 20, y, width - 28), name)
            y = self._cells((owner, zone), row, cell, Area(x + 24, y + ZONE_HEADER, width - 36))
            self._close(frame, y + 4)
            y += 14
        return y - 10

    def _row(self, owner: str, nodes: list[Node], area: Area) -> float:
        x, y, width = area
        box = Node("service", owner, "", "", "")
        frame = self._frame(box, "folder", area, "Container instances")
        bottom = self._cells((owner, ""), nodes, BIG, Area(x + 8, y + HEADER - 8, width - 16))
        self._close(frame, bottom)
        return bottom

    def _cells(self, row: tuple[str, str], nodes: list[Node], cell: parts.Cell, area: Area) -> float:
        x, y, width = area
        columns = max(1, int(width // cell.width))
        real = [node.id for node in nodes if not node.planned]
        planned = [node.id for node in nodes if node.planned]
        places = self.memory.place(row, real)
        taken = set(places.values())
        free = (at for at in range(len(nodes) + len(taken)) if at not in taken)
        places = {**places, **{id_: next(free) for id_ in planned}}
        for node in nodes:
            line, column = divmod(places[node.id], columns)
            self._node(node, x + column * cell.width + cell.width / 2, y + line * cell.height + 16, cell)
        lines = max(places.values(), default=0) // columns + 1
        return y + lines * cell.height

    def _balancers(self) -> float:
        """Load balancers at the left, each above its target groups; groups without one at the end."""
        y, x = MARGIN + 4, MARGIN + LEFT / 2
        groups = self.scene.of("target_group")
        for balancer in self.scene.of("load_balancer"):
            y = self._node(balancer, x, y, parts.ASIDE) + 26
            for group in [one for one in groups if one.parent == balancer.id]:
                y = self._node(group, x, y, parts.ASIDE) + 18
        known = {one.id for one in self.scene.of("load_balancer")}
        for group in [one for one in groups if one.parent not in known]:
            y = self._node(group, x, y, parts.ASIDE) + 18
        return y

    def _column(self, nodes: list[Node], x: float, width: float) -> float:
        y = MARGIN + 4
        for node in nodes:
            y = self._node(node, x + width / 2, y, parts.ASIDE) + 18
        return y

    def _node(self, node: Node, x: float, y: float, cell: parts.Cell) -> float:
        """Place an icon with its lines, its middle at x and its top at y; where its text ends."""
        mark = self.marks.get(node.id)
        short = mark.short if mark and mark.sort != "missing" else ""
        drawn = parts.node(self.scene, node, (x, y), cell, short)
        self.nodes.append({**drawn, "title": sentence(self.scene, node)})
        half = cell.icon / 2
        bottom = y + cell.icon + 6 + sum(parts.LINE for _ in drawn["lines"])
        self.boxes[node.id] = parts.Box(x - half, y, x + half, y + cell.icon, bottom)
        return bottom

    def _frame(self, node: Node, kind: str, area: Area, title: str, line: str = "") -> dict[str, Any]:
        x, y, width = area
        mark = self.marks.get(node.id)
        room = width - 40 - (parts.width(f"≠ plan: {mark.short}", 11.5, bold=True) + 24 if mark else 0)
        frame = {
            "id": node.id,
            "kind": kind,
            "x": x,
            "y": y,
            "width": width,
            "height": 0.0,
            "title": parts.fit(title, room, 13, bold=True),
            "line": parts.fit(line, width - 30, 11.5),
            "mark": f"≠ plan: {mark.short}" if mark else "",
            "markWidth": parts.width(f"≠ plan: {mark.short}", 11.5, bold=True) + 14 if mark else 0.0,
            "planned": node.planned,
        }
        self.frames.append(frame)
        return frame

    def _close(self, frame: dict[str, Any], bottom: float) -> None:
        frame["height"] = bottom - frame["y"]
        box = parts.Box(frame["x"], frame["y"], frame["x"] + frame["width"], bottom, bottom)
        self.boxes[frame["id"]] = box
