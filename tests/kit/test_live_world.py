"""The live picture of the real local AWS and containers: what it sees and how soon, what it costs, when it ends."""

import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from labs.cloud import server
from labs.kit import remove_aws
from labs.kit.live import as_text, live_widget
from labs.kit.live import widget as widget_module
from labs.kit.live.look import Looker
from labs.kit.live.plan import EVERYTHING, Plan
from labs.kit.live.scene import Scene
from labs.kit.world import aws_client, docker_client
from tests.kit.live_lab import PLAN, make_service, make_web_image, running_tasks, steady, until

SHARE = 5.0  # percent of a core, for kernel and local AWS together
HERE = {"kind": "here", "view": "a page"}
LEFT = {"kind": "left", "view": "a page"}


@pytest.fixture(scope="module")
def image(course: dict[str, str]) -> Iterator[str]:
    yield make_web_image()
    docker_client().images.remove("live-test-web:1", force=True)


@pytest.fixture(scope="module")
def cluster(image: str) -> Iterator[str]:
    """The chapter's service: three tasks behind a load balancer."""
    remove_aws.everything("svc-")
    yield make_service("svc-", image)
    remove_aws.everything("svc-")


@pytest.fixture
def live(cluster: str) -> Iterator[Any]:
    """The chapter's live picture, in a page."""
    widget = live_widget("ECS", PLAN)
    widget._handle_custom_msg(HERE, [])
    until(lambda: widget.drawing)
    yield widget
    widget.close()
    until(lambda: _watchers() == [])


def _watchers() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("live picture"))


def _look(*watch: str, prefix: str = "svc-") -> Scene:
    return Looker(prefix, watch or EVERYTHING).look()


def test_a_scene_has_what_exists_and_docker_s_containers_behind_it(cluster: str) -> None:
    scene = _look()
    assert [(node.kind, node.name, node.state) for node in scene.nodes.values() if node.kind != "task"] == [
        ("cluster", "svc-demo", "ACTIVE"),
        ("service", "svc-web", "ACTIVE"),
        ("load_balancer", "svc-alb", "active"),
        ("target_group", "svc-web", "in use"),
    ]
    tasks = scene.of("task", scene.of("service")[0].id)
    assert sorted(task.id for task in tasks) == running_tasks(cluster)
    for task in tasks:
        [container] = docker_client().containers.list(filters={"label": f"com.amazonaws.ecs.task-arn={task.id}"})
        assert task.facts["containers"] == [{"name": "web", "id": container.id[:12], "state": "running"}]
        assert [edge.state for edge in scene.health(task.id)] == ["healthy"]
    assert len(as_text(PLAN).splitlines()) == 1 + 7 + 2
    assert as_text(PLAN).endswith("All is as planned.")


def test_names_of_others_are_not_in_it(cluster: str) -> None:
    assert _look(prefix="other-") == Scene()


def test_queues_rules_and_file_systems(course: dict[str, str]) -> None:
    sqs, events, efs = (aws_client(name) for name in ("sqs", "events", "efs"))
    url = sqs.create_queue(QueueName="around-jobs")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="around-tick", ScheduleExpression="rate(1 hour)", State="DISABLED")
    events.put_targets(Rule="around-tick", Targets=[{"Id": "1", "Arn": queue}])
    disk = efs.create_file_system(CreationToken="around", Tags=[{"Key": "Name", "Value": "around-disk"}])[
        "FileSystemId"
    ]
    try:
        sqs.send_message(QueueUrl=url, MessageBody="a job")
        scene = _look(prefix="around-")
        states = {node.name: (node.kind, node.state) for node in scene.nodes.values()}
        assert states == {
            "around-jobs": ("queue", "available"),
            "around-tick": ("rule", "DISABLED"),
            "around-disk": ("file_system", "available"),
        }
        assert scene.of("queue")[0].facts == {"visible": 1, "in_flight": 0, "delayed": 0}
        assert [(edge.end, edge.kind, edge.state) for edge in scene.edges] == [(queue, "invoke", "DISABLED")]
        assert _look("load_balancing", prefix="around-") == Scene()  # what a plan does not ask for is not looked at
    finally:
        events.remove_targets(Rule="around-tick", Ids=["1"])
        events.delete_rule(Name="around-tick")
        sqs.delete_queue(QueueUrl=url)
        efs.delete_file_system(FileSystemId=disk)


