"""Looking at what stands around a cluster: load balancers and targets, queues, rules, file systems. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from labs.kit.live.scene import Edge, Node
from labs.kit.world import aws_client

Found = tuple[list[Node], list[Edge]]


def load_balancing(prefix: str, nodes: Sequence[Node]) -> Found:
    """Load balancers with their listeners, target groups, and what they say of each task.

    Args:
        prefix: what the names begin with.
        nodes: those of ECS, among which the targets are looked for.
    """
    elb = aws_client("elbv2")
    balancers, edges = [], []
    for one in _all(elb, "describe_load_balancers", "LoadBalancers"):
        if one["LoadBalancerName"].startswith(prefix):
            arn = one["LoadBalancerArn"]
            listeners = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
            facts = {"type": one["Type"], "listeners": [f"{it['Protocol']} :{it['Port']}" for it in listeners]}
            balancers.append(Node("load_balancer", arn, one["LoadBalancerName"], one["State"]["Code"], "", facts))
    groups = []
    places = _places(nodes)
    for one in _all(elb, "describe_target_groups", "TargetGroups"):
        if not one["TargetGroupName"].startswith(prefix):
            continue
        arn = one["TargetGroupArn"]
        health = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        states = [it["TargetHealth"]["State"] for it in health]
        facts = {"healthy": states.count("healthy"), "targets": len(states), "kind": one["TargetType"]}
        state = "in use" if one["LoadBalancerArns"] else "unused"
        parent = next(iter(one["LoadBalancerArns"]), "")
        groups.append(Node("target_group", arn, one["TargetGroupName"], state, parent, facts))
        edges += [Edge(balancer, arn, "forward") for balancer in one["LoadBalancerArns"]]
        for it in health:
            target = it["Target"]
            if task := places.get((target["Id"], None)) or places.get((target["Id"], target.get("Port"))):
                says = it["TargetHealth"]
                edges.append(Edge(arn, task, "target", says["State"], says.get("Description", "")))
    by_name = sorted(balancers, key=lambda node: node.name) + sorted(groups, key=lambda node: node.name)
    return by_name, edges


def around(
    prefix: str, watch: Sequence[str], nodes: Sequence[Node], mounts: Callable[[str], list[str]]
) -> tuple[list[Node], list[Edge], list[str]]:
    """Queues, rules and file systems.

    Args:
        prefix: what the names begin with.
        watch: which of `queues`, `rules`, `file_systems` to look for.
        nodes: those of ECS, to which lines lead.
        mounts: the file systems of a task definition.

    Returns:
        Nodes, edges, and a sentence for each service that the backend has not.
    """
    from botocore.exceptions import ClientError

    found: list[Node] = []
    edges: list[Edge] = []
    missing: list[str] = []
    for name, read in (("queues", _queues), ("rules", _rules), ("file_systems", _file_systems)):
        if name not in watch:
            continue
        try:
            some, lines = read(prefix, [*nodes, *found], mounts)
        except ClientError as refused:
            missing.append(
                f"The {name.replace('_', ' ')} cannot be read: {refused.response['Error'].get('Message', '')}"
            )
        else:
            found, edges = found + some, edges + lines
    return found, edges, missing


def _places(nodes: Sequence[Node]) -> dict[tuple[str, int | None], str]:
    """The task behind an address, or behind a port of an instance; one that still runs before one that has ended."""
    places: dict[tuple[str, int | None], str] = {}
    tasks = [node for node in nodes if node.kind == "task"]
    for node in sorted(tasks, key=lambda node: node.state != "STOPPED"):
        if node.facts["address"]:
            places[node.facts["address"], None] = node.id
        for port in node.facts["ports"]:
            places[node.facts["instance"], port] = node.id
    return places


def _queues(prefix: str, nodes: Sequence[Node], mounts: Any) -> Found:
    sqs = aws_client("sqs")
    found = []
    for url in sorted(sqs.list_queues(QueueNamePrefix=prefix).get("QueueUrls", [])):
        says = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        facts = {
            "visible": int(says.get("ApproximateNumberOfMessages", 0)),
            "in_flight": int(says.get("ApproximateNumberOfMessagesNotVisible", 0)),
            "delayed": int(says.get("ApproximateNumberOfMessagesDelayed", 0)),
        }
        found.append(Node("queue", says["QueueArn"], url.rsplit("/", 1)[-1], "available", "", facts))
    return found, []


def _rules(prefix: str, nodes: Sequence[Node], mounts: Any) -> Found:
    events = aws_client("events")
    known = {node.id for node in nodes}
    found, edges = [], []
    for rule in events.list_rules(NamePrefix=prefix)["Rules"]:
        facts = {"trigger": rule.get("ScheduleExpression") or _pattern(rule.get("EventPattern", ""))}
        found.append(Node("rule", rule["Arn"], rule["Name"], rule["State"], "", facts))
        targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        edges += [Edge(rule["Arn"], it["Arn"], "invoke", rule["State"]) for it in targets if it["Arn"] in known]
    return found, edges


def _pattern(text: str) -> str:
    """An event pattern in short: the kinds of event it waits for, else where they come from."""
    try:
        pattern = json.loads(text)
        words = pattern.get("detail-type") or pattern.get("source") or ["events"]
        return ", ".join(str(word) for word in words)
    except (ValueError, AttributeError):
        return "events"


def _file_systems(prefix: str, nodes: Sequence[Node], mounts: Callable[[str], list[str]]) -> Found:
    found, edges = [], []
    for one in aws_client("efs").describe_file_systems()["FileSystems"]:
        if one.get("Name", "").startswith(prefix):
            facts = {"mounts": one.get("NumberOfMountTargets", 0)}
            id_ = one["FileSystemId"]
            found.append(Node("file_system", id_, one["Name"], one["LifeCycleState"], "", facts))
            for node in nodes:
                if node.kind == "service" and id_ in mounts(node.facts["definition"]):
                    edges.append(Edge(node.id, id_, "mount"))
    return found, edges


def _all(client: Any, operation: str, key: str) -> list[dict[str, Any]]:
    return [one for page in client.get_paginator(operation).paginate() for one in page[key]]
