"""The local AWS when the world is against it: each fault ends in a clear sentence, and nothing is lost or left."""

import contextlib
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cloud"))
from cloud_lab import ASLEEP, CLUSTER, SITE, network, own_place, register, run_task, task, wait_until

from labs import settings
from labs.cloud import server


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    with own_place(tmp_path) as folder:
        yield folder


def state_dir() -> Path:
    return settings.data_dir() / "cloud" / "services"


def test_no_network_at_all(place: Path) -> None:
    """In a network of its own with nothing but loopback: it starts, answers, and refuses real AWS."""
    code = (
        "import boto3, fcntl, socket, struct\n"
        "with socket.socket() as up:  # loopback is down in a new network namespace\n"
        "    fcntl.ioctl(up, 0x8914, struct.pack('16sh', b'lo', 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING\n"
        "from labs.cloud import server\n"
        "print(server.ensure_running().how)\n"
        "try:\n"
        "    boto3.client('ecs').create_cluster(clusterName='alone')\n"
        "    print(len(boto3.client('ecs').list_clusters()['clusterArns']))\n"
        "    boto3.client('ecs', endpoint_url='https://ecs.us-east-1.amazonaws.com').list_clusters()\n"
        "except Exception as refused:\n"
        "    print('real AWS host' in str(refused))\n"
        "finally:\n"
        "    print(server.stop())\n"
    )
    done = subprocess.run(
        ["unshare", "--net", "--map-root-user", sys.executable, "-c", SITE + code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split("\n") == ["started", "1", "True", "The local AWS has stopped.", ""], done.stderr


def test_no_docker(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an engine everything but containers works."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{place}/no-engine.sock")
        assert server.ensure_running().how == "started"
        boto3.client("sqs").create_queue(QueueName="fault")
        assert server.stop() == "The local AWS has stopped."
    assert server.ensure_running().how == "started"
    assert boto3.client("sqs").list_queues()["QueueUrls"]


def test_a_full_disk_is_said_and_mended(place: Path) -> None:
    """Writing fails, as on a full disk: calls go on, the health says so, and all is saved once there is room."""
    server.ensure_running()
    pid = server.health()["pid"]
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    boto3.client("sqs").create_queue(QueueName="fault")
    wait_until(lambda: "sqs" in server.health()["unsaved"], 10)
    assert boto3.client("sqs").list_queues()["QueueUrls"]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    boto3.client("sqs").create_queue(QueueName="fault-2")
    wait_until(lambda: server.health()["unsaved"] == [], 10)
    os.kill(pid, 9)
    assert server.ensure_running().how == "recovered"
    assert len(boto3.client("sqs").list_queues()["QueueUrls"]) == 2


def test_a_data_folder_that_cannot_be_written(place: Path) -> None:
    (place / "data").write_text("a file where the folder should be")
    try:
        with pytest.raises(server.CloudError, match="COURSE_DATA"):
            server.ensure_running()
    finally:
        (place / "data").unlink()


def test_a_start_that_fails_says_why(place: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_BACKEND", "nonsense")
        with pytest.raises(server.CloudError, match="There is no backend 'nonsense'"):
            server.ensure_running()
    assert server.ensure_running().how == "started"


@pytest.mark.parametrize("half", [True, False])
def test_broken_state_files_do_not_stop_it(place: Path, half: bool) -> None:
    server.ensure_running()
    boto3.client("ecs").create_cluster(clusterName="fault")
    boto3.client("sqs").create_queue(QueueName="fault")
    server.stop()
    path = settings.data_dir() / "cloud" / "state.sqlite"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if half else b"no database")
    (settings.data_dir() / "run" / "cloud.json").write_text('{"pid": ')
    server.ensure_running()
    assert boto3.client("sqs").list_queues()["QueueUrls"]
    assert boto3.client("ecs").list_clusters()["clusterArns"] == []
    assert path.with_name("state.sqlite.broken").exists()  # for whoever wants to look


def test_an_image_that_nobody_has_stops_the_task_with_its_reason(place: Path) -> None:
    server.ensure_running()
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    register("fault-image", "127.0.0.1:1/no-such-image:1")
    answer = ecs.run_task(
        cluster=CLUSTER, taskDefinition="fault-image", launchType="FARGATE", networkConfiguration=network()
    )
    arn = answer["tasks"][0]["taskArn"]
    wait_until(lambda: task(arn)["lastStatus"] == "STOPPED")
    assert "no-such-image" in task(arn)["stoppedReason"]


class Line:
    """A unix socket in front of Docker's that can be cut, as when the engine is stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None

    def join(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        self.path.unlink()
        for end in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect("/var/run/docker.sock")
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)


def test_docker_stops_and_comes_back(place: Path) -> None:
    """The local AWS goes on answering, does not take a silent engine for dead tasks, and starts tasks again after."""
    line = Line(place / "docker.sock")
    line.join()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{line.path}")
        server.ensure_running()
    ecs = boto3.client("ecs")
    register("fault-docker", settings.BASE_IMAGE, command=ASLEEP)
    first = run_task("fault-docker")
    line.cut()
    assert server.health() is not None
    answer = ecs.run_task(
        cluster=CLUSTER, taskDefinition="fault-docker", launchType="FARGATE", networkConfiguration=network()
    )
    failed = answer["tasks"][0]["taskArn"]
    wait_until(lambda: task(failed)["lastStatus"] == "STOPPED")
    assert task(failed)["stoppedReason"]
    assert task(first)["lastStatus"] == "RUNNING"
    line.join()
    assert run_task("fault-docker")
    assert task(first)["lastStatus"] == "RUNNING"