OPTIMIZED = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"


def test_a_container_instance_and_a_task_on_it(image: str) -> None:
    ecs, iam, name = aws_client("ecs"), aws_client("iam"), "inst-demo"
    remove_aws.everything("inst-")
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    policy = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
    try:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        ecs.create_cluster(clusterName=name)
        started = aws_client("ec2").run_instances(
            ImageId=aws_client("ssm").get_parameter(Name=OPTIMIZED)["Parameter"]["Value"],
            InstanceType="t3.small",
            MinCount=1,
            MaxCount=1,
            IamInstanceProfile={"Name": name},
            UserData=f"#!/bin/bash\necho ECS_CLUSTER={name} >> /etc/ecs/ecs.config\n",
        )["Instances"][0]["InstanceId"]
        until(lambda: [one.state for one in _look(prefix="inst-").of("instance")] == ["ACTIVE"], 120)
        container = {"name": "web", "image": image, "essential": True, "memory": 64}
        ecs.register_task_definition(family=name, requiresCompatibilities=["EC2"], containerDefinitions=[container])
        ecs.run_task(cluster=name, taskDefinition=name, launchType="EC2")
        until(lambda: [one.state for one in _look(prefix="inst-").of("task")] == ["RUNNING"])
        scene = _look(prefix="inst-")
        [instance], [task] = scene.of("instance"), scene.of("task")
        assert (instance.name, instance.facts["type"], instance.facts["tasks"]) == (started, "t3.small", 1)
        assert task.facts["instance"] == started
        assert f"on EC2, instance {started}" in as_text(Plan("inst-"))
    finally:
        remove_aws.everything("inst-")
    assert remove_aws.left("inst-") == []


def test_looking_asks_and_changes_nothing(cluster: str) -> None:
    asked: set[str] = set()
    clients = [aws_client(name) for name in ("ecs", "elbv2", "sqs", "events", "efs")]

    def note(model: Any, **_: Any) -> None:
        asked.add(model.name)

    for client in clients:
        client.meta.events.register("before-call", note, unique_id="note")
    _look()
    for client in clients:
        client.meta.events.unregister("before-call", unique_id="note")
    assert {"ListClusters", "DescribeTasks", "DescribeTargetHealth", "ListQueues", "ListRules"} <= asked
    assert not [name for name in asked if not name.startswith(("List", "Describe", "Get"))]


def test_a_killed_task_is_seen_to_end_and_to_be_replaced(cluster: str, live: Any) -> None:
    seen: list[tuple[float, dict[str, str]]] = []
    told: list[str] = []

    def note(change: Any) -> None:
        tasks = {node["id"]: node["state"] for node in change.new["nodes"] if node["kind"] == "task"}
        seen.append((time.time(), tasks))

    live.observe(note, "drawing")
    live.observe(lambda change: told.append(change.new["text"]), "news")
    before = running_tasks(cluster)
    victim = before[0]
    [container] = docker_client().containers.list(filters={"label": f"com.amazonaws.ecs.task-arn={victim}"})
    begin = time.time()
    container.kill()
    until(lambda: len(running_tasks(cluster)) == 3 and victim not in running_tasks(cluster))
    until(lambda: live.drawing["plan"] == ["All is as planned."])
    [new] = set(running_tasks(cluster)) - set(before)
    assert min(when for when, tasks in seen if tasks.get(victim) == "STOPPED") - begin < 1.5  # ECS's own time too
    assert [tasks for _, tasks in seen if victim in tasks and new in tasks]
    assert any("is STOPPED" in one and "exit code 137" in one for one in told)
    until(lambda: victim not in {node["id"] for node in live.drawing["nodes"]})


