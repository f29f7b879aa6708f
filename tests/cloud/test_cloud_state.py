"""What a learner made survives a stop and a crash; nothing of the local AWS runs after a stop."""

import os
import signal
import time
from pathlib import Path

import boto3
import docker
import psutil
import pytest
from cloud_lab import ASLEEP, CLUSTER, free_port, network, ours, register, run_task, service, task, wait_until

from labs import settings
from labs.cloud import server
from labs.cloud.relay import relay

pytestmark = pytest.mark.usefixtures("local_aws")
SERVICE = "cloud-state"


def make() -> str:
    """Two service tasks, a lone task, a queue with a message, an object; the lone task's ARN."""
    boto3.client("sqs").create_queue(QueueName="cloud-state")
    boto3.client("sqs").send_message(QueueUrl=queue_url(), MessageBody="kept")
    boto3.client("s3").create_bucket(Bucket="cloud-state")
    boto3.client("s3").put_object(Bucket="cloud-state", Key="key", Body=b"kept")
    register("cloud-state", settings.BASE_IMAGE, command=ASLEEP)
    arn = run_task("cloud-state")
    boto3.client("ecs").create_service(
        cluster=CLUSTER,
        serviceName=SERVICE,
        taskDefinition="cloud-state",
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration=network(),
    )
    wait_until(lambda: service(SERVICE)["runningCount"] == 2)
    return arn


def queue_url() -> str:
    return boto3.client("sqs").get_queue_url(QueueName="cloud-state")["QueueUrl"]


def assert_kept() -> None:
    """All of it is there again; the service has two containers, and there is no other one."""
    message = boto3.client("sqs").receive_message(QueueUrl=queue_url(), VisibilityTimeout=0)["Messages"][0]
    assert message["Body"] == "kept"
    assert boto3.client("s3").get_object(Bucket="cloud-state", Key="key")["Body"].read() == b"kept"
    wait_until(lambda: service(SERVICE)["runningCount"] == 2)
    assert len(ours("task")) == 2
    listed = boto3.client("ecs").list_tasks(cluster=CLUSTER)["taskArns"]
    assert [task(arn)["lastStatus"] for arn in listed] == ["RUNNING", "RUNNING"]


def test_a_stop_leaves_nothing_running_and_loses_nothing() -> None:
    lone = make()
    begin = time.monotonic()
    assert server.stop() == "The local AWS has stopped."
    assert time.monotonic() - begin < 10
    assert server.health() is None
    assert ours() == []
    assert relay.NETWORK not in [network.name for network in docker.from_env().networks.list()]
    assert not (settings.data_dir() / "run" / "cloud.json").exists()
    assert not server.socket_path().exists()

    assert server.ensure_running().how == "started"
    assert_kept()
    stopped = task(lone)
    assert (stopped["lastStatus"], stopped["desiredStatus"]) == ("STOPPED", "STOPPED")
    assert stopped["stoppedReason"] == "The local AWS was stopped."
    assert stopped["containers"][0]["lastStatus"] == "STOPPED"


def test_a_kill_loses_nothing_that_is_a_second_old() -> None:
    boto3.client("sqs").create_queue(QueueName="cloud-young")
    time.sleep(1)  # what is promised: older than about a second
    os.kill(server.health()["pid"], signal.SIGKILL)
    left = ours("task")
    assert len(left) == 2  # nobody was there to remove them

    mended = server.ensure_running()
    assert mended.how == "recovered"
    assert "ended unexpectedly" in mended.message
    assert mended.seconds < 10
    assert boto3.client("sqs").get_queue_url(QueueName="cloud-young")
    assert_kept()
    assert ours("task") == left  # adopted, not started anew
    assert server.ensure_running().how == "running"


@pytest.mark.embedded
def test_saving_does_not_slow_calls_and_idles() -> None:
    """The median of 50 calls that each change something, and the processor's time while nothing happens."""
    sqs, url, seconds = boto3.client("sqs"), queue_url(), []
    for number in range(50):
        begin = time.perf_counter()
        sqs.send_message(QueueUrl=url, MessageBody=f"message {number}")
        seconds.append(time.perf_counter() - begin)
    assert sorted(seconds)[25] < 0.05
    wait_until(lambda: "message 49" in (state_dir() / "sqs.json").read_text("utf-8"), 5)


@pytest.mark.embedded
def test_what_did_not_change_is_not_written_again() -> None:
    before = {path.name: path.stat().st_mtime_ns for path in state_dir().glob("*.json")}
    boto3.client("ssm").put_parameter(Name="/cloud/state", Value="1", Type="String")
    wait_until((state_dir() / "ssm.json").exists)
    after = {path.name: path.stat().st_mtime_ns for path in state_dir().glob("*.json")}
    assert {"s3.json", "sqs.json"} <= before.keys()
    assert {name for name in before if after[name] != before[name]} <= {"ssm.json"}


def test_after_a_crash_stop_removes_what_is_left() -> None:
    os.kill(server.health()["pid"], signal.SIGKILL)
    wait_until(lambda: server.health() is None)
    assert ours("task")
    assert "had crashed" in server.stop()
    assert ours() == []
    assert server.stop() == "The local AWS was not running."


def test_after_a_crash_another_port_adopts_what_is_left_too(monkeypatch: pytest.MonkeyPatch) -> None:
    server.ensure_running()
    wait_until(lambda: len(ours("task")) == 2)
    left = ours("task")
    os.kill(server.health()["pid"], signal.SIGKILL)
    monkeypatch.setenv("COURSE_PORT", str(free_port()))
    monkeypatch.setenv("AWS_ENDPOINT_URL", settings.gateway_url())
    assert server.ensure_running().how == "recovered"
    wait_until(lambda: service(SERVICE)["runningCount"] == 2)
    assert ours("task") == left
    server.stop()


def state_dir() -> Path:
    return settings.data_dir() / "cloud" / "services"


def test_no_process_is_left() -> None:
    server.ensure_running()
    process = psutil.Process(server.health()["pid"])
    family = [process, *process.children(recursive=True)]
    server.stop()
    assert [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
