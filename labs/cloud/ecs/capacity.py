"""What container instances have, what their tasks take of it, and where the next task finds room.

What is taken is worked out from the tasks' records each time, so it cannot go wrong by a missed event.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerInstance.html
"""

from collections.abc import Iterable, Mapping
from typing import Any

from labs.cloud.ecs import container_options, lookup, placement, task_state
from labs.cloud.ecs.placement import Instance, Misfit, Need, Port
from labs.cloud.ecs.state import Ecs

Record = dict[str, Any]


def instances(ecs: Ecs, cluster: Record, provider: str | None = None) -> list[Instance]:
    """The container instances of a cluster that may take tasks.

    Args:
        ecs: the state.
        cluster: the cluster.
        provider: only those of this capacity provider.
    """
    return [
        view(ecs, one)
        for one in ecs.container_instances.values()
        if one["clusterArn"] == cluster["clusterArn"]
        and one["status"] == lookup.ACTIVE
        and provider in (None, one.get("capacityProviderName"))
    ]


def view(ecs: Ecs, record: Record) -> Instance:
    """A container instance as placement sees it."""
    here = tasks_on(ecs, record["containerInstanceArn"])
    own = resources(record["registeredResources"])
    ports = frozenset(own["ports"]) | {port for task in here for port in ports_of(task)}
    custom = (
        ecs.attributes[record["containerInstanceArn"]]["attributes"]
        if record["containerInstanceArn"] in ecs.attributes
        else []
    )
    return Instance(
        arn=record["containerInstanceArn"],
        ec2_id=record.get("ec2InstanceId", ""),
        cpu=own["CPU"] - sum(task["_needs"]["cpu"] for task in here),
        memory=own["MEMORY"] - sum(task["_needs"]["memory"] for task in here),
        ports=ports,
        attributes={one["name"]: one.get("value") for one in [*record["attributes"], *custom]},
        groups=tuple(task.get("group", "") for task in here),
        connected=record["agentConnected"],
        facts={
            "agentVersion": record["versionInfo"].get("agentVersion", ""),
            "registeredAt": record["registeredAt"],
            "runningTasksCount": sum(task["lastStatus"] == task_state.RUNNING for task in here),
        },
        provider=record.get("capacityProviderName"),
    )


def tasks_on(ecs: Ecs, arn: str) -> list[Record]:
    """The tasks on a container instance that have not stopped."""
    return [
        task
        for task in ecs.tasks.values()
        if task.get("containerInstanceArn") == arn and task["lastStatus"] != task_state.STOPPED
    ]


