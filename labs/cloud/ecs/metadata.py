"""What a task can ask about itself at 169.254.170.2: metadata, statistics, and the credentials of its role.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html

The backend may accept the credentials without looking at the role's policies; then they prove only who asks.
"""

import asyncio
import ipaddress
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import APIError, DockerException, NotFound

from labs import settings
from labs.cloud.ecs import container_options
from labs.cloud.ecs.state import Ecs
from labs.cloud.engine import docker
from labs.cloud.frame import arns, aws
from labs.cloud.frame.credentials import Credentials, Refusal, no_credentials

URL = f"http://{settings.RELAY_ADDRESS}"
PATHS = ("/v2/credentials/", "/v3/", "/v4/")
SAMPLE_SECONDS = 60.0  # how old the sample may be that a rate is worked out from

_ENGINE_ERRORS = (DockerException, OSError)

Others = Callable[[str], Awaitable[dict[str, str] | None]]

log = logging.getLogger(__name__)


async def _nobody(_: str) -> None:
    """Nobody else has credentials."""


def assign(task: dict[str, Any], definition: dict[str, Any]) -> None:
    """Gives a new task its ids for this endpoint, which nobody can guess: `_metadata_id` for each container, and
    `_credentials_id` for the task if it has a role."""
    for container in task["containers"]:
        container.setdefault("_metadata_id", secrets.token_hex(16))
    if role_of(task, definition):
        task.setdefault("_credentials_id", secrets.token_hex(16))


def role_of(task: dict[str, Any], definition: dict[str, Any]) -> str | None:
    """The ARN of the task's role; None if it has none."""
    return (task.get("overrides") or {}).get("taskRoleArn") or definition.get("taskRoleArn")


