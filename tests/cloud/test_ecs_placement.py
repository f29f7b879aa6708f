"""The rules of placement and the cluster query language, without any engine.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html
"""

from dataclasses import replace

import pytest

from labs.cloud.ecs import placement, query_language
from labs.cloud.ecs.placement import Instance, Need

ZONE = "ecs.availability-zone"


def instance(name: str, zone: str = "a", cpu: int = 2048, memory: int = 2000, **more: object) -> Instance:
    attributes = {ZONE: zone, "ecs.instance-type": "t3.small", "stack": "prod", **more.pop("attributes", {})}
    return Instance(f"arn:{name}", f"i-{name}", cpu, memory, attributes=attributes, **more)


def fill(instances: list[Instance], count: int, need: Need, *strategies: dict[str, str], group: str = "g") -> list[str]:
    """Places tasks one after the other; the instance of each."""
    found, order = list(instances), []
    for _ in range(count):
        chosen = placement.choose(found, need, group, strategies=strategies)
        if isinstance(chosen, list):
            break
        order.append(chosen.ec2_id)
        found[found.index(chosen)] = placement.taken(chosen, need, group, [])
    return order


def test_binpack_fills_one_instance_before_the_next() -> None:
    order = fill([instance("1"), instance("2")], 6, Need(memory=500), {"type": "binpack", "field": "memory"})
    assert len(set(order[:4])) == 1
    assert len(set(order[4:])) == 1
    assert set(order[4:]) != set(order[:4])


def test_binpack_looks_at_the_field_that_it_is_given() -> None:
    found = [instance("1", cpu=500, memory=2000), instance("2", cpu=2000, memory=500)]
    assert fill(found, 1, Need(100, 100), {"type": "binpack", "field": "cpu"}) == ["i-1"]
    assert fill(found, 1, Need(100, 100), {"type": "binpack", "field": "MEMORY"}) == ["i-2"]


def test_spread_over_instances_is_even() -> None:
    order = fill(
        [instance("1"), instance("2"), instance("3")], 6, Need(memory=100), {"type": "spread", "field": "instanceId"}
    )
    assert sorted(order) == ["i-1", "i-1", "i-2", "i-2", "i-3", "i-3"]


def test_without_a_strategy_tasks_are_spread_over_the_zones_first() -> None:
    order = fill([instance("1", "a"), instance("2", "a"), instance("3", "b")], 4, Need(memory=100))
    assert order.count("i-3") == 2
    assert {order.count("i-1"), order.count("i-2")} == {1}


def test_spread_counts_only_the_tasks_of_its_own_group() -> None:
    busy = replace(instance("1"), groups=("other", "other"))
    assert fill([busy, instance("2", memory=1000)], 1, Need(memory=1), {"type": "spread", "field": "host"}) == ["i-1"]


def test_strategies_are_applied_one_after_the_other() -> None:
    found = [instance("1", "a", memory=900), instance("2", "a", memory=800), instance("3", "b")]
    by_zone = {"type": "spread", "field": f"attribute:{ZONE}"}
    order = fill(found, 4, Need(memory=100), by_zone, {"type": "binpack", "field": "memory"})
    assert sorted(order) == ["i-2", "i-2", "i-3", "i-3"]


def test_random_takes_only_what_fits() -> None:
    found = [instance("1", memory=10), instance("2")]
    assert set(fill(found, 4, Need(memory=100), {"type": "random"})) == {"i-2"}


@pytest.mark.parametrize(
    ("change", "need", "reason", "words"),
    [
        ({}, Need(cpu=4096), "RESOURCE:CPU", "insufficient CPU units"),
        ({}, Need(memory=4096), "RESOURCE:MEMORY", "insufficient memory"),
        ({"ports": frozenset({("tcp", 80)})}, Need(ports=frozenset({("tcp", 80)})), "RESOURCE:PORTS", "using a port"),
        ({"connected": False}, Need(), "AGENT", 'encountered error "AGENT"'),
        ({}, Need(attributes=("gpu",)), "ATTRIBUTE", "missing an attribute required by your task"),
        ({}, Need(zones=frozenset({"b"})), "ATTRIBUTE", "missing an attribute"),
    ],
)
def test_why_an_instance_cannot_have_a_task(change: dict, need: Need, reason: str, words: str) -> None:
    found = placement.choose([replace(instance("1"), **change)], need, "g")
    assert isinstance(found, list)
    assert found[0].reason == reason
    assert words in found[0].words