def test_what_docker_does_not_tell_is_seen_within_a_second(cluster: str, live: Any) -> None:
    elb = aws_client("elbv2")
    group = elb.describe_target_groups(Names=["svc-web"])["TargetGroups"][0]
    elb.create_target_group(Name="svc-late", Protocol="HTTP", Port=80, VpcId=group["VpcId"], TargetType="ip")
    begin = time.monotonic()
    until(lambda: [node for node in live.drawing["nodes"] if node["id"].split("/")[-2:-1] == ["svc-late"]])
    assert time.monotonic() - begin < 1.0
    assert live.drawing["plan"] == ["The target group svc-late is there and not in the plan."]
    late = elb.describe_target_groups(Names=["svc-late"])["TargetGroups"][0]["TargetGroupArn"]
    elb.delete_target_group(TargetGroupArn=late)
    until(lambda: live.drawing["plan"] == ["All is as planned."])


def test_it_watches_only_while_a_page_shows_it(cluster: str, live: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    live._handle_custom_msg({**HERE, "view": "another"}, [])
    assert len(_watchers()) == 2  # one that looks, one that listens to Docker, however many pages
    live._handle_custom_msg(LEFT, [])
    assert len(_watchers()) == 2
    live._handle_custom_msg({**LEFT, "view": "another"}, [])
    until(lambda: _watchers() == [])
    live._handle_custom_msg(HERE, [])
    assert len(_watchers()) == 2
    monkeypatch.setattr(widget_module, "SILENCE_SECONDS", 0.5)  # a browser that was closed
    until(lambda: _watchers() == [])


def test_without_an_engine_the_rest_is_shown_and_it_is_said(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    widget = live_widget("ECS", PLAN)
    widget._handle_custom_msg(HERE, [])
    until(lambda: widget.drawing)
    assert widget.notes == ["No Docker engine answers, so the containers behind the tasks are not shown."]
    assert len([node for node in widget.drawing["nodes"] if node["kind"] == "task"]) == 3
    monkeypatch.undo()
    until(lambda: not widget.notes)  # it came back
    widget.close()
    until(lambda: _watchers() == [])


def test_without_the_local_aws_the_last_picture_stays_and_it_is_said(cluster: str, live: Any) -> None:
    drawing = live.drawing
    server.stop()
    until(lambda: live.notes == [widget_module.AWAY])
    assert live.drawing == drawing
    assert "does not answer" in as_text(PLAN)
    server.ensure_running()
    until(lambda: not live.notes)
    steady(cluster, "svc-web")


@pytest.mark.slow
def test_fifty_tasks_cost_less_than_a_twentieth_of_a_core(image: str) -> None:
    remove_aws.everything("crowd-")
    cluster = make_service("crowd-", image, 50)
    plan = Plan("crowd-", ("load_balancing",))
    widget = live_widget("A crowd", plan)
    try:
        gateway = psutil.Process(int(server.health()["pid"]))
        idle = _busy(gateway)
        widget._handle_custom_msg(HERE, [])
        until(lambda: len([n for n in widget.drawing.get("nodes", []) if n["state"] == "RUNNING"]) == 50)
        time.sleep(2)  # what was on its way has come
        watching = _busy(gateway)
        print(
            f"idle {idle:.1f} %, watching 50 tasks {watching:.1f} % of a core; {len(json.dumps(widget.drawing))} bytes"
        )
        assert watching - idle < SHARE
        assert len(running_tasks(cluster)) == 50
    finally:
        widget.close()
        remove_aws.everything("crowd-")


def _busy(gateway: psutil.Process, seconds: float = 20.0) -> float:
    """How much of a core this process and the local AWS use, in percent."""
    both = (psutil.Process(os.getpid()), gateway)
    before = sum(sum(one.cpu_times()[:2]) for one in both)
    begin = time.monotonic()
    time.sleep(seconds)
    return 100 * (sum(sum(one.cpu_times()[:2]) for one in both) - before) / (time.monotonic() - begin)
