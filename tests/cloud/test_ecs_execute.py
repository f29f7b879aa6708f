"""ECS Exec through its front door: the real AWS CLI in a terminal, boto3, and the WebSocket itself."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pexpect
import pytest
from botocore.exceptions import ClientError
from cloud_lab import ASLEEP, CLUSTER, container_of, network, register, role, task, wait_until

from labs import settings
from labs.cloud.session import channel, install

IMAGE = settings.BASE_IMAGE
ROLE = f"arn:aws:iam::{settings.ACCOUNT}:role/exec-test"
AWS = str(Path(sys.executable).with_name("aws"))


def run(family: str, **more: object) -> str:
    """Runs a task with ECS Exec, unless `more` says otherwise, and waits for RUNNING; its ARN."""
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    options = {"enableExecuteCommand": True, **more}
    answer = ecs.run_task(
        cluster=CLUSTER, taskDefinition=family, launchType="FARGATE", networkConfiguration=network(), **options
    )
    arn = answer["tasks"][0]["taskArn"]
    wait_until(lambda: task(arn)["lastStatus"] in ("RUNNING", "STOPPED"), 120)
    assert task(arn)["lastStatus"] == "RUNNING", task(arn).get("stoppedReason")
    return arn


@pytest.fixture(scope="module")
def family(local_aws: Path) -> str:
    role("exec-test")
    register("exec-test", IMAGE, ROLE, command=ASLEEP, user="nobody")
    return "exec-test"


@pytest.fixture(scope="module")
def arn(family: str) -> str:
    return run(family)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An environment of Python's with the program that the CLI runs, first on PATH; it sees this one's packages."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    assert not (folder / "bin" / install.PROGRAM).exists()
    packages = next((folder / "lib").glob("python*/site-packages"))
    theirs = Path(pytest.__file__).parent.parent
    (packages / "course.pth").write_text(f"{settings.ROOT}\n{theirs}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/usr/bin:/bin")
        assert install.wanted(python)
        install.install(python)
        assert not install.wanted(python)
        patch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
        yield


def execute(arn: str, command: str, **more: object) -> dict:
    wanted = {"container": "main", "interactive": True, **more}
    return boto3.client("ecs").execute_command(cluster=CLUSTER, task=arn, command=command, **wanted)


def cli(arn: str, command: str) -> list[str]:
    arguments = ["--cluster", CLUSTER, "--task", arn, "--container", "main", "--interactive", "--command", command]
    return ["ecs", "execute-command", *arguments]


def refusal(arn: str, command: str = "ls", **more: object) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        execute(arn, command, **more)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_cli_prints_what_a_command_prints_and_ends(arn: str, terminal: None) -> None:
    cell = pexpect.spawn(AWS, cli(arn, "cat /etc/debian_version"), timeout=30, encoding="utf-8")
    cell.expect(r"Starting session with SessionId: (ecs-execute-command-[0-9a-f]{17})")
    session_id = cell.match[1]
    cell.expect(r"\n12\.\d+\r\n")
    cell.expect_exact(f"Exiting session with sessionId: {session_id}.")
    cell.expect(pexpect.EOF)
    cell.close()
    assert cell.exitstatus == 0


def test_cli_opens_a_shell_to_type_in(arn: str, terminal: None) -> None:
    shell = pexpect.spawn(AWS, cli(arn, "/bin/sh"), timeout=30, encoding="utf-8", dimensions=(33, 111))
    shell.expect("# $")
    shell.sendline("stty size; id -u; echo $TERM")
    shell.expect_exact("33 111\r\n0\r\nxterm-256color\r\n")
    shell.setwinsize(44, 122)
    shell.sendline('until [ "$(stty size)" = "44 122" ]; do :; done; echo resi""zed')
    shell.expect_exact("resized")
    shell.sendline("hostname")
    shell.expect_exact(container_of(arn).attrs["Config"]["Hostname"])
    shell.sendline("echo be'gun'; sleep 600; echo never")
    shell.expect_exact("begun")
    shell.sendcontrol("c")  # goes to the command, and does not end the session
    shell.sendline("echo über$((6 * 7))")
    shell.expect_exact("über42")
    shell.sendline("exit")
    shell.expect("Exiting session")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 0


def test_cli_reads_a_pipe_and_ends_with_it(arn: str, terminal: None) -> None:
    done = subprocess.run(
        [AWS, *cli(arn, "/bin/sh")], input="echo $((6 * 7))x\n", capture_output=True, text=True, check=False, timeout=30
    )
    assert "42x" in done.stdout
    assert "Exiting session" in done.stdout
    assert done.returncode == 0, done.stderr


def test_python_reads_all_of_a_long_output(arn: str) -> None:
    answer = execute(arn, "seq 1 30000")
    assert answer["containerName"] == "main"
    assert answer["taskArn"] == arn
    assert channel.read_all(answer["session"]) == "".join(f"{number}\n" for number in range(1, 30001))


def test_a_command_is_split_like_a_shells_and_run_without_one(arn: str) -> None:
    assert channel.read_all(execute(arn, """printf '%s|' 'two words' $HOME "|" """)["session"]) == "two words|$HOME|||"
    with pytest.raises(channel.ChannelError, match="Failed to parse commands input: No closing quotation"):
        channel.read_all(execute(arn, "echo 'open")["session"])
    assert "no-such-program" in channel.read_all(execute(arn, "no-such-program")["session"])


def test_a_token_opens_one_session_once(arn: str) -> None:
    session = execute(arn, "echo once")["session"]
    with pytest.raises(channel.ChannelError, match="token is not valid"):
        channel.read_all({**session, "tokenValue": "x" * len(session["tokenValue"])})
    assert channel.read_all(session) == "once\n"
    with pytest.raises(channel.ChannelError, match="token is not valid"):
        channel.read_all(session)


def test_a_token_is_for_its_own_session(arn: str) -> None:
    one, other = execute(arn, "echo one")["session"], execute(arn, "echo other")["session"]
    with pytest.raises(channel.ChannelError, match="token is not valid"):
        channel.read_all({**one, "tokenValue": other["tokenValue"]})
    assert channel.read_all(one) == "one\n"


def test_a_web_page_cannot_open_a_session(arn: str) -> None:
    session = execute(arn, "echo secret")["session"]
    path = session["streamUrl"].partition(f":{settings.gateway_port()}")[2]
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{settings.gateway_port()}\r\nOrigin: https://example.com\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", settings.gateway_port()), 10) as page:
        page.sendall(request.encode())
        assert page.recv(4096).startswith(b"HTTP/1.1 403 ")
    assert channel.read_all(session) == "secret\n"


def test_a_client_that_leaves_takes_its_command_along(arn: str) -> None:
    opened = channel.Channel(execute(arn, "sh -c 'trap : HUP; echo up; while :; do sleep 4321; done'")["session"])
    assert next(data for data in opened.output() if b"up" in data)
    container = container_of(arn)
    wait_until(lambda: "sleep 4321" in str(container.top()["Processes"]))
    opened._socket.close()
    wait_until(lambda: "sleep 4321" not in str(container.top()["Processes"]))
    assert task(arn)["lastStatus"] == "RUNNING"


def test_a_container_that_dies_ends_its_sessions(family: str) -> None:
    arn = run(family)
    assert task(arn)["containers"][0]["managedAgents"][0]["lastStatus"] == "RUNNING"
    opened = channel.Channel(execute(arn, "/bin/sh")["session"])
    printed: list[bytes] = []
    reader = threading.Thread(target=lambda: printed.extend(opened.output()))
    reader.start()
    wait_until(lambda: b"# " in b"".join(printed))
    container_of(arn).kill()
    reader.join(20)
    assert not reader.is_alive()
    assert opened.closing_words == "The container has stopped."
    wait_until(lambda: task(arn)["lastStatus"] == "STOPPED")
    assert task(arn)["containers"][0]["managedAgents"][0]["lastStatus"] == "STOPPED"
    assert refusal(arn)[0] == "InvalidParameterException"


def test_refused_where_it_is_not_enabled(family: str) -> None:
    arn = run(family, enableExecuteCommand=False)
    assert "managedAgents" not in task(arn)["containers"][0]
    code, message = refusal(arn)
    assert code == "InvalidParameterException"
    assert "execute command was not enabled when the task was run" in message


def test_refused_where_the_agent_cannot_write(local_aws: Path) -> None:
    register("exec-read-only", IMAGE, ROLE, command=ASLEEP, readonlyRootFilesystem=True)
    arn = run("exec-read-only")
    agent = task(arn)["containers"][0]["managedAgents"][0]
    assert (agent["name"], agent["lastStatus"]) == ("ExecuteCommandAgent", "STOPPED")
    assert "readonlyRootFilesystem" in agent["reason"]
    assert "agent isn’t running" in refusal(arn)[1]


def test_refused_in_a_container_that_is_paused(family: str) -> None:
    arn = run(family)
    container = container_of(arn)
    container.pause()
    try:
        assert refusal(arn) == (
            "TargetNotConnectedException", "The execute command failed due to an internal error. Try again later.",
        )  # fmt: skip
    finally:
        container.unpause()
    assert channel.read_all(execute(arn, "echo back")["session"]) == "back\n"


def test_refused_input(arn: str) -> None:
    assert refusal(arn, interactive=False) == (
        "InvalidParameterException", "Interactive is the only mode supported currently.",
    )  # fmt: skip
    assert refusal(arn, container="other")[0] == "InvalidParameterException"
    assert refusal(arn, " ")[0] == "InvalidParameterException"
    assert refusal("0" * 32) == ("InvalidParameterException", "The referenced task was not found.")
    with pytest.raises(ClientError, match="ClusterNotFoundException"):
        boto3.client("ecs").execute_command(cluster="nowhere", task=arn, command="ls", interactive=True)


def test_a_container_need_be_named_only_among_several(arn: str) -> None:
    ecs = boto3.client("ecs")
    answer = ecs.execute_command(cluster=CLUSTER, task=arn, command="echo alone", interactive=True)
    assert channel.read_all(answer["session"]) == "alone\n"
    ecs.register_task_definition(
        family="exec-two", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        taskRoleArn=ROLE,
        containerDefinitions=[{"name": name, "image": IMAGE, "command": ASLEEP} for name in ("main", "side")],
    )  # fmt: skip
    two = run("exec-two")
    with pytest.raises(ClientError, match="main, side"):
        ecs.execute_command(cluster=CLUSTER, task=two, command="ls", interactive=True)
    assert channel.read_all(execute(two, "echo beside", container="side")["session"]) == "beside\n"


def test_a_task_without_a_task_role_cannot_have_it(local_aws: Path) -> None:
    register("exec-no-role", IMAGE, command=ASLEEP)
    with pytest.raises(ClientError, match="a valid taskRoleArn is not being used"):
        run("exec-no-role")
