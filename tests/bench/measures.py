"""What is measured of a local AWS, ours or the emulator, with the same calls on both. Times are seconds."""

import contextlib
import json
import re
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
import psutil
from docker.models.containers import Container
from sides import Side

from labs import settings

CLUSTER = "bench"
WEB = f"{settings.COURSE}/bench-web:1"  # with the load generator in it
APP = f"{settings.COURSE}/bench-app:1"  # the course's own web server
CLIENTS = 20
OBEYS = ["sh", "-c", "trap 'exit 0' TERM; sleep 900 & wait"]
IGNORES = ["sleep", "900"]  # as process 1 it has no handler of SIGTERM, so the kernel passes it over
LABELS = {settings.LABEL_KEY: settings.LABEL_VALUE}


def build_images() -> None:
    """Builds the images of the web servers, if they are missing."""
    client = docker.from_env()
    for tag, folder in ((WEB, Path(__file__).with_name("web")), (APP, settings.LABS / "ecs_service" / "app")):
        client.images.build(path=str(folder), tag=tag, rm=True)


def remove_images() -> None:
    """Removes them."""
    for tag in (WEB, APP):
        docker.from_env().images.remove(tag, force=True)


def register(side: Side, family: str, image: str = settings.BASE_IMAGE, **container: Any) -> None:
    """A task definition of one container on Fargate."""
    side.client("ecs").register_task_definition(
        family=family,
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "main", "image": image, **container}],
    )


def network(side: Side) -> dict[str, Any]:
    """The subnets of the default VPC."""
    found = side.client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    return {"awsvpcConfiguration": {"subnets": [one["SubnetId"] for one in found[:2]], "assignPublicIp": "ENABLED"}}


def run_tasks(side: Side, image: str, times: int = 9) -> tuple[float, float]:
    """The median time of a RunTask call, and that from the call until DescribeTasks says RUNNING."""
    ecs = side.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    register(side, "bench", image, command=OBEYS)
    where, calls, taken = network(side), [], []
    for _ in range(times):
        begun = time.perf_counter()
        answer = ecs.run_task(cluster=CLUSTER, taskDefinition="bench", launchType="FARGATE", networkConfiguration=where)
        calls.append(time.perf_counter() - begun)
        arn = answer["tasks"][0]["taskArn"]
        until(lambda arn=arn: _status(ecs, arn) == "RUNNING", 60, 0.01)
        taken.append(time.perf_counter() - begun)
        ecs.stop_task(cluster=CLUSTER, task=arn)
        until(lambda arn=arn: _status(ecs, arn) == "STOPPED", 60)
    return statistics.median(calls), statistics.median(taken)


@contextlib.contextmanager
def service(
    side: Side, count: int, command: list[str] | None = None, image: str = settings.BASE_IMAGE, **more: Any
) -> Iterator[tuple[str, float]]:
    """A service with `count` tasks; its name and how long it took until all were RUNNING. Deleted afterwards."""
    ecs, name = side.client("ecs"), f"bench-{uuid.uuid4().hex[:8]}"
    ecs.create_cluster(clusterName=CLUSTER)
    if "taskDefinition" not in more:
        register(
            side, name, image, command=command or OBEYS, stopTimeout=5
        )  # the emulator waits for 5 s, whatever it is
    where = network(side)
    begun = time.perf_counter()
    ecs.create_service(
        **{"taskDefinition": name, **more},
        cluster=CLUSTER,
        serviceName=name,
        desiredCount=count,
        launchType="FARGATE",
        networkConfiguration=where,
    )
    until(lambda: len(running(side, name)) == count, 180)
    taken = time.perf_counter() - begun
    try:
        yield name, taken
    finally:
        delete(side, name)


def running(side: Side, name: str) -> list[dict[str, Any]]:
    """The tasks of a service that are RUNNING."""
    ecs = side.client("ecs")
    arns = ecs.list_tasks(cluster=CLUSTER, serviceName=name)["taskArns"]
    found = ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []
    return [task for task in found if task["lastStatus"] == "RUNNING"]