def environment(
    task: dict[str, Any], container: dict[str, Any], resolved: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The variables that ECS gives a container, and the one by which SDKs find the local AWS.

    A region or an endpoint that the definition sets is left alone.

    Args:
        task: the task's record, with its ids.
        container: its container definition.
        resolved: what `secrets.resolve` found for it.
    """
    said = {**container_options.variables(container_options.overridden(task, container)), **(resolved or {})}
    record = next(one for one in task["containers"] if one["name"] == container["name"])
    region = arns.region(task["taskArn"])
    fargate = container_options.is_fargate(task)
    found = {
        "ECS_CONTAINER_METADATA_URI": f"{URL}/v3/{record['_metadata_id']}",
        "ECS_CONTAINER_METADATA_URI_V4": f"{URL}/v4/{record['_metadata_id']}",
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE" if fargate else "AWS_ECS_EC2",
    }
    if task.get("_credentials_id"):
        found["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = f"/v2/credentials/{task['_credentials_id']}"
    if not {"AWS_REGION", "AWS_DEFAULT_REGION"} & said.keys():
        found.update(AWS_REGION=region, AWS_DEFAULT_REGION=region)
    if "AWS_ENDPOINT_URL" not in said:
        found["AWS_ENDPOINT_URL"] = URL
    return found


class Metadata:
    """The ASGI app for the paths in `PATHS`.

    Args:
        ecs: the state.
        others: the credentials behind an id that is no task's; None if nobody has it.
    """

    def __init__(self, ecs: Ecs, others: Others = _nobody) -> None:
        self._ecs = ecs
        self._others = others
        self._credentials = Credentials()
        self._statistics = Statistics()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Callable, send: Callable) -> None:
        """One HTTP request."""
        try:
            content, status = await self._answer(scope["method"], scope["path"]), 200
        except Refusal as refusal:
            content, status = refusal.content, refusal.status
        body = json.dumps(content).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, method: str, path: str) -> Any:
        if method not in ("GET", "HEAD"):
            raise Refusal(405, "Method Not Allowed")
        version, first, *rest = [*path.strip("/").split("/"), ""][: max(2, path.strip("/").count("/") + 1)]
        if version == "v2":
            return await self._role_credentials("/".join(rest))
        what = "/".join(rest)
        if what not in ("", "task", "taskWithTags", "stats", "task/stats"):
            raise Refusal(404, "404 page not found")
        task, container, definition = self._find(version, first, what)
        if what == "stats":
            return (await self._stats([container]))[0]
        if what == "task/stats":
            numbers = await self._stats(task["containers"])
            pairs = zip(task["containers"], numbers, strict=True)
            return {one["runtimeId"]: number for one, number in pairs if one.get("runtimeId")}
        details = await self._details(task, definition)
        if what == "":
            return _container(version, task, definition, container, details)
        answer = _task(version, task, definition, details)
        if what == "taskWithTags":
            answer["TaskTags"] = {tag["key"]: tag["value"] for tag in task.get("tags") or []}
        return answer

    def _find(self, version: str, wanted: str, what: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """The task, container record and task definition behind an id."""
        for task in self._ecs.tasks.values():
            for container in task["containers"]:
                if wanted and secrets.compare_digest(container.get("_metadata_id", "").encode(), wanted.encode()):
                    return task, container, self._ecs.task_definitions[task["taskDefinitionArn"]]
        kind = "container" if what in ("", "stats") else "task"
        asked = "stats" if what.endswith("stats") else "metadata"
        which = "container ID" if what in ("", "stats") else "task arn"
        reason = f"unable to get {which} from request: unable to get task Arn from v3 endpoint ID: {wanted}"
        raise Refusal(
            404 if version == "v4" else 400, f"{version.upper()} {kind} {asked} handler: {reason}"
        )  # as https://github.com/aws/amazon-ecs-agent (tmds/handlers) words it

    async def _role_credentials(self, wanted: str) -> dict[str, str]:
        if not wanted:
            raise no_credentials(400, "NoIdInRequest", "No Credential ID in the request")
        for task in self._ecs.tasks.values():
            known = task.get("_credentials_id", "")
            if known and task["lastStatus"] != "STOPPED" and secrets.compare_digest(known.encode(), wanted.encode()):
                role = role_of(task, self._ecs.task_definitions[task["taskDefinitionArn"]])
                return await asyncio.to_thread(self._credentials.get, known, role or "", task["taskArn"])
        if found := await self._others(wanted):
            return found
        raise no_credentials(400, "InvalidIdInRequest", "Credentials not found")

    async def _details(self, task: dict[str, Any], definition: dict[str, Any]) -> dict[str, Any]:
        """What the engine and the backend know: `subnet`, and the engine's view by the container's id."""
        ids = [one["runtimeId"] for one in task["containers"] if one.get("runtimeId")]
        seen = await asyncio.gather(*(docker.run(_inspect, one) for one in ids))
        found: dict[str, Any] = {one["Id"]: one for one in seen if one}
        subnet = _attachment(task).get("subnetId")
        if subnet and definition.get("networkMode") == "awsvpc":
            found["subnet"] = await asyncio.to_thread(_subnet, subnet, arns.region(task["taskArn"]))
        return found

    async def _stats(self, containers: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
        numbers = (docker.run(self._statistics.get, one.get("runtimeId")) for one in containers)
        return list(await asyncio.gather(*numbers))


class Statistics:
    """The engine's statistics of containers, with the sample before, so that rates can be worked out. For threads."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, dict[str, Any]]] = {}

    def get(self, container_id: str | None) -> dict[str, Any] | None:
        """A container's statistics in the engine's format; None if it does not run."""
        if not container_id:
            return None
        when, last = self._last.get(container_id, (0.0, {}))
        recent = time.monotonic() - when < SAMPLE_SECONDS
        sample = _sample(container_id, one_shot=recent)
        if sample is None:
            self._last.pop(container_id, None)
            return None
        if recent:
            sample["precpu_stats"], sample["preread"] = last["cpu_stats"], last["read"]
        if "networks" not in sample:  # it shares the network of the container that holds the task's address
            holder = ((_inspect(container_id) or {}).get("HostConfig") or {}).get("NetworkMode", "")
            if holder.startswith("container:"):
                sample["networks"] = (_sample(holder.partition(":")[2], one_shot=True) or {}).get("networks", {})
        if recent and (rate := _network_rate(last, sample)):
            sample["network_rate_stats"] = rate
        self._last[container_id] = (time.monotonic(), sample)
        if len(self._last) > 500:  # of containers long gone
            self._last.pop(next(iter(self._last)))
        return sample


def _sample(container_id: str, *, one_shot: bool) -> dict[str, Any] | None:
    """One sample; without `one_shot` the engine waits a second to have one before it as well."""
    try:
        sample = docker.client().api.stats(container_id, stream=False, one_shot=one_shot or None)
    except _ENGINE_ERRORS:
        return None
    return sample if sample.get("cpu_stats", {}).get("cpu_usage", {}).get("total_usage") else None


def _network_rate(last: dict[str, Any], now: dict[str, Any]) -> dict[str, float] | None:
    seconds = (_time_of(now["read"]) - _time_of(last["read"])).total_seconds()
    if seconds <= 0:
        return None
    return {f"{way}_bytes_per_sec": max(_bytes(now, way) - _bytes(last, way), 0) / seconds for way in ("rx", "tx")}


def _bytes(sample: dict[str, Any], way: str) -> int:
    return sum(one.get(f"{way}_bytes", 0) for one in (sample.get("networks") or {}).values())


def _time_of(text: str) -> datetime:
    """The engine writes nanoseconds; Python reads microseconds."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6].ljust(6, '0')}+00:00")


# --- shapes -----------------------------------------------------------------------------------------------------------


def _task(version: str, task: dict[str, Any], definition: dict[str, Any], details: dict[str, Any]) -> dict[str, Any]:
    fargate = container_options.is_fargate(task)
    group = task.get("group", "")
    cpu = container_options.cpu_units(task.get("cpu") or definition.get("cpu"))
    memory = container_options.memory_mib(task.get("memory") or definition.get("memory"))
    limits = {"CPU": cpu / container_options.CPU_UNITS if cpu else None, "Memory": memory or None}
    return _said(
        {
            "Cluster": task["clusterArn"] if fargate else arns.resource(task["clusterArn"]).rpartition("/")[2],
            "TaskARN": task["taskArn"],
            "Family": definition["family"],
            "Revision": str(definition["revision"]),
            "ServiceName": group.removeprefix("service:") if version == "v4" and group.startswith("service:") else None,
            "DesiredStatus": task["desiredStatus"],
            "KnownStatus": task["lastStatus"],
            "Limits": _said(limits) or None,
            "PullStartedAt": _moment(task.get("pullStartedAt")),
            "PullStoppedAt": _moment(task.get("pullStoppedAt")),
            "ExecutionStoppedAt": _moment(task.get("executionStoppedAt")),
            "AvailabilityZone": task.get("availabilityZone"),
            "LaunchType": ("FARGATE" if fargate else task.get("launchType")) if version == "v4" else None,
            "VPCID": (details.get("subnet") or {}).get("VpcId") if version == "v4" and not fargate else None,
            "Containers": [_container(version, task, definition, one, details) for one in task["containers"]],
        }
    )


def _container(
    version: str,
    task: dict[str, Any],
    definition: dict[str, Any],
    record: dict[str, Any],
    details: dict[str, Any],
) -> dict[str, Any]:
    defined = next(one for one in definition["containerDefinitions"] if one["name"] == record["name"])
    defined = container_options.overridden(task, defined)
    seen = details.get(record.get("runtimeId") or "", {})
    state = seen.get("State") or {}
    limits = _said({"CPU": defined.get("cpu") or 0, "Memory": defined.get("memory") or None})
    answer = {
        "DockerId": record.get("runtimeId") or "",
        "Name": record["name"],
        "DockerName": (seen.get("Name") or "").lstrip("/"),
        "Image": record.get("image") or defined["image"],
        "ImageID": record.get("imageDigest") or seen.get("Image") or "",
        "Ports": _ports(defined, record) or None,
        "Labels": (seen.get("Config") or {}).get("Labels") or None,
        "DesiredStatus": task["desiredStatus"],
        "KnownStatus": record.get("lastStatus", "PENDING"),
        "ExitCode": record.get("exitCode"),
        "Limits": limits,
        "CreatedAt": _engine_time(seen.get("Created")),
        "StartedAt": _engine_time(state.get("StartedAt")),
        "FinishedAt": _engine_time(state.get("FinishedAt")),
        "Type": "NORMAL",
        "Health": _health(defined, record, state),
        "Volumes": _volumes(seen) or None,
        "Networks": _networks(version, task, definition, record, details) or None,
    }
    if version == "v4":
        answer["ContainerARN"] = record.get("containerArn")
        answer.update(_log_options(task, defined))
    return _said(answer)


def _log_options(task: dict[str, Any], defined: dict[str, Any]) -> dict[str, Any]:
    configuration = defined.get("logConfiguration") or {}
    given = dict(configuration.get("options") or {})
    if configuration.get("logDriver") == "awslogs" and given.get("awslogs-stream-prefix"):
        name = f"{given.pop('awslogs-stream-prefix')}/{defined['name']}/{container_options.task_id(task)}"
        given["awslogs-stream"] = name
    return {"LogDriver": configuration.get("logDriver"), "LogOptions": given or None}


def _ports(defined: dict[str, Any], record: dict[str, Any]) -> list[dict[str, Any]]:
    if bindings := record.get("networkBindings"):
        return [
            _said(
                {
                    "ContainerPort": one.get("containerPort"),
                    "Protocol": one.get("protocol", "tcp"),
                    "HostPort": one.get("hostPort"),
                    "HostIp": one.get("bindIP"),
                }
            )
            for one in bindings
        ]
    mappings = [one for one in defined.get("portMappings") or [] if one.get("containerPort")]
    return [{"ContainerPort": one["containerPort"], "Protocol": one.get("protocol") or "tcp"} for one in mappings]


def _health(defined: dict[str, Any], record: dict[str, Any], state: dict[str, Any]) -> dict[str, Any] | None:
    if not defined.get("healthCheck"):
        return None
    tries = (state.get("Health") or {}).get("Log") or []
    last = tries[-1] if tries else {}
    return _said(
        {
            "status": record.get("healthStatus", "UNKNOWN"),
            "statusSince": _engine_time(last.get("End", "").replace("+00:00", "Z")),
            "exitCode": last.get("ExitCode") or None,
            "output": last.get("Output") or None,
        }
    )


def _volumes(seen: dict[str, Any]) -> list[dict[str, str]]:
    return [
        _said({"DockerName": one.get("Name"), "Source": one.get("Source"), "Destination": one["Destination"]})
        for one in seen.get("Mounts") or []
    ]


def _networks(
    version: str, task: dict[str, Any], definition: dict[str, Any], record: dict[str, Any], details: dict[str, Any]
) -> list[dict[str, Any]]:
    mode = definition.get("networkMode") or "bridge"
    if mode != "awsvpc":
        networks = ((details.get(record.get("runtimeId") or "", {})).get("NetworkSettings") or {}).get("Networks") or {}
        addresses = [one["IPAddress"] for one in networks.values() if one.get("IPAddress")]
        return [_said({"NetworkMode": mode, "IPv4Addresses": addresses or None})]
    about = _attachment(task)
    addresses = [one["privateIpv4Address"] for one in record.get("networkInterfaces") or []]
    network = {
        "NetworkMode": mode,
        "IPv4Addresses": addresses or ([about["privateIPv4Address"]] if "privateIPv4Address" in about else []),
    }
    if version == "v4":
        network.update(AttachmentIndex=0, MACAddress=about.get("macAddress"))
        if block := (details.get("subnet") or {}).get("CidrBlock"):
            subnet = ipaddress.ip_network(block)
            network["IPv4SubnetCIDRBlock"] = block
            network["SubnetGatewayIpv4Address"] = f"{subnet[1]}/{subnet.prefixlen}"
        network["PrivateDNSName"] = about.get("privateDnsName")
    return [_said(network)]


def _attachment(task: dict[str, Any]) -> dict[str, str]:
    """The details of the task's network interface, by name."""
    found = [one for one in task.get("attachments") or [] if one.get("type") == "ElasticNetworkInterface"]
    return {one["name"]: one["value"] for one in found[0].get("details") or []} if found else {}


def _said(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if value is not None}


def _moment(seconds: float | None) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z") if seconds else None


def _engine_time(text: str | None) -> str | None:
    """A time of the engine; it writes the year 1 for 'not yet'."""
    return text if text and not text.startswith("0001-") else None


# --- look-ups ---------------------------------------------------------------------------------------------------------


def _inspect(container_id: str) -> dict[str, Any] | None:
    try:
        return docker.client().api.inspect_container(container_id)
    except NotFound:
        return None
    except APIError as problem:
        log.warning("the container %s cannot be inspected: %s", container_id[:12], problem.explanation)
        return None


_subnets: dict[tuple[str, str], dict[str, Any]] = {}  # a subnet's addresses and VPC never change


def _subnet(subnet: str, region: str) -> dict[str, Any]:
    """A subnet as the backend knows it; empty if it does not."""
    if (subnet, region) not in _subnets:
        try:
            answer = aws.client("ec2", region).describe_subnets(SubnetIds=[subnet])
        except (ClientError, BotoCoreError) as problem:
            log.debug("the subnet %s is unknown: %s", subnet, problem)
            return {}
        _subnets[subnet, region] = answer["Subnets"][0] if answer["Subnets"] else {}
    return _subnets[subnet, region]