def test_the_same_port_of_another_protocol_is_free() -> None:
    busy = replace(instance("1"), ports=frozenset({("udp", 53)}))
    assert placement.misfit(busy, Need(ports=frozenset({("tcp", 53)})), "g", []) is None


def test_constraints() -> None:
    found = [instance("1", groups=("g",)), instance("2", attributes={"stack": "test"})]
    chosen = placement.choose(found, Need(), "g", [{"type": "distinctInstance"}])
    assert isinstance(chosen, Instance)
    assert chosen.ec2_id == "i-2"
    member = {"type": "memberOf", "expression": "attribute:stack == prod"}
    refused = placement.choose(found, Need(), "g", [{"type": "distinctInstance"}, member])
    assert isinstance(refused, list)
    assert {one.reason.split()[0] for one in refused} == {"DistinctInstance", "MemberOf"}


def test_the_closest_is_the_one_that_only_lacks_room_and_has_most() -> None:
    found = [instance("1", memory=10, connected=False), instance("2", memory=20), instance("3", memory=30)]
    refused = placement.choose(found, Need(memory=100), "g")
    assert isinstance(refused, list)
    closest = placement.closest(refused)
    assert closest is not None
    assert closest.instance.ec2_id == "i-3"


@pytest.mark.parametrize(
    ("constraints", "strategies"),
    [
        ([{"type": "memberOf"}], []),
        ([{"type": "memberOf", "expression": "attribute:a =="}], []),
        ([{"type": "distinctInstance", "expression": "attribute:a == b"}], []),
        ([], [{"type": "binpack", "field": "disk"}]),
        ([], [{"type": "spread", "field": "rack"}]),
        ([], [{"type": "random", "field": "cpu"}]),
        ([], [{"type": "random"}] * 6),
    ],
)
def test_what_is_no_constraint_or_strategy(constraints: list, strategies: list) -> None:
    assert placement.problem_of(constraints, strategies)


def test_dynamic_ports_avoid_those_in_use() -> None:
    first, last = placement.DYNAMIC_PORTS
    used = {("tcp", port) for port in range(first, last)}
    assert placement.dynamic_port("tcp", used) == last
    assert placement.dynamic_port("tcp", used | {("tcp", last)}) == 0
    assert first <= placement.dynamic_port("udp", used) <= last


FACTS = {
    "agentConnected": True,
    "agentVersion": "1.100.0",
    "ec2InstanceId": "i-1",
    "runningTasksCount": 3,
    "task:group": {"service:web", "database"},
    "attribute:ecs.instance-type": "t3.small",
    "attribute:ecs.availability-zone": "us-east-1a",
    "attribute:ssd": "",
}


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("attribute:ecs.instance-type == t3.small", True),
        ("attribute:ecs.instance-type equals t3.large", False),
        ("attribute:ecs.instance-type != t3.large", True),
        ("attribute:ecs.instance-type =~ t3.*", True),
        ("attribute:ecs.instance-type =~ t3", False),
        ("attribute:ecs.instance-type !~ g2.*", True),
        ("attribute:ecs.instance-type matches 't3.*'", True),
        ("attribute:ecs.availability-zone in [us-east-1a, us-east-1b]", True),
        ("attribute:ecs.availability-zone not_in [us-east-1a, us-east-1b]", False),
        ("attribute:ecs.availability-zone !in [us-east-1c]", True),
        ("attribute:ssd exists", True),
        ("attribute:gpu exists", False),
        ("attribute:gpu !exists", True),
        ("attribute:gpu not_exists and attribute:ssd exists", True),
        ("task:group == service:web", True),
        ("not(task:group == database)", False),
        ("!(task:group == cache) && (ec2InstanceId in ['i-1'] || agentConnected == false)", True),
        ("runningTasksCount > 2", True),
        ("runningTasksCount >= 10", False),
        ("agentVersion >= 1.50.0", True),
        ("agentVersion less_than 1.9.0", False),
        ("agentConnected == true", True),
        ("attribute:gpu == x or attribute:ssd exists and runningTasksCount < 1", False),
    ],
)
def test_the_query_language(expression: str, fits: bool) -> None:
    assert query_language.parse(expression)(FACTS) is fits


@pytest.mark.parametrize(
    "expression",
    ["", "attribute:a", "attribute:a ==", "attribute: == b", "color == red", "(attribute:a == b", "attribute:a in [b",
     "attribute:a =~ [", "attribute:a == b extra", "attribute:a === b", "x" * 2001],
)  # fmt: skip
def test_what_is_no_expression(expression: str) -> None:
    with pytest.raises(query_language.QueryError):
        query_language.parse(expression)