def delete(side: Side, name: str) -> float:
    """Deletes a service, if it is there; how long until none of its containers is left."""
    ecs, begun = side.client("ecs"), time.perf_counter()
    found = ecs.describe_services(cluster=CLUSTER, services=[name])["services"]
    if any(one["status"] == "ACTIVE" for one in found):
        ecs.delete_service(cluster=CLUSTER, service=name, force=True)
    until(lambda: not _running_containers(name), 180)
    return time.perf_counter() - begun


def deletion(side: Side, command: list[str], image: str, count: int = 10) -> float:
    """How long the deletion of a service takes."""
    with service(side, count, command, image) as (name, _):
        return delete(side, name)


def idle_cpu(side: Side, seconds: float = 20.0) -> float:
    """What share of one core the process takes while nothing is asked of it, in percent."""
    time.sleep(3.0)  # for what the start of the tasks left to do
    process = psutil.Process(side.pid)
    before = process.cpu_times()
    time.sleep(seconds)
    after = process.cpu_times()
    return 100 * (after.user + after.system - before.user - before.system) / seconds


def replacement(side: Side, name: str, times: int = 3) -> float:
    """The median time from the kill of a task's container until another task is RUNNING in its place."""
    taken = []
    for _ in range(times):
        before = {task["taskArn"] for task in running(side, name)}
        victim = _running_containers(min(before).rpartition("/")[2], "com.amazonaws.ecs.task-arn")[0]
        begun = time.perf_counter()
        victim.kill()
        until(lambda before=before: {task["taskArn"] for task in running(side, name)} - before, 60, 0.02)
        taken.append(time.perf_counter() - begun)
        until(lambda before=before: len(running(side, name)) == len(before), 60)
    return statistics.median(taken)


def event_delay(side: Side, times: int = 9) -> float:
    """The median time from a task's change to RUNNING until the event is in a rule's queue."""
    ecs, where = side.client("ecs"), network(side)
    ecs.create_cluster(clusterName=CLUSTER)
    register(side, "bench-events", command=OBEYS)
    with _queue(side, {"source": ["aws.ecs"], "detail": {"lastStatus": ["RUNNING"]}}) as receive:
        taken = []
        for _ in range(times):
            arn = ecs.run_task(
                cluster=CLUSTER, taskDefinition="bench-events", launchType="FARGATE", networkConfiguration=where
            )["tasks"][0]["taskArn"]
            event, arrived = receive()
            taken.append(arrived - datetime.fromisoformat(event["detail"]["updatedAt"]).timestamp())
            ecs.stop_task(cluster=CLUSTER, task=arn)
        return statistics.median(taken)


def put_events_delay(side: Side, times: int = 9) -> float:
    """The median time from the call of PutEvents until the event is in a rule's queue."""
    events = side.client("events")
    with _queue(side, {"source": ["bench"]}) as receive:
        taken = []
        for _ in range(times):
            begun = time.time()
            events.put_events(Entries=[{"Source": "bench", "DetailType": "one", "Detail": "{}"}])
            taken.append(receive()[1] - begun)
        return statistics.median(taken)


@contextlib.contextmanager
def _queue(side: Side, pattern: dict[str, Any]) -> Iterator[Callable[[], tuple[dict[str, Any], float]]]:
    """A queue that a rule fills; yields what waits for its next event, and says when that came into the queue.

    When it was received says less: the emulator looks every 0.1 s whether there is something for a long poll.
    """
    sqs, events, name = side.client("sqs"), side.client("events"), f"bench-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])

    def receive() -> tuple[dict[str, Any], float]:
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, AttributeNames=["SentTimestamp"])
        found = answer.get("Messages", [])
        if not found:
            raise TimeoutError("No event came within 20 s.")
        sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
        return json.loads(found[0]["Body"]), int(found[0]["Attributes"]["SentTimestamp"]) / 1000

    try:
        yield receive
    finally:
        events.remove_targets(Rule=name, Ids=["queue"])
        events.delete_rule(Name=name)
        sqs.delete_queue(QueueUrl=url)


