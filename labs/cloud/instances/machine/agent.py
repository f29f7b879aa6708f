"""The ECS agent of a container instance: registers it, keeps in touch, and opens the host ports of its tasks.

Everything it knows of the world comes through 169.254.170.2, the way to the local AWS. The containers themselves are
run by the engine around this instance; what a task publishes in bridge mode is led to it here, in the network of the
instance, by the kernel (NAT), as Docker does it on a real one.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html
"""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

RETRY_SECONDS = 1.0
LONGEST_RETRY = 15.0
POLL_TIMEOUT = 60.0  # seconds; an answer comes sooner
DATA = Path("/disk/var/lib/ecs/data/agent.json")
RESERVED = ["22", "2375", "2376", "51678", "51679"]
TARGET = "AmazonEC2ContainerServiceV20141113"
URL = os.environ["GATEWAY"]
REGION = os.environ["AWS_REGION"]


class RefusedError(Exception):
    """ECS has refused a call. `code` is its error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def say(text: str) -> None:
    """A line of the log."""
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), text, flush=True)


def configuration() -> dict[str, str]:
    """/etc/ecs/ecs.config: a variable a line."""
    found = {}
    for line in Path("/etc/ecs/ecs.config").read_text().splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = value.strip().strip("'\"")
    return found


def call(operation: str, **parameters: Any) -> dict[str, Any]:
    """An operation of the ECS API."""
    scope = f"{os.environ['INSTANCE_ID']}/20260101/{REGION}/ecs/aws4_request"
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"{TARGET}.{operation}",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
    }
    request = urllib.request.Request(URL, json.dumps(parameters).encode(), headers)  # noqa: S310 - always http, to the local AWS
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - always http, to the local AWS
            return json.load(answer)
    except urllib.error.HTTPError as problem:
        try:
            said = json.load(problem)
        except ValueError:
            said = {}
        code = str(said.get("__type", problem.code)).rpartition("#")[2]
        raise RefusedError(code, str(said.get("message", problem.reason))) from None


def register(config: dict[str, str]) -> tuple[str, str]:
    """Registers the instance; the ARNs of its cluster and of itself as a container instance."""
    cluster = config.get("ECS_CLUSTER", "default")
    if cluster == "default":
        call("CreateCluster", clusterName=cluster)
    given = json.loads(config.get("ECS_INSTANCE_ATTRIBUTES") or "{}")
    tags = json.loads(config.get("ECS_CONTAINER_INSTANCE_TAGS") or "{}")
    ports = json.loads(config.get("ECS_RESERVED_PORTS") or "null") or RESERVED
    memory = int(os.environ["MEMORY_MIB"]) - int(config.get("ECS_RESERVED_MEMORY") or 0)
    saved = json.loads(DATA.read_text()) if DATA.exists() else {}
    known = {"containerInstanceArn": saved["arn"]} if saved.get("cluster") == cluster else {}
    built_in = json.loads(os.environ["ATTRIBUTES"])
    answer = call(
        "RegisterContainerInstance",
        cluster=cluster,
        instanceIdentityDocument=os.environ["IDENTITY_DOCUMENT"],
        instanceIdentityDocumentSignature=os.environ["IDENTITY_SIGNATURE"],
        totalResources=[
            {"name": "CPU", "type": "INTEGER", "integerValue": int(os.environ["VCPUS"]) * 1024},
            {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
            {"name": "PORTS", "type": "STRINGSET", "stringSetValue": [str(port) for port in ports]},
            {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []},
        ],
        versionInfo=json.loads(os.environ["VERSIONS"]),
        attributes=[
            {"name": name, **({"value": value} if value else {})} for name, value in {**built_in, **given}.items()
        ],
        tags=[{"key": key, "value": value} for key, value in tags.items()],
        **known,
    )
    record = answer["containerInstance"]
    DATA.parent.mkdir(parents=True, exist_ok=True)
    DATA.write_text(json.dumps({"cluster": cluster, "arn": record["containerInstanceArn"]}))
    return cluster, record["containerInstanceArn"]


def keep_in_touch(cluster: str, arn: str) -> None:
    """Asks for news, again and again. A question that waits is the heartbeat.

    An instance that was deregistered stays so, as on AWS, until its agent is restarted.
    """
    endpoint = call("DiscoverPollEndpoint", cluster=cluster, containerInstance=arn)["endpoint"]
    applied = -1
    while True:
        request = urllib.request.Request(  # noqa: S310 - always http, to the local AWS
            f"{endpoint}?applied={applied}&boot={os.environ['BOOT_ID']}",
            headers={"X-Instance-Signature": os.environ["IDENTITY_SIGNATURE"]},
        )
        try:
            with urllib.request.urlopen(request, timeout=POLL_TIMEOUT) as answer:  # noqa: S310 - always http, to the local AWS
                news = json.load(answer)
        except urllib.error.HTTPError as problem:
            if problem.code == 404:
                say("Container instance is deregistered; the agent does nothing until it is restarted")
                signal.pause()
            raise
        if news["version"] != applied:
            open_ports(news["forwards"])
            applied = news["version"]


def open_ports(forwards: list[list[Any]]) -> None:
    """Leads the published ports of the instance to its tasks' containers, and no others.

    Args:
        forwards: [protocol, host port, address, container port].
    """
    rules = ["*nat", ":ECS - [0:0]", ":ECS-OUT - [0:0]", "-F ECS", "-F ECS-OUT"]
    for protocol, port, address, to in forwards:
        rules.append(f"-A ECS -p {protocol} --dport {int(port)} -j DNAT --to-destination {address}:{int(to)}")
        rules.append(f"-A ECS-OUT -p {protocol} -d {address} --dport {int(to)} -j MASQUERADE")
    subprocess.run(
        ["iptables-restore", "-w", "5", "--noflush"], input="\n".join([*rules, "COMMIT", ""]), text=True, check=True
    )
    for chain, rule in (
        ("PREROUTING", ["-m", "addrtype", "--dst-type", "LOCAL", "-j", "ECS"]),
        ("OUTPUT", ["-m", "addrtype", "--dst-type", "LOCAL", "!", "-d", "127.0.0.0/8", "-j", "ECS"]),
        ("POSTROUTING", ["-j", "ECS-OUT"]),
    ):
        there = subprocess.run(
            ["iptables", "-w", "5", "-t", "nat", "-C", chain, *rule], capture_output=True, check=False
        )
        if there.returncode:
            subprocess.run(["iptables", "-w", "5", "-t", "nat", "-A", chain, *rule], check=True)


def main() -> None:
    """Registers, keeps in touch, and begins again when that fails."""
    wait = RETRY_SECONDS
    said = ""
    say(f"Amazon ECS agent of {os.environ['INSTANCE_ID']}: cluster {configuration().get('ECS_CLUSTER', 'default')}")
    while True:
        try:
            cluster, arn = register(configuration())
            say(f"Registration completed successfully; containerInstanceArn {arn}, cluster {cluster}")
            wait, said = RETRY_SECONDS, ""
            keep_in_touch(cluster, arn)
        except RefusedError as problem:
            text = str(problem)
            if problem.code == "MissingAuthenticationTokenException":
                text = "NoCredentialProviders: no valid providers in chain. " + text
            text = f"Unable to register as a container instance with ECS: {text}"
            wait = min(wait * 2, LONGEST_RETRY)
        except (OSError, ValueError, KeyError, subprocess.CalledProcessError) as problem:
            text = f"Lost the connection to ECS: {problem}"
            wait = RETRY_SECONDS
        if text != said:
            say(text)
            said = text
        time.sleep(wait)


main()