def resources(listed: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Registered resources by name: CPU units, MiB of MEMORY, and `ports` of both protocols."""
    found: dict[str, Any] = {"CPU": 0, "MEMORY": 0, "ports": []}
    for one in listed:
        if one["name"] in ("CPU", "MEMORY"):
            found[one["name"]] = one.get("integerValue", 0)
        elif one["name"] in ("PORTS", "PORTS_UDP"):
            kind = "udp" if one["name"] == "PORTS_UDP" else "tcp"
            found["ports"] += [(kind, int(port)) for port in one.get("stringSetValue", [])]
    return found


def remaining(ecs: Ecs, record: Record) -> list[Record]:
    """What a container instance has left, in the shape of the API; ports are those in use."""
    now = view(ecs, record)
    ports = {kind: sorted({number for one, number in now.ports if one == kind}) for kind in ("tcp", "udp")}
    values = {"CPU": now.cpu, "MEMORY": now.memory}
    return [
        {**one, "integerValue": values[one["name"]]}
        if one["name"] in values
        else {**one, "stringSetValue": [str(n) for n in ports["udp" if one["name"] == "PORTS_UDP" else "tcp"]]}
        if one["name"] in ("PORTS", "PORTS_UDP")
        else one
        for one in record["registeredResources"]
    ]


def need(definition: Record, overrides: Mapping[str, Any] | None = None, zones: Iterable[str] = ()) -> Need:
    """What a task of a definition needs of an instance.

    The task's size counts if it has one, else what its containers say: `memoryReservation` before `memory`.

    Args:
        definition: the task definition.
        overrides: of RunTask.
        zones: where it may live, for an awsvpc task.
    """
    task = {"overrides": overrides or {}}
    containers = [container_options.overridden(task, one) for one in definition["containerDefinitions"]]
    size = {key: (overrides or {}).get(key) or definition.get(key) for key in ("cpu", "memory")}
    cpu = container_options.cpu_units(size["cpu"]) or sum(one.get("cpu") or 0 for one in containers)
    memory = container_options.memory_mib(size["memory"]) or sum(
        one.get("memoryReservation") or one.get("memory") or 0 for one in containers
    )
    fixed = frozenset()
    if definition.get("networkMode", "bridge") in ("bridge", "host"):
        fixed = frozenset(
            (port.get("protocol", "tcp"), port["hostPort"])
            for one in containers
            for port in one.get("portMappings", [])
            if port.get("hostPort")
        )
    names = tuple(one["name"] for one in definition.get("requiresAttributes", []))
    return Need(cpu, memory, fixed, names, frozenset(zones))


def ports(definition: Record, instance: Instance) -> dict[str, list[Record]] | None:
    """The host ports of a new task, by container: `hostPort`, `containerPort`, `protocol`; None if none is left.

    In bridge mode a mapping without a host port gets one of the dynamic range.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html
    """
    mode = definition.get("networkMode", "bridge")
    if mode not in ("bridge", "host"):
        return {}
    used = set(instance.ports)
    found: dict[str, list[Record]] = {}
    for container in definition["containerDefinitions"]:
        for mapping in container.get("portMappings", []):
            protocol = mapping.get("protocol", "tcp")
            for number in _container_ports(mapping):
                port = mapping.get("hostPort") or (number if mode == "host" else placement.dynamic_port(protocol, used))
                if not port:
                    return None
                used.add((protocol, port))
                entry = {"containerPort": number, "hostPort": port, "protocol": protocol}
                found.setdefault(container["name"], []).append(entry)
    return found


def ports_of(task: Record) -> list[Port]:
    """The host ports that a task has."""
    return [(one["protocol"], one["hostPort"]) for entries in task.get("_ports", {}).values() for one in entries]


def place(
    found: list[Instance],
    definition: Record,
    wanted: Need,
    group: str,
    *,
    constraints: placement.Constraints = (),
    strategies: placement.Strategies = (),
) -> tuple[Instance, dict[str, list[Record]]] | list[Misfit]:
    """Finds room for one task, and takes it: `found` then has the instance as it is afterwards.

    Returns:
        The instance and the task's host ports, or why there is none.
    """
    every = [*constraints, *definition.get("placementConstraints", [])]
    chosen = placement.choose(found, wanted, group, every, strategies)
    if isinstance(chosen, list):
        return chosen
    given = ports(definition, chosen)
    if given is None:
        return [Misfit(chosen, "RESOURCE:PORTS", "is already using a port required by your task")]
    numbers = [(one["protocol"], one["hostPort"]) for entries in given.values() for one in entries]
    found[found.index(chosen)] = placement.taken(chosen, wanted, group, numbers)
    return chosen, given


def members(record: Record, wanted: Need, given: dict[str, list[Record]]) -> Record:
    """What the record of a task says of its place.

    Args:
        record: the container instance's.
        wanted: what the task takes of it.
        given: the task's host ports.
    """
    facts = {one["name"]: one.get("value") for one in record["attributes"]}
    return {
        "containerInstanceArn": record["containerInstanceArn"],
        "availabilityZone": facts.get("ecs.availability-zone") or "",
        "_instance": record["ec2InstanceId"],
        "_vpc": record["_vpc"],
        "_needs": {"cpu": wanted.cpu, "memory": wanted.memory},
        "_limits": {"vcpus": record["_vcpus"], "memory": resources(record["registeredResources"])["MEMORY"]},
        "_ports": given,
    }


def _container_ports(mapping: Record) -> list[int]:
    if "containerPortRange" in mapping:
        first, _, last = mapping["containerPortRange"].partition("-")
        return list(range(int(first), int(last) + 1))
    return [mapping["containerPort"]]