# --- requests ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def balanced(side: Side, image: str, count: int) -> Iterator[tuple[str, str]]:
    """A service behind an application load balancer: the name of that one, and of the service."""
    elb, name = side.client("elbv2"), f"bench-{uuid.uuid4().hex[:8]}"
    vpc = side.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    subnets = network(side)["awsvpcConfiguration"]["subnets"]
    balancer = elb.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]
    group = elb.create_target_group(
        Name=name, Protocol="HTTP", Port=8080, TargetType="ip", VpcId=vpc, HealthCheckIntervalSeconds=10
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    register(side, name, image, portMappings=[{"containerPort": 8080}])
    target = [{"targetGroupArn": group, "containerName": "main", "containerPort": 8080}]
    try:
        with service(side, count, taskDefinition=name, loadBalancers=target) as (chosen, _):
            until(lambda: _healthy(elb, group) == count, 60)
            yield balancer["DNSName"], chosen
    finally:
        elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        elb.delete_target_group(TargetGroupArn=group)


def address(container: Container, port: int) -> str:
    """The URL of a container on its network."""
    container.reload()
    networks = container.attrs["NetworkSettings"]["Networks"]
    # the one of the VPC, not the one on which the task reaches the local AWS
    ip = next(one["IPAddress"] for one in networks.values() if not one["IPAddress"].startswith("169.254."))
    return f"http://{ip}:{port}/"


def task_url(side: Side, name: str) -> str:
    """The URL of the only task of a service."""
    [task] = running(side, name)
    [container] = _running_containers(task["taskArn"].rpartition("/")[2], "com.amazonaws.ecs.task-arn")
    return address(container, 8080)


def balancer_url() -> str:
    """The URL of the container of our only load balancer."""
    wanted = [settings.LABEL, f"{settings.ROLE_KEY}=load-balancer"]
    [found] = docker.from_env().containers.list(filters={"label": wanted})
    return address(found, 80)


class Load(dict[str, float]):
    """What a load test saw: `requests` a second, `errors`, and the latencies `p50` and `p99` in ms."""


def load(url: str, seconds: float = 5.0, host: str | None = None, clients: int = CLIENTS) -> Load:
    """Asks as fast as it is answered, with kept connections, from a container on the host's network."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:.0f}s", "--timeout", "10s", "--latency"]
    command += ["-H", f"Host: {host}"] if host else []
    output = docker.from_env().containers.run(
        WEB, [*command, url], network_mode="host", remove=True, labels=LABELS, stdout=True
    )
    text = output.decode()
    errors = sum(int(number) for line in re.findall(r"Socket errors:.*|Non-2xx.*", text) for number in _numbers(line))
    return Load(
        requests=float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
        total=float(re.search(r"(\d+) requests in", text)[1]),
        errors=errors,
        p50=_milliseconds(re.search(r"50%\s+([\d.]+)(us|ms|s)", text)),
        p99=_milliseconds(re.search(r"99%\s+([\d.]+)(us|ms|s)", text)),
    )


def _numbers(line: str) -> list[str]:
    return re.findall(r"\b\d+\b", line.replace("2xx", "").replace("3xx", ""))


def _milliseconds(found: re.Match[str] | None) -> float:
    assert found
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def _healthy(elb: Any, group: str) -> int:
    found = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return sum(one["TargetHealth"]["State"] == "healthy" for one in found)


def _status(ecs: Any, arn: str) -> str:
    found = ecs.describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"]
    return found[0]["lastStatus"] if found else "STOPPED"


def _running_containers(part: str, label: str = "com.amazonaws.ecs.task-definition-family") -> list[Container]:
    """The running containers with this in the value of a label."""
    found = docker.from_env().containers.list(filters={"label": label}, sparse=True)
    return [one for one in found if part in one.attrs["Labels"][label]]


def until(condition: Callable[[], object], seconds: float, pause: float = 0.05) -> None:
    """Waits for a condition."""
    end = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > end:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(pause)
